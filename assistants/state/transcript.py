"""The messages of a thread, found by the outlines of its log and read from it."""

from bisect import bisect_right
from collections.abc import AsyncGenerator, Callable, Iterable, Iterator, Sequence
from typing import Any, NamedTuple

from pydantic_core import from_json

from assistants.schema.messages import Message
from assistants.state.outline import Span, digest_of, run_digest
from assistants.state.outlines import Segment
from assistants.state.paging import PAGE_BYTES, Cursors
from assistants.state.threads import ThreadGone
from assistants.storage.concurrency import for_each
from assistants.storage.errors import NoLog
from assistants.storage.logs import Logs
from assistants.storage.slices import Pace, Slices

_GAP = 16 * 1024
"""Bytes between two records that are read along with them, to save a request."""

_FIRST_PORTION = 32 * 1024
_PORTION = 1024 * 1024
"""Bytes of records that are read at once."""

_CANDIDATES = 1000
"""Entries that are examined before other tasks run."""


class Place(NamedTuple):
    """The place of a record: its segment, and the number of its entry."""

    segment: int
    number: int


class Transcript:
    """The messages of a thread up to a length of its log, the oldest first.

    The first put of an id counts; an update replaces the metadata; a deletion is final, but the id is still a cursor.

    Parameters
    ----------
    lengths
        Bytes of each segment; None: all bytes that are known now.
    """

    def __init__(
        self,
        logs: Logs,
        slices: Slices,
        thread_id: str,
        segments: Sequence[Segment],
        lengths: Sequence[int] | None = None,
    ) -> None:
        self._logs, self._slices, self._thread_id = logs, slices, thread_id
        self._segments = segments if lengths is None else segments[: len(lengths)]
        self.lengths = [each.outline.end for each in segments] if lengths is None else list(lengths)
        outlines = [each.outline for each in self._segments]
        self._outlines = outlines
        self._counts = [outline.count(length) for outline, length in zip(outlines, self.lengths, strict=False)]

    def until(self, lengths: Sequence[int]) -> "Transcript":
        """The messages of the log when it had only these lengths."""
        return Transcript(self._logs, self._slices, self._thread_id, self._segments, lengths)

    def __contains__(self, message_id: str) -> bool:
        """Whether the message was ever put, deleted or not."""
        return self._place(message_id) is not None

    @property
    def asked(self) -> bool:
        """Whether any message is a user's."""
        places = self._among(Place(0, -1), self._end, backwards=True)
        return any(self._outlines[place.segment].asked(place.number) for place in places)

    def find(self, message_id: str) -> Place | None:
        """The place of a message that is not deleted."""
        place = self._place(message_id)
        return place if place and self._is_there(place) else None

    async def get(self, message_id: str) -> Message | None:
        """A message that is not deleted; raises as `read`."""
        place = self.find(message_id)
        return (await self.read([place]))[0] if place else None

    async def page(
        self, cursors: Cursors, unknown: Callable[[str], Exception], run_id: str | None = None
    ) -> tuple[list[Message], bool]:
        """A page of the messages, only of the run if it is given, and whether more follow.

        Raises
        ------
        Exception
            The error that `unknown` returns for a cursor that never was a message; and as `read`.
        """
        after, before = self._cursor(cursors.after, unknown), self._cursor(cursors.before, unknown)
        low, high = (before, after) if cursors.newest_first else (after, before)
        run = None if run_id is None else run_digest(run_id)
        pace, found, held, has_more = Pace(self._slices), list[Place](), 0, False
        places = self._candidates(low or Place(0, -1), high or self._end, cursors.from_newest, run)
        for number, place in enumerate(places):
            if self._is_there(place):
                found.append(place)
                start, end = self._outlines[place.segment].span(place.number)
                held += end - start
                has_more = len(found) > cursors.limit or (held > PAGE_BYTES and len(found) > 1)
            if has_more:
                break
            if number % _CANDIDATES == 0:
                await pace.done()
        shown = found[:-1] if has_more else found
        data = await self.read(shown if cursors.from_newest == cursors.newest_first else shown[::-1])
        return data, has_more

    async def newest_first(self) -> AsyncGenerator[tuple[Message, int], None]:
        """The messages, each with the number of records before it; the reads grow with the number of messages taken."""
        batch, size, portion = list[Place](), 0, _FIRST_PORTION
        for place in self._among(Place(0, -1), self._end, backwards=True):
            batch.append(place)
            start, end = self._outlines[place.segment].span(place.number)
            size += end - start
            if size >= portion:
                for each, message in zip(batch, await self.read(batch), strict=True):
                    yield message, self._before(each)
                batch, size, portion = [], 0, min(2 * portion, _PORTION)
        for each, message in zip(batch, await self.read(batch), strict=True):
            yield message, self._before(each)

    async def read(self, places: Sequence[Place]) -> list[Message]:
        """The messages that were put at these places.

        Raises
        ------
        ThreadGone
            The thread has been deleted.
        """
        updates = [self._update(place) for place in places]
        lines = await self._lines({*places, *(each for each in updates if each)})
        pace, found = Pace(self._slices), list[Message]()
        for place, update in zip(places, updates, strict=True):
            message: dict[str, Any] = from_json(lines[place])["put"]
            if update:
                message |= from_json(lines[update])["update"]
            found.append(Message.model_validate(message))
            await pace.done()
        return found

    @property
    def _end(self) -> Place:
        return Place(len(self._counts), 0)

    def _place(self, message_id: str) -> Place | None:
        """The place of the first put of the message."""
        digest = digest_of(message_id)
        for segment, outline in enumerate(self._outlines):
            number = outline.puts.get(digest)
            if number is not None and number < self._counts[segment]:
                return Place(segment, number)
        return None

    def _cursor(self, message_id: str | None, unknown: Callable[[str], Exception]) -> Place | None:
        if message_id is None:
            return None
        place = self._place(message_id)
        if place is None:
            raise unknown(message_id)
        return place

    def _among(self, low: Place, high: Place, backwards: bool) -> Iterator[Place]:
        """The messages between two places that are not deleted."""
        return (place for place in self._candidates(low, high, backwards) if self._is_there(place))

    def _candidates(self, low: Place, high: Place, backwards: bool, run: bytes | None = None) -> Iterator[Place]:
        """The puts between two places."""
        segments = range(low.segment, min(high.segment + 1, len(self._counts)))
        for segment in reversed(segments) if backwards else segments:
            first = low.number + 1 if segment == low.segment else 0
            last = high.number if segment == high.segment else self._counts[segment]
            for number in self._outlines[segment].put_among(first, last, backwards, run):
                yield Place(segment, number)

    def _is_there(self, place: Place) -> bool:
        """Whether this is the first put of a message that is not deleted."""
        digest = self._outlines[place.segment].digest(place.number)
        for segment, outline in enumerate(self._outlines):
            count = self._counts[segment]
            if outline.deletes.get(digest, count) < count:
                return False
            if segment < place.segment and outline.puts.get(digest, count) < count:
                return False
        return True

    def _update(self, place: Place) -> Place | None:
        """The last update of a message; each has the complete metadata."""
        digest = self._outlines[place.segment].digest(place.number)
        for segment in reversed(range(len(self._counts))):
            numbers = self._outlines[segment].updates.get(digest, ())
            known = bisect_right(numbers, self._counts[segment] - 1)
            if known:
                return Place(segment, numbers[known - 1])
        return None

    def _before(self, place: Place) -> int:
        return sum(self._counts[: place.segment]) + place.number

    async def _lines(self, places: Iterable[Place]) -> dict[Place, bytes]:
        """The records, read by as few requests as their distances allow."""
        found, missing = dict[Place, bytes](), list[tuple[Place, Span]]()
        for place in sorted(places):
            segment = self._segments[place.segment]
            span = segment.outline.span(place.number)
            line = segment.known(*span)
            if line is None:
                missing.append((place, span))
            else:
                found[place] = line

        async def fetch(together: Sequence[tuple[Place, Span]]) -> None:
            start, end = together[0][1].start, together[-1][1].end
            try:
                content = await self._logs.read(self._segments[together[0][0].segment].name, start, end)
            except NoLog:
                raise ThreadGone(self._thread_id) from None
            found.update({place: content[span.start - start : span.end - start] for place, span in together})

        await for_each(fetch, _neighbours(missing))
        return found


def _neighbours(records: Sequence[tuple[Place, Span]]) -> Iterator[Sequence[tuple[Place, Span]]]:
    """The records in groups that one request reads."""
    group = list[tuple[Place, Span]]()
    for place, span in records:
        if group:
            (segment, _), (_, end) = group[-1]
            far = place.segment != segment or span.start - end > _GAP or span.end - group[0][1].start > _PORTION
            if far:
                yield group
                group = []
        group.append((place, span))
    if group:
        yield group
