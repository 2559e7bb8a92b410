"""Failing storage: a proxy in front of Azurite that is busy, silent, or drops connections during a test."""

import asyncio
import random
import threading
from collections import Counter
from collections.abc import Iterator
from concurrent.futures import Future
from contextlib import AsyncExitStack, contextmanager
from enum import Enum
from typing import Any, Self

from aiohttp import ClientSession, DummyCookieJar, TCPConnector, web
from yarl import URL

from assistants.local.azurite import Storage

_HOP = {"connection", "keep-alive", "transfer-encoding", "content-length"}
_BUSY = (
    '<?xml version="1.0" encoding="utf-8"?><Error><Code>ServerBusy</Code>'
    "<Message>The server is busy. Please retry after some time.</Message></Error>"
)


class Trouble(Enum):
    """A way in which a request fails."""

    BUSY = "answered with 503 Server Busy"
    SILENT = "never answered"
    DROPPED = "cut off before it acted"
    MUTE = "acted, and never answered"
    LOST = "acted, and cut off"


class TroubledStorage:
    """The proxy of an Azurite: services use its `.storage`. A context manager that serves and ends it."""

    def __init__(self, behind: Storage) -> None:
        self._behind = behind
        self._loop = asyncio.new_event_loop()
        self._thread = threading.Thread(target=self._loop.run_forever, daemon=True)
        self._part = 0.0
        self.storage = behind
        self.seen: Counter[Trouble] = Counter()
        """The number of failed requests so far, by kind."""

    @contextmanager
    def trouble(self, part: float) -> Iterator[None]:
        """Let this share of all requests fail during the block, in any way."""
        self._part = part
        try:
            yield
        finally:
            self._part = 0.0

    def __enter__(self) -> Self:
        self._thread.start()
        self._stack: AsyncExitStack = self._call(self._open())
        return self

    def __exit__(self, *_: object) -> None:
        self._call(self._stack.aclose())
        self._loop.call_soon_threadsafe(self._loop.stop)
        self._thread.join()
        self._loop.close()

    def _call(self, work: Any) -> Any:
        done: Future[Any] = asyncio.run_coroutine_threadsafe(work, self._loop)
        return done.result(30)

    async def _open(self) -> AsyncExitStack:
        stack = AsyncExitStack()
        session = await stack.enter_async_context(
            ClientSession(
                connector=TCPConnector(limit=0),
                cookie_jar=DummyCookieJar(),
                auto_decompress=False,
                skip_auto_headers=("Accept", "Accept-Encoding", "User-Agent", "Content-Type"),
            )
        )
        blob, queue = [
            await self._listen(stack, session, port) for port in (self._behind.blob_port, self._behind.queue_port)
        ]
        self.storage = Storage(blob, queue)
        return stack

    async def _listen(self, stack: AsyncExitStack, session: ClientSession, behind: int) -> int:
        async def answer(request: web.BaseRequest) -> web.StreamResponse:
            return await self._answer(session, request, behind)

        runner = web.ServerRunner(web.Server(answer, handler_cancellation=True), shutdown_timeout=0)
        await runner.setup()
        stack.push_async_callback(runner.cleanup)
        await web.TCPSite(runner, "127.0.0.1", 0).start()
        return runner.addresses[0][1]

    async def _answer(self, session: ClientSession, request: web.BaseRequest, behind: int) -> web.StreamResponse:
        content = await request.read()
        trouble = random.choice(list(Trouble)) if random.random() < self._part else None
        if trouble is not None:
            self.seen[trouble] += 1
        if trouble is Trouble.BUSY:
            headers = {"x-ms-error-code": "ServerBusy", "Content-Type": "application/xml"}
            return web.Response(status=503, reason="Server Busy", text=_BUSY, headers=headers)
        answer = web.Response()
        if trouble not in (Trouble.SILENT, Trouble.DROPPED):
            url = URL(f"http://127.0.0.1:{behind}{request.raw_path}", encoded=True)
            headers = [(name, value) for name, value in request.headers.items() if name.lower() not in _HOP]
            async with session.request(
                request.method, url, headers=headers, data=content or None, allow_redirects=False
            ) as behind_said:
                answer = web.Response(
                    status=behind_said.status, reason=behind_said.reason, body=await behind_said.read()
                )
                for name, value in behind_said.headers.items():
                    if name.lower() not in _HOP:
                        answer.headers.add(name, value)
        if trouble in (Trouble.SILENT, Trouble.MUTE):
            await asyncio.Event().wait()  # until the client disconnects, which cancels this
        if trouble is not None and request.transport is not None:
            request.transport.abort()
        return answer
