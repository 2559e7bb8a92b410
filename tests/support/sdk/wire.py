"""The answers of a conforming endpoint: objects, and the events of a run (contract, 7.1)."""

import json
from copy import deepcopy
from typing import Any

from assistants.api.examples import EXAMPLES

Event = tuple[str, Any]

ASSISTANT, THREAD, MESSAGE, RUN, STEP = (
    EXAMPLES[name] for name in ("Assistant", "Thread", "Message", "Run", "RunStep")
)
SEARCH_ID = "step_search"


def changed(payload: dict[str, Any], **changes: Any) -> dict[str, Any]:
    """A copy with changed fields; `...` removes a field."""
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


def searched() -> list[Event]:
    """The events of a run that searches files before its text, and cites one (contract, 7.3)."""
    mark = "【4:0†source】"
    citation = {
        "index": 0, "type": "file_citation", "text": mark, "start_index": 2, "end_index": 14,
        "file_citation": {"file_id": "file-1", "quote": ""},
    }  # fmt: skip
    text = {"value": mark, "annotations": [citation]}
    cited = {**said(""), "delta": {"content": [{"index": 0, "type": "text", "text": text}]}}
    found = {
        "ranking_options": {"ranker": "default_2024_08_21", "score_threshold": 0.0},
        "results": [
            {
                "file_id": "file-1", "file_name": "a.txt", "score": 0.5,
                "content": [{"type": "text", "text": "What is in it."}],
            },
        ],
    }  # fmt: skip
    before, after = hello()[:3], hello()[3:]
    return [
        *before,
        ("thread.run.step.created", search("in_progress")),
        ("thread.run.step.in_progress", search("in_progress")),
        (
            "thread.run.step.delta",
            {
                "id": SEARCH_ID,
                "object": "thread.run.step.delta",
                "delta": {"step_details": {"type": "tool_calls", "tool_calls": [{"index": 0, **calling({})}]}},
            },
        ),
        ("thread.run.step.completed", search("completed", calling(found))),
        *after[:5],
        ("thread.message.delta", cited),
        *after[5:],
    ]


def calling(file_search: dict[str, Any]) -> dict[str, Any]:
    """A call of file search."""
    return {"id": "call_1", "type": "file_search", "file_search": file_search}


def search(status: str, *calls: dict[str, Any]) -> dict[str, Any]:
    """A step that searches files."""
    details = {"type": "tool_calls", "tool_calls": list(calls)}
    return changed(STEP, id=SEARCH_ID, type="tool_calls", status=status, step_details=details)


def framed(*events: Event) -> list[bytes]:
    """The events in the framing of server-sent events."""
    return [
        f"event: {name}\ndata: {data if isinstance(data, str) else json.dumps(data)}\n\n".encode()
        for name, data in events
    ]
