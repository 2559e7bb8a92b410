"""The checks of a stream while it is forwarded: each event against its model, its status and its order."""

import json
import re
from collections.abc import Callable, Iterator
from typing import Any, cast

from assistants.proxy.deviations import Deviation, deviations, excerpt, loaded
from assistants.proxy.order import Begin, Order
from assistants.schema import v1
from assistants.schema.events import EVENTS, STATUSES

Add = Callable[[Deviation], None]
"""Adds a deviation to a report."""


class Watch:
    """Reports the deviations of a stream; `version` is the API's, "v1" or "v2"."""

    def __init__(self, begin: Begin, version: str, add: Add) -> None:
        self._order = Order(begin)
        self._version = version
        self._add = add

    def see(self, block: bytes) -> bool:
        """Check one event; return whether it is an event, not a comment."""
        event, data = parsed(block)
        if not event and not data:
            return False
        for deviation in self._seen(event, data):
            self._add(deviation)
        return True

    def skip(self, size: int) -> None:
        """Record an event of `size` bytes, which is too large to be checked."""
        self._add(Deviation("stream", "too long", "an event", excerpt(size)))

    def end(self) -> None:
        """Check the end of the stream."""
        for problem in self._order.end():
            self._add(Deviation("stream", "order", f"the stream {problem}", "null"))

    def cut(self, error: Exception) -> None:
        """Report that the stream broke off."""
        self._add(Deviation("stream", "cut", "the stream broke off", excerpt(type(error).__name__)))

    def _seen(self, event: str, data: str) -> Iterator[Deviation]:
        payload: dict[str, Any] = {}
        if event == "done":
            if data != "[DONE]":
                yield Deviation("stream", "unknown value", "done", excerpt(data))
        elif event not in EVENTS:
            yield Deviation("stream", "unknown event", event or "an event without a name", excerpt(data))
            return
        else:
            content = data.encode(errors="replace")
            value = loaded(data)
            if not isinstance(value, dict):  # its order cannot be checked
                yield from deviations("stream", EVENTS[event], content, event)
                return
            payload = cast("dict[str, Any]", value)
            if self._version == "v1":
                payload = v1.restored(payload)
                content = json.dumps(payload).encode()
            yield from deviations("stream", EVENTS[event], content, event)
            name = event.rpartition(".")[2]
            status, expected = payload.get("status"), STATUSES.get(event, name)
            if status is not None and status != expected and name != "delta":
                yield Deviation("stream", "unknown value", f"{event}.status", excerpt(status))
        for problem in self._order.take(event, payload):
            yield Deviation("stream", "order", f"{event} {problem}", excerpt(payload.get("id")))


def parsed(block: bytes) -> tuple[str, str]:
    """The name and the data of a server-sent event; both are empty for a comment."""
    event, data = "", list[str]()
    for line in re.split("\r\n|\n|\r", block.decode(errors="replace")):
        name, _, value = line.partition(":")
        value = value.removeprefix(" ")
        if name == "event":
            event = value
        elif name == "data":
            data.append(value)
    return event, "\n".join(data)
