"""Queue items in traces: an item has its sender's `traceparent`, and its handling is a span of the same trace."""

import json
from collections.abc import Mapping
from typing import Any, Protocol

from assistants.telemetry import record
from assistants.telemetry.names import DESTINATION, MESSAGING, MESSAGING_OPERATION, POISONED, QUEUE

TRACEPARENT = "traceparent"
"""The field in an item's body; a handler that does not know it ignores it."""


class Handler(Protocol):
    """Handles the items of a queue. An item whose handling fails is delivered again, and finally given up."""

    async def handle(self, content: bytes) -> None:
        """Handle an item; raises if it is to be delivered again."""
        ...

    async def give_up(self, content: bytes) -> None:
        """Clean up after an item that failed repeatedly."""
        ...


class Traced:
    """A queue's handler, with a span for each item."""

    def __init__(self, queue: str, handler: Handler) -> None:
        self._queue, self._handler = queue, handler

    async def handle(self, content: bytes) -> None:
        with self._span(self._queue, content):
            await self._handler.handle(content)

    async def give_up(self, content: bytes) -> None:
        record.add(POISONED, 1, {QUEUE: self._queue})
        with self._span(f"{self._queue}-poison", content):
            await self._handler.give_up(content)

    def _span(self, queue: str, content: bytes) -> record.Span:
        attributes = {MESSAGING: "azure_queue_storage", DESTINATION: queue, MESSAGING_OPERATION: "process"}
        parent = sender(content) if record.is_on() else None
        return record.span(f"process {queue}", "consumer", attributes, parent)


def carried() -> Mapping[str, str]:
    """The trace fields of an item's body; empty if nothing is recorded."""
    place = record.traceparent()
    return {TRACEPARENT: place} if place else {}


def sender(content: bytes) -> str | None:
    """The `traceparent` in an item's body."""
    try:
        item: Any = json.loads(content)
    except ValueError:
        return None
    found: Any = item.get(TRACEPARENT) if isinstance(item, dict) else None  # pyright: ignore[reportUnknownMemberType,reportUnknownVariableType]
    return found if isinstance(found, str) else None
