"""An interrupted deletion is finished by its queue item."""

import pytest

from assistants.api import threads
from assistants.engine import removal
from assistants.engine.items import Purge
from assistants.local.azurite import Storage
from assistants.state import post
from assistants.state.store import RunKey, Store
from assistants.storage.documents import Documents
from tests.support.sdk.conversation import WEATHER, call
from tests.support.service.attending import (
    Handlers,
    Killed,
    ScriptedModel,
    attend,
    hang,
    killed,
    new_run_on,
    open_store,
)
from tests.support.storage.stored import left_of, next_item, queue_of


async def waiting_run(store: Store) -> RunKey:
    key = await new_run_on(store, WEATHER)
    model = ScriptedModel({"text": "One moment.", "tool_calls": [call("get_weather", "call_w")]})
    await attend(Handlers(store, model), store, key)
    return key


def purge_of(key: RunKey) -> bytes:
    return Purge(project=key.project, thread=key.thread).model_dump_json().encode()


@pytest.mark.parametrize("victim", [(Documents, "delete"), (removal, "purge")], ids=["at the thread", "at the rest"])
async def test_an_interrupted_deletion_is_finished_by_its_item(
    store: Store, idle: Storage, monkeypatch: pytest.MonkeyPatch, victim: tuple[object, str]
):
    key = await waiting_run(store)
    queue_of(idle, "work").clear_messages()
    monkeypatch.setattr(post, "PURGE_DELAY", 0)
    with monkeypatch.context() as dying:
        dying.setattr(*victim, killed)
        with pytest.raises(Killed):
            await threads.threads_delete(store, key.project, key.thread)
    assert left_of(idle, key.thread) != []

    await Handlers(store, ScriptedModel()).worker.handle(next_item(idle, "purge").content)
    assert left_of(idle, key.thread) == []


async def test_the_item_is_repeated_until_no_blob_is_left(idle: Storage):
    store = open_store(idle, PURGE_AGAIN="1")
    handlers, key = Handlers(store, ScriptedModel()), await waiting_run(store)
    queue = queue_of(idle, "work")
    queue.clear_messages()
    await handlers.worker.handle(purge_of(key))
    again = next_item(idle, "purge")
    queue.delete_message(again)

    await handlers.worker.handle(again.content)
    assert queue.get_queue_properties().approximate_message_count == 0
    await store.close()


async def test_a_driver_whose_thread_is_deleted_creates_no_blob(store: Store, idle: Storage):
    key, model = await new_run_on(store), ScriptedModel({"text": "Is anybody there?"}, silent=True)
    driver = await hang(store, key, model)
    await Handlers(store, ScriptedModel()).worker.handle(purge_of(key))
    model.answer.set()
    await driver
    assert left_of(idle, key.thread) == []
