"""The outline of a segment of a message log: the position of each record, and the effect of records on messages.

An entry has 37 bytes: the kind of the record, a digest of the message's id, offset and length of the record's line,
and a digest of the message's run.
"""

import hashlib
import json
from bisect import bisect_right
from collections.abc import Iterable, Iterator
from struct import Struct
from typing import NamedTuple

_ENTRY = Struct("<c16sQI8s")
_PLACE = Struct("<QI")
_DIGEST_AT, _PLACE_AT, _RUN_AT = 1, 17, 29

SIZE = _ENTRY.size
"""Bytes of an entry."""

ASKED, SAID, UPDATE, DELETE, AGAIN = b"u", b"a", b"m", b"d", b"x"
"""The kinds of records: the put of a user's message, of another message, and of one put before; update; deletion."""

_PUTS = ASKED + SAID


class Span(NamedTuple):
    """Some bytes of a segment."""

    start: int
    end: int


class Outline:
    """The entries of a segment's records, in their order. It only grows, and depends on the segment's bytes alone."""

    def __init__(self) -> None:
        self.entries = bytearray()
        self.end = 0
        """Bytes of the segment that the outline covers."""
        self.puts: dict[bytes, int] = {}
        """By message: the number of the entry that puts it."""
        self.updates: dict[bytes, list[int]] = {}
        """By message: the numbers of the entries."""
        self.deletes: dict[bytes, int] = {}
        """By message: the number of the first deletion."""

    def __len__(self) -> int:
        """The number of entries."""
        return len(self.entries) // SIZE

    def take(self, line: bytes, offset: int) -> None:
        """Add the entry of the record at `offset`, if it is the next one."""
        if offset != self.end:
            return
        record = json.loads(line)
        run = None
        if put := record.get("put"):
            digest, run = digest_of(put["id"]), put["run_id"]
            kind = AGAIN if digest in self.puts else ASKED if put["role"] == "user" else SAID
        elif update := record.get("update"):
            kind, digest = UPDATE, digest_of(update["id"])
        else:
            kind, digest = DELETE, digest_of(record["delete"])
        self._add(kind, digest, len(self))
        self.entries += _ENTRY.pack(kind, digest, offset, len(line), run_digest(run))
        self.end = offset + len(line)

    def load(self, first: int, entries: bytes) -> None:
        """Add entries of another outline of the segment, from number `first` on, unless they are known."""
        number = len(self)
        entries = entries[(number - first) * SIZE : len(entries) // SIZE * SIZE]
        if first > number or not entries:
            return
        kinds = entries[::SIZE]
        digests = [entries[at : at + 16] for at in range(_DIGEST_AT, len(entries), SIZE)]
        if kinds.strip(_PUTS):
            for index, digest in enumerate(digests):
                self._add(kinds[index : index + 1], digest, number + index)
        else:
            self.puts.update(zip(digests, range(number, number + len(digests)), strict=True))
        self.entries += entries
        self.end = self.span(len(self) - 1).end

    def _add(self, kind: bytes, digest: bytes, number: int) -> None:
        if kind in _PUTS:
            self.puts[digest] = number
        elif kind == UPDATE:
            self.updates.setdefault(digest, []).append(number)
        elif kind == DELETE:
            self.deletes.setdefault(digest, number)

    def count(self, length: int) -> int:
        """The number of entries in the first `length` bytes of the segment."""
        if length >= self.end:
            return len(self)
        return bisect_right(range(len(self)), length, key=lambda number: self.span(number).end)

    def asked(self, number: int) -> bool:
        """Whether the entry puts a user's message."""
        return self.entries[number * SIZE] == ord(ASKED)

    def digest(self, number: int) -> bytes:
        """The digest of the message's id."""
        at = number * SIZE + _DIGEST_AT
        return bytes(self.entries[at : at + 16])

    def span(self, number: int) -> Span:
        """The position of the record."""
        start, length = _PLACE.unpack_from(self.entries, number * SIZE + _PLACE_AT)
        return Span(start, start + length)

    def put_among(self, low: int, high: int, backwards: bool, run: bytes | None = None) -> Iterator[int]:
        """The numbers, from `low` up to `high`, of entries that put a message; only of `run` if it is given."""
        numbers: Iterable[int] = range(low, high)
        if run is not None:
            numbers = self._of_run(low, high, backwards, run)
        elif backwards:
            numbers = range(high - 1, low - 1, -1)
        return (number for number in numbers if self.entries[number * SIZE] in _PUTS)

    def _of_run(self, low: int, high: int, backwards: bool, run: bytes) -> Iterator[int]:
        start, end = low * SIZE, high * SIZE
        find = self.entries.rfind if backwards else self.entries.find
        while (at := find(run, start, end)) >= 0:
            if at % SIZE == _RUN_AT:
                yield at // SIZE
            start, end = (start, at + len(run) - 1) if backwards else (at + 1, end)


def digest_of(message_id: str) -> bytes:
    """The digest of a message's id, 16 bytes."""
    return hashlib.blake2b(message_id.encode(errors="surrogatepass"), digest_size=16).digest()


def run_digest(run_id: str | None) -> bytes:
    """The digest of a run's id, 8 bytes."""
    return bytes(8) if run_id is None else digest_of(run_id)[:8]
