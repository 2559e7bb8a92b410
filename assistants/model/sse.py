"""Server-sent events of endpoints: bounded in size, parsed in time proportional to their bytes."""

from collections.abc import AsyncIterator
from typing import NamedTuple

from assistants.model.errors import TooMuch

_BOM = b"\xef\xbb\xbf"


class Event(NamedTuple):
    """One event. Its data may be no JSON, or only a part of it if one of its lines is incomplete."""

    name: str
    data: bytes
    ended: bool = True
    """Whether its last line has an end: the last event of a stream may be incomplete."""


async def lines(chunks: AsyncIterator[bytes], longest: int) -> AsyncIterator[bytes]:
    r"""The lines of bytes that arrive in pieces, each with its end: `\n`, `\r\n` or `\r`.

    A `\n` that arrives in another piece than its `\r` is left out.

    Raises
    ------
    TooMuch
        A line has more than `longest` bytes.
    """
    parts, size, after_return = list[bytes](), 0, False
    async for chunk in chunks:
        rest = chunk[1:] if after_return and chunk[:1] == b"\n" else chunk
        after_return = rest[-1:] == b"\r" if rest else after_return and not chunk
        for piece in rest.splitlines(keepends=True):
            size += len(piece)
            if size > longest:
                raise TooMuch(f"The model's endpoint sent a line of more than {longest:,} bytes.")
            parts.append(piece)
            if piece[-1:] in b"\r\n":
                yield b"".join(parts)
                parts, size = [], 0
    if parts:
        yield b"".join(parts)


async def events(chunks: AsyncIterator[bytes], longest: int) -> AsyncIterator[Event]:
    """The events with data, in their order.

    More is accepted than the standard allows: a field without a space or a value, one event directly after the
    other, the last one without a blank line after it, and a line that is an object or a list by itself.

    Raises
    ------
    TooMuch
        An event has more than `longest` bytes.
    """
    name, data, size, first, line = "", list[bytes](), 0, True, b""
    async for line in lines(chunks, longest):
        text = line.rstrip(b"\r\n")
        if first:
            text, line, first = text.removeprefix(_BOM), line.removeprefix(_BOM), False
        if not text.strip():
            if data:
                yield Event(name, b"\n".join(data))
            name, data, size = "", [], 0
            continue
        field, value = (b"data", text) if text[:1] in b"{[" else _field(text)
        if field == b"event":
            name = value.decode(errors="replace")
        if field != b"data" or not value:
            continue
        if not data and _whole(value):
            yield Event(name, value, text != line)
            name = ""
            continue
        size += len(value)
        if size > longest:
            raise TooMuch(f"The model's endpoint sent an event of more than {longest:,} bytes.")
        data.append(value)
    if data:
        yield Event(name, b"\n".join(data), line[-1:] in b"\r\n")


def _field(line: bytes) -> tuple[bytes, bytes]:
    field, _, value = line.partition(b":")
    return field.strip(), value.strip()


def _whole(value: bytes) -> bool:
    """Whether a line of data seems to be a complete event, as most are: it need not wait for a blank line."""
    return value.startswith(b"[DONE]") or (value[:1] == b"{" and value[-1:] == b"}")
