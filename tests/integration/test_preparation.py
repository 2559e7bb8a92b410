"""A run before its first turn: it waits for its thread's files, and does not begin with an expired store."""

import asyncio
from collections.abc import AsyncIterator
from typing import Any

import pytest
from openai import BadRequestError

from assistants.engine.turn import preparation
from assistants.ingestion.items import INGEST
from assistants.local.azurite import Azurite, Storage
from assistants.state.store import RunKey
from assistants.storage.ids import blob_name
from tests.support.service.attending import ScriptedModel, attend, run_of
from tests.support.service.inprocess import InProcess, in_process

SEARCH: Any = {"type": "file_search"}


@pytest.fixture(scope="module")
def storage(tmp_path_factory: pytest.TempPathFactory):
    """An Azurite whose queues have only this module's items."""
    with Azurite(tmp_path_factory.mktemp("prepared")) as storage:
        yield storage


@pytest.fixture
async def service(storage: Storage) -> AsyncIterator[InProcess]:
    async with in_process(storage, ScriptedModel({"text": "Hello."}, {"text": "Hello again."})) as service:
        yield service


@pytest.fixture
async def key(service: InProcess) -> RunKey:
    """A run with a file in its thread's store that is not ingested yet."""
    return await started(service, await attaching(service))


async def attaching(service: InProcess) -> dict[str, Any]:
    """A request to create a thread with an attached file."""
    file = await service.client.files.create(file=("a.txt", b"Hello"), purpose="assistants")
    return {"messages": [{"role": "user", "content": "x", "attachments": [{"file_id": file.id, "tools": [SEARCH]}]}]}


async def started(service: InProcess, thread: Any, *tools: Any, **assistant: Any) -> RunKey:
    made = await service.client.beta.assistants.create(model="demo", tools=list(tools) or [SEARCH], **assistant)
    run = await service.client.beta.threads.create_and_run(assistant_id=made.id, thread=thread)
    return RunKey("default", run.thread_id, run.id)


async def ingest(service: InProcess) -> None:
    await service.attend(INGEST)


async def waits(service: InProcess, key: RunKey) -> "asyncio.Task[None]":
    """The handler of a run that does not call its model yet."""
    driver = asyncio.create_task(attend(service, service.store, key))
    with pytest.raises(TimeoutError):
        await asyncio.wait_for(service.model.asked.wait(), 0.8)
    assert (await run_of(service.store, key)).status == "in_progress"
    return driver


async def status(service: InProcess, key: RunKey) -> str:
    return (await run_of(service.store, key)).status.value


async def test_the_model_is_asked_when_the_threads_files_have_been_ingested(service: InProcess, key: RunKey):
    driver = await waits(service, key)
    await ingest(service)
    await asyncio.wait_for(driver, 10)
    assert await status(service, key) == "completed"


async def test_a_stream_waits_too(service: InProcess):
    made = await service.client.beta.assistants.create(model="demo", tools=[SEARCH])
    thread: Any = await attaching(service)
    create = service.client.beta.threads.create_and_run
    streaming = asyncio.create_task(create(assistant_id=made.id, thread=thread, stream=True))
    with pytest.raises(TimeoutError):
        await asyncio.wait_for(service.model.asked.wait(), 0.8)
    await ingest(service)
    names = [event.event async for event in await streaming]
    assert names[:3] == ["thread.created", "thread.run.created", "thread.run.queued"]
    assert names[-1] == "thread.run.completed"


async def test_it_waits_no_longer_than_a_minute_from_its_start(
    service: InProcess, key: RunKey, monkeypatch: pytest.MonkeyPatch
):
    monkeypatch.setattr(preparation, "MAX_WAIT", 1.5)
    driver = await waits(service, key)
    await asyncio.wait_for(driver, 10)
    assert await status(service, key) == "completed"
    await ingest(service)


async def test_the_minute_of_waiting_is_not_restarted_by_a_takeover(
    service: InProcess, key: RunKey, monkeypatch: pytest.MonkeyPatch
):
    monkeypatch.setattr(preparation, "MAX_WAIT", 1.5)
    driver = await waits(service, key)
    driver.cancel()
    await asyncio.gather(driver, return_exceptions=True)
    await asyncio.sleep(1)
    began = asyncio.get_running_loop().time()
    await attend(service, service.store, key)
    assert await status(service, key) == "completed"
    assert asyncio.get_running_loop().time() - began < 1.5
    await ingest(service)


async def test_a_run_that_waits_is_cancelled_at_once(service: InProcess, key: RunKey):
    driver = await waits(service, key)
    await service.client.beta.threads.runs.cancel(key.run, thread_id=key.thread)
    await asyncio.wait_for(driver, 5)
    assert await status(service, key) == "cancelled"
    assert service.model.requests == []
    await ingest(service)


async def test_files_that_fail_or_are_cancelled_are_not_waited_for(service: InProcess):
    thread = await attaching(service)
    old = await service.client.files.create(file=("a.doc", b"\xd0\xcf"), purpose="assistants")
    thread["messages"][0]["attachments"].append({"file_id": old.id, "tools": [SEARCH]})
    key = await started(service, thread)
    driver = await waits(service, key)
    await ingest(service)
    await asyncio.wait_for(driver, 10)
    assert await status(service, key) == "completed"


async def test_the_assistants_files_are_not_waited_for(service: InProcess):
    file = await service.client.files.create(file=("a.txt", b"Hello"), purpose="assistants")
    helper: Any = {"file_search": {"vector_stores": [{"file_ids": [file.id]}]}}
    key = await started(service, {"messages": [{"role": "user", "content": "x"}]}, tool_resources=helper)
    await attend(service, service.store, key)
    assert await status(service, key) == "completed"
    await ingest(service)


async def test_a_run_without_file_search_does_not_wait(service: InProcess):
    key = await started(service, await attaching(service), {"type": "function", "function": {"name": "f"}})
    await attend(service, service.store, key)
    assert await status(service, key) == "completed"
    await ingest(service)


async def test_a_store_that_is_gone_is_passed_over(service: InProcess, key: RunKey):
    thread: Any = (await service.client.beta.threads.retrieve(key.thread)).to_dict()
    await service.client.vector_stores.delete(thread["tool_resources"]["file_search"]["vector_store_ids"][0])
    await attend(service, service.store, key)
    assert await status(service, key) == "completed"
    await ingest(service)


@pytest.mark.parametrize("whose", ["assistant", "thread"])
async def test_a_run_does_not_begin_with_an_expired_store(service: InProcess, whose: str):
    store = await service.client.vector_stores.create(expires_after={"anchor": "last_active_at", "days": 1})
    named: Any = {"tool_resources": {"file_search": {"vector_store_ids": [store.id]}}}
    thread = {"messages": [{"role": "user", "content": "x"}]}
    given = (thread | named, {}) if whose == "thread" else (thread, named)
    key = await started(service, given[0], **given[1])
    await used_two_days_ago(service, store.id)
    await attend(service, service.store, key)
    run = await service.client.beta.threads.runs.retrieve(key.run, thread_id=key.thread)
    assert (run.status, run.last_error and run.last_error.to_dict()) == (
        "failed",
        {"code": "server_error", "message": f"Vector store '{store.id}' has expired."},
    )
    assert service.model.requests == []


async def test_no_file_is_attached_to_an_expired_store(service: InProcess):
    thread = await service.client.beta.threads.create(**await attaching(service))
    shown: Any = thread.to_dict()
    (store_id,) = shown["tool_resources"]["file_search"]["vector_store_ids"]
    await used_two_days_ago(service, store_id, days=8)
    message = (await attaching(service))["messages"][0]
    with pytest.raises(BadRequestError, match=f"Vector store '{store_id}' has expired."):
        await service.client.beta.threads.messages.create(thread.id, **message)
    await ingest(service)


async def test_a_run_is_a_use_of_its_stores(service: InProcess):
    store = await service.client.vector_stores.create(expires_after={"anchor": "last_active_at", "days": 3})
    await used_two_days_ago(service, store.id)
    named: Any = {"file_search": {"vector_store_ids": [store.id]}}
    thread = {"messages": [{"role": "user", "content": "x"}], "tool_resources": named}
    await attend(service, service.store, await started(service, thread))
    used = await service.client.vector_stores.retrieve(store.id)
    assert service.store.clock.now() - (used.last_active_at or 0) < 60


async def used_two_days_ago(service: InProcess, store_id: str, days: int = 2) -> None:
    """Set the last use of the store back by `days` days."""
    now = int(service.store.clock.now())
    name = blob_name("default", store_id)
    await service.store.vector_stores.change(
        name, lambda record: record.model_copy(update={"last_active_at": now - days * 86_400})
    )


async def test_of_two_stores_that_are_made_for_a_thread_at_once_one_stays(service: InProcess):
    thread = await service.client.beta.threads.create()
    before = {each.id async for each in service.client.vector_stores.list(limit=100)}
    messages = [(await attaching(service))["messages"][0] for _ in range(4)]
    create = service.client.beta.threads.messages.create
    await asyncio.gather(*(create(thread.id, **message) for message in messages))
    shown: Any = (await service.client.beta.threads.retrieve(thread.id)).to_dict()
    (store_id,) = shown["tool_resources"]["file_search"]["vector_store_ids"]
    files = [each.id async for each in service.client.vector_stores.files.list(store_id)]
    assert sorted(files) == sorted(message["attachments"][0]["file_id"] for message in messages)
    assert len([each async for each in service.client.beta.threads.messages.list(thread.id)]) == 4
    assert {each.id async for each in service.client.vector_stores.list(limit=100)} - before == {store_id}
