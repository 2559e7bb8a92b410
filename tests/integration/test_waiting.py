"""The cost of waiting for a run that another process drives, or this one."""

import asyncio
import time
from collections.abc import AsyncIterator

import pytest
from azure.core.pipeline.transport import AsyncHttpResponse, HttpRequest

from assistants.engine.waiting import wait_for_run
from assistants.local.azurite import Storage
from assistants.schema.runs import RunStatus
from assistants.state.store import RunKey, Store
from tests.support.service.attending import Handlers, ScriptedModel, attend, hang, new_run_on, open_store
from tests.support.storage.calls import Send, kind, tapped


class Reads:
    """The requests to storage of a process that waits."""

    def __init__(self) -> None:
        self.kinds: list[str] = []
        self.began = asyncio.Event()

    async def around(self, request: HttpRequest, send: Send) -> AsyncHttpResponse:
        self.kinds.append(kind(request))
        self.began.set()
        return await send()

    @property
    def of_runs(self) -> int:
        return self.kinds.count("GET runs")


@pytest.fixture
def reads() -> Reads:
    return Reads()


@pytest.fixture
async def waiting(idle: Storage, reads: Reads) -> AsyncIterator[Store]:
    store = open_store(idle, tapped(reads.around))
    yield store
    await store.close()


@pytest.fixture
async def other(idle: Storage) -> AsyncIterator[Store]:
    """Another process."""
    store = open_store(idle)
    yield store
    await store.close()


async def stays() -> bool:
    return False


async def waited(store: Store, key: RunKey, wait_for: RunStatus | None = None) -> RunStatus:
    return (await wait_for_run(store, key, 30, wait_for, stays)).value.status


async def test_a_run_of_another_process_is_read_once_a_second_at_most(waiting: Store, other: Store, reads: Reads):
    key = await new_run_on(other)
    began = time.monotonic()
    wait = asyncio.create_task(waited(waiting, key))
    await reads.began.wait()
    await attend(Handlers(other, ScriptedModel({"text": "Hello."})), other, key)
    assert await wait is RunStatus.COMPLETED
    assert set(reads.kinds) <= {"GET runs", "GET threads"}  # the thread shows whether a new run was committed
    assert reads.of_runs <= 1 + (time.monotonic() - began)


async def test_a_run_of_this_process_is_answered_without_another_read(waiting: Store, reads: Reads):
    key, model = await new_run_on(waiting), ScriptedModel({"text": "Hello."}, silent=True)
    driver = await hang(waiting, key, model)
    reads.began.clear()
    reads.kinds.clear()
    wait = asyncio.create_task(waited(waiting, key))
    await reads.began.wait()
    model.answer.set()
    assert await wait is RunStatus.COMPLETED
    await driver
    assert reads.of_runs == 1


async def test_a_client_that_has_gone_ends_the_wait(waiting: Store, other: Store, reads: Reads):
    key = await new_run_on(other)

    async def gone() -> bool:
        return True

    run = (await wait_for_run(waiting, key, 30, None, gone)).value
    assert run.status is RunStatus.QUEUED
    assert reads.of_runs == 1
