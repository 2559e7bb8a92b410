"""Streams: the framing of every block is checked, and every event against the SDK's types (contract, 7)."""

import json
import re
from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from typing import Any, NamedTuple, get_args

import httpx2
from openai import OpenAI
from openai.types.beta import assistant_stream_event
from openai.types.shared import ErrorObject

from tests.support.sdk.client import strict, strict_object

_CLASSES = get_args(get_args(assistant_stream_event.AssistantStreamEvent)[0])

NAMES = {name for each in _CLASSES for name in get_args(each.model_fields["event"].annotation)}
"""The events that the SDK has; it does not expose `done`."""

MESSAGE_BEGINS = [
    "thread.run.step.created",
    "thread.run.step.in_progress",
    "thread.message.created",
    "thread.message.in_progress",
]
CALLS_BEGIN = ["thread.run.step.created", "thread.run.step.in_progress"]
MESSAGE_ENDS = ["thread.message.completed", "thread.run.step.completed"]
RUN_BEGINS = ["thread.run.created", "thread.run.queued", "thread.run.in_progress"]


class Event(NamedTuple):
    """An event; its data is that of an object of the API."""

    name: str
    data: dict[str, Any]


DONE = Event("done", {})


@contextmanager
def streamed(client: OpenAI, path: str, **body: Any) -> Iterator[Iterator[Event]]:
    """The events of a request with `stream: true`, as they arrive."""
    url = f"{str(client.base_url).rstrip('/')}/{path}"
    headers = {**client.auth_headers, "OpenAI-Beta": "assistants=v2"}
    with httpx2.stream("POST", url, json={**body, "stream": True}, headers=headers, timeout=60) as response:
        assert response.status_code == 200, response.read()
        assert response.headers["content-type"] == "text/event-stream; charset=utf-8"
        yield events(response.iter_text())


def stream(client: OpenAI, path: str, **body: Any) -> list[Event]:
    """All events of such a request."""
    with streamed(client, path, **body) as received:
        return list(received)


def events(chunks: Iterable[str]) -> Iterator[Event]:
    """The events in a stream of text, which ends with `done`. Comment lines are ignored."""
    rest = ""
    for chunk in chunks:
        *blocks, rest = (rest + chunk).split("\n\n")
        for block in blocks:
            yield _event(re.sub(r"^(:\n)+", "", block))
    assert rest == ""


def names(received: Iterable[Event], *without: str) -> list[str]:
    """The names of the events, without those of deltas."""
    return [event.name for event in received if not event.name.endswith(".delta") and event.name not in without]


def deltas(received: Iterable[Event]) -> list[dict[str, Any]]:
    """The data of the deltas."""
    return [event.data for event in received if event.name.endswith(".delta")]


def only(received: Iterable[Event], name: str) -> dict[str, Any]:
    """The data of the only event of that name."""
    (found,) = (event.data for event in received if event.name == name)
    return found


def said(received: Iterable[Event]) -> str:
    """The text of the deltas."""
    parts = [part for delta in deltas(received) for part in delta["delta"].get("content", ())]
    return "".join(part["text"]["value"] for part in parts)


def _event(block: str) -> Event:
    first, second = block.split("\n")
    name, content = first.removeprefix("event: "), second.removeprefix("data: ")
    assert block == f"event: {name}\ndata: {content}"
    if name == "done":
        assert content == "[DONE]"
        return DONE
    assert name in NAMES
    data = json.loads(content)
    if name == "error":
        strict(ErrorObject, data)
    else:
        strict_object(data)
        kinds = ("thread.run.step", "thread.run", "thread.message", "thread")
        expected = name if name.endswith(".delta") else next(kind for kind in kinds if name.startswith(f"{kind}."))
        assert data["object"] == expected
    return Event(name, data)
