"""Vector stores, their files and batches, through the official SDK (contract, 6.3)."""

from typing import Any

import pytest
from openai import OpenAI

from tests.support.sdk.client import refused
from tests.support.sdk.talk import upload
from tests.support.service.processes import eventually

STATIC: Any = {"type": "static", "static": {"max_chunk_size_tokens": 100, "chunk_overlap_tokens": 20}}
COUNTS = {"in_progress": 0, "completed": 0, "failed": 0, "cancelled": 0, "total": 0}


def content_of(client: OpenAI, store_id: str, file_id: str) -> list[str | None]:
    return [each.text for each in client.vector_stores.files.content(file_id, vector_store_id=store_id)]


def test_a_store_is_made_shown_changed_listed_and_deleted(client: OpenAI):
    stores = client.vector_stores
    store = stores.create(name="Docs", metadata={"team": "a"}, expires_after={"anchor": "last_active_at", "days": 3})
    shown = store.to_dict()
    assert shown | {"id": "", "created_at": 0, "last_active_at": 0, "expires_at": 0} == {
        "id": "", "object": "vector_store", "created_at": 0, "name": "Docs", "description": None, "usage_bytes": 0,
        "file_counts": COUNTS, "status": "completed", "expires_after": {"anchor": "last_active_at", "days": 3},
        "expires_at": 0, "last_active_at": 0, "metadata": {"team": "a"},
    }  # fmt: skip
    assert store.last_active_at is not None
    assert store.expires_at == store.last_active_at + 3 * 86_400
    assert stores.retrieve(store.id).to_dict() == shown
    assert store.id in [each.id for each in stores.list(limit=100)]

    changed = stores.update(store.id, name=None, metadata={"team": "b"}, expires_after=None)
    assert (changed.name, changed.metadata, changed.expires_after, changed.expires_at) == (
        None,
        {"team": "b"},
        None,
        None,
    )
    assert stores.delete(store.id).to_dict() == {"id": store.id, "object": "vector_store.deleted", "deleted": True}
    with refused(404, f"No vector store found with id '{store.id}'."):
        stores.retrieve(store.id)


def test_a_file_is_added_read_and_removed(client: OpenAI):
    store, file_id = client.vector_stores.create(), upload(client)
    files = client.vector_stores.files
    put = files.create(store.id, file_id=file_id, attributes={"year": 2024, "open": True, "author": "Erwin"})
    assert put.to_dict() | {"created_at": 0} == {
        "id": file_id, "object": "vector_store.file", "created_at": 0, "usage_bytes": 0, "vector_store_id": store.id,
        "status": "in_progress", "last_error": None,
        "chunking_strategy": {
            "type": "static", "static": {"max_chunk_size_tokens": 800, "chunk_overlap_tokens": 400},
        },
        "attributes": {"year": 2024, "open": True, "author": "Erwin"},
    }  # fmt: skip
    done = files.poll(file_id, vector_store_id=store.id)
    assert (done.status, done.last_error, done.usage_bytes > 0) == ("completed", None, True)
    assert content_of(client, store.id, file_id) == ["The spire of Strasbourg is 142 metres high."]
    whole = client.vector_stores.retrieve(store.id)
    assert (whole.status, whole.usage_bytes) == ("completed", done.usage_bytes)
    assert whole.file_counts.to_dict() == COUNTS | {"completed": 1, "total": 1}

    changed = files.update(file_id, vector_store_id=store.id, attributes={"year": 1439})
    assert changed.attributes == files.retrieve(file_id, vector_store_id=store.id).attributes == {"year": 1439}
    assert files.delete(file_id, vector_store_id=store.id).to_dict() == {
        "id": file_id, "object": "vector_store.file.deleted", "deleted": True,
    }  # fmt: skip
    with refused(404, f"No file found with id '{file_id}' in vector store '{store.id}'."):
        files.retrieve(file_id, vector_store_id=store.id)
    assert client.files.retrieve(file_id).id == file_id


def test_chunks_have_the_requested_length(client: OpenAI):
    text = " ".join(f"word{number}" for number in range(400))
    store, file_id = client.vector_stores.create(), upload(client, text)
    done = client.vector_stores.files.create_and_poll(file_id, vector_store_id=store.id, chunking_strategy=STATIC)
    assert done.chunking_strategy is not None
    assert done.chunking_strategy.to_dict() == STATIC
    chunks = content_of(client, store.id, file_id)
    assert len(chunks) > 5
    assert {word for chunk in chunks for word in str(chunk).split()} == {*text.split()}


def test_files_that_cannot_be_read_fail_and_block_no_other(client: OpenAI):
    names = {
        "unsupported_file": ("old.doc", b"\xd0\xcf"),
        "invalid_file": ("broken.txt", b"\xff\x00\xff"),
        None: ("a.md", b"Hi"),
    }
    ids = {code: upload(client, content, name) for code, (name, content) in names.items()}
    store = client.vector_stores.create(file_ids=list(ids.values()))
    files = client.vector_stores.files
    for code, file_id in ids.items():
        done = files.poll(file_id, vector_store_id=store.id)
        assert (done.status, done.last_error and done.last_error.code) == ("failed" if code else "completed", code)
    whole = client.vector_stores.retrieve(store.id)
    assert (whole.status, whole.file_counts.to_dict()) == (
        "completed",
        COUNTS | {"completed": 1, "failed": 2, "total": 3},
    )
    assert {each.id for each in files.list(store.id, filter="failed")} == {*ids.values()} - {ids[None]}
    assert content_of(client, store.id, ids["invalid_file"]) == []


def test_the_sdks_helpers_upload_and_wait(client: OpenAI):
    store = client.vector_stores.create()
    done = client.vector_stores.files.upload_and_poll(vector_store_id=store.id, file=("one.txt", b"One"))
    assert done.status == "completed"
    batch = client.vector_stores.file_batches.upload_and_poll(
        store.id, files=[("two.txt", b"Two"), ("three.txt", b"Three")], file_ids=[done.id]
    )
    assert (batch.status, batch.file_counts.to_dict()) == ("completed", COUNTS | {"completed": 3, "total": 3})


def test_a_batch_gives_each_file_its_own_attributes_or_all_the_same(client: OpenAI):
    store, first, second = client.vector_stores.create(), upload(client), upload(client)
    batches = client.vector_stores.file_batches
    each: Any = [{"file_id": first, "attributes": {"n": 1}}, {"file_id": second, "chunking_strategy": STATIC}]
    batches.create_and_poll(store.id, files=each)
    shown = {file.id: file for file in client.vector_stores.files.list(store.id)}
    assert [shown[file_id].attributes for file_id in (first, second)] == [{"n": 1}, {}]
    assert shown[second].chunking_strategy.to_dict() == STATIC  # type: ignore[union-attr]

    batch = batches.create_and_poll(store.id, file_ids=[first, second], attributes={"n": 2})
    listed = batches.list_files(batch.id, vector_store_id=store.id)
    assert [(file.id, file.attributes) for file in listed] == [(second, {"n": 2}), (first, {"n": 2})]
    assert list(batches.list_files(batch.id, vector_store_id=store.id, filter="failed")) == []


def test_two_batches_at_once(client: OpenAI):
    store = client.vector_stores.create()
    first, second = ([upload(client) for _ in range(8)] for _ in range(2))
    batches = client.vector_stores.file_batches
    started = [batches.create(store.id, file_ids=ids) for ids in (first, [*second, first[0]])]
    done = [batches.poll(each.id, vector_store_id=store.id) for each in started]
    assert [each.file_counts.completed for each in done] == [8, 9]
    assert client.vector_stores.retrieve(store.id).file_counts.to_dict() == COUNTS | {"completed": 16, "total": 16}


def test_cancelling_a_completed_batch_has_no_effect(client: OpenAI):
    store = client.vector_stores.create()
    done = client.vector_stores.file_batches.create_and_poll(store.id, file_ids=[upload(client)])
    assert client.vector_stores.file_batches.cancel(done.id, vector_store_id=store.id).to_dict() == done.to_dict()


def test_files_are_paged_also_while_they_are_removed(client: OpenAI):
    ids = [upload(client) for _ in range(5)]
    store = client.vector_stores.create(file_ids=ids)
    files = client.vector_stores.files
    assert [each.id for each in files.list(store.id, order="asc", limit=2)] == ids
    assert [each.id for each in files.list(store.id, after=ids[3], before=ids[0])] == [ids[2], ids[1]]
    for each in files.list(store.id, limit=2):
        files.delete(each.id, vector_store_id=store.id)
    assert client.vector_stores.retrieve(store.id).file_counts.total == 0
    with refused(404, f"No file found with id 'file-x' in vector store '{store.id}'."):
        files.list(store.id, after="file-x")


def test_a_deleted_file_is_in_no_store_any_more(client: OpenAI):
    file_id = upload(client)
    stores = [client.vector_stores.create(file_ids=[file_id]) for _ in range(2)]
    assert client.files.delete(file_id).to_dict() == {"id": file_id, "object": "file", "deleted": True}
    for store in stores:
        eventually(lambda store=store: client.vector_stores.retrieve(store.id).file_counts.total == 0)
    with refused(404, f"No such File object: {file_id}", "id"):
        client.vector_stores.files.create(stores[0].id, file_id=file_id)


def test_a_missing_file_cannot_be_added(client: OpenAI):
    store = client.vector_stores.create()
    with refused(404, "No such File object: file-unknown", "id"):
        client.vector_stores.file_batches.create(store.id, file_ids=[upload(client), "file-unknown"])
    assert client.vector_stores.retrieve(store.id).file_counts.total == 0


@pytest.mark.parametrize(
    ("body", "message", "param", "code"),
    [
        ({}, "Missing required parameter: 'file_ids'.", "file_ids", "missing_required_parameter"),
        (
            {"file_ids": ["file-1"], "files": [{"file_id": "file-1"}]},
            "Mutually exclusive parameters. Ensure you are only providing one of: 'file_ids' or 'files'.",
            None,
            "mutually_exclusive_parameters",
        ),
    ],
)
def test_a_batch_has_files_in_one_way(client: OpenAI, body: Any, message: str, param: str | None, code: str):
    store = client.vector_stores.create()
    with refused(400, message, param, code):
        client.post(f"/vector_stores/{store.id}/file_batches", body=body, cast_to=object)
