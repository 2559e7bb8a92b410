"""The processor time for which a request holds the event loop, compared with its work in one piece."""

import asyncio
import gc
import json
import time
from collections.abc import AsyncIterator, Awaitable
from contextlib import suppress
from typing import Any, NamedTuple

import httpx2
import pytest

from assistants.api.bodies import MAX_VALUES
from assistants.local.azurite import Storage
from assistants.model.answers import Chunk
from assistants.model.learnt import Learnt
from assistants.schema.messages import Message
from assistants.state.messages import put_record
from tests.support.service.inprocess import InProcess, in_process
from tests.support.storage.fold import Fold

MANY = 10_000


class Model:
    """Answers one word, without reading the prompt."""

    def __init__(self) -> None:
        self.learnt = Learnt()
        self.prompts: list[int] = []
        """The numbers of messages."""

    async def stream(self, body: dict[str, Any]) -> AsyncIterator[Chunk]:
        self.prompts.append(len(body["messages"]))
        yield {"choices": [{"index": 0, "delta": {"content": "Yes."}, "finish_reason": "stop"}]}


@pytest.fixture(scope="module")
def records() -> list[bytes]:
    content: Any = [{"type": "text", "text": {"value": "Hello, how are you? ", "annotations": []}}]
    one = put_record(Message(id="msg_00000", created_at=1, thread_id="thread_1", role="user", content=content))
    return [one.replace(b"msg_00000", b"msg_%05d" % number) for number in range(MANY)]


@pytest.fixture(scope="module")
def in_one_piece(records: list[bytes]) -> float:
    """Seconds to parse and fold the log, and to make its messages."""
    started = time.thread_time()
    assert len(Fold([b"".join(records)]).messages()) == MANY
    return time.thread_time() - started


@pytest.fixture
async def service(idle: Storage) -> AsyncIterator[InProcess[Model]]:
    """A service without caches, which reads a long thread anew each time, with all modules imported."""
    settings = {"THREAD_CACHE_BYTES": "0", "MODEL_CONTEXT": "demo=1000000"}
    async with in_process(idle, Model(), **settings) as service:
        assistant = await service.client.beta.assistants.create(model="demo")
        thread: Any = {"messages": [{"role": "user", "content": "Hello"}]}
        begun = service.client.beta.threads.create_and_run(assistant_id=assistant.id, thread=thread, stream=True)
        assert [event.event async for event in await begun][-1] == "thread.run.completed"
        service.model.prompts.clear()
        gc.collect()
        yield service


class Held(NamedTuple):
    """Processor time of the loop's thread in seconds: the longest piece, and the sum."""

    longest: float
    whole: float


async def held(act: Awaitable[object]) -> Held:
    """Await `act`, and measure the loop meanwhile."""
    longest, started = 0.0, time.thread_time()

    async def watch() -> None:
        nonlocal longest
        while True:
            before = time.thread_time()
            await asyncio.sleep(0)
            longest = max(longest, time.thread_time() - before)

    watching = asyncio.create_task(watch())
    await asyncio.sleep(0)
    gc.disable()  # a collection would visit the objects of other tests
    try:
        await act
        await asyncio.sleep(0)  # includes its last piece
    finally:
        gc.enable()
        watching.cancel()
        with suppress(asyncio.CancelledError):
            await watching
    return Held(longest, time.thread_time() - started)


async def test_a_long_thread_that_is_not_cached_is_read_in_slices(
    service: InProcess[Model], records: list[bytes], in_one_piece: float
):
    beta = service.client.beta
    thread, assistant = (await beta.threads.create()).id, (await beta.assistants.create(model="demo")).id
    await service.store.messages.append("default", thread, 1, records)
    parsing = await held(beta.threads.messages.list(thread, limit=1))
    assert parsing.longest < in_one_piece / 4, (parsing, in_one_piece)
    for act in (
        beta.threads.messages.list(thread, limit=100),
        beta.threads.messages.list(thread, limit=1, order="asc"),
        beta.threads.messages.list(thread, limit=1, run_id="run_none"),
        beta.threads.messages.retrieve("msg_00001", thread_id=thread),
        beta.threads.messages.update("msg_00001", thread_id=thread, metadata={"a": "b"}),
        beta.threads.messages.delete("msg_00002", thread_id=thread),
    ):
        assert (await held(act)).longest < in_one_piece / 4

    async def run() -> None:
        names = [
            event.event async for event in await beta.threads.runs.create(thread, assistant_id=assistant, stream=True)
        ]
        assert names[-1] == "thread.run.completed"

    assert (await held(run())).longest < in_one_piece / 4
    assert service.model.prompts == [MANY - 1]


async def test_the_largest_new_thread_holds_the_loop_for_no_longer_than_its_body_takes_to_be_read(
    service: InProcess[Model],
):
    """The body is read in one piece (bounded by MAX_JSON_BYTES); the thread is made of it in several."""
    thread = {"messages": [{"role": "user", "content": "Hello, how are you? " * 750}] * 1_000}
    assistant = (await service.client.beta.assistants.create(model="demo")).id
    transport = httpx2.ASGITransport(app=service.api)
    async with httpx2.AsyncClient(transport=transport, base_url="http://localhost/v1") as http:

        async def post(path: str, body: dict[str, Any], status: int) -> Held:
            async def send() -> None:
                answer = await http.post(path, content=content, headers={"Content-Type": "application/json"})
                assert answer.status_code == status

            content = json.dumps(body).encode()
            return await held(send())

        read = await post("/threads/runs", {"assistant_id": "asst_none", "thread": thread}, 404)
        for path, body in (
            ("/threads", thread),
            ("/threads/runs", {"assistant_id": assistant, "thread": thread, "stream": True}),
        ):
            made = await post(path, body, 200)
            assert made.longest < 1.5 * read.longest, (path, made, read)
            assert made.whole > 2 * read.whole


def function(number: int, parameters: dict[str, Any]) -> dict[str, Any]:
    return {"type": "function", "function": {"name": f"f{number}", "parameters": parameters}}


def largest() -> dict[str, tuple[str, dict[str, Any], int]]:
    """By description: a route, its largest body by bytes or by values, and the status of the answer."""
    texts = [{"type": "text", "text": {"a": "b"}}] * 80
    schema = {"type": "object", "enum": [1] * (MAX_VALUES // 8)}
    attributes = {f"key{number}": "value" * 100 for number in range(16)}
    files = [{"file_id": f"file-{number}", "attributes": attributes} for number in range(1_500)]
    described = {"type": "object", "description": "a" * 120_000}
    tools = [function(number, described) for number in range(120)]
    wrong = [{"type": "function"}] * (MAX_VALUES // 2 - 10)
    filters = {"type": "and", "filters": [{"type": "eq", "key": "a", "value": "b"}] * 200}
    return {
        "schemas of many values": ("/assistants", {"model": "demo", "tools": [function(1, schema)] * 7}, 200),
        "schemas of long texts": ("/assistants", {"model": "demo", "tools": tools}, 200),
        "long queries": ("/vector_stores/{store}/search", {"query": ["word " * 50_000] * 60}, 200),
        "many queries": ("/vector_stores/{store}/search", {"query": ["word"] * 100, "filters": filters}, 200),
        "files with attributes": ("/vector_stores/{store}/file_batches", {"files": files}, 404),
        "a long value": ("/threads", {"metadata": {"a": "b" * 15_000_000}}, 400),
        "an unknown field": ("/threads", {"a": "b" * 15_000_000}, 400),
        "unknown fields": ("/threads", {f"field{number}": 1 for number in range(MAX_VALUES - 10)}, 400),
        "wrong items": ("/threads", {"messages": [{"role": "user", "content": texts}] * 300}, 400),
        "wrong tools": (
            "/assistants",
            {"model": "demo", "tools": wrong},
            400,
        ),
    }


async def test_the_largest_input_of_a_route_holds_the_loop_for_little_longer_than_the_largest_body(
    service: InProcess[Model],
):
    store = (await service.client.vector_stores.create()).id
    transport = httpx2.ASGITransport(app=service.api)
    async with httpx2.AsyncClient(transport=transport, base_url="http://localhost/v1") as http:

        async def post(path: str, body: dict[str, Any], status: int) -> float:
            async def send() -> None:
                answer = await http.post(path, content=content, headers={"Content-Type": "application/json"})
                assert answer.status_code == status, answer.text

            content = json.dumps(body).encode()
            return min([(await held(send())).longest for _ in range(3)])

        message = {"role": "user", "content": "Hello, how are you? " * 750}
        read = await post(
            "/threads/runs", {"assistant_id": "asst_none", "thread": {"messages": [message] * 1_000}}, 404
        )
        for name, (path, body, status) in largest().items():
            assert await post(path.format(store=store), body, status) < 3.5 * read, name
