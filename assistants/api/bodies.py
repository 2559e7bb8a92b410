"""The bodies of requests, counted as they arrive: a body that could hold up the process is neither parsed nor kept."""

from collections.abc import AsyncIterator

from starlette.datastructures import Headers
from starlette.exceptions import HTTPException
from starlette.requests import Request
from starlette.types import Message, Receive

from assistants.schema.errors import ApiError, body_too_large, body_too_many_values, unavailable

MAX_VALUES = 100_000
"""Arrays, objects and further values of one JSON body: parsing takes time and memory by their number."""

MAX_HELD = 256 * 1024 * 1024
"""Bytes of unfinished requests that the process holds; a service for larger bodies holds two of the largest."""

SMALL = 64 * 1024
"""Bytes of a body that a server may still receive and discard after the answer."""


class BodyRefused(HTTPException):
    """A body that is not read to its end. While FastAPI reads a body, it passes on no other class of errors."""

    def __init__(self, error: ApiError) -> None:
        super().__init__(error.status)
        self.error = error


class Held:
    """The bytes of all unfinished requests of the process."""

    def __init__(self) -> None:
        self._bytes = 0

    def take(self, size: int, most: int) -> None:
        """
        Raises
        ------
        BodyRefused
            The process would hold too many bytes (503).
        """
        if self._bytes + size > most:
            raise BodyRefused(unavailable())
        self._bytes += size

    def release(self, size: int) -> None:
        self._bytes -= size


class Body:
    """A request's body, counted as the application receives it.

    Parameters
    ----------
    receive
        The server's `receive`.
    most
        The most bytes of the body, unless it is a form, which is streamed.
    """

    def __init__(self, receive: Receive, headers: Headers, most: int, held: Held) -> None:
        self._receive, self._most, self._held = receive, most, held
        length = headers.get("content-length", "0")
        self._length = int(length) if length.isdecimal() and len(length) < 20 else 0
        self._chunked = "transfer-encoding" in headers
        self._streamed = self._complete = False
        self._size = self._reserved = 0
        self._values = Values()

    @property
    def rest_is_long(self) -> bool:
        """Whether the rest may be too long for a server to receive and discard it."""
        return not self._complete and (self._chunked or self._length - self._size > SMALL)

    def stream(self, reserved: int) -> None:
        """Stop counting: the reader of the body counts it, and holds at most `reserved` bytes."""
        self._streamed = True
        self._reserve(reserved)

    async def receive(self) -> Message:
        """
        Raises
        ------
        BodyRefused
            The body is too large (413), has too many values (400), or memory for bodies is short (503).
        """
        if not self._streamed and self._length > self._most:
            raise BodyRefused(body_too_large(self._most))
        message = await self._receive()
        if message["type"] == "http.request":
            content = message.get("body", b"")
            self._complete = not message.get("more_body", False)
            self._size += len(content)
            if not self._streamed:
                self._take(content)
        return message

    def close(self) -> None:
        """Release the body's bytes, once the request is answered."""
        self._held.release(self._reserved)
        self._reserved = 0

    def _take(self, content: bytes) -> None:
        if self._size > self._most:
            raise BodyRefused(body_too_large(self._most))
        self._reserve(len(content))
        self._values.add(content)
        if self._values.count > MAX_VALUES:
            raise BodyRefused(body_too_many_values(MAX_VALUES))

    def _reserve(self, size: int) -> None:
        self._held.take(size, max(MAX_HELD, 2 * self._most))
        self._reserved += size


class Values:
    """The number of brackets, braces and commas outside the strings of a JSON text, which arrives in pieces."""

    def __init__(self) -> None:
        self.count = 0
        self._in_string = 0
        self._escape = b""

    def add(self, piece: bytes) -> None:
        text = self._escape + piece
        escapes = len(text) - len(text.rstrip(b"\\"))
        self._escape = b"\\" * (escapes % 2)  # the escaped character is in the next piece
        text = text[: len(text) - escapes % 2]
        parts = text.replace(b"\\\\", b"").replace(b'\\"', b"").split(b'"')
        outside = b"".join(parts[self._in_string :: 2])
        self._in_string = (self._in_string + len(parts) - 1) % 2
        self.count += outside.count(b"[") + outside.count(b"{") + outside.count(b",")


def streamed(request: Request, reserved: int) -> AsyncIterator[bytes]:
    """The body of a form, in pieces. Its reader counts it, and holds at most `reserved` bytes.

    Raises
    ------
    BodyRefused
        Memory for bodies is short (503).
    """
    body: Body = request.state.body
    body.stream(reserved)
    return request.stream()
