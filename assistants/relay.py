"""Answers of other services on their way to the client: their bytes unchanged, as they come, event by event."""

import re
from collections.abc import AsyncIterator, Awaitable, Mapping
from urllib.parse import quote

import anyio
import httpx2
from starlette.background import BackgroundTask
from starlette.responses import Response, StreamingResponse
from starlette.types import Receive, Scope, Send

from assistants.schema.errors import ApiError, timed_out, unknown_url, unreachable

CONNECT = 10.0
"""Seconds to open a connection to another service."""

EVENTS = "text/event-stream"

_OURS = {
    "connection", "keep-alive", "proxy-authenticate", "proxy-authorization", "te", "trailer", "transfer-encoding",
    "upgrade", "content-length", "content-encoding", "set-cookie", "server", "date", "alt-svc",
    "strict-transport-security",
}  # fmt: skip
"""Headers that belong to one connection, or to one server, and not to the answer."""

_BLANK = re.compile(rb"\n\n|\r\n\r\n|\r\r")


class Relayed(StreamingResponse):
    """An answer whose connection is given back however its sending ends."""

    def __init__(self, answer: httpx2.Response, body: AsyncIterator[bytes]) -> None:
        super().__init__(body, answer.status_code, headers_of(answer))
        if media_type(answer) != EVENTS and "content-encoding" not in answer.headers:
            self.headers.update({name: answer.headers[name] for name in ("content-length",) if name in answer.headers})
        self._answer = answer

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        try:
            await super().__call__(scope, receive, send)
        finally:
            with anyio.CancelScope(shield=True):
                await self._answer.aclose()


def target(method: str, path: str) -> str:
    """A decoded path, quoted for another service.

    Raises
    ------
    ApiError
        It would leave the API that it is put under (404).
    """
    if {".", ".."} & set(path.split("/")):
        raise unknown_url(method, path)
    return quote(path)


def media_type(answer: httpx2.Response) -> str:
    """What an answer says that it is, without parameters."""
    return answer.headers.get("content-type", "").partition(";")[0].strip().lower()


def headers_of(answer: httpx2.Response) -> Mapping[str, str]:
    """The headers that are passed on."""
    return {name: value for name, value in answer.headers.items() if name not in _OURS}


async def answered(sent: Awaitable[httpx2.Response], what: str) -> httpx2.Response:
    """The answer, its body unread.

    Raises
    ------
    ApiError
        There is none (502), or none in time (504). `what` names the service that was asked.
    """
    try:
        return await sent
    except httpx2.TransportError as error:
        raise failure(error, what) from error


async def read(answer: httpx2.Response, what: str, background: BackgroundTask | None = None) -> Response:
    """The whole answer, known before the first byte of it is sent; raises as `answered` does."""
    try:
        content = await answer.aread()
    except httpx2.TransportError as error:
        raise failure(error, what) from error
    finally:
        await answer.aclose()
    return Response(content, answer.status_code, headers_of(answer), background=background)


async def events(answer: httpx2.Response) -> AsyncIterator[list[bytes]]:
    """Whole server-sent events as soon as they are there, with the blank lines that end them, and what is left then.

    Raises
    ------
    httpx2.TransportError
        The stream was cut; half an event is lost with it.
    """
    rest = b""
    async for chunk in answer.aiter_bytes():
        rest += chunk
        ends = [found.end() for found in _BLANK.finditer(rest)]
        if ends:
            yield [rest[start:end] for start, end in zip([0, *ends], ends, strict=False)]
            rest = rest[ends[-1] :]
    if rest:
        yield [rest]


def failure(error: httpx2.TransportError, what: str) -> ApiError:
    """What the client is told when another service fails us."""
    return timed_out(what) if isinstance(error, httpx2.TimeoutException) else unreachable(what)
