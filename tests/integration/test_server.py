"""The local server with clients that send slowly, or too much."""

import asyncio
import contextlib
from collections.abc import AsyncIterator
from typing import Any

import httpx2
import pytest

from assistants.api.app import create_api
from assistants.local import protocol
from assistants.local.server import serving
from assistants.settings import settings

SHORT = 0.3
"""Seconds of each time limit in these tests."""

LONG = 20.0
"""Seconds after which a test fails."""


@pytest.fixture(autouse=True)
def _short_limits(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(protocol, "HEAD_WITHIN", SHORT)
    monkeypatch.setattr(protocol, "BODY_PERIOD", SHORT)


class Application:
    """Reads each request when it is allowed to, and records the server's messages."""

    def __init__(self) -> None:
        self.messages: list[dict[str, Any]] = []
        self.may_read = asyncio.Event()
        self.may_read.set()

    async def __call__(self, scope: Any, receive: Any, send: Any) -> None:
        more = True
        while more:
            await self.may_read.wait()
            message = await receive()
            self.messages.append(message)
            more = message.get("more_body", False)
        if message["type"] == "http.request":
            await send({"type": "http.response.start", "status": 200, "headers": [(b"content-length", b"0")]})
            await send({"type": "http.response.body", "body": b""})

    @property
    def received(self) -> int:
        return sum(len(message.get("body", b"")) for message in self.messages)


class Client:
    """A connection on which a test sends arbitrary bytes."""

    def __init__(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        self._reader, self._writer = reader, writer

    @classmethod
    @contextlib.asynccontextmanager
    async def of(cls, url: str) -> AsyncIterator["Client"]:
        parsed = httpx2.URL(url)
        reader, writer = await asyncio.open_connection(parsed.host, parsed.port)
        try:
            yield cls(reader, writer)
        finally:
            writer.close()
            with contextlib.suppress(OSError):
                await writer.wait_closed()

    async def send(self, content: bytes) -> None:
        self._writer.write(content)
        await self._writer.drain()

    async def trickle(self, content: bytes, pause: float = SHORT / 10) -> bytes:
        """Send this repeatedly until the server disconnects; return the answer."""

        async def send() -> None:
            with contextlib.suppress(OSError):
                while not self._reader.at_eof():
                    await self.send(content)
                    await asyncio.sleep(pause)

        sending = asyncio.create_task(send())
        try:
            return await self.rest()
        finally:
            sending.cancel()

    async def send_on(self) -> None:
        """Send until the server has closed the connection."""
        while True:
            await self.send(b"a")
            await asyncio.sleep(SHORT / 10)

    async def rest(self) -> bytes:
        """All bytes until the server disconnects."""
        got = b""
        with contextlib.suppress(ConnectionError):
            while more := await asyncio.wait_for(self._reader.read(65_536), LONG):
                got += more
        return got

    async def head(self) -> bytes:
        return await asyncio.wait_for(self._reader.readuntil(b"\r\n\r\n"), LONG)


async def test_a_connection_without_a_request_is_closed():
    async with serving(Application()) as url, Client.of(url) as client:
        assert await client.rest() == b""


@pytest.mark.parametrize("before", [b"", b"GET / HTTP/1.1\r\nhost: x\r\n\r\n"], ids=["first", "second"])
async def test_a_head_that_is_sent_slowly_is_not_awaited(before: bytes):
    application = Application()
    async with serving(application) as url, Client.of(url) as client:
        if before:
            await client.send(before)
            await client.head()
        await client.send(b"GET / HTTP/1.1\r\nx: ")
        assert await client.trickle(b"a") == b""
    assert len(application.messages) == bool(before)


async def test_a_body_that_is_sent_slowly_is_not_awaited():
    application = Application()
    async with serving(application) as url, Client.of(url) as client:
        await client.send(b"POST / HTTP/1.1\r\nhost: x\r\ncontent-length: 1000000\r\n\r\n")
        assert await client.trickle(b"a") == b""
    assert application.messages[-1]["type"] == "http.disconnect"


async def test_a_body_that_is_sent_steadily_may_take_longer():
    application, size = Application(), 20
    piece = bytes(protocol.BODY_BYTES)
    async with serving(application) as url, Client.of(url) as client:
        await client.send(b"POST / HTTP/1.1\r\nhost: x\r\ncontent-length: %d\r\n\r\n" % (size * len(piece)))
        for _ in range(size):
            await client.send(piece)
            await asyncio.sleep(SHORT / 8)
        assert (await client.head()).startswith(b"HTTP/1.1 200")
    assert application.received == size * len(piece)


async def test_an_application_may_read_a_body_slowly():
    application, size = Application(), 8 * 1024 * 1024
    application.may_read.clear()
    async with serving(application) as url, Client.of(url) as client:
        sending = asyncio.create_task(
            client.send(b"POST / HTTP/1.1\r\nhost: x\r\ncontent-length: %d\r\n\r\n" % size + bytes(size))
        )
        await asyncio.sleep(4 * SHORT)
        application.may_read.set()
        assert (await client.head()).startswith(b"HTTP/1.1 200")
        await sending
    assert application.received == size


@pytest.mark.parametrize(
    ("request_line", "status"),
    [("POST /v1/threads", 413), ("POST /v1/files", 401), ("POST /v1/nowhere", 401), ("POST /docs", 405)],
)
@pytest.mark.parametrize("length", ["content-length: 100000000000", "transfer-encoding: chunked"])
async def test_the_rest_of_a_refused_body_is_not_read(
    request_line: str, status: int, length: str, monkeypatch: pytest.MonkeyPatch
):
    monkeypatch.setenv("API_KEYS", "key=project")
    monkeypatch.setenv("MAX_JSON_BYTES", "100000")
    monkeypatch.setattr(protocol, "LINGER_BYTES", 1_000_000)
    settings.cache_clear()
    key = "key" if status == 413 else "other"
    head = f"{request_line} HTTP/1.1\r\nhost: x\r\napi-key: {key}\r\n{length}\r\n\r\n".encode()
    chunk = b"10000\r\n" + bytes(65_536) + b"\r\n" if "chunked" in length else bytes(65_536)
    sent = 0
    async with serving(create_api()) as url, Client.of(url) as client:
        await client.send(head + 2 * chunk)
        got = await client.head()
        with contextlib.suppress(ConnectionError):
            while sent < 1000:
                await asyncio.wait_for(client.send(chunk), LONG)
                sent += 1
    settings.cache_clear()
    assert got.startswith(f"HTTP/1.1 {status} ".encode())
    assert b"\r\nconnection: close\r\n" in got.lower()
    assert sent < 1000


async def test_a_client_that_sends_everything_before_it_reads_gets_the_answer(monkeypatch: pytest.MonkeyPatch):
    monkeypatch.setenv("API_KEYS", "key=project")
    settings.cache_clear()
    size = 16 * 1024 * 1024
    async with serving(create_api()) as url, Client.of(url) as client:
        await client.send(b"POST /v1/files HTTP/1.1\r\nhost: x\r\ncontent-length: %d\r\n\r\n" % size + bytes(size))
        got = await client.rest()
    settings.cache_clear()
    assert got.startswith(b"HTTP/1.1 401 ")
    assert got.endswith(b"}")


async def test_a_client_that_keeps_the_connection_is_disconnected(monkeypatch: pytest.MonkeyPatch):
    monkeypatch.setattr(protocol, "LINGER_SECONDS", SHORT)
    monkeypatch.setenv("API_KEYS", "key=project")
    settings.cache_clear()
    async with serving(create_api()) as url, Client.of(url) as client:
        await client.send(b"POST /v1/files HTTP/1.1\r\nhost: x\r\ncontent-length: 1000000\r\n\r\n")
        assert (await client.trickle(b"a")).startswith(b"HTTP/1.1 401 ")
        with pytest.raises(ConnectionError):
            await asyncio.wait_for(client.send_on(), LONG)
    settings.cache_clear()


async def test_a_connection_is_kept_when_the_refused_body_is_short(monkeypatch: pytest.MonkeyPatch):
    monkeypatch.setenv("API_KEYS", "key=project")
    settings.cache_clear()
    request = b"POST /v1/threads HTTP/1.1\r\nhost: x\r\ncontent-length: 2\r\n\r\n{}"
    async with serving(create_api()) as url, Client.of(url) as client:
        for _ in range(2):
            await client.send(request)
            head = await client.head()
            assert head.startswith(b"HTTP/1.1 401 ")
            length = int(head.lower().split(b"content-length: ")[1].split(b"\r\n")[0])
            await asyncio.wait_for(client._reader.readexactly(length), LONG)
    settings.cache_clear()
