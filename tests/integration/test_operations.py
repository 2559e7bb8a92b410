"""The cost of each flow: all storage operations, and the longest sequence of them.

A change that adds an operation fails here. Not counted: while a model call lasts, about one read a second for
cancellation and one write per third of a claim to renew it.
"""

import time
from collections.abc import AsyncIterator, Iterator
from dataclasses import dataclass, field
from typing import Any, Literal

import pytest
from azure.core.pipeline.transport import AsyncHttpResponse, HttpRequest
from openai import AsyncOpenAI
from openai.types.beta.threads.run_submit_tool_outputs_params import ToolOutput

from assistants.engine.items import WORK
from assistants.local.azurite import Azurite, Storage
from assistants.state.messages import put_record
from assistants.storage.ids import blob_name
from assistants.tools.registry import QUEUES
from tests.support.costs import MESSAGE, MESSAGES, POLL, QUEUED, SERVER_TOOL, STREAMED, Cost
from tests.support.sdk.conversation import RETRIEVAL, WEATHER, call
from tests.support.service.attending import ScriptedModel
from tests.support.service.inprocess import InProcess, in_process
from tests.support.storage.calls import Send, kind, tapped
from tests.support.storage.stored import queue_of


@dataclass(frozen=True)
class Operation:
    """One request to storage, and when it was under way."""

    kind: str
    began: float
    ended: float


@dataclass
class Count:
    """The operations of a flow so far."""

    operations: list[Operation] = field(default_factory=list)

    async def around(self, request: HttpRequest, send: Send) -> AsyncHttpResponse:
        began = time.perf_counter()
        try:
            return await send()
        finally:
            self.operations.append(Operation(kind(request), began, time.perf_counter()))

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
        """Those that had ended by then."""
        return Count([each for each in self.operations if each.ended <= moment])

    def costs(self, cost: Cost) -> None:
        """Hold the count to that cost."""
        kinds = [each.kind for each in sorted(self.operations, key=lambda each: each.began)]
        queues = sum(each.split()[1] in (WORK, *QUEUES) for each in kinds)
        assert len(kinds) - queues <= cost.blobs, kinds
        assert queues <= cost.queues, kinds

    def within(self, total: int, sequential: int | None = None) -> None:
        """Hold the count to its bounds."""
        kinds = [each.kind for each in sorted(self.operations, key=lambda each: each.began)]
        assert self.total <= total, kinds
        assert sequential is None or self.sequential <= sequential, kinds


class TimedModel(ScriptedModel):
    """Notes when it is asked."""

    def __init__(self, *replies: dict[str, Any]) -> None:
        super().__init__(*replies)
        self.asked_at: list[float] = []

    def stream(self, body: dict[str, Any]) -> Any:
        self.asked_at.append(time.perf_counter())
        return super().stream(body)


@pytest.fixture(scope="module")
def storage(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Storage]:
    """An Azurite whose queues hold nothing but this module's items."""
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
    """The service, warm: its containers and queues are there, and its queues are empty."""
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
    """Every operation from now on; to be cleared where the flow begins."""
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
    """Each image is looked for once, all at the same time."""
    thread = await new_thread(client)
    files = [(await client.files.create(file=("a.gif", b"GIF89a"), purpose="vision")).id for _ in range(2)]
    content: Any = [{"type": "image_file", "image_file": {"file_id": each}} for each in (*files, files[0])]
    counted.operations.clear()
    await client.beta.threads.messages.create(thread, role="user", content=content)
    counted.within(4, 3)


@pytest.mark.parametrize("replies", [[{"text": "Hello."}] * 2])
async def test_retrieving_a_run_that_goes_on_and_one_that_has_ended(
    service: InProcess, client: AsyncOpenAI, counted: Count
):
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
    """What has not changed is not read again: the thread, its last run, the listing, and the run that is new."""
    thread, assistant = await talked(service)
    for _ in range(5):
        await client.beta.threads.runs.create(thread, assistant_id=assistant)
        await service.attend()
    assert len((await client.beta.threads.runs.list(thread, order=order)).data) == 6
    await client.beta.threads.runs.create(thread, assistant_id=assistant)
    await service.attend()
    counted.operations.clear()
    assert len((await client.beta.threads.runs.list(thread, order=order)).data) == 7
    counted.within(4, 4)


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
    """From the request to the run's end: dequeues and deletes included."""

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
    """To the next call of the model."""

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


async def test_listing_the_newest_messages_of_a_long_thread(service: InProcess, client: AsyncOpenAI, counted: Count):
    thread = await new_thread(client)
    (said,) = (await client.beta.threads.messages.list(thread)).data
    fold = await service.store.messages.read("default", thread, 1)
    message = fold.get(said.id)
    assert message is not None
    records = [put_record(message.model_copy(update={"id": f"msg_{number:05d}"})) for number in range(10_000)]
    await service.store.messages.append("default", thread, 1, records)
    assert (await service.store.threads.read(blob_name("default", thread))) is not None

    counted.operations.clear()
    page = await client.beta.threads.messages.list(thread, limit=20)
    assert [message.id for message in page.data[:2]] == ["msg_09999", "msg_09998"]
    counted.within(3, 2)
