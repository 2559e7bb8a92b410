"""The changes of a vector store's document: its files, their counts, its batches, its expiry."""

from itertools import count

import pytest

from assistants.schema.errors import ApiError
from assistants.schema.vector_stores import MAX_FILES, CreateVectorStore, FileCounts, FileError, ModifyVectorStore
from assistants.state import vector_stores
from assistants.state.vector_stores import (
    NewMember,
    Outcome,
    VectorStoreRecord,
    batch_cancelled,
    listed,
    modified,
    new_member,
    new_vector_store,
    settled,
    used,
    view_batch,
    view_file,
    view_store,
    with_attributes,
    with_members,
    without_members,
)

DAY, HOUR = 86_400, 3_600
_VERSIONS = map(str, count())
BROKEN = FileError(code="invalid_file", message="It is broken.")


def store(**fields: object) -> VectorStoreRecord:
    return new_vector_store("vs_1", CreateVectorStore.model_validate(fields), 1_000)


def members(*ids: str) -> list[NewMember]:
    return [new_member(each)._replace(version=next(_VERSIONS)) for each in ids]


def outcome(member: NewMember, status: str | None = "completed", usage: int = 0) -> Outcome:
    error = BROKEN if status == "failed" else None
    return Outcome(member.file_id, member.version, status, usage, error)  # type: ignore[arg-type]


def counts(record: VectorStoreRecord) -> FileCounts:
    return view_store(record, 1_000).file_counts


def changed(record: VectorStoreRecord | None) -> VectorStoreRecord:
    assert record is not None
    return record


def test_an_empty_store_is_complete():
    shown = view_store(store(name="Docs"), 1_000)
    assert (shown.status, shown.file_counts, shown.usage_bytes) == ("completed", FileCounts(), 0)


def test_one_write_moves_the_status_of_a_file_and_all_counts():
    files = members("file-a", "file-b", "file-c")
    record = with_members(store(), files, 2_000, "vsfb_1")
    assert view_store(record, 2_000).status == view_batch(record, "vsfb_1").status == "in_progress"

    record = changed(settled(record, [outcome(files[0], usage=7), outcome(files[1], "failed")]))
    assert counts(record) == FileCounts(in_progress=1, completed=1, failed=1, total=3)
    assert counts(record) == view_batch(record, "vsfb_1").file_counts
    assert view_store(record, 2_000).usage_bytes == 7
    assert view_file(record, "file-b").last_error == BROKEN

    record = changed(settled(record, [outcome(files[2], "failed")]))
    assert view_store(record, 2_000).status == view_batch(record, "vsfb_1").status == "completed"


def test_the_ingestion_of_an_earlier_version_has_no_effect():
    earlier, later = members("file-a"), members("file-a")
    record = with_members(with_members(store(), earlier, 2_000), later, 3_000)
    assert settled(record, [outcome(earlier[0])]) is None
    assert view_file(changed(settled(record, [outcome(later[0])])), "file-a").status == "completed"


def test_an_ended_ingestion_keeps_its_result():
    (file,) = members("file-a")
    record = changed(settled(with_members(store(), [file], 2_000), [outcome(file)]))
    assert settled(record, [outcome(file, "failed")]) is None


def test_a_deleted_file_is_removed():
    (file,) = members("file-a")
    record = changed(settled(with_members(store(), [file], 2_000), [outcome(file, None)]))
    assert counts(record) == FileCounts()
    assert view_store(record, 2_000).status == "completed"


def test_a_cancelled_batch_keeps_completed_files_and_those_of_other_batches():
    files, others = members("file-a", "file-b"), members("file-c")
    record = with_members(with_members(store(), files, 2_000, "vsfb_1"), others, 2_000, "vsfb_2")
    record = changed(settled(record, [outcome(files[0])]))
    record = changed(batch_cancelled(record, "vsfb_1"))
    batch = view_batch(record, "vsfb_1")
    assert (batch.status, batch.file_counts) == ("cancelled", FileCounts(completed=1, cancelled=1, total=2))
    assert view_batch(record, "vsfb_2").status == "in_progress"
    assert settled(record, [outcome(files[1])]) is None
    assert batch_cancelled(record, "vsfb_1") is None


def test_two_batches_may_share_a_file():
    first, second = members("file-a", "file-b"), members("file-b", "file-c")
    record = with_members(with_members(store(), first, 2_000, "vsfb_1"), second, 2_000, "vsfb_2")
    record = changed(settled(record, [outcome(first[0]), *map(outcome, second)]))
    done = FileCounts(completed=2, total=2)
    assert view_batch(record, "vsfb_1").file_counts == view_batch(record, "vsfb_2").file_counts == done


def test_a_list_is_in_the_order_of_addition_and_continues_after_a_removed_file():
    record = with_members(with_members(store(), members("file-a", "file-b", "file-c"), 2_000), members("file-a"), 2_000)
    record = changed(without_members(record, ["file-b"]))
    found = listed(record, record.members, None)
    assert [(file_id, shown is not None) for file_id, shown in found] == [
        ("file-b", False), ("file-c", True), ("file-a", True),
    ]  # fmt: skip
    assert [file_id for file_id, shown in listed(record, ["file-c"], "in_progress") if shown] == ["file-c"]
    assert [file_id for file_id, shown in listed(record, ["file-c"], "completed") if shown] == []


def test_only_a_limited_number_of_removed_files_is_remembered(monkeypatch: pytest.MonkeyPatch):
    monkeypatch.setattr(vector_stores, "_REMOVED_KEPT", 2)
    record = with_members(store(), members("file-a", "file-b", "file-c"), 2_000)
    for file_id in ("file-c", "file-a", "file-b"):
        record = changed(without_members(record, [file_id]))
    assert list(record.removed) == ["file-a", "file-b"]
    assert without_members(record, ["file-a"]) is None
    assert with_members(record, members("file-a"), 3_000).removed == {"file-b": 1}


def test_a_store_expires_so_many_days_after_its_last_use():
    record = store(expires_after={"anchor": "last_active_at", "days": 2})
    assert record.expires_at == 1_000 + 2 * DAY
    assert view_store(record, 1_000 + 2 * DAY - 1).status == "completed"
    assert view_store(record, 1_000 + 2 * DAY).status == "expired"
    with pytest.raises(ApiError, match=r"Vector store 'vs_1' has expired\."):
        with_members(record, members("file-a"), 1_000 + 2 * DAY)
    assert used(record, 1_000 + 2 * DAY) is None


def test_a_use_is_noted_once_an_hour():
    record = store(expires_after={"anchor": "last_active_at", "days": 1})
    assert used(record, 1_000 + HOUR - 1) is None
    assert changed(used(record, 1_000 + HOUR)).expires_at == 1_000 + HOUR + DAY


def test_a_modification_changes_only_the_fields_that_were_sent():
    record = store(name="Docs", metadata={"a": "b"})
    assert modified(record, ModifyVectorStore(name="Books")).metadata == {"a": "b"}
    cleared = modified(record, ModifyVectorStore(name=None, metadata=None))
    assert (cleared.name, cleared.metadata) == (None, {})


def test_attributes_are_replaced():
    record = with_members(store(), [new_member("file-a", {"year": 2024})], 2_000)
    assert view_file(with_attributes(record, "file-a", {"open": True}), "file-a").attributes == {"open": True}
    with pytest.raises(ApiError, match="No file found with id 'file-b' in vector store 'vs_1'"):
        with_attributes(record, "file-b", {})


def test_a_store_holds_no_more_than_so_many_files():
    record = with_members(store(), members(*(f"file-{number}" for number in range(MAX_FILES))), 2_000)
    assert counts(with_members(record, members("file-0"), 3_000)).total == MAX_FILES
    with pytest.raises(ApiError, match="cannot hold more than 10000 files"):
        with_members(record, members("file-x"), 3_000)
