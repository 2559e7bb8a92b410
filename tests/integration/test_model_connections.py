"""The connections to the model's endpoint."""

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager, suppress

import pytest

from assistants.model.endpoint import Endpoint
from assistants.settings import Settings

HEAD = b"HTTP/1.1 200 OK\r\nContent-Type: text/event-stream\r\nTransfer-Encoding: chunked\r\n\r\n"
EVENTS = b'data: {"choices": [{"delta": {"content": "Hi"}, "finish_reason": "stop"}]}\n\ndata: [DONE]\n\n'
BODY = {"model": "m", "messages": [{"role": "user", "content": "Hello"}]}


class Server:
    """An endpoint whose answers end after their last event, or never."""

    def __init__(self, ends: bool) -> None:
        self.ends, self.connections, self.closed = ends, 0, asyncio.Event()

    async def serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        self.connections += 1
        with suppress(asyncio.IncompleteReadError, ConnectionError):
            while True:
                head = await reader.readuntil(b"\r\n\r\n")
                length = next(line for line in head.lower().split(b"\r\n") if line.startswith(b"content-length"))
                await reader.readexactly(int(length.split(b":")[1]))
                writer.write(HEAD + b"%x\r\n" % len(EVENTS) + EVENTS + b"\r\n")
                await writer.drain()
                if not self.ends:
                    await reader.readexactly(1)
                await asyncio.sleep(0.01)
                writer.write(b"0\r\n\r\n")
        self.closed.set()
        writer.close()


@asynccontextmanager
async def served(ends: bool) -> AsyncIterator[tuple[Server, Endpoint]]:
    found = Server(ends)
    server = await asyncio.start_server(found.serve, "127.0.0.1", 0)
    url = f"http://127.0.0.1:{server.sockets[0].getsockname()[1]}/v1"
    endpoint = Endpoint(Settings.model_validate({"OPENAI_BASE_URL": url, "OPENAI_API_KEY": "unused"}))
    yield found, endpoint
    await endpoint.close()
    server.close()


async def asked(endpoint: Endpoint) -> None:
    assert [chunk async for chunk in endpoint.stream(BODY)]
    await asyncio.sleep(0.05)


async def test_a_connection_whose_answer_ends_after_its_last_event_is_used_again():
    async with served(ends=True) as (server, endpoint):
        for _ in range(3):
            await asked(endpoint)
        assert server.connections == 1


async def test_an_answer_that_never_ends_is_closed(monkeypatch: pytest.MonkeyPatch):
    monkeypatch.setattr("assistants.model.endpoint._END", 0.01)
    async with served(ends=False) as (server, endpoint):
        await asked(endpoint)
        await asyncio.wait_for(server.closed.wait(), 10)


async def test_an_answer_that_is_not_wanted_to_its_end_is_closed_at_once():
    async with served(ends=False) as (server, endpoint):
        stream = endpoint.stream(BODY)
        assert await anext(stream)
        await stream.aclose()  # type: ignore[attr-defined]
        await asyncio.wait_for(server.closed.wait(), 10)


async def test_answers_that_have_not_ended_are_closed_with_the_endpoint():
    async with served(ends=False) as (server, endpoint):
        await asked(endpoint)
        await endpoint.close()
        await asyncio.wait_for(server.closed.wait(), 10)
