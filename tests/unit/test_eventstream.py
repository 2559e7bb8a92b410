"""The channel between a run and the client that reads its stream."""

import asyncio
from collections.abc import AsyncIterator

import httpx2
from azure.ai.agents.models import AgentEventHandler
from openai import OpenAI
from openai.types.beta.assistant_stream_event import ErrorEvent

from assistants.api.eventstream import MAX_UNSENT, Channel, produce, response
from assistants.schema.errors import not_found
from assistants.schema.runs import Usage

DONE = b"event: done\ndata: [DONE]\n\n"


async def everything(channel: Channel) -> bytes:
    return b"".join([content async for content in channel.read()])


async def taken(reading: AsyncIterator[bytes]) -> bytes:
    return await asyncio.wait_for(anext(reading), 5)


async def test_an_event_is_its_name_and_one_line_of_json_and_done_comes_last():
    channel = Channel()
    channel.emit("one", {"text": "ä\n\u2028"})
    channel.emit("two", Usage(prompt_tokens=1, completion_tokens=2, total_tokens=3))
    channel.end()
    channel.emit("three", {})
    assert (
        await everything(channel)
        == (
            'event: one\ndata: {"text": "ä\\n\u2028"}\n\n'
            'event: two\ndata: {"prompt_tokens":1,"completion_tokens":2,"total_tokens":3}\n\n'
        ).encode()
        + DONE
    )


async def test_a_comment_line_is_sent_whenever_there_is_no_event_for_a_while():
    channel = Channel(heartbeat=0.01)
    reading = channel.read()
    assert [await taken(reading) for _ in range(2)] == [b":\n"] * 2
    channel.emit("one", {})
    assert await taken(reading) == b"event: one\ndata: {}\n\n"
    assert await taken(reading) == b":\n"
    channel.end()
    assert [content async for content in reading] == [DONE]


async def test_clients_of_azure_ai_agents_ignore_comment_lines():
    channel = Channel(heartbeat=0.01)
    reading = channel.read()
    chunks = [await taken(reading)]
    channel.emit("thread.created", {})
    channel.end()
    chunks += [content async for content in reading]
    handler = AgentEventHandler()
    handler.initialize(iter(chunks), lambda *_: None)
    assert [name for name, *_ in handler] == ["thread.created", "done"]


async def test_the_work_begins_only_when_the_first_bytes_have_left():
    channel, begun = Channel(), asyncio.Event()

    async def work() -> None:
        begun.set()

    channel.emit("one", {})
    producing = asyncio.create_task(produce(channel, work(), "req_1"))
    reading = channel.read()
    assert await taken(reading) == b"event: one\ndata: {}\n\n"
    assert not begun.is_set()
    assert await taken(reading) == DONE  # the first bytes have been sent when the next ones are read
    assert begun.is_set()
    await producing


async def test_the_work_is_done_even_if_the_client_never_reads():
    channel, begun = Channel(), asyncio.Event()

    async def work() -> None:
        begun.set()

    producing = asyncio.create_task(produce(channel, work(), "req_1"))
    await asyncio.wait_for(begun.wait(), 5)
    await producing


async def test_past_a_megabyte_that_the_client_has_not_read_its_stream_is_closed():
    channel = Channel()
    reading = channel.read()
    channel.emit("first", {})
    await taken(reading)
    for _ in range(2 * MAX_UNSENT // 1000):
        channel.emit("more", {"text": "x" * 1000})
    assert [content async for content in reading] == []
    channel.emit("late", {})
    channel.end()
    assert await everything(channel) == b""


async def test_bytes_that_are_being_sent_count_as_unsent():
    channel = Channel()
    reading = channel.read()
    channel.emit("first", {"text": "x" * (MAX_UNSENT * 6 // 10)})
    await taken(reading)
    channel.emit("second", {"text": "x" * (MAX_UNSENT * 6 // 10)})
    channel.emit("third", {"text": "x" * (MAX_UNSENT * 6 // 10)})
    assert [content async for content in reading] == []


async def test_an_event_of_any_size_is_sent():
    channel = Channel()
    reading = channel.read()
    channel.emit("large", {"text": "x" * (3 * MAX_UNSENT)})
    channel.emit("next", {})
    assert (await taken(reading)).endswith(b"event: next\ndata: {}\n\n")
    channel.end()
    assert [content async for content in reading] == [DONE]


async def test_a_client_that_reads_in_time_may_read_any_amount():
    channel = Channel()
    reading = channel.read()
    for _ in range(5):
        channel.emit("more", {"text": "x" * (MAX_UNSENT * 4 // 10)})
        await taken(reading)
    channel.end()
    assert [content async for content in reading] == [DONE]


async def test_an_internal_error_is_sent_as_an_event_and_then_done():
    async def fails() -> None:
        raise RuntimeError("a secret")

    channel = Channel()
    await produce(channel, fails(), "req_1")
    content = await everything(channel)
    (event, data), done = content.decode().split("\n\n")[0].split("\n"), content.split(b"\n\n", 1)[1]
    assert (event, done) == ("event: error", DONE)
    assert data.startswith('data: {"message": "The server had an error processing your request.')
    assert '"type": "server_error", "param": null, "code": null}' in data
    assert "req_1" in data
    assert "secret" not in data


async def test_the_sdk_reads_such_an_event_as_an_error_event():
    async def fails() -> None:
        raise not_found("thread", "thread_x")

    channel = Channel()
    await produce(channel, fails(), "req_1")
    content = await everything(channel)
    headers = {"content-type": response(channel).headers["content-type"]}
    transport = httpx2.MockTransport(lambda _: httpx2.Response(200, content=content, headers=headers))
    client = OpenAI(base_url="http://localhost", api_key="unused", http_client=httpx2.Client(transport=transport))
    (event,) = client.beta.threads.runs.create("thread_x", assistant_id="asst_x", stream=True)
    assert isinstance(event, ErrorEvent)
    assert event.data.message == "No thread found with id 'thread_x'."


async def test_work_that_is_cancelled_before_the_first_bytes_are_sent_cleans_up_and_its_stream_ends_with_an_error():
    channel, let_go = Channel(), asyncio.Event()

    async def work() -> None:
        try:
            await asyncio.sleep(60)
        except asyncio.CancelledError:
            await asyncio.sleep(0)
            let_go.set()
            raise

    working = asyncio.create_task(produce(channel, work(), "req_1"))
    channel.emit("one", {})
    await asyncio.sleep(0)
    working.cancel()
    one, error, done = (await asyncio.wait_for(everything(channel), 5)).split(b"\n\n", 2)
    assert (one, done) == (b"event: one\ndata: {}", DONE)
    assert error.startswith(b"event: error\n")
    assert let_go.is_set()
    assert working.cancelled()


async def test_a_stream_that_is_cut_short_ends_with_an_error():
    channel = Channel()
    working = asyncio.create_task(produce(channel, asyncio.sleep(60), "req_1"))
    reading = channel.read()
    channel.emit("one", {})
    await taken(reading)
    rest = asyncio.create_task(taken(reading))
    await asyncio.sleep(0.01)
    working.cancel()
    error, done = (await rest).split(b"\n\n", 1)
    assert error.startswith(b"event: error\n")
    assert done == DONE
