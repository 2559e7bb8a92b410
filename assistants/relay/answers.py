"""Answers of other services, forwarded to the client as they arrive, with unchanged bytes except for keys."""

import logging
import re
from collections.abc import AsyncIterator, Awaitable, Iterable, Mapping
from urllib.parse import quote

import anyio
import httpx2
from starlette.responses import StreamingResponse
from starlette.types import Receive, Scope, Send

from assistants.model.errors import words
from assistants.relay.bodies import Unusable, guarded
from assistants.schema.errors import ApiError, key_refused, timed_out, unknown_url, unreachable, unusable

MAX_EVENT = 32 * 1024 * 1024
"""The most bytes of one event, which may contain images; it is kept in memory until it is complete."""

MAX_ANSWER = 64 * 1024 * 1024
"""The most bytes of an answer that is read before it is passed on."""

MAX_ERROR = 256 * 1024
"""The most bytes of an error that are read."""

CONNECT = 10.0
"""Seconds to open a connection to another service."""

EVENTS = "text/event-stream"

_OURS = {
    "connection", "keep-alive", "proxy-authenticate", "proxy-authorization", "te", "trailer", "transfer-encoding",
    "upgrade", "content-length", "content-encoding", "set-cookie", "server", "date", "alt-svc",
    "strict-transport-security",
}  # fmt: skip
"""Headers that belong to a connection or to a server, not to the answer."""

_BLANK, _LONGEST_BLANK = re.compile(rb"\n\n|\r\n\r\n|\r\r"), 4

log = logging.getLogger("assistants.api")


class Relayed(StreamingResponse):
    """An answer whose connection is released even if it cannot be sent."""

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
        The path would leave the API that it is appended to (404).
    """
    if {".", ".."} & set(path.split("/")):
        raise unknown_url(method, path)
    return quote(path)


def media_type(answer: httpx2.Response) -> str:
    """The media type of an answer, without parameters."""
    return answer.headers.get("content-type", "").partition(";")[0].strip().lower()


def headers_of(answer: httpx2.Response) -> Mapping[str, str]:
    """The headers that are passed on."""
    return {name: value for name, value in answer.headers.items() if name not in _OURS}


async def answered(sent: Awaitable[httpx2.Response], service: str, secrets: Iterable[str] | None) -> httpx2.Response:
    """The answer, its body unread, without keys in it.

    Parameters
    ----------
    service
        The name of the service, for the errors.
    secrets
        The service's own keys, one of which the request had; None: the request had the caller's.

    Raises
    ------
    ApiError
        There is no answer (502), or none in time (504), or the service's own key was refused (502).
    """
    try:
        answer = await sent
        if secrets is None:
            return guarded(answer, ())
        answer = guarded(answer, [*secrets, *_credentials(answer.request)])
        if answer.status_code in (401, 403):
            message = words(await _beginning(answer, MAX_ERROR)).message
            log.warning("%s refused the key of this service: %s", service, message)
            raise key_refused(service, message)
    except httpx2.TransportError as error:
        raise failure(error, service) from error
    return answer


async def read(answer: httpx2.Response, service: str) -> bytes:
    """The whole body, read before its first byte is sent; raises as `answered` does, and if it is too long."""
    try:
        content = await _beginning(answer, MAX_ANSWER + 1)
    except httpx2.TransportError as error:
        raise failure(error, service) from error
    if len(content) > MAX_ANSWER:
        raise unusable(service, f"it has more than {MAX_ANSWER} bytes")
    return content


async def events(answer: httpx2.Response) -> AsyncIterator[list[bytes]]:
    """Server-sent events as soon as each is complete, with the blank lines that end them, and finally the rest.

    Raises
    ------
    httpx2.TransportError
        The stream was cut, or an event is too long; its bytes so far are lost.
    """
    begun, size, overlap = list[bytes](), 0, b""
    async for chunk in answer.aiter_bytes():
        # An end may be split between chunks. The bytes searched again contain no whole end, so each end found is new.
        ends = [found.end() - len(overlap) for found in _BLANK.finditer(overlap + chunk)]
        if ends:
            blocks = [chunk[start:end] for start, end in zip([0, *ends], ends, strict=False)]
            yield [b"".join([*begun, blocks[0]]), *blocks[1:]]
            begun, size, overlap = [], 0, b""
            chunk = chunk[ends[-1] :]
        begun.append(chunk)
        size += len(chunk)
        overlap = (overlap + chunk)[1 - _LONGEST_BLANK :]
        if size > MAX_EVENT:
            raise Unusable(f"an event has more than {MAX_EVENT} bytes")
    if size:
        yield [b"".join(begun)]


def failure(error: httpx2.TransportError, service: str) -> ApiError:
    """The error for the client when another service fails."""
    if isinstance(error, Unusable):
        return unusable(service, str(error))
    return timed_out(service) if isinstance(error, httpx2.TimeoutException) else unreachable(service)


async def _beginning(answer: httpx2.Response, most: int) -> bytes:
    parts, size = list[bytes](), 0
    try:
        async for chunk in answer.aiter_bytes():
            parts.append(chunk)
            size += len(chunk)
            if size >= most:
                break
    finally:
        await answer.aclose()
    return b"".join(parts)[:most]


def _credentials(request: httpx2.Request) -> list[str]:
    """The credentials in a request, such as a token of the service's identity."""
    found = (request.headers.get("authorization", "").rpartition(" ")[2], request.headers.get("api-key", ""))
    return [each for each in found if each]
