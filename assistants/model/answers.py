"""The chunks of a chat completion, parsed from an answer in any of the forms that endpoints use."""

import asyncio
import json
from collections.abc import AsyncGenerator, AsyncIterator, Iterator, Mapping
from contextlib import aclosing
from typing import Any, cast

from assistants.model.errors import CutOff, Refused, TooMuch, Unreadable, is_error, words
from assistants.model.sse import Event, events

Chunk = Mapping[str, Any]
"""A chunk of a completion, or a whole one, unchanged: any part of it may be missing, or of another type."""

MAX_EVENT = 1024 * 1024
"""The most bytes of one event, and of an answer without events: parsing it must not hold up other runs."""

MAX_ANSWER = 64 * 1024 * 1024
"""The most bytes of a stream: more than the longest text in the smallest pieces."""

LINGER = 5.0
"""Seconds for which the rest of an answer, its usage and its end, is awaited after its finish reason."""

_HEAD = 16 * 1024
"""Bytes of the beginning that are kept, to describe an answer of an unknown form."""

_FIELDS = (b"", b"data", b"event", b"id", b"retry")

_SHOWN = 200
"""The most characters of an unknown answer that an error quotes."""


async def chunks(body: AsyncIterator[bytes]) -> AsyncGenerator[Chunk, None]:
    """The chunks of the answer, as they arrive.

    The known forms are a stream of events, objects one per line, and a complete completion, as JSON or as an event. The
    answer has ended with `[DONE]` or with a finish reason; a complete completion needs neither.

    Raises
    ------
    Refused
        The answer is an error, or contains one.
    CutOff
        The answer has no end.
    Unreadable
        The answer, or a part of it, has an unknown form.
    TooMuch
        The answer is longer than allowed.
    """
    answer = _Answer()
    async with aclosing(_events(answer.counted(body))) as found:
        async for event in found:
            for chunk in answer.take(event):
                yield chunk
            if answer.done:
                break
    answer.end()


async def whole(body: AsyncIterator[bytes]) -> Mapping[str, Any]:
    """An answer that is one JSON object; raises as `chunks` does."""
    pieces, size = list[bytes](), 0
    async for piece in body:
        pieces.append(piece)
        size += len(piece)
        if size > MAX_ANSWER:
            raise TooMuch(f"The model's endpoint sent more than {MAX_ANSWER:,} bytes.")
    content = b"".join(pieces)
    value = _parsed(content)
    if isinstance(value, dict) and not is_error(cast("dict[str, Any]", value)):
        return cast("dict[str, Any]", value)
    found = words(content)
    if isinstance(value, dict | list) and value:
        raise Refused(found, None)
    raise Unreadable(_not_understood(found.message))


class _Answer:
    """The state of an answer that is being read."""

    def __init__(self) -> None:
        self.done = False
        self._finished = False
        self._begun = False
        self._size = 0
        self._head = b""
        self._read = False
        self._odd = self._rest = ""

    async def counted(self, body: AsyncIterator[bytes]) -> AsyncIterator[bytes]:
        """The bytes, up to a limit. An error after the end of the completion is ignored."""
        pieces = aiter(body)
        deadline: float | None = None
        while True:
            now = asyncio.get_running_loop().time()
            if self._finished and deadline is None:
                deadline = now + LINGER
            try:
                timeout = None if deadline is None else max(deadline - now, 0)
                piece = await (anext(pieces) if timeout is None else asyncio.wait_for(anext(pieces), timeout))
            except StopAsyncIteration:
                return
            except Exception:
                if self._finished:
                    return
                raise
            self._size += len(piece)
            self._head += piece[: _HEAD - len(self._head)]
            if self._size > MAX_ANSWER:
                raise TooMuch(f"The model's endpoint sent more than {MAX_ANSWER:,} bytes.")
            yield piece

    def take(self, event: Event) -> Iterator[Chunk]:
        """The chunks of the completion in an event."""
        self._read = True
        if event.data.startswith(b"[DONE]"):
            self.done = True
            return
        value, text = _parsed(event.data), event.data.decode(errors="replace")
        if value is _UNPARSED and not event.ended:
            self._rest = text
        elif event.name == "error" and not (isinstance(value, dict) and "choices" in value):
            raise Refused(words(text), None)
        elif value is not _UNPARSED:
            several: list[object] = cast("list[object]", value) if isinstance(value, list) else [value]
            for each in several:
                if isinstance(each, dict):
                    yield from self._take(cast("dict[str, Any]", each), text)
                elif each is not None:
                    raise Unreadable(_not_understood(text))
        elif event.name in ("", "message"):
            raise Unreadable(_not_understood(text))

    def _take(self, value: dict[str, Any], text: str) -> Iterator[Chunk]:
        if is_error(value):
            raise Refused(words(value), None)
        choices: Any = value.get("choices")
        first: Any = cast("list[Any]", choices)[0] if isinstance(choices, list) and choices else None
        if isinstance(first, dict):
            self._see(cast("dict[str, Any]", first))
        elif not self._odd and not value.get("usage") and "choices" not in value:
            self._odd = text
        if first is not None or value.get("usage"):
            yield value

    def _see(self, choice: dict[str, Any]) -> None:
        """Record the progress of the completion."""
        reason: Any = choice.get("finish_reason")
        if choice.get("error") or reason in _FAILURES:
            raise Refused(words(choice.get("error") or {"message": _failed(reason), "code": reason}), None)
        said: Any = choice.get("delta") or choice.get("message")
        if isinstance(said, dict):
            fields = cast("dict[str, Any]", said)
            self._begun = self._begun or any(each for name, each in fields.items() if name != "role")
        whole = bool(choice.get("message")) and not choice.get("delta")
        self._finished = self._finished or whole or (isinstance(reason, str) and reason not in _NO_REASONS)

    def end(self) -> None:
        """
        Raises
        ------
        CutOff
            The answer breaks off without its end.
        Unreadable
            No part of it was a completion.
        """
        if self._finished or (self.done and self._begun):
            return
        if not self._begun and (self._odd or self._foreign):
            raise Unreadable(_not_understood(self._odd or words(self._head).message))
        if self._rest:
            raise CutOff(f"it ends with {_shown(self._rest)}")
        raise CutOff() if self._size else CutOff("it is empty")

    @property
    def _foreign(self) -> bool:
        """Whether it is a text of another kind: it contains neither events nor comments."""
        lines = [line for line in self._head.splitlines() if line.strip()]
        return not self._read and any(line.partition(b":")[0] not in _FIELDS for line in lines)


async def _events(body: AsyncIterator[bytes]) -> AsyncGenerator[Event, None]:
    """The events of a stream; of another answer, the objects that it contains."""
    pieces = aiter(body)
    head = b""
    async for piece in pieces:
        head += piece
        if len(head) > 64 or head.strip(b"\xef\xbb\xbf \t\r\n"):
            break
    start = head.lstrip(b"\xef\xbb\xbf \t\r\n")[:1]
    if start == b"<":
        raise Unreadable(_not_understood(await _page(head, pieces)))
    if start not in (b"{", b"["):
        async for event in events(_joined(head, pieces), MAX_EVENT):
            yield event
        return
    body_parts, size = list[bytes](), 0
    async for piece in _joined(head, pieces):
        size += len(piece)
        if size > MAX_EVENT:
            raise TooMuch(f"The model's endpoint sent an answer of more than {MAX_EVENT:,} bytes.")
        body_parts.append(piece)
    whole = b"".join(body_parts).removeprefix(b"\xef\xbb\xbf")
    if _parsed(whole) is not _UNPARSED:
        yield Event("", whole)
        return
    for line in whole.splitlines(keepends=True):
        if text := line.strip().removeprefix(b"data:").strip():
            yield Event("", text, line[-1:] in b"\r\n")


async def _page(head: bytes, pieces: AsyncIterator[bytes]) -> str:
    """The beginning of a page, long enough to identify it."""
    async for piece in pieces:
        head += piece
        if len(head) > 16_384:
            break
    return words(head[:16_384]).message


async def _joined(head: bytes, pieces: AsyncIterator[bytes]) -> AsyncIterator[bytes]:
    if head:
        yield head
    async for piece in pieces:
        yield piece


class _Unparsed:
    pass


_UNPARSED = _Unparsed()


def _parsed(data: bytes) -> object:
    try:
        return json.loads(data.decode(errors="replace"))
    except (ValueError, RecursionError):
        return _UNPARSED


def _not_understood(text: str) -> str:
    return f"The model's endpoint sent an answer that cannot be understood: {_shown(text)}"


def _shown(text: str) -> str:
    return text if len(text) <= _SHOWN else text[:_SHOWN] + "…"


def _failed(reason: object) -> str:
    return f"The model's answer broke off: {reason}"


_NO_REASONS = ("", "null", "None", "none")
"""Finish reasons that some endpoints have in every chunk."""

_FAILURES = ("error", "network_error", "insufficient_system_resource", "abort", "aborted", "cancelled", "failed")
"""Finish reasons of failed answers."""
