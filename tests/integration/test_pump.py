import asyncio
import base64
import time
import uuid
from collections import Counter
from collections.abc import Awaitable, Callable

import azure.functions as func
import pytest
from azure.core.exceptions import ResourceNotFoundError
from azure.functions.queue import QueueMessage
from azure.storage.queue.aio import QueueClient

from assistants.local import pump as pumps
from assistants.local.pump import Activity, Pump, QueueOptions, queue_functions
from assistants.storage.services import QueueService, Received

OPTIONS = QueueOptions(batch_size=4, new_batch_threshold=2, max_polling_interval=0.2, visibility_timeout=1)


@pytest.fixture
def service(queue_service: QueueService) -> QueueService:
    return queue_service


@pytest.fixture
async def queue(service: QueueService) -> QueueClient:
    queue = service.client.get_queue_client(f"q-{uuid.uuid4().hex}")
    await queue.create_queue()
    return queue


def pump(
    service: QueueService,
    queue: QueueClient,
    function: Callable[[QueueMessage], object],
    options: QueueOptions = OPTIONS,
    lease: float = 600,
    activity: Activity | None = None,
) -> Pump:
    app = func.FunctionApp()
    app.queue_trigger(arg_name="message", queue_name=queue.queue_name, connection="AzureWebJobsStorage")(function)
    return Pump(queue_functions(app.get_functions()), service, options, lease, activity)


async def put(queue: QueueClient, *texts: str) -> None:
    for text in texts:
        await queue.send_message(base64.b64encode(text.encode()).decode())


async def until(condition: Callable[[], bool | Awaitable[bool]], within: float = 10) -> None:
    deadline = time.monotonic() + within
    while time.monotonic() < deadline:
        result = condition()
        if result if isinstance(result, bool) else await result:
            return
        await asyncio.sleep(0.02)
    pytest.fail(f"not within {within} s")


async def left(queue: QueueClient) -> int:
    """The number of items in the queue, hidden ones included."""
    return (await queue.get_queue_properties()).approximate_message_count or 0


async def visible(queue: QueueClient) -> list[str]:
    return [message.content or "" for message in await queue.peek_messages(32)]


async def test_success_deletes(service: QueueService, queue: QueueClient):
    seen: list[tuple[bytes, int | None]] = []

    async def attend(message: QueueMessage) -> None:
        seen.append((message.get_body(), message.dequeue_count))

    running = pump(service, queue, attend)
    running.start()
    await put(queue, *[str(n) for n in range(20)])
    await until(lambda: len(seen) == 20)
    await running.stop()
    assert sorted(seen) == sorted((str(n).encode(), 1) for n in range(20))
    assert await left(queue) == 0


async def test_a_plain_function_runs_beside_the_loop(service: QueueService, queue: QueueClient):
    seen: list[bytes] = []

    def attend(message: QueueMessage) -> None:
        seen.append(message.get_body())

    running = pump(service, queue, attend)
    running.start()
    await put(queue, "x")
    await until(lambda: seen == [b"x"])
    await running.stop()


async def test_failure_shows_the_item_again(service: QueueService, queue: QueueClient):
    counts: list[int | None] = []

    async def attend(message: QueueMessage) -> None:
        counts.append(message.dequeue_count)
        if len(counts) < 3:
            raise RuntimeError("not yet")

    running = pump(service, queue, attend)
    running.start()
    await put(queue, "x")
    await until(lambda: counts == [1, 2, 3])
    await running.stop()
    assert await left(queue) == 0


async def test_the_last_failure_poisons(service: QueueService, queue: QueueClient):
    counts: list[int | None] = []

    async def attend(message: QueueMessage) -> None:
        counts.append(message.dequeue_count)
        raise RuntimeError("never")

    running = pump(service, queue, attend, QueueOptions(max_polling_interval=0.2, max_dequeue_count=2))
    running.start()
    await put(queue, "x")
    poison = service.client.get_queue_client(queue.queue_name + "-poison")
    await until(lambda: has(poison, 1))
    await running.stop()
    assert counts == [1, 2]
    assert await visible(poison) == [base64.b64encode(b"x").decode()]
    assert await left(queue) == 0


async def test_an_item_that_is_not_base64_moves_to_the_poison_queue_unchanged(
    service: QueueService, queue: QueueClient
):
    async def attend(message: QueueMessage) -> None:
        pytest.fail("called")

    running = pump(service, queue, attend)
    running.start()
    await queue.send_message("{not base64}")
    poison = service.client.get_queue_client(queue.queue_name + "-poison")
    await until(lambda: has(poison, 1))
    await running.stop()
    assert await visible(poison) == ["{not base64}"]


async def test_a_missing_queue_is_an_empty_one(service: QueueService):
    queue = service.client.get_queue_client(f"q-{uuid.uuid4().hex}")
    seen: list[bytes] = []

    async def attend(message: QueueMessage) -> None:
        seen.append(message.get_body())

    running = pump(service, queue, attend)
    running.start()
    await asyncio.sleep(0.5)
    await queue.create_queue()
    await put(queue, "x")
    await until(lambda: seen == [b"x"])
    await running.stop()


async def test_the_lease_is_renewed_while_the_function_runs(service: QueueService, queue: QueueClient):
    calls = 0

    async def attend(message: QueueMessage) -> None:
        nonlocal calls
        calls += 1
        await asyncio.sleep(3.5)

    running = pump(service, queue, attend, lease=2)
    running.start()
    await put(queue, "x")
    await until(lambda: gone(queue), within=10)
    await running.stop()
    assert calls == 1


async def test_no_more_than_batch_and_threshold_run_at_once(service: QueueService, queue: QueueClient):
    now = most = done = 0

    async def attend(message: QueueMessage) -> None:
        nonlocal now, most, done
        now += 1
        most = max(most, now)
        await asyncio.sleep(0.1)
        now -= 1
        done += 1

    running = pump(service, queue, attend)
    await put(queue, *[str(n) for n in range(24)])
    running.start()
    await until(lambda: done == 24)
    await running.stop()
    assert 4 <= most <= 6


async def test_a_stop_waits_for_running_functions(service: QueueService, queue: QueueClient):
    started = asyncio.Event()

    async def attend(message: QueueMessage) -> None:
        started.set()
        await asyncio.sleep(0.5)

    running = pump(service, queue, attend)
    running.start()
    await put(queue, "x")
    await started.wait()
    await running.stop(grace=5)
    assert await left(queue) == 0


@pytest.mark.parametrize("end_grace", [False, True])
async def test_a_stop_makes_the_items_of_interrupted_functions_visible_at_once(
    service: QueueService, queue: QueueClient, end_grace: bool
):
    started, ended = asyncio.Event(), asyncio.Event()

    async def attend(message: QueueMessage) -> None:
        started.set()
        try:
            await asyncio.sleep(60)
        finally:
            ended.set()

    running = pump(service, queue, attend)
    running.start()
    await put(queue, "x")
    await started.wait()
    if end_grace:
        running.end_grace()
    await asyncio.wait_for(running.stop(grace=60 if end_grace else 0.2), 5)
    assert ended.is_set()
    assert await visible(queue) == [base64.b64encode(b"x").decode()]


async def has(queue: QueueClient, count: int) -> bool:
    try:
        return len(await queue.peek_messages(32)) == count
    except ResourceNotFoundError:
        return False


async def gone(queue: QueueClient) -> bool:
    return await left(queue) == 0


async def test_queues_are_polled_less_often_without_activity_and_at_once_when_it_begins(
    service: QueueService, queue: QueueClient, monkeypatch: pytest.MonkeyPatch
):
    monkeypatch.setattr(pumps, "CALM", 0.5)
    monkeypatch.setattr(pumps, "CALM_POLLING_INTERVAL", 600)
    seen: list[bytes] = []

    async def attend(message: QueueMessage) -> None:
        seen.append(message.get_body())

    activity = Activity()
    running = pump(service, queue, attend, activity=activity)
    running.start()
    await put(queue, "while it is not calm yet")
    await until(lambda: len(seen) == 1)
    await asyncio.sleep(2)
    assert activity.calm
    await put(queue, "while it is calm")
    await asyncio.sleep(1)
    assert len(seen) == 1
    with activity.active():
        await until(lambda: len(seen) == 2)
    await running.stop()


async def test_an_idle_poison_queue_is_polled_more_rarely_than_another(
    service: QueueService, queue: QueueClient, monkeypatch: pytest.MonkeyPatch
):
    polls: Counter[str] = Counter()
    receive = service.receive

    async def counted(queue: str, number: int, lease: int) -> list[Received]:
        polls[queue] += 1
        return await receive(queue, number, lease)

    monkeypatch.setattr(service, "receive", counted)
    poison = service.client.get_queue_client(f"{queue.queue_name}-poison")
    await poison.create_queue()
    options = QueueOptions(max_polling_interval=0.1)
    running = [pump(service, each, lambda message: None, options) for each in (queue, poison)]
    for each in running:
        each.start()
    await until(lambda: polls[queue.queue_name] > 20)
    await asyncio.gather(*(each.stop() for each in running))
    assert 0 < polls[poison.queue_name] < polls[queue.queue_name] / 2
