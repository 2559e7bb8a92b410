"""Tool resources as pure functions (contract, 1.2), and the files that a run waits for."""

from typing import Any

import pytest

from assistants.engine.turn import preparation
from assistants.schema.errors import ApiError
from assistants.schema.messages import CreateMessage
from assistants.state import files
from assistants.state.files import FileRecord
from assistants.state.resources import (
    Attachments,
    attachments_of,
    code_files,
    equipped,
    named,
    searches,
    store_ids,
    view_resources,
    without_files,
)
from assistants.state.runs import RunRecord, Turn
from assistants.state.threads import ThreadRecord

CODE: Any = {"type": "code_interpreter"}
SEARCH: Any = {"type": "file_search"}


def thread(*code: str, store: str | None = None) -> ThreadRecord:
    return equipped(ThreadRecord(id="thread_1", created_at=1), code, store) or ThreadRecord(id="thread_1", created_at=1)


def message(*attachments: Any) -> CreateMessage:
    body = {"role": "user", "content": "x", "attachments": list(attachments)}
    return CreateMessage.model_validate(body)


def file(**fields: Any) -> FileRecord:
    return FileRecord(id="file-1", created_at=1, purpose="assistants", filename="a", bytes=1, **fields)


def test_the_files_of_messages_are_gathered_by_tool_each_once():
    said = [
        message({"file_id": "file-1", "tools": [CODE, SEARCH]}, {"file_id": "file-2", "tools": []}),
        CreateMessage(role="user", content="x"),
        message({"file_id": "file-3", "tools": [SEARCH]}, {"file_id": "file-1", "tools": [SEARCH]}),
    ]
    assert attachments_of(said) == Attachments(["file-1"], ["file-1", "file-3"], ["file-2"])
    assert not attachments_of(None)
    assert attachments_of([message({"file_id": "file-2", "tools": []})])


def test_the_ids_in_requested_resources_are_kept():
    helper: Any = {"file_search": {"vector_stores": [{"file_ids": ["file-1"]}]}}
    assert named(helper) == {"file_search": {"vector_store_ids": []}}
    assert named(None) is None
    assert (code_files(None), store_ids(None)) == ([], [])


def test_more_files_are_listed_after_the_present_ones():
    more = equipped(thread("file-1", store="vs_1"), ["file-2", "file-1"], "vs_2")
    assert more is not None
    assert more.tool_resources == {
        "code_interpreter": {"file_ids": ["file-1", "file-2"]},
        "file_search": {"vector_store_ids": ["vs_2"]},
    }
    assert equipped(more, ["file-1"], "vs_2") is None
    assert equipped(thread(), []) is None


def test_there_is_an_end_to_the_code_interpreters_files():
    full = thread(*(f"file-{number}" for number in range(20)))
    assert equipped(full, ["file-7"]) is None
    with pytest.raises(ApiError, match="it may have 20, but would have 21"):
        equipped(full, ["file-20"])


def test_files_are_removed_from_the_code_interpreter_alone():
    left = without_files(thread("file-1", "file-2", store="vs_1"), ["file-1", "file-9"])
    assert left is not None
    assert (code_files(left.tool_resources), store_ids(left.tool_resources)) == (["file-2"], ["vs_1"])
    assert without_files(left, ["file-1"]) is None
    assert without_files(thread(), ["file-1"]) is None


def test_a_code_interpreter_without_resources_is_shown_with_no_files():
    assert view_resources(None, [CODE]) == {"code_interpreter": {"file_ids": []}}
    assert view_resources({"code_interpreter": {"file_ids": ["file-1"]}}, [CODE]) == {
        "code_interpreter": {"file_ids": ["file-1"]}
    }
    assert view_resources(None, [SEARCH]) == {}
    assert (searches([CODE]), searches([CODE, SEARCH]), searches([{"type": "retrieval"}])) == (False, True, True)


def test_a_file_records_its_stores_and_its_users_until_it_is_deleted():
    known = files.in_store(files.used_by(file(), "thread_1", 0) or file(), "vs_1", 0)
    assert known is not None
    assert (known.stores, known.users) == (["vs_1"], ["thread_1"])
    assert files.in_store(known, "vs_1", 0) is None
    assert files.used_by(known, "thread_1", 0) is None
    out = files.out_of_store(known, "vs_1")
    assert out is not None
    assert out.stores == []
    assert files.out_of_store(out, "vs_1") is None
    gone = files.deleted(known)
    assert gone is not None
    assert gone.gone(0)
    assert (files.deleted(gone), files.in_store(gone, "vs_2", 0), files.used_by(gone, "thread_2", 0)) == (None,) * 3
    assert file(expires_at=10).gone(10)
    assert not file(expires_at=10).gone(9.9)


def test_a_file_records_its_latest_thousand_users():
    known = file()
    for number in range(1_001):
        known = files.used_by(known, f"thread_{number}", 0) or known
    assert (len(known.users), known.users[0], known.users[-1]) == (1_000, "thread_1", "thread_1000")


def test_a_run_waits_up_to_a_minute_before_its_first_turn():
    run = RunRecord(
        id="run_1", thread_id="thread_1", assistant_id="asst_1", model="m", created_at=100, expires_at=700,
        touched_at=100, entered_at=100, started_at=110,
    )  # fmt: skip
    assert preparation.may_wait(run, 169)
    assert not preparation.may_wait(run, 170)
    turn = Turn(started_at=111, ended_at=112, finish="stop")
    assert not preparation.may_wait(run.model_copy(update={"turns": [turn]}), 120)
