"""A creation that is interrupted, or takes too long, leaves no blobs."""

import asyncio
import json
from collections.abc import Awaitable, Callable
from contextlib import suppress
from typing import Any

import pytest

from assistants.engine import creation, removal
from assistants.engine.creation import create_thread, start_run
from assistants.engine.items import WORK, LookAgain, SweepThreads
from assistants.local.azurite import Storage
from assistants.schema.assistants import CreateAssistant
from assistants.schema.errors import ApiError
from assistants.schema.messages import CreateMessage
from assistants.schema.runs import CreateRun
from assistants.schema.threads import CreateThread
from assistants.state import post
from assistants.state.messages import put_record
from assistants.state.snapshots import new_assistant, new_message, new_run, new_thread
from assistants.state.store import RunKey, Store
from assistants.storage.documents import Documents
from assistants.storage.logs import Logs
from tests.support.service.attending import Handlers, Killed, ScriptedModel, killed, later, new_run_on, open_store
from tests.support.storage.stored import PROJECT, left_of, next_item, queue_of


async def made(store: Store) -> str:
    """Create a thread with a message; return its id even if the process dies of it."""
    thread = new_thread(store, CreateThread())
    said = new_message(store, thread.id, CreateMessage(role="user", content="Where is it sunny?"))
    with suppress(Killed):
        await create_thread(store, PROJECT, thread, [put_record(said)])
    return thread.id


def items(storage: Storage) -> int:
    """The number of items in the queue, hidden ones included."""
    return queue_of(storage, WORK).get_queue_properties().approximate_message_count or 0


async def sweep(store: Store) -> None:
    """Deliver the sweep of the threads whose creation has begun."""
    span = store.spans[PROJECT]
    item = SweepThreads(project=PROJECT, newest=span.newest, oldest=span.oldest)
    await Handlers(store, ScriptedModel()).worker.handle(item.model_dump_json().encode())


@pytest.mark.parametrize("victim", [(Logs, "append"), (Documents, "create")], ids=["at its message", "at its document"])
async def test_no_blob_is_left_of_a_thread_whose_creation_dies(
    store: Store, idle: Storage, monkeypatch: pytest.MonkeyPatch, victim: tuple[object, str]
):
    queue_of(idle, WORK).clear_messages()
    with monkeypatch.context() as dying:
        dying.setattr(*victim, killed)
        thread = await made(store)
    assert len(left_of(idle, thread)) == 1
    assert items(idle) == 1

    await sweep(store)
    await Handlers(store, ScriptedModel()).worker.handle(next_item(idle, "purge").content)
    assert left_of(idle, thread) == []


async def test_one_item_covers_all_threads_that_a_process_creates_within_a_while(store: Store, idle: Storage):
    queue_of(idle, WORK).clear_messages()
    threads = [await made(store) for _ in range(5)]
    assert items(idle) == 1
    span = store.spans[PROJECT]
    assert all(span.newest < thread <= span.oldest for thread in threads)

    store.spans[PROJECT] = span._replace(until=0)
    await made(store)
    assert items(idle) == 2


async def test_the_item_is_visible_once_every_thread_of_its_time_was_created_or_refused(
    store: Store, monkeypatch: pytest.MonkeyPatch
):
    delays: list[float] = []
    send = store.queues.send

    async def sent(queue: str, item: Any, delay: float = 0) -> Any:
        delays.append(delay)
        return await send(queue, item, delay)

    monkeypatch.setattr(store.queues, "send", sent)
    await made(store)
    assert delays == [store.settings.look_again * 3]


async def test_the_blobs_of_a_thread_that_was_never_committed_are_purged_by_the_look_again_item(
    idle: Storage, monkeypatch: pytest.MonkeyPatch
):
    store = open_store(idle, PURGE_AGAIN="1")
    with monkeypatch.context() as dying:
        dying.setattr(Documents, "create", killed)
        thread = await made(store)
    item = LookAgain(project=PROJECT, thread=thread, run="run_x")
    queue_of(idle, WORK).clear_messages()
    await Handlers(store, ScriptedModel()).worker.handle(item.model_dump_json().encode())
    await store.close()
    assert left_of(idle, thread) == []
    assert json.loads(next_item(idle, "purge").content)["thread"] == thread


async def test_a_thread_that_was_created_is_left_alone(store: Store, idle: Storage):
    first, second = await made(store), await made(store)
    queue_of(idle, WORK).clear_messages()
    await sweep(store)
    assert items(idle) == 0
    assert [len(left_of(idle, thread)) for thread in (first, second)] == [2, 2]


def held_up(monkeypatch: pytest.MonkeyPatch, method: str, meanwhile: Callable[[], Awaitable[object]]) -> None:
    """Let the next such write of a document take longer than a creation may."""
    write = getattr(Documents, method)

    async def slow(self: Any, *arguments: Any) -> Any:
        monkeypatch.setattr(Documents, method, write)
        monkeypatch.setattr(creation._Deadline, "passed", True)
        await meanwhile()
        return await write(self, *arguments)

    monkeypatch.setattr(Documents, method, slow)


async def test_a_thread_whose_document_is_too_late_is_refused_and_purged(
    store: Store, idle: Storage, monkeypatch: pytest.MonkeyPatch
):
    thread = new_thread(store, CreateThread())
    held_up(monkeypatch, "create", lambda: asyncio.sleep(0))
    with pytest.raises(ApiError) as refused:
        await create_thread(store, PROJECT, thread, [])
    assert refused.value.status == 503
    assert left_of(idle, thread.id) == []


async def test_no_blob_is_left_of_a_refused_thread_if_the_process_dies_before_it_has_deleted_it(
    store: Store, idle: Storage, monkeypatch: pytest.MonkeyPatch
):
    queue_of(idle, WORK).clear_messages()
    monkeypatch.setattr(post, "PURGE_DELAY", 0)
    thread = new_thread(store, CreateThread())
    held_up(monkeypatch, "create", lambda: asyncio.sleep(0))
    with monkeypatch.context() as dying:
        dying.setattr(removal, "purge", killed)
        with pytest.raises(Killed):
            await create_thread(store, PROJECT, thread, [])
    assert len(left_of(idle, thread.id)) == 2

    await Handlers(store, ScriptedModel()).worker.handle(next_item(idle, "purge").content)
    assert left_of(idle, thread.id) == []


async def test_no_blob_of_a_thread_is_written_once_it_is_too_late_to_create_it(
    store: Store, monkeypatch: pytest.MonkeyPatch
):
    monkeypatch.setattr(creation._Deadline, "passed", True)
    monkeypatch.setattr(Logs, "create", killed)
    with pytest.raises(ApiError) as refused:
        await create_thread(store, PROJECT, new_thread(store, CreateThread()), [])
    assert refused.value.status == 503


async def test_a_thread_with_an_old_id_is_refused_as_a_sweep_may_purge_it(store: Store, idle: Storage):
    thread = new_thread(store, CreateThread())
    with pytest.raises(ApiError) as refused:
        await create_thread(later(store, 16), PROJECT, thread, [])
    assert refused.value.status == 503
    assert left_of(idle, thread.id) == []


@pytest.mark.parametrize("given_up", [True, False])
async def test_a_run_whose_commit_is_too_late_is_refused_if_it_was_given_up(
    store: Store, idle: Storage, monkeypatch: pytest.MonkeyPatch, given_up: bool
):
    key = await new_run_on(store)
    await store.runs.delete(key.name)
    thread = await store.threads.read(key.thread_name)
    assert thread is not None
    assistant = new_assistant(store, CreateAssistant.model_validate({"model": "demo"}))
    run = new_run(store, key.thread, assistant, CreateRun.model_validate({"assistant_id": assistant.id}))
    key = RunKey(key.project, key.thread, run.id)

    async def look_again() -> None:
        item = LookAgain(project=key.project, thread=key.thread, run=key.run)
        if given_up:
            await Handlers(store, ScriptedModel()).worker.handle(item.model_dump_json().encode())

    held_up(monkeypatch, "replace", look_again)
    if given_up:
        with pytest.raises(ApiError) as refused:
            await start_run(store, key, thread, run)
        assert refused.value.status == 503
    else:
        await start_run(store, key, thread, run)
    assert (await store.runs.read(key.name) is None) == given_up
