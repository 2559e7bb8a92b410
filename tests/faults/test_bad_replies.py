"""Models with invalid answers: their runs end with the reason, and the thread is free."""

import asyncio
import itertools
import json
import random
import time
from collections import Counter
from collections.abc import AsyncIterator, Callable, Iterator, Sequence
from contextlib import asynccontextmanager, suppress
from typing import Any

import pytest

from assistants.local.azurite import Storage
from assistants.local.pump import Pump, QueueFunction, QueueOptions
from assistants.local.reply import Call, Completion, Reply
from assistants.model.endpoint import Endpoint
from assistants.proxy.deviations import Deviation
from assistants.proxy.watch import Watch
from assistants.settings import Settings
from assistants.state.store import RunKey
from assistants.tools.registry import QUEUES
from tests.support.fuzz.badinput import TEXTS, VALUES, Sent, ask, bent
from tests.support.fuzz.cases import Fuzz
from tests.support.sdk.conversation import RETRIEVAL, WEATHER
from tests.support.service.attending import attend, run_of
from tests.support.service.inprocess import InProcess, in_process
from tests.support.service.upstream import EVENTS, JSON, Answer, Upstream

CASES = 60
"""The number of cases; `--fuzz-cases` multiplies it."""

BODY: dict[str, Any] = {"model": "m", "messages": [], "stream_options": {"include_usage": True}}
GOOD: Sequence[Reply] = (
    Reply(text="It is sunny."),
    Reply(tool_calls=[Call(name="get_weather", arguments={"city": "Oslo"})]),
    Reply(tool_calls=[Call(name="retrieval", arguments={"q": "?"})]),
    Reply(text="Let me see.", tool_calls=[Call(name="get_weather"), Call(name="retrieval")]),
    Reply(refusal="I will not."),
)
"""The fields that get wrong values."""

ODD: Sequence[bytes] = (
    *(b'"' + text + b'"' for text in TEXTS), b'"\\ud83d"', b'"\\u0000"', b"null", b"[]", b"{}", b"[null]", b"-1", b"0",
    b"1", b"7", b"1e308", b'"length"', b'"tool_calls"', b'"content_filter"', b'"retrieval"', b'"get_weather"',
    b'"code_interpreter"', b'"nobodys_function"', b'"function_call"',
)  # fmt: skip
"""The wrong values of a field of a chunk."""

CALL = b'"tool_calls":[{"index":0,"id":"","function":{"name":"","arguments":"{"}}]'
LINES: Sequence[bytes] = (
    b"data: ", b"data", b": ping", b"event: error\ndata: {}", b"data: not JSON", b"data: [DONE]", b"data: [DONE]x",
    b"data: null", b"data: []", b'data: "x"', b"data: 5", b"data: {}", b'data: {"error":"no"}', b'data: {"error":null}',
    b'data: {"error":{"message":"Overloaded","type":"server_error","code":503}}', b'data: {"choices":[]}',
    b'data: {"choices":null}', b'data: {"choices":[null]}', b'data: {"choices":[{}]}', b"\xff\xfe", b"<html></html>",
    b'data: {"choices":[{"delta":null}]}', b"retry: x\nid: \x00", b"data: {\ndata: }",
    b"event: thread.run.completed\ndata: {}",
    b'data: {"choices":[{"index":0,"delta":{' + CALL + b"}}]}",
    b'data: {"choices":[{"index":5,"delta":{"content":"b"}}]}',
)  # fmt: skip
"""Bytes that are inserted between chunks."""


def chunks_of(reply: Reply) -> list[bytes]:
    return [event.encode() for event in Completion(reply, BODY).events()]


def bad(rng: random.Random) -> Answer:
    chunks = chunks_of(rng.choice(GOOD))
    for _ in range(rng.choice((1, 1, 2, 3))):
        rng.choice(_BENDS)(chunks, rng)
    status = rng.choice((*[200] * 20, 201, 204, 302, 400, 401, 404, 418, 429, 500, 502, 503))
    media_type = rng.choice((*[EVENTS] * 10, JSON, "text/html", "", "\xff"))
    headers = {"location": "/v1/elsewhere"} if status == 302 else {}
    return Answer(chunks if status != 204 else (), status, media_type, headers, cut=rng.random() < 0.1)


def _bend_one(chunks: list[bytes], rng: random.Random) -> None:
    place = rng.randrange(len(chunks) or 1)
    with suppress(ValueError, IndexError):
        chunk = json.loads(chunks[place].removeprefix(b"data: "))
        chunks[place] = b"data: " + bent(chunk, rng, ODD if rng.random() < 0.7 else VALUES) + b"\n\n"


def _insert_line(chunks: list[bytes], rng: random.Random) -> None:
    chunks.insert(rng.randrange(len(chunks) + 1), rng.choice(LINES) + b"\n\n")


_BENDS: Sequence[Callable[[list[bytes], random.Random], object]] = (
    *[_bend_one] * 6,
    *[_insert_line] * 3,
    lambda chunks, rng: chunks.pop(rng.randrange(len(chunks))) if chunks else None,
    lambda chunks, rng: chunks.insert(rng.randrange(len(chunks) + 1), rng.choice(chunks)) if chunks else None,
    lambda chunks, rng: rng.shuffle(chunks),
    lambda chunks, rng: chunks.append(chunks.pop()[: rng.randrange(60)]) if chunks else None,
    lambda chunks, rng: chunks.clear(),
    lambda chunks, rng: chunks.__delitem__(slice(rng.randrange(len(chunks) + 1), None)),
)


class World:
    """A service whose model gives a prepared answer once, and from then on a plain one."""

    def __init__(self, running: InProcess, upstream: Upstream, assistant_id: str) -> None:
        self._running, self._upstream, self._assistant_id = running, upstream, assistant_id

    async def run(self, reply: Answer, streamed: bool) -> Any:
        """The run that got this reply, once it has ended and all of its objects have been read."""
        beta = self._running.client.beta.threads
        thread = await beta.create(messages=[{"role": "user", "content": "Hello"}])
        self._upstream.first.clear()
        self._upstream.first.append(reply)
        if streamed:
            run_id = await self._stream(thread.id)
        else:
            run_id = (await beta.runs.create(thread.id, assistant_id=self._assistant_id)).id
        await self._end(RunKey("default", thread.id, run_id))
        run = await beta.runs.retrieve(run_id, thread_id=thread.id)
        assert (run.status == "failed") == bool(run.last_error and run.last_error.message)
        await beta.runs.steps.list(run_id, thread_id=thread.id)
        await beta.messages.list(thread.id)
        await beta.messages.create(thread.id, role="user", content="Are you still there?")
        return run

    async def _stream(self, thread_id: str) -> str:
        body = json.dumps({"assistant_id": self._assistant_id, "stream": True}).encode()
        got = await ask(self._running.api, Sent("POST", f"/v1/threads/{thread_id}/runs".encode(), (), body))
        assert got.status == 200
        told: list[Deviation] = []
        watch, events = Watch("run", "v2", told.append), got.body.split(b"\n\n")
        for event in events:
            watch.see(event)
        watch.end()
        assert told == []
        return json.loads(events[0].partition(b"data: ")[2])["id"]

    async def _end(self, key: RunKey) -> None:
        """Handle the run's items, and act as its client; the queues of server tools are handled elsewhere."""
        end = time.monotonic() + 30
        while (run := await run_of(self._running.store, key)).active:
            assert time.monotonic() < end, run
            if run.awaited:
                outputs: Any = [{"tool_call_id": call.id, "output": "sunny"} for call in run.awaited]
                runs = self._running.client.beta.threads.runs
                await runs.submit_tool_outputs(key.run, thread_id=key.thread, tool_outputs=outputs)
            await attend(self._running, self._running.store, key)
            await asyncio.sleep(0.02 if run.unanswered else 0)


@pytest.fixture(scope="module")
def upstream() -> Iterator[Upstream]:
    with Upstream() as running:
        running.answer = Answer(chunks_of(Reply(text="Done.")), media_type=EVENTS)
        yield running


@asynccontextmanager
async def world(storage: Storage, upstream: Upstream, **others: str) -> AsyncIterator[World]:
    settings = {"OPENAI_BASE_URL": upstream.url, "OPENAI_API_KEY": "test", "MODEL_RETRIES": "0", **others}
    endpoint = Endpoint(Settings.model_validate(settings))
    async with in_process(storage, endpoint, None, **settings) as running:

        async def tool(item: Any) -> None:
            await running.tool_calls.handle(item.get_body())

        listening = [QueueFunction(queue, queue, "item", tool) for queue in QUEUES]
        pump = Pump(listening, running.store.services[1], QueueOptions(max_polling_interval=0.1))
        pump.start()
        try:
            assistant = await running.client.beta.assistants.create(model="m", tools=[RETRIEVAL, WEATHER])
            yield World(running, upstream, assistant.id)
        finally:
            await pump.stop()
            await endpoint.close()


async def test_no_reply_leaves_a_run_stuck(idle: Storage, upstream: Upstream, fuzz: Fuzz):
    ends: Counter[str] = Counter()
    async with world(idle, upstream) as found:
        for case in fuzz.cases("reply", CASES):
            reply, streamed = bad(case.rng), case.rng.random() < 0.5
            with case.shown((streamed, reply.status, reply.media_type, reply.cut, b"".join(reply.chunks)[:2_000])):
                run = await found.run(reply, streamed)
                assert run.status in ("completed", "incomplete", "failed")
                ends[run.status] += 1
    print(f"{sum(ends.values())} replies, {dict(ends)}")


LARGE = "x" * 10_000_000


def told(*deltas: dict[str, Any]) -> Iterator[bytes]:
    """A stream of these deltas that ends without a finish reason."""
    for delta in deltas:
        yield b"data: " + json.dumps({"choices": [{"index": 0, "delta": delta}]}).encode() + b"\n\n"
    yield b"data: [DONE]\n\n"


def called(call_id: str, name: str, arguments: str, index: int = 0) -> dict[str, Any]:
    return {"tool_calls": [{"index": index, "id": call_id, "function": {"name": name, "arguments": arguments}}]}


def endless(chunk: bytes) -> Iterator[bytes]:
    for _ in itertools.count():
        time.sleep(0.01)
        yield chunk


@pytest.mark.parametrize("streamed", [False, True], ids=["queued", "streamed"])
@pytest.mark.parametrize(
    ("chunks", "status", "error"),
    [
        pytest.param(lambda: told({"content": LARGE}), "incomplete", None, id="10 MB of text"),
        pytest.param(lambda: told(*[{"content": "x" * 1_000}] * 10_000), "incomplete", None, id="10 MB in pieces"),
        pytest.param(lambda: told(called("c", "get_weather", LARGE)), "incomplete", None, id="10 MB of arguments"),
        pytest.param(
            lambda: told(*(called(f"c{number}", "get_weather", "{}", number) for number in range(1_000))), "failed",
            "The run made more than 128 tool calls, which is the limit.", id="1000 calls",
        ),
        pytest.param(lambda: told(called("c", "get_weather", "{"), called("c", "retrieval", "]", 1)), "completed", None,
            id="one id twice, arguments that are no JSON",
        ),
        pytest.param(lambda: told(called("c", "nobodys_function", "{}")), "completed", None, id="an unknown function"),
        pytest.param(lambda: told(called("", "", "")), "completed", None, id="a call without a name"),
        pytest.param(
            lambda: told({"content": "Hi\ud83d"}, {"content": "\ude00\udc00\x00"}), "completed", None,
            id="half characters",
        ),
        pytest.param(lambda: endless(b": ping\n\n"), "expired", None, id="comments without end"),
        pytest.param(lambda: endless(b'data: {"choices":[]}\n\n'), "expired", None, id="no choices, without end"),
    ],
)  # fmt: skip
async def test_a_reply_beyond_all_bounds(
    idle: Storage, upstream: Upstream, chunks: Any, status: str, error: str | None, streamed: bool
):
    lifetime = {"RUN_LIFETIME": "2"} if status == "expired" else {}
    async with world(idle, upstream, **lifetime) as found:
        run = await found.run(Answer(chunks(), media_type=EVENTS), streamed)
    assert (run.status, run.last_error and run.last_error.message) == (status, error)
