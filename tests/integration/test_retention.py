"""Retention over real storage: the threads and files that are deleted, and the stores that lose their chunks.

Time is simulated by an instance whose clock is ahead.
"""

import asyncio
import json
from collections.abc import AsyncIterator, Callable
from typing import Any

import pytest

from assistants.engine import retention as threads
from assistants.engine.items import RetireThreads
from assistants.engine.retention import begin_retention, retire_threads
from assistants.engine.worker import Worker
from assistants.ingestion import retention as files
from assistants.ingestion.intake import create_file
from assistants.ingestion.items import FreeStore, RetireFiles, RetireStores
from assistants.ingestion.membership import create_store
from assistants.ingestion.removal import sweep_file
from assistants.ingestion.retention import free_store, retire_files, retire_stores
from assistants.local.azurite import Storage
from assistants.schema.assistants import CreateAssistant
from assistants.schema.messages import CreateMessage
from assistants.schema.vector_stores import CreateVectorStore
from assistants.state import retention
from assistants.state.files import FileRecord, used_by
from assistants.state.messages import put_record
from assistants.state.retention import DAY, old, projects
from assistants.state.snapshots import new_assistant, new_message
from assistants.state.store import Store
from assistants.state.vector_stores import new_member, new_vector_store, view_store
from assistants.storage.documents import Documents
from assistants.storage.ids import blob_name
from assistants.storage.services import IF_MISSING, Entry
from tests.support.service.attending import (
    Handlers,
    Killed,
    ScriptedModel,
    attend,
    killed,
    later,
    new_run_on,
    open_store,
)
from tests.support.service.processes import Model, Service, eventually
from tests.support.storage.calls import kind, tapped
from tests.support.storage.stored import left_of, next_item, queue_of

P = "default"
TTL = {"THREAD_TTL_DAYS": "60", "FILE_TTL_DAYS": "60"}


@pytest.fixture
def storage(idle: Storage) -> Storage:
    return idle


@pytest.fixture
async def store(storage: Storage) -> AsyncIterator[Store]:
    """Storage without objects that retention would list."""
    store = open_store(storage, **TTL)
    for documents in (store.threads, store.files, store.vector_stores):
        async for name in documents.names(""):
            await documents.delete(name)
    yield store
    await store.close()


async def idle_thread(store: Store) -> str:
    """A thread with a run that has ended, and its messages."""
    key = await new_run_on(store)
    await attend(Handlers(store, ScriptedModel({"text": "In Oslo."})), store, key)
    return key.thread


async def file_of(store: Store, **fields: Any) -> FileRecord:
    file_id = store.ids.new("file-")
    await store.contents.stage(blob_name(P, file_id), "00000", b"It is sunny in Oslo.")
    record = FileRecord(id=file_id, created_at=0, purpose="assistants", filename="one.txt", bytes=20, image="")
    return await create_file(store, P, record.model_copy(update=fields), ["00000"])


async def names(documents: Documents[Any]) -> list[str]:
    return [name.rpartition("/")[2] async for name in documents.names(f"{P}/")]


def items_of(storage: Storage, queue: str, *wanted: str) -> list[dict[str, Any]]:
    """The visible items of some kinds in a queue; the queue is empty afterwards."""
    client = queue_of(storage, queue)
    found = [json.loads(item.content) for item in client.receive_messages(messages_per_page=32)]
    client.clear_messages()
    return [item for item in found if item["kind"] in wanted]


async def test_a_thread_without_use_is_deleted_with_its_messages_and_runs(store: Store, storage: Storage):
    thread = await idle_thread(store)
    await retire_threads(later(store, 59 * DAY), RetireThreads(project=P))
    assert left_of(storage, thread) != []
    await retire_threads(later(store, 61 * DAY), RetireThreads(project=P))
    assert left_of(storage, thread) == []


async def test_without_a_setting_no_object_is_deleted(storage: Storage, store: Store):
    unset, thread, file = open_store(storage), await idle_thread(store), await file_of(store)
    await retire_threads(later(unset, 10_000 * DAY), RetireThreads(project=P))
    await retire_files(later(unset, 10_000 * DAY), RetireFiles(project=P))
    assert (await names(store.threads), await names(store.files)) == ([thread], [file.id])
    await unset.close()


async def test_a_thread_with_an_active_run_stays(store: Store, storage: Storage):
    lasting = open_store(storage, **TTL, RUN_LIFETIME="100000000", AzureFunctionsJobHost__functionTimeout="-1")
    key = await new_run_on(lasting)
    await retire_threads(later(lasting, 61 * DAY), RetireThreads(project=P))
    assert await names(store.threads) == [key.thread]
    await lasting.close()


async def test_a_message_or_a_run_added_meanwhile_keeps_the_thread(store: Store, monkeypatch: pytest.MonkeyPatch):
    thread = await idle_thread(store)
    document = await store.threads.read(blob_name(P, thread))
    assert document is not None
    send = threads.post.send

    async def with_a_run_in_between(*arguments: Any) -> Any:
        await store.threads.replace(document, document.value.model_copy(update={"last_run_id": "run_new"}))
        return await send(*arguments)

    monkeypatch.setattr(threads.post, "send", with_a_run_in_between)
    await retire_threads(later(store, 61 * DAY), RetireThreads(project=P))
    assert await names(store.threads) == [thread]


async def test_a_recent_message_alone_keeps_a_thread(store: Store, monkeypatch: pytest.MonkeyPatch):
    thread = await idle_thread(store)
    (entry,) = (await old(store.threads, P, "thread_", store.clock.now() + 2 * DAY)).entries
    said = new_message(store, thread, CreateMessage(role="user", content="And tomorrow?"))
    await store.messages.append(P, thread, 1, [put_record(said)])
    before = await store.messages.last_append(P, thread)
    assert await threads.unused(store, P, entry, before) is None
    assert await threads.unused(store, P, entry, before + 1) is not None


@pytest.mark.parametrize("victim", [(threads, "purge"), (Documents, "delete_known")], ids=["at the rest", "before"])
async def test_after_a_crash_the_item_deletes_the_rest_and_only_the_rest(
    store: Store, storage: Storage, monkeypatch: pytest.MonkeyPatch, victim: tuple[object, str]
):
    thread = await idle_thread(store)
    queue_of(storage, "work").clear_messages()
    monkeypatch.setattr(threads.post, "PURGE_DELAY", 0)
    with monkeypatch.context() as dying:
        dying.setattr(*victim, killed)
        with pytest.raises(Killed):
            await retire_threads(later(store, 61 * DAY), RetireThreads(project=P))
    there = bool(await names(store.threads))

    await Worker(store, ScriptedModel()).handle(next_item(storage, "purge_rest").content)
    assert bool(left_of(storage, thread)) is there is (victim[1] == "delete_known")
    await retire_threads(later(store, 61 * DAY), RetireThreads(project=P))
    assert left_of(storage, thread) == []


async def test_two_timers_at_once_delete_each_unused_thread_and_no_other(store: Store, storage: Storage):
    old_ones = [await idle_thread(store) for _ in range(3)]
    both = [later(store, 61 * DAY), later(open_store(storage, **TTL), 61 * DAY)]
    await asyncio.gather(*(retire_threads(each, RetireThreads(project=P)) for each in both))
    assert [left_of(storage, thread) for thread in old_ones] == [[], [], []]
    await both[1].close()


async def test_an_item_handles_a_part_and_sends_one_for_the_rest(
    store: Store, storage: Storage, monkeypatch: pytest.MonkeyPatch
):
    for _ in range(3):
        await idle_thread(store)
    queue_of(storage, "work").clear_messages()
    monkeypatch.setattr(threads, "DELETED", 2)
    await retire_threads(later(store, 61 * DAY), RetireThreads(project=P))
    assert len(await names(store.threads)) == 1
    (rest,) = items_of(storage, "work", "retire_threads")
    await retire_threads(later(store, 61 * DAY), RetireThreads.model_validate(rest))
    assert await names(store.threads) == []
    assert items_of(storage, "work", "retire_threads") == []


async def test_an_item_that_takes_long_leaves_the_rest_to_another(store: Store, monkeypatch: pytest.MonkeyPatch):
    for _ in range(3):
        await idle_thread(store)
    found = await old(store.threads, P, "thread_", store.clock.now() + DAY)
    monkeypatch.setattr(retention, "PATIENCE", -1)
    monkeypatch.setattr(retention, "_AT_ONCE", 2)
    acted: list[str] = []

    async def act(entry: Entry) -> bool:
        acted.append(entry.name)
        return True

    assert await retention.retire(found, act) == (2, found.entries[2].name)
    assert acted == [entry.name for entry in found.entries[:2]]


async def test_a_document_that_cannot_be_read_is_left(store: Store, storage: Storage, caplog: pytest.LogCaptureFixture):
    broken, thread = f"{P}/thread_zzzzzzzzzzzzzzzzzzzzzzzz", await idle_thread(store)
    await store.services[0].put("threads", broken, b"{}", IF_MISSING)
    await retire_threads(later(store, 61 * DAY), RetireThreads(project=P))
    assert left_of(storage, thread) == []
    assert f"{broken} cannot be read" in caplog.text
    await store.threads.delete(broken)


async def test_threads_that_are_younger_are_neither_read_nor_listed(store: Store, storage: Storage):
    asked: list[str] = []

    async def around(request: Any, send: Callable[[], Any]) -> Any:
        asked.append(kind(request))
        return await send()

    for _ in range(3):
        await idle_thread(store)
    counting = open_store(storage, tapped(around), **TTL)
    await retire_threads(later(counting, DAY), RetireThreads(project=P))
    # The first request corrects the clock.
    assert asked[-1:] == ["GET threads list"]
    assert len(asked) <= 2
    await counting.close()


async def test_a_timer_sends_an_item_for_each_project_and_kind(store: Store, storage: Storage):
    for project in ("a", "a-b", "b"):
        await new_run_on(store, project=project)
    for queue in ("work", "ingest"):
        queue_of(storage, queue).clear_messages()
    assert [each async for each in projects(store.threads)] == ["a-b", "a", "b"]
    await file_of(store)
    await create_store(store, P, new_vector_store(store.ids.new("vs_"), CreateVectorStore(), 0), [])
    await begin_retention(store)
    assert {item["project"] for item in items_of(storage, "work", "retire_threads")} == {"a", "a-b", "b"}
    found = items_of(storage, "ingest", "retire_files", "retire_stores")
    assert sorted((item["kind"], item["project"]) for item in found) == [("retire_files", P), ("retire_stores", P)]


async def test_a_file_without_use_is_deleted(store: Store):
    file = await file_of(store)
    await retire_files(later(store, 59 * DAY), RetireFiles(project=P))
    assert (await store.files.read(blob_name(P, file.id))) is not None
    await retire_files(later(store, 61 * DAY), RetireFiles(project=P))
    document = await store.files.read(blob_name(P, file.id))
    assert document is not None
    assert document.value.deleted  # the item deletes its document
    assert await store.contents.read(blob_name(P, file.id)) is None


async def test_a_file_of_an_assistant_or_of_a_store_that_is_used_stays(store: Store):
    mine, searched, forgotten = [await file_of(store) for _ in range(3)]
    tools: Any = {"model": "m", "tools": [], "tool_resources": {"code_interpreter": {"file_ids": [mine.id]}}}
    assistant = new_assistant(store, CreateAssistant.model_validate(tools))
    await store.assistants.create(blob_name(P, assistant.id), assistant)
    await store.files.change(blob_name(P, mine.id), lambda file: used_by(file, assistant.id, 0))
    then = store.clock.now() + 61 * DAY
    for file, used in ((searched, then), (forgotten, then - 61 * DAY)):
        record = new_vector_store(store.ids.new("vs_"), CreateVectorStore(), used)
        await create_store(store, P, record, [new_member(file.id)])
    await retire_files(later(store, 61 * DAY), RetireFiles(project=P))
    left = [await store.files.read(blob_name(P, file.id)) for file in (mine, searched, forgotten)]
    assert [document is not None and not document.value.deleted for document in left] == [True, True, False]


async def test_a_file_that_was_marked_before_a_crash_is_deleted_by_its_item(
    store: Store, storage: Storage, monkeypatch: pytest.MonkeyPatch
):
    file = await file_of(store)
    queue_of(storage, "ingest").clear_messages()
    monkeypatch.setattr(files.post, "PURGE_DELAY", 0)
    with monkeypatch.context() as dying:
        dying.setattr(files, "sweep_file", killed)
        with pytest.raises(Killed):
            await retire_files(later(store, 61 * DAY), RetireFiles(project=P))
    (item,) = items_of(storage, "ingest", "look_after_file")
    await sweep_file(store, files.SweepFile.model_validate(item))
    assert await store.contents.read(blob_name(P, file.id)) is None


async def store_with_chunks(store: Store, days: int | None = 1) -> str:
    file = await file_of(store)
    request = CreateVectorStore.model_validate(
        {"expires_after": {"anchor": "last_active_at", "days": days} if days else None}
    )
    record = new_vector_store(store.ids.new("vs_"), request, store.clock.now())
    await create_store(store, P, record, [new_member(file.id)])
    await store.chunks.write(blob_name(P, record.id, file.id, "1"), b"chunks")
    return record.id


async def chunks_of(store: Store, store_id: str) -> list[str]:
    return [name async for name in store.chunks.names(blob_name(P, store_id) + "/")]


async def test_an_expired_store_loses_its_chunks_and_keeps_the_list_of_its_files(store: Store, storage: Storage):
    expired, lasting = await store_with_chunks(store), await store_with_chunks(store, days=None)
    queue_of(storage, "ingest").clear_messages()
    then = later(store, 3 * DAY)
    await retire_stores(then, RetireStores(project=P))
    (item,) = items_of(storage, "ingest", "free_store")
    assert item["store"] == expired
    await free_store(then, FreeStore.model_validate(item))
    assert (await chunks_of(store, expired), len(await chunks_of(store, lasting))) == ([], 1)

    document = await store.vector_stores.read(blob_name(P, expired))
    assert document is not None
    shown = view_store(document.value.model_copy(update={"expires_after": None}), store.clock.now())
    assert (shown.status, shown.file_counts.total, shown.usage_bytes) == ("expired", 1, 0)
    await retire_stores(then, RetireStores(project=P))
    assert items_of(storage, "ingest", "free_store") == []


async def test_a_store_that_was_closed_before_a_crash_is_found_again(
    store: Store, storage: Storage, monkeypatch: pytest.MonkeyPatch
):
    store_id = await store_with_chunks(store)
    with monkeypatch.context() as dying:
        dying.setattr(files, "for_each", killed)
        with pytest.raises(Killed):
            await free_store(later(store, 3 * DAY), FreeStore(project=P, store=store_id))
    queue_of(storage, "ingest").clear_messages()
    await retire_stores(later(store, 6 * DAY), RetireStores(project=P))
    (item,) = items_of(storage, "ingest", "free_store")
    await free_store(store, FreeStore.model_validate(item))
    assert await chunks_of(store, store_id) == []


async def test_a_store_that_is_used_again_in_time_keeps_its_chunks(store: Store):
    store_id = await store_with_chunks(store, days=7)
    await free_store(later(store, 3 * DAY), FreeStore(project=P, store=store_id))
    assert len(await chunks_of(store, store_id)) == 1


async def test_given_up_items_of_retention_are_dropped(store: Store, storage: Storage):
    queue_of(storage, "work").clear_messages()
    worker = Worker(store, ScriptedModel())
    await worker.give_up(RetireThreads(project=P).model_dump_json().encode())
    assert items_of(storage, "work", "retire_threads") == []


def test_the_local_runner_runs_retention_at_its_start(storage: Storage, model: Model):
    async def made() -> str:
        store = open_store(storage)
        try:
            return await idle_thread(store)
        finally:
            await store.close()

    thread = asyncio.run(made())
    with Service(storage.connection_string, model.url, THREAD_TTL_DAYS="0.00001"):
        eventually(lambda: left_of(storage, thread) == [])


async def test_a_listing_tells_when_a_document_was_last_written(store: Store):
    file = await file_of(store)
    client = store.services[0].client.get_blob_client("files", blob_name(P, file.id))
    written = (await client.get_blob_properties()).last_modified.timestamp()
    (entry,) = (await old(store.files, P, "file-", written + 1 + DAY)).entries
    assert entry.modified_at == written
    assert (await old(store.files, P, "file-", written)).entries == []
