"""The outlines of the threads that a process read last: only the bytes appended since then are fetched."""

from collections import OrderedDict
from contextlib import suppress
from dataclasses import dataclass, field

from assistants.state.logindex import LogIndex
from assistants.state.outline import SIZE, Outline
from assistants.storage.concurrency import together
from assistants.storage.errors import TRANSIENT, NoLog
from assistants.storage.logs import MAX_RECORD, Logs
from assistants.storage.slices import Pace, Slices

REACH = 128 * 1024
"""Bytes at the end of a segment that are kept, and that need no index: a shorter segment has none."""

_ENTRY_BYTES = 200
"""Bytes of memory that an entry takes, with its place in the outline's tables."""

_LOADED = 1000 * SIZE
"""Bytes of entries that are loaded at once."""


@dataclass
class Segment:
    """One segment of a thread's log, as far as it was read."""

    name: str
    outline: Outline = field(default_factory=Outline)
    tail: bytes = b""
    """Some of the last bytes of the segment."""
    tail_end: int = 0
    indexed: int = 0
    """The number of entries that are known to be in the index."""

    @property
    def size(self) -> int:
        """Bytes of memory."""
        return 1000 + len(self.outline) * _ENTRY_BYTES + len(self.tail)

    @property
    def not_indexed(self) -> int:
        """Bytes of the segment that are in no index."""
        return self.outline.end - (self.outline.span(self.indexed - 1).end if self.indexed else 0)

    def known(self, start: int, end: int) -> bytes | None:
        """The bytes from `start` up to `end`, if they are in memory."""
        begins = self.tail_end - len(self.tail)
        return self.tail[start - begins : end - begins] if begins <= start and end <= self.tail_end else None

    async def take(self, content: bytes, offset: int, slices: Slices, kept: int = 0) -> None:
        """Add the complete lines of the content at `offset`; another reader may add the same ones meanwhile."""
        pace, content = Pace(slices), content[: content.rfind(b"\n") + 1]
        self._keep(content, offset, kept or REACH)
        known = self.outline.end - offset
        at = max(offset, self.outline.end)
        for line in (content[known:] if known > 0 else content).splitlines(keepends=True):
            self.outline.take(line, at)
            at += len(line)
            await pace.done()

    async def load(self, first: int, entries: bytes, slices: Slices) -> None:
        """Add the entries of the index from number `first` on."""
        pace = Pace(slices)
        for start in range(0, len(entries), _LOADED):
            self.outline.load(first + start // SIZE, entries[start : start + _LOADED])
            await pace.done()
        self.indexed = max(self.indexed, first + len(entries) // SIZE if entries else 0)

    def _keep(self, content: bytes, offset: int, kept: int) -> None:
        end = offset + len(content)
        if end > self.tail_end:
            follows = offset <= self.tail_end
            self.tail = (self.tail + content[self.tail_end - offset :] if follows else content)[-kept:]
            self.tail_end = end


class Outlines:
    """The segments that were read last, up to `most` bytes of memory."""

    def __init__(self, logs: Logs, slices: Slices, most: int) -> None:
        self._logs, self._index, self._slices = logs, LogIndex(logs), slices
        self._most = most
        self._segments: OrderedDict[str, tuple[Segment, int]] = OrderedDict()
        self._held = 0

    async def read(self, name: str) -> Segment:
        """The segment of that name as it is now.

        Raises
        ------
        NoLog
            There is no such segment.
        """
        known = self._segments.get(name)
        segment = known[0] if known else Segment(name)
        try:
            await self._grow(segment)
        except NoLog:
            self.forget(name)
            raise
        self._remember(segment)
        return segment

    def forget(self, name: str) -> None:
        """Drop a segment that is deleted from memory."""
        _, size = self._segments.pop(name, (None, 0))
        self._held -= size

    def _remember(self, segment: Segment) -> None:
        self.forget(segment.name)
        self._segments[segment.name] = segment, segment.size
        self._held += segment.size
        while self._held > self._most:
            self.forget(next(iter(self._segments)))

    async def _grow(self, segment: Segment) -> None:
        """Fetch the appended bytes, by one request if they are few."""
        start = segment.outline.end
        content, size = await self._logs.part(segment.name, start, start + REACH)
        if size <= start + len(content):
            await segment.take(content, start, self._slices)
        else:
            await self._catch_up(segment, content, start, size)
        await self._write_index(segment)

    async def _catch_up(self, segment: Segment, content: bytes, start: int, size: int) -> None:
        """Read the rest up to `size`: its end, the index, and the records between both."""
        name, outline, first = segment.name, segment.outline, len(segment.outline)
        end_at = max(size - REACH, start + len(content))
        entries, end = await together(self._index.read(name, first), self._logs.read(name, end_at, size))
        await segment.load(first, entries, self._slices)
        await segment.take(content, start, self._slices)
        while (at := outline.end) < end_at:
            portion = await self._logs.read(name, at, min(at + MAX_RECORD, size))
            await segment.take(portion, at, self._slices)
            await self._write_index(segment)
        await segment.take(end, end_at, self._slices)

    async def _write_index(self, segment: Segment) -> None:
        if segment.not_indexed <= REACH:
            return
        first = segment.indexed
        entries = bytes(segment.outline.entries[first * SIZE :])
        if await self._index.write(segment.name, first, entries):
            segment.indexed = max(segment.indexed, first + len(entries) // SIZE)
            return
        with suppress(*TRANSIENT):
            more = await self._index.read(segment.name, first)
            if more:  # another process wrote the index first
                await segment.load(first, more, self._slices)
            else:  # the index is lost
                segment.indexed = 0
