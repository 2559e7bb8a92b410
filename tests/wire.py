"""What a faithful endpoint says: objects, and the events of a run that says hello (contract, 7.1)."""

import json
from copy import deepcopy
from typing import Any

from assistants.api.examples import EXAMPLES

Event = tuple[str, Any]

ASSISTANT, THREAD, MESSAGE, RUN, STEP = (
    EXAMPLES[name] for name in ("Assistant", "Thread", "Message", "Run", "RunStep")
)


def changed(payload: dict[str, Any], **changes: Any) -> dict[str, Any]:
    """A copy with other fields; `...` leaves one out."""
    return {name: value for name, value in (deepcopy(payload) | changes).items() if value is not ...}


def page(*data: dict[str, Any]) -> dict[str, Any]:
    """A page with these objects."""
    first, last = (data[0]["id"], data[-1]["id"]) if data else (None, None)
    return {"object": "list", "data": list(data), "first_id": first, "last_id": last, "has_more": False}


def run(status: str) -> dict[str, Any]:
    return changed(RUN, status=status)


def step(status: str) -> dict[str, Any]:
    details = {"type": "message_creation", "message_creation": {"message_id": MESSAGE["id"]}}
    return changed(STEP, type="message_creation", status=status, step_details=details)


def message(status: str) -> dict[str, Any]:
    return changed(MESSAGE, status=status)


def said(text: str) -> dict[str, Any]:
    content = [{"index": 0, "type": "text", "text": {"value": text}}]
    return {"id": MESSAGE["id"], "object": "thread.message.delta", "delta": {"content": content}}


def hello() -> list[Event]:
    """The events of a stream of POST runs, with `done`."""
    return [
        ("thread.run.created", run("queued")),
        ("thread.run.queued", run("queued")),
        ("thread.run.in_progress", run("in_progress")),
        ("thread.run.step.created", step("in_progress")),
        ("thread.run.step.in_progress", step("in_progress")),
        ("thread.message.created", message("in_progress")),
        ("thread.message.in_progress", message("in_progress")),
        ("thread.message.delta", said("Hel")),
        ("thread.message.delta", said("lo")),
        ("thread.message.completed", message("completed")),
        ("thread.run.step.completed", step("completed")),
        ("thread.run.completed", run("completed")),
        ("done", "[DONE]"),
    ]


def framed(*events: Event) -> list[bytes]:
    """Events as they are sent."""
    return [
        f"event: {name}\ndata: {data if isinstance(data, str) else json.dumps(data)}\n\n".encode()
        for name, data in events
    ]
