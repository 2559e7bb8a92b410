"""Fault points: calls to storage and to the model, one of which meets a fault.

A point is a kind of call and its number within that kind: `PUT runs`, the second. Calls are concurrent, but calls
of one kind mostly follow each other, so a point means the same in every try.
"""

import asyncio
import itertools
import json
import os
import socket
from collections import Counter
from collections.abc import AsyncIterator, Callable, Mapping, Sequence
from enum import Enum
from functools import cache
from typing import Any, NamedTuple
from urllib.parse import urlsplit

import httpx2
from azure.core.exceptions import ServiceRequestError, ServiceResponseError
from azure.core.pipeline.transport import AsyncHttpResponse, HttpRequest

from assistants.ingestion.reading import Child, Died, Start
from assistants.local.embedding import embeddings
from assistants.local.reply import Completion, Reply
from tests.support.storage.calls import Send, kind

KILLED = 77
"""The exit code of a process that was killed at a fault point."""

ASKED, ANSWERING = "POST model", "READ model"
"""The call of the model, and its answer after the first few chunks."""

TOLD = "POST webhook"
"""The request that sends an event to the webhook."""

READING = "READ file"
"""A file that is passed to a child process, which is killed before it reads, after that, or in between."""


_MEANWHILE = 0.05
"""Seconds after which a child process is killed in between: it takes longer to start."""


class Fault(Enum):
    """A fault of a call."""

    FAILS = "fails"
    """The call fails before it takes effect; the model's answer breaks off at its beginning."""
    LOST = "lost"
    """The call takes effect, and its answer is lost; the model's answer breaks off before its end."""
    HANGS = "hangs"
    """The call is never answered."""
    KILLS = "kills"
    """The process dies before the call takes effect."""


class Point(NamedTuple):
    """The nth call of a kind, counted from 1."""

    call: str
    nth: int


class FaultInjector:
    """Counts calls while it is armed, and applies the fault at the point. `strikes` is called just before."""

    def __init__(self, point: Point | None, fault: Fault | None, strikes: Callable[[], None]) -> None:
        self._point, self._fault, self._strikes = point, fault, strikes
        self._counts: Counter[str] = Counter()
        self.armed = False
        self.points: list[Point] = []
        self.kinds: set[str] = set()
        """The kinds of all calls, including those before it was armed."""

    def meets(self, call: str) -> Fault | None:
        """Count a call; return the fault that it meets."""
        self.kinds.add(call)
        if not self.armed:
            return None
        self._counts[call] += 1
        self.points.append(Point(call, self._counts[call]))
        if self.points[-1] != self._point:
            return None
        self._strikes()
        if self._fault is Fault.KILLS:
            os._exit(KILLED)
        return self._fault

    async def storage(self, request: HttpRequest, send: Send) -> AsyncHttpResponse:
        """A request to storage, below all retries."""
        fault = self.meets(kind(request))
        if fault is Fault.FAILS:
            raise ServiceRequestError("never sent")
        if fault is Fault.HANGS:
            return await _unanswered(request, send)
        answer = await send()
        if fault is Fault.LOST:
            raise ServiceResponseError("lost")
        return answer


class KillableChild(Child):
    """A child process that reads files, and is killed at the fault point."""

    injector: FaultInjector

    @classmethod
    def start_at(cls, injector: FaultInjector) -> Start:
        """The function that starts such child processes."""

        async def start(memory: int) -> Child:
            child = await cls.start(memory)
            child.injector = injector
            return child

        return start

    async def ask(self, head: dict[str, Any], content: bytes) -> tuple[dict[str, Any], bytes]:
        fault = self.injector.meets(READING)
        if fault is Fault.FAILS:
            self.kill()
        if fault is Fault.HANGS:
            asyncio.get_running_loop().call_later(_MEANWHILE, self.kill)
        answer = await super().ask(head, content)
        if fault is Fault.LOST:
            self.kill()
            raise Died
        return answer


class Script(httpx2.AsyncBaseTransport):
    """The model's endpoint, below its client: each turn of a run has one reply, however often the model is called.

    It has embeddings.
    """

    def __init__(self, injector: FaultInjector) -> None:
        self._injector = injector
        self.replies: Sequence[Reply] = ()

    async def handle_async_request(self, request: httpx2.Request) -> httpx2.Response:
        chat = request.url.path.endswith("/chat/completions")
        fault = self._injector.meets(ASKED if chat else f"{request.method} {request.url.path}")
        if fault is Fault.FAILS:
            raise httpx2.ConnectError("never sent")
        if fault is Fault.HANGS:
            await _silence(request)
        if fault is Fault.LOST:
            raise httpx2.ReadError("lost")
        body = json.loads(await request.aread())
        if not chat:
            return httpx2.Response(200, json=embeddings(body))
        since = itertools.takewhile(lambda message: message["role"] != "user", reversed(body["messages"]))
        reply = self.replies[sum(message["role"] == "assistant" for message in since)]
        stream = _Answer(self._injector, request, Completion(reply, body).events(), reply.chunk_delay)
        return httpx2.Response(200, headers={"content-type": "text/event-stream"}, stream=stream)


class Receiver(httpx2.AsyncBaseTransport):
    """The webhook, below the service's client: it records each event that it accepts."""

    def __init__(self, injector: FaultInjector, write: Callable[[Any], None]) -> None:
        self._injector, self._write = injector, write

    async def handle_async_request(self, request: httpx2.Request) -> httpx2.Response:
        fault = self._injector.meets(TOLD)
        if fault is Fault.FAILS:
            raise httpx2.ConnectError("never sent")
        if fault is Fault.HANGS:
            await _silence(request)
        self._write(json.loads(await request.aread()))
        if fault is Fault.LOST:
            raise httpx2.ReadError("lost")
        return httpx2.Response(204)


class _Answer(httpx2.AsyncByteStream):
    def __init__(self, injector: FaultInjector, request: httpx2.Request, events: list[str], delay: float) -> None:
        self._injector, self._request, self._events, self._delay = injector, request, events, delay
        self._chunks = self._sent()

    def __aiter__(self) -> AsyncIterator[bytes]:
        return self._chunks  # the SDK iterates again, to be sure of the end

    async def _sent(self) -> AsyncIterator[bytes]:
        fault, last = None, len(self._events) - 3  # its end consists of the reason, the usage, and `[DONE]`
        for number, event in enumerate(self._events):
            if number == min(3, last):
                fault = self._injector.meets(ANSWERING)
                if fault is Fault.HANGS:
                    await _silence(self._request)
            if fault is Fault.FAILS or (fault is Fault.LOST and number == last):
                raise httpx2.ReadError("cut")
            await asyncio.sleep(self._delay)
            yield event.encode()


async def _unanswered(request: HttpRequest, send: Send) -> AsyncHttpResponse:
    """Send the request to a server that never answers, so that the real transport times out."""
    url = request.url
    try:
        request.url = urlsplit(url)._replace(netloc=f"127.0.0.1:{_black_hole().getsockname()[1]}").geturl()
        return await send()
    finally:
        request.url = url


async def _silence(request: httpx2.Request) -> None:
    """Wait for the read timeout of the client, which is in the request."""
    timeout: Mapping[str, Any] = request.extensions["timeout"]
    await asyncio.sleep(timeout["read"])
    raise httpx2.ReadTimeout("silence", request=request)


@cache
def _black_hole() -> socket.socket:
    listener = socket.create_server(("127.0.0.1", 0))
    listener.listen()
    return listener
