"""The cost of each flow: all storage operations, and the longest sequence of them.

A change that adds an operation fails here. Not counted: during a call of the model, about one read per second for
cancellation and one write per third of a claim to renew it.
"""

import time
from collections.abc import AsyncIterator, Awaitable, Callable, Iterator
from dataclasses import dataclass, field
from typing import Any, Literal

import pytest
from azure.core.pipeline.transport import AsyncHttpResponse, HttpRequest
from openai import AsyncOpenAI
from openai.types.beta.threads.run_submit_tool_outputs_params import ToolOutput

from assistants.engine.items import WORK
from assistants.local.azurite import Azurite, Storage
from assistants.schema.messages import Message
from assistants.state.messages import delete_record, put_record, update_record
from assistants.state.outlines import REACH
from assistants.tools.registry import QUEUES
from tests.support.costs import MESSAGE, MESSAGES, POLL, QUEUED, SERVER_TOOL, STREAMED, Cost
from tests.support.sdk.conversation import RETRIEVAL, WEATHER, call
from tests.support.service.attending import ScriptedModel
from tests.support.service.inprocess import InProcess, in_process
from tests.support.storage.calls import Send, kind, tapped
from tests.support.storage.stored import queue_of


@dataclass(frozen=True)
class Operation:
    """A request to storage, with the times of its beginning and its end."""

    kind: str
    began: float
    ended: float
    received: int = 0
    """Bytes of the answer."""


@dataclass
class Count:
    """The operations of a flow so far."""

    operations: list[Operation] = field(default_factory=list)

    async def around(self, request: HttpRequest, send: Send) -> AsyncHttpResponse:
        began, received = time.perf_counter(), 0
        try:
            response = await send()
            received = int(response.headers.get("Content-Length", 0))
            return response
        finally:
            self.operations.append(Operation(kind(request), began, time.perf_counter(), received))

    @property
    def total(self) -> int:
        return len(self.operations)

    @property
    def sequential(self) -> int:
        """The longest sequence: the most operations of which no two overlap. Deletions do not count."""
        number, free = 0, 0.0
        waited_for = (each for each in self.operations if not each.kind.startswith("DELETE"))
        for operation in sorted(waited_for, key=lambda each: each.ended):
            if operation.began >= free:
                number, free = number + 1, operation.ended
        return number

    def until(self, moment: float) -> "Count":
        """The operations that had ended at that moment."""
        return Count([each for each in self.operations if each.ended <= moment])

    def costs(self, cost: Cost) -> None:
        """Check the count against that cost."""
        kinds = [each.kind for each in sorted(self.operations, key=lambda each: each.began)]
        queues = sum(each.split()[1] in (WORK, *QUEUES) for each in kinds)
        assert len(kinds) - queues <= cost.blobs, kinds
        assert queues <= cost.queues, kinds

    def within(self, total: int, sequential: int | None = None) -> None:
        """Check the count against these limits."""
        kinds = [each.kind for each in sorted(self.operations, key=lambda each: each.began)]
        assert self.total <= total, kinds
        assert sequential is None or self.sequential <= sequential, kinds


class TimedModel(ScriptedModel):
    """Records when it is called."""

    def __init__(self, *replies: dict[str, Any]) -> None:
        super().__init__(*replies)
        self.asked_at: list[float] = []

    def stream(self, body: dict[str, Any]) -> Any:
        self.asked_at.append(time.perf_counter())
        return super().stream(body)


@pytest.fixture(scope="module")
def storage(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Storage]:
    """An Azurite whose queues have only this module's items."""
    with Azurite(tmp_path_factory.mktemp("counted")) as storage:
        yield storage


@pytest.fixture
def replies() -> list[dict[str, Any]]:
    """The model's replies: first to the run that opens all connections and containers, then those that a test adds."""
    return [{"text": "Hello."}]


@pytest.fixture
def count() -> Count:
    return Count()


@pytest.fixture
async def service(storage: Storage, replies: list[dict[str, Any]], count: Count) -> AsyncIterator[InProcess]:
    """The service, warm: its containers and queues exist, and its queues are empty."""
    for queue in (WORK, *QUEUES):
        queue_of(storage, queue).clear_messages()
    async with in_process(storage, TimedModel(*replies), None, tapped(count.around)) as service:
        thread = await service.client.beta.threads.create(messages=[{"role": "user", "content": "Hello"}])
        assistant = await service.client.beta.assistants.create(model="demo")
        await service.client.beta.threads.runs.create(thread.id, assistant_id=assistant.id)
        await service.attend()
        yield service


@pytest.fixture
def client(service: InProcess) -> AsyncOpenAI:
    return service.client


@pytest.fixture
def model(service: InProcess) -> TimedModel:
    assert isinstance(service.model, TimedModel)
    return service.model


@pytest.fixture
def counted(service: InProcess, count: Count) -> Count:
    """Counts every operation from now on; to be cleared where the flow begins."""
    count.operations.clear()
    return count


async def new_thread(client: AsyncOpenAI) -> str:
    return (await client.beta.threads.create(messages=[{"role": "user", "content": "Hello"}])).id


async def new_assistant(client: AsyncOpenAI, *tools: Any) -> str:
    return (await client.beta.assistants.create(model="demo", tools=tools)).id


async def talked(service: InProcess) -> tuple[str, str]:
    """A thread with a run that has ended, and its assistant."""
    thread, assistant = await new_thread(service.client), await new_assistant(service.client)
    await service.client.beta.threads.runs.create(thread, assistant_id=assistant)
    await service.attend()
    return thread, assistant


async def streamed(stream: Any) -> list[str]:
    """The names of the events."""
    return [event.event async for event in await stream]


async def test_creating_a_thread(client: AsyncOpenAI, counted: Count):
    await client.beta.threads.create()
    counted.within(2, 2)


async def test_creating_the_first_thread_of_a_minute(service: InProcess, client: AsyncOpenAI, counted: Count):
    service.store.spans.clear()
    await client.beta.threads.create()
    counted.within(3, 3)


async def test_creating_a_thread_with_messages(client: AsyncOpenAI, counted: Count):
    await client.beta.threads.create(messages=[{"role": "user", "content": text} for text in ("one", "two", "three")])
    counted.within(3, 3)


@pytest.mark.parametrize("replies", [[{"text": "Hello."}] * 2])
async def test_adding_a_message(service: InProcess, client: AsyncOpenAI, counted: Count):
    thread, _ = await talked(service)
    counted.operations.clear()
    await client.beta.threads.messages.create(thread, role="user", content="Hello")
    counted.within(3, 3)
    counted.costs(MESSAGE)


async def test_adding_a_message_with_images(client: AsyncOpenAI, counted: Count):
    """Each image is read once, all at the same time."""
    thread = await new_thread(client)
    files = [(await client.files.create(file=("a.gif", b"GIF89a"), purpose="vision")).id for _ in range(2)]
    content: Any = [{"type": "image_file", "image_file": {"file_id": each}} for each in (*files, files[0])]
    counted.operations.clear()
    await client.beta.threads.messages.create(thread, role="user", content=content)
    counted.within(4, 3)


@pytest.mark.parametrize("replies", [[{"text": "Hello."}] * 2])
async def test_retrieving_an_active_run_and_one_that_has_ended(service: InProcess, client: AsyncOpenAI, counted: Count):
    thread, assistant = await new_thread(client), await new_assistant(client)
    run = await client.beta.threads.runs.create(thread, assistant_id=assistant)
    assert (await client.beta.threads.runs.retrieve(run.id, thread_id=thread)).status == "queued"
    counted.operations.clear()
    assert (await client.beta.threads.runs.retrieve(run.id, thread_id=thread)).status == "queued"
    counted.costs(POLL)
    await service.attend()
    counted.operations.clear()
    assert (await client.beta.threads.runs.retrieve(run.id, thread_id=thread)).status == "completed"
    counted.costs(POLL)
    counted.operations.clear()
    await client.beta.threads.messages.list(thread)
    counted.costs(MESSAGES)


@pytest.mark.parametrize("replies", [[{"text": "Hello."}] * 9])
@pytest.mark.parametrize("order", ["desc", "asc"])
async def test_listing_runs_again_after_one_more(
    service: InProcess, client: AsyncOpenAI, counted: Count, order: Literal["asc", "desc"]
):
    """Unchanged objects are not read again: the thread, the listing, and the new run are read."""
    thread, assistant = await talked(service)
    for _ in range(5):
        await client.beta.threads.runs.create(thread, assistant_id=assistant)
        await service.attend()
    assert len((await client.beta.threads.runs.list(thread, order=order)).data) == 6
    await client.beta.threads.runs.create(thread, assistant_id=assistant)
    await service.attend()
    counted.operations.clear()
    assert len((await client.beta.threads.runs.list(thread, order=order)).data) == 7
    counted.within(3, 3)
    counted.operations.clear()
    assert len((await client.beta.threads.runs.list(thread, order=order)).data) == 7
    counted.within(2, 2)


async def test_listing_assistants_again(client: AsyncOpenAI, counted: Count):
    for _ in range(5):
        await new_assistant(client)
    await client.beta.assistants.list(limit=100)
    counted.operations.clear()
    assert len((await client.beta.assistants.list(limit=100)).data) > 5
    counted.within(1, 1)


class TestCreatingARun:
    """The HTTP part."""

    async def test_the_first_one(self, client: AsyncOpenAI, counted: Count):
        thread, assistant = await new_thread(client), await new_assistant(client)
        counted.operations.clear()
        await client.beta.threads.runs.create(thread, assistant_id=assistant)
        counted.within(7, 5)

    @pytest.mark.parametrize("replies", [[{"text": "Hello."}] * 2])
    async def test_a_later_one(self, service: InProcess, client: AsyncOpenAI, counted: Count):
        thread, assistant = await talked(service)
        counted.operations.clear()
        await client.beta.threads.runs.create(thread, assistant_id=assistant)
        counted.within(7, 5)

    @pytest.mark.parametrize("replies", [[{"text": "Hello."}] * 2])
    async def test_with_additional_messages(self, service: InProcess, client: AsyncOpenAI, counted: Count):
        thread, assistant = await talked(service)
        counted.operations.clear()
        more: Any = [{"role": "user", "content": "More"}] * 2
        await client.beta.threads.runs.create(thread, assistant_id=assistant, additional_messages=more)
        counted.within(8, 6)


@pytest.mark.parametrize("replies", [[{"text": "Hello."}] * 3])
class TestATextRun:
    """From the request to the run's end, dequeues and deletes included."""

    @pytest.mark.parametrize("later", [False, True], ids=["the first run", "a later run"])
    async def test_queued(
        self, service: InProcess, client: AsyncOpenAI, model: TimedModel, counted: Count, later: bool
    ):
        thread, assistant = await talked(service) if later else (await new_thread(client), await new_assistant(client))
        counted.operations.clear()
        run = await client.beta.threads.runs.create(thread, assistant_id=assistant)
        await service.attend()
        counted.costs(QUEUED)
        counted.until(model.asked_at[-1]).within(11, 8)
        assert (await client.beta.threads.runs.retrieve(run.id, thread_id=thread)).status == "completed"

    @pytest.mark.parametrize("later", [False, True], ids=["the first run", "a later run"])
    async def test_streamed(
        self, service: InProcess, client: AsyncOpenAI, model: TimedModel, counted: Count, later: bool
    ):
        thread, assistant = await talked(service) if later else (await new_thread(client), await new_assistant(client))
        counted.operations.clear()
        names = await streamed(client.beta.threads.runs.create(thread, assistant_id=assistant, stream=True))
        assert names[-1] == "thread.run.completed"
        counted.costs(STREAMED)
        counted.until(model.asked_at[-1]).within(7, 4)

    async def test_streamed_with_its_thread(self, client: AsyncOpenAI, model: TimedModel, counted: Count):
        assistant = await new_assistant(client)
        counted.operations.clear()
        messages: Any = [{"role": "user", "content": "Hello"}]
        names = await streamed(
            client.beta.threads.create_and_run(assistant_id=assistant, thread={"messages": messages}, stream=True)
        )
        assert names[-1] == "thread.run.completed"
        counted.costs(STREAMED)
        counted.until(model.asked_at[-1]).within(7, 4)


@pytest.mark.parametrize(
    "replies", [[{"text": "Hello."}, {"tool_calls": [call("get_weather", "call_w")]}, {"text": "Sunny."}]]
)
class TestSubmittingOutputs:
    """From the request to the next call of the model."""

    @pytest.fixture
    async def owed(self, service: InProcess, client: AsyncOpenAI, counted: Count) -> dict[str, Any]:
        """The arguments that submit the outputs of a run."""
        thread, assistant = await new_thread(client), await new_assistant(client, WEATHER)
        run = await client.beta.threads.runs.create(thread, assistant_id=assistant)
        await service.attend()
        counted.operations.clear()
        output: ToolOutput = {"tool_call_id": "call_w", "output": "sunny"}
        return {"run_id": run.id, "thread_id": thread, "tool_outputs": [output]}

    async def test_queued(
        self, service: InProcess, client: AsyncOpenAI, model: TimedModel, counted: Count, owed: dict[str, Any]
    ):
        await client.beta.threads.runs.submit_tool_outputs(**owed)
        await service.attend()
        assert len(model.asked_at) == 3
        counted.until(model.asked_at[-1]).within(8, 6)

    async def test_streamed(self, client: AsyncOpenAI, model: TimedModel, counted: Count, owed: dict[str, Any]):
        names = await streamed(client.beta.threads.runs.submit_tool_outputs(**owed, stream=True))
        assert names[-1] == "thread.run.completed"
        counted.until(model.asked_at[-1]).within(4, 3)


@pytest.mark.parametrize(
    "replies", [[{"text": "Hello."}, {"tool_calls": [call("retrieval", "call_r")]}, {"text": "In Oslo."}]]
)
async def test_a_server_tools_round(service: InProcess, client: AsyncOpenAI, model: TimedModel, counted: Count):
    """From the model's call of the tool to the next call of the model, queued."""
    thread, assistant = await new_thread(client), await new_assistant(client, RETRIEVAL)
    run = await client.beta.threads.runs.create(thread, assistant_id=assistant)
    await service.attend()
    await service.attend("retrieval")
    await service.attend()
    _, called, asked = model.asked_at
    round_of = Count([each for each in counted.until(asked).operations if each.began >= called])
    round_of.within(12, 9)
    round_of.costs(SERVER_TOOL)
    assert (await client.beta.threads.runs.retrieve(run.id, thread_id=thread)).status == "completed"


def records(thread: str, number: int) -> Iterator[bytes]:
    """Puts of `number` messages of users, with one update of the second and a deletion of the third at the end."""
    content: Any = [{"type": "text", "text": {"value": "Hello, how are you? " * 10, "annotations": []}}]
    message = Message(id="msg_00000", created_at=1, thread_id=thread, role="user", content=content)
    one = put_record(message)
    yield from (one.replace(b"msg_00000", f"msg_{each:05d}".encode()) for each in range(number))
    yield update_record("msg_00001", {"changed": "yes"})
    yield delete_record("msg_00002")


FEW, MANY = 10, 4_000
_INDEX = MANY * 37
_TIMES = 64
"""Bytes by which two records of a run may differ: the number of digits of a stored time varies."""


@dataclass
class Taken:
    """The operations and bytes of a flow."""

    operations: int
    received: int


@pytest.mark.parametrize("cache", ["67108864", "0"], ids=["warm", "cold"])
class TestTheLengthOfAThread:
    """The cost of a flow is the same in threads of ten and of thousands of messages, apart from requested data."""

    @pytest.fixture
    async def service(self, storage: Storage, count: Count, cache: str) -> AsyncIterator[InProcess]:
        """A service with or without a cache; a few messages fit into the model's context."""
        settings = {"THREAD_CACHE_BYTES": cache, "MODEL_CONTEXT": "demo=1500"}
        model = TimedModel(*[{"text": "Hello."}] * 4)
        async with in_process(storage, model, None, tapped(count.around), **settings) as service:
            yield service

    @pytest.fixture
    async def threads(self, service: InProcess, client: AsyncOpenAI) -> list[str]:
        """Two threads, of few and of many messages, which have been read once."""
        threads = [(await client.beta.threads.create()).id for _ in range(2)]
        for thread, number in zip(threads, (FEW, MANY), strict=True):
            await service.store.messages.append("default", thread, 1, list(records(thread, number)))
            await client.beta.threads.messages.list(thread, limit=1)
        return threads

    async def costs(self, count: Count, threads: list[str], act: Callable[[str], Awaitable[object]]) -> list[Taken]:
        found = list[Taken]()
        for thread in threads:
            count.operations.clear()
            await act(thread)
            found.append(Taken(count.total, sum(each.received for each in count.operations)))
        return found

    def hold(self, costs: list[Taken], cold: bool, more: int = 1, data: int = 0) -> None:
        """Check that a long thread costs a few more operations, and bytes of the index, cached and requested data."""
        few, many = costs
        assert many.operations <= few.operations + more + (2 if cold else 0), costs
        assert many.received <= few.received + _TIMES + data + (2 * REACH + _INDEX if cold else 0), costs

    @pytest.mark.parametrize("options", [{"limit": 1}, {"limit": 100}])
    async def test_of_the_newest_messages(
        self, client: AsyncOpenAI, counted: Count, threads: list[str], cache: str, options: Any
    ):
        costs = await self.costs(counted, threads, lambda thread: client.beta.threads.messages.list(thread, **options))
        self.hold(costs, cache == "0", more=0)
        page = await client.beta.threads.messages.list(threads[1], **options)
        assert page.data[0].id == f"msg_{MANY - 1:05d}"
        assert len(page.data) == options["limit"]

    @pytest.mark.parametrize(
        "options", [{"order": "asc"}, {"after": "msg_00007"}, {"order": "asc", "after": "msg_00007"}]
    )
    async def test_of_the_oldest_messages(
        self, client: AsyncOpenAI, counted: Count, threads: list[str], cache: str, options: Any
    ):
        listing = lambda thread: client.beta.threads.messages.list(thread, limit=5, **options)  # noqa: E731
        costs = await self.costs(counted, threads, listing)
        self.hold(costs, cache == "0", more=2, data=10_000)
        few, many = [(await listing(thread)).data for thread in threads]
        order = [each.id for each in many]
        assert order == ["msg_00008", "msg_00009", "msg_00010", "msg_00011", "msg_00012"] or order == [
            each.id for each in few
        ]
        assert "msg_00002" not in order
        assert {each.id: each.metadata for each in many}.get("msg_00001", {"changed": "yes"}) == {"changed": "yes"}

    async def test_of_one_message(self, client: AsyncOpenAI, counted: Count, threads: list[str], cache: str):
        messages = client.beta.threads.messages
        costs = await self.costs(counted, threads, lambda thread: messages.retrieve("msg_00001", thread_id=thread))
        self.hold(costs, cache == "0", more=2, data=2_000)
        found = await messages.retrieve("msg_00001", thread_id=threads[1])
        assert found.metadata == {"changed": "yes"}

    async def test_of_a_change(self, client: AsyncOpenAI, counted: Count, threads: list[str], cache: str):
        messages = client.beta.threads.messages
        change = lambda thread: messages.update("msg_00005", thread_id=thread, metadata={"a": "b"})  # noqa: E731
        self.hold(await self.costs(counted, threads, change), cache == "0", more=2, data=2_000)
        delete = lambda thread: messages.delete("msg_00006", thread_id=thread)  # noqa: E731
        self.hold(await self.costs(counted, threads, delete), cache == "0", more=2, data=2_000)
        oldest = (await messages.list(threads[1], order="asc", limit=6)).data
        assert [each.id for each in oldest] == [f"msg_{each:05d}" for each in (0, 1, 3, 4, 5, 7)]
        assert oldest[4].metadata == {"a": "b"}

    async def test_of_a_new_message(self, client: AsyncOpenAI, counted: Count, threads: list[str], cache: str):
        add = lambda thread: client.beta.threads.messages.create(thread, role="user", content="Hello")  # noqa: E731
        costs = await self.costs(counted, threads, add)
        assert costs[0].operations == costs[1].operations
        self.hold(costs, False, data=100)

    @pytest.mark.parametrize("stream", [True, False], ids=["streamed", "queued"])
    async def test_of_a_run(
        self, service: InProcess, client: AsyncOpenAI, counted: Count, threads: list[str], cache: str, stream: bool
    ):
        assistant, runs = await new_assistant(client), client.beta.threads.runs

        async def run(thread: str) -> None:
            if stream:
                names = await streamed(runs.create(thread, assistant_id=assistant, stream=True))
                assert names[-1] == "thread.run.completed"
            else:
                await runs.create(thread, assistant_id=assistant)
                await service.attend()

        few, many = await self.costs(counted, threads, run)
        # Cold, a queued run's log is read twice: the request looks for a user's message, the driver for the prompt.
        reads = 0 if cache != "0" else 1 if stream else 2
        assert many.operations <= few.operations + 2 * reads, (few, many)
        assert many.received <= few.received + _TIMES + reads * (2 * REACH + _INDEX), (few, many)
        asked = [body["messages"] for body in service.model.requests]
        assert len(asked[0]) == FEW - 1
        assert FEW < len(asked[1]) < 40
