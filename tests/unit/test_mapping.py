"""Objects of other services in this one's format: lost data is reported, and invalid data raises no other error."""

import io
import json
from collections.abc import Iterator
from contextlib import suppress
from typing import Any

import pytest

from assistants.migrate.lines import read_text
from assistants.migrate.mapping import KINDS, Refused, kind_of, mapped
from assistants.migrate.records import (
    assistant_record,
    ended,
    file_record,
    new_member,
    run_record,
    store_record,
    thread_record,
)
from assistants.state import runs
from assistants.state.messages import put_record
from assistants.state.turns import steps

TIME = 1_700_000_000
CALL = {"id": "call_1", "type": "function", "function": {"name": "f", "arguments": "{}", "output": "sunny"}}
OWED = {"id": "call_1", "type": "function", "function": {"name": "f", "arguments": "{}"}}
USAGE = {"prompt_tokens": 1, "completion_tokens": 2, "total_tokens": 3}
TEXT = {"type": "text", "text": {"value": "Hello", "annotations": []}}

SAMPLES: dict[str, dict[str, Any]] = {
    "assistant": {
        "id": "asst_1", "object": "assistant", "created_at": TIME, "name": "A", "description": None, "model": "gpt-4o",
        "instructions": "Be brief.", "tools": [{"type": "file_search"}, {"type": "code_interpreter"}],
        "tool_resources": {"file_search": {"vector_store_ids": ["vs_1"]}}, "metadata": {"a": "b"}, "top_p": 1.0,
        "temperature": 0.3, "response_format": "auto",
    },
    "thread": {
        "id": "thread_1", "object": "thread", "created_at": TIME, "metadata": {"a": "b"},
        "tool_resources": {"code_interpreter": {"file_ids": ["file-1"]}},
    },
    "thread.message": {
        "id": "msg_1", "object": "thread.message", "created_at": TIME, "thread_id": "thread_1", "role": "user",
        "content": [TEXT], "attachments": [{"file_id": "file-1", "tools": [{"type": "file_search"}]}], "metadata": {},
        "status": "completed", "run_id": None, "assistant_id": None,
    },
    "thread.run": {
        "id": "run_1", "object": "thread.run", "created_at": TIME, "thread_id": "thread_1", "assistant_id": "asst_1",
        "status": "requires_action", "model": "gpt-4o", "usage": USAGE, "tools": [], "instructions": "",
        "required_action": {"type": "submit_tool_outputs", "submit_tool_outputs": {"tool_calls": [OWED]}},
        "truncation_strategy": {"type": "auto", "last_messages": None}, "expires_at": TIME + 600, "metadata": {},
    },
    "thread.run.step": {
        "id": "step_1", "object": "thread.run.step", "created_at": TIME, "run_id": "run_1", "assistant_id": "asst_1",
        "thread_id": "thread_1", "type": "tool_calls", "status": "completed", "usage": USAGE,
        "step_details": {"type": "tool_calls", "tool_calls": [CALL]},
    },
    "file": {
        "id": "assistant-1", "object": "file", "created_at": TIME, "bytes": 7, "filename": "a.txt",
        "purpose": "assistants", "status": "processed",
    },
    "vector_store": {
        "id": "vs_1", "object": "vector_store", "created_at": TIME, "name": "V", "metadata": {"a": "b"},
        "file_counts": {"completed": 1, "total": 1}, "status": "completed", "last_active_at": TIME,
        "expires_after": {"anchor": "last_active_at", "days": 7},
    },
    "vector_store.file": {
        "id": "file-1", "object": "vector_store.file", "created_at": TIME, "vector_store_id": "vs_1",
        "status": "completed", "attributes": {"a": 1}, "chunking_strategy": {"type": "other"},
    },
}  # fmt: skip

ODD: list[Any] = [None, "", "x", 0, -1, 10**30, 1.5, True, [], {}, [None], {"a": None}, [[]], {"type": "new"}]


def recorded(kind: str, raw: dict[str, Any]) -> list[str]:
    """The reports on an object, after checking that the imported part can be stored and shown."""
    shown: Any = mapped(kind, raw)
    match kind:
        case "assistant":
            assistant_record(shown.model).model_dump_json()
        case "thread":
            thread_record(shown.model, asked=False).model_dump_json()
        case "thread.message":
            put_record(shown.model)
        case "thread.run":
            record = run_record(ended(shown.model), [])
            assert runs.RunRecord.model_validate_json(record.model_dump_json()) == record
            assert not record.active
            runs.view(record).model_dump_json()
        case "thread.run.step":
            run: Any = mapped("thread.run", SAMPLES["thread.run"])
            steps(run_record(ended(run.model), [shown.model]))
        case "file":
            file_record(shown.model, without_content=True).model_dump_json()
        case "vector_store":
            store_record(shown.model).model_dump_json()
        case _:
            new_member(shown.model)
    return shown.notes


def changed(raw: Any) -> Iterator[Any]:
    """The value with one part of it replaced or left out."""
    yield from ODD
    if isinstance(raw, dict):
        for name in raw:
            yield {key: value for key, value in raw.items() if key != name}
            for other in changed(raw[name]):
                yield raw | {name: other}
        yield raw | {"unknown": 1}
    elif isinstance(raw, list):
        for number, each in enumerate(raw):
            for other in changed(each):
                yield [*raw[:number], other, *raw[number + 1 :]]


@pytest.mark.parametrize("kind", KINDS)
def test_an_object_is_mapped_without_a_note(kind: str):
    assert kind_of(SAMPLES[kind]) == kind
    assert recorded(kind, SAMPLES[kind]) == []


@pytest.mark.parametrize("kind", KINDS)
def test_any_invalid_part_of_an_object_is_reported(kind: str):
    for raw in changed(SAMPLES[kind]):
        if isinstance(raw, dict):
            with suppress(Refused):
                recorded(kind, raw)


@pytest.mark.parametrize(
    ("changes", "note"),
    [
        ({"colour": "red"}, "colour: unknown, left out"),
        ({"tools": [{"type": "openapi", "openapi": {}}]}, "tools[0]"),
        ({"temperature": "hot"}, "temperature: Input should be a valid number"),
        ({"metadata": {"a": 1}}, "metadata.a: not a text, kept as one"),
        ({"metadata": [1]}, "metadata: Input should be a valid dictionary"),
    ],
)
def test_a_part_that_is_not_valid_is_left_out(changes: dict[str, Any], note: str):
    notes = recorded("assistant", SAMPLES["assistant"] | changes)
    assert [each for each in notes if each.startswith(note)]


@pytest.mark.parametrize("created", [-1, 1_700_000_000_000, None, "yesterday"])
def test_a_time_is_in_seconds(created: Any):
    with pytest.raises(Refused, match="created_at"):
        mapped("thread", SAMPLES["thread"] | {"created_at": created})


@pytest.mark.parametrize("text", [b'{"a": NaN}', b'{"a": "\xff"}', b"\xff", b"[" * 1000])
def test_a_line_that_cannot_be_stored_is_reported(text: bytes):
    (line,) = read_text(io.BytesIO(text), "x")
    assert line.error
    assert line.error.startswith(("Not JSON", "Not UTF-8"))


def test_a_kind_is_known_by_the_id_where_it_is_not_named():
    for kind, sample in SAMPLES.items():
        if kind != "vector_store.file":
            assert kind_of({"id": sample["id"]}) == kind


def test_pages_of_a_list_are_imported_oldest_first():
    page = {"object": "list", "data": [{"id": "b", "created_at": 2}, {"id": "a", "created_at": 1}]}
    lines = list(read_text(io.BytesIO(json.dumps(page).encode()), "x"))
    assert [(line.at, line.raw["id"]) for line in lines] == [("x:1[2]", "a"), ("x:1[1]", "b")]
