"""Segments: the chunks of some files in the form that is searched, with their texts, vectors and postings of words.

A segment never changes. The chunks of one file are the smallest; more files are merged into a larger one.
"""

from __future__ import annotations

from bisect import bisect_right
from collections.abc import Sequence
from dataclasses import dataclass
from functools import cached_property
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from assistants.model.embedder import Vectors
from assistants.search.chunking import Span
from assistants.search.words import Words

Numbers = NDArray[np.uint32]
Floats = NDArray[np.float32]
Flags = NDArray[np.bool_]

_MOST = 255
"""The highest count of a word in a chunk: a higher one would not change its rank."""


class Text(NamedTuple):
    """The text of a file, in UTF-8, and the starts and ends of its chunks, in bytes: two columns."""

    filename: str
    content: bytes
    spans: Numbers
    file_id: str = ""
    version: str = ""

    def chunk(self, number: int) -> str:
        start, end = self.spans[number]
        return self.content[start:end].decode()


class Group(NamedTuple):
    """Comparable vectors: of one model and one length, with the numbers of their chunks.

    In a stored segment they have half the precision; they are searched in a merged segment.
    """

    model: str
    matrix: Floats
    chunks: Numbers


@dataclass(frozen=True)
class Postings:
    """For each word, in ascending order, its chunks, also ascending, and its counts in them.

    The chunks of the word `words[i]` are `chunks[starts[i]:starts[i + 1]]`.
    """

    words: Numbers
    starts: NDArray[np.int64]
    chunks: Numbers
    counts: NDArray[np.uint8]

    def of(self, word: int) -> tuple[Numbers, NDArray[np.uint8]]:
        """The chunks with that word, and its count in each."""
        at = int(np.searchsorted(self.words, word))
        if at == len(self.words) or self.words[at] != word:
            return self.chunks[:0], self.counts[:0]
        found = slice(int(self.starts[at]), int(self.starts[at + 1]))
        return self.chunks[found], self.counts[found]

    @property
    def nbytes(self) -> int:
        return self.words.nbytes + self.starts.nbytes + self.chunks.nbytes + self.counts.nbytes


@dataclass(frozen=True)
class Segment:
    """The chunks of some files, numbered consecutively."""

    texts: tuple[Text, ...]
    groups: tuple[Group, ...]
    postings: Postings
    lengths: Numbers
    """The number of words of each chunk."""

    @cached_property
    def starts(self) -> NDArray[np.int64]:
        """The number of each text's first chunk, and at the end the number of chunks."""
        return _starts([len(text.spans) for text in self.texts])

    @cached_property
    def nbytes(self) -> int:
        """Bytes of memory, approximately."""
        texts = sum(len(text.content) + text.spans.nbytes for text in self.texts)
        groups = sum(group.matrix.nbytes + group.chunks.nbytes for group in self.groups)
        return texts + groups + self.postings.nbytes + self.lengths.nbytes

    def __len__(self) -> int:
        return len(self.lengths)

    def place(self, number: int) -> tuple[int, int]:
        """The text of a chunk, and the chunk's number in it."""
        at = bisect_right(self._firsts, number) - 1
        return at, number - self._firsts[at]

    @cached_property
    def _firsts(self) -> list[int]:
        return self.starts.tolist()

    def of_texts(self, flags: Flags) -> Flags:
        """The flags of the chunks, by the flags of their texts."""
        return np.repeat(flags, np.diff(self.starts))


def segment(filename: str, text: str, spans: Sequence[Span], vectors: Vectors | None) -> Segment:
    """The chunks of one file, with one vector for each, or a row of zeros."""
    cuts = sorted({0, *(at for span in spans for at in span)})
    pieces = [text[start:end] for start, end in zip(cuts, [*cuts[1:], len(text)], strict=True)]
    places = {at: number for number, at in enumerate(cuts)}
    bounds = np.zeros((len(spans), 2), np.int64)
    for number, (start, end) in enumerate(spans):
        bounds[number] = places[start], places[end]

    numbers = Words()
    found = [np.array(numbers.of(piece), np.uint32) for piece in pieces]
    counted = _starts([len(each) for each in found])[bounds]
    words = np.concatenate(found)
    lengths = np.diff(counted)[:, 0]
    content = [piece.encode() for piece in pieces]
    every = np.arange(len(spans), dtype=np.uint32)
    return Segment(
        texts=(Text(filename, b"".join(content), _starts([len(each) for each in content])[bounds].astype(np.uint32)),),
        groups=grouped(vectors.model, vectors.matrix) if vectors else (),
        postings=_counted(words[_ranges(counted[:, 0], lengths)], np.repeat(every, lengths)),
        lengths=lengths.astype(np.uint32),
    )


def grouped(model: str, matrix: Floats) -> tuple[Group, ...]:
    """The vectors among the rows for all chunks: a row of zeros means that its chunk has none."""
    there = matrix.any(axis=1)
    if not there.any():
        return ()
    return (Group(model, matrix if there.all() else matrix[there], np.flatnonzero(there).astype(np.uint32)),)


def merged(segments: Sequence[Segment], kept: Sequence[Flags] | None = None) -> Segment:
    """The segments' files together; `kept` has a flag for each text."""
    flags = kept or [np.ones(len(each.texts), np.bool_) for each in segments]
    chunks = [each.of_texts(kept) for each, kept in zip(segments, flags, strict=True)]
    first = _starts([int(kept.sum()) for kept in chunks])
    renumbered = [
        np.cumsum(kept, dtype=np.uint32) + np.uint32(start) - np.uint32(1)
        for kept, start in zip(chunks, first[:-1], strict=True)
    ]
    return Segment(
        texts=tuple(text for each, kept in zip(segments, flags, strict=True) for text in _chosen(each.texts, kept)),
        groups=_grouped(segments, chunks, renumbered),
        postings=_joined([each.postings for each in segments], chunks, renumbered),
        lengths=np.concatenate([each.lengths[kept] for each, kept in zip(segments, chunks, strict=True)]),
    )


def _chosen(texts: Sequence[Text], kept: Flags) -> list[Text]:
    return [text for text, keep in zip(texts, kept, strict=True) if keep]


def _grouped(segments: Sequence[Segment], kept: Sequence[Flags], renumbered: Sequence[Numbers]) -> tuple[Group, ...]:
    found: dict[tuple[str, int], tuple[list[Floats], list[Numbers]]] = {}
    for each, keep, numbers in zip(segments, kept, renumbered, strict=True):
        for group in each.groups:
            matrices, chunks = found.setdefault((group.model, group.matrix.shape[1]), ([], []))
            rows = keep[group.chunks]
            matrices.append(group.matrix if rows.all() else group.matrix[rows])
            chunks.append(numbers[group.chunks[rows]])
    return tuple(
        Group(model, _stacked(matrices), np.concatenate(chunks)) for (model, _), (matrices, chunks) in found.items()
    )


def _stacked(matrices: Sequence[Floats]) -> Floats:
    """As np.concatenate, which takes several times as long if the precisions differ."""
    starts = _starts([len(each) for each in matrices])
    stacked = np.empty((int(starts[-1]), matrices[0].shape[1]), np.float32)
    for each, start in zip(matrices, starts, strict=False):
        stacked[start : start + len(each)] = each
    return stacked


def _joined(postings: Sequence[Postings], kept: Sequence[Flags], renumbered: Sequence[Numbers]) -> Postings:
    """The postings of kept chunks under their new numbers, each written to its final position: nothing is sorted."""
    every = [_words_of(each, keep) for each, keep in zip(postings, kept, strict=True)]
    words = np.unique(np.concatenate([own for own, _ in every]))
    places = [np.searchsorted(words, own) for own, _ in every]
    totals = np.zeros(len(words), np.int64)
    for at, (_, often) in zip(places, every, strict=True):
        totals[at] += often
    starts = _starts(totals)
    chunks, counts, free = np.empty(starts[-1], np.uint32), np.empty(starts[-1], np.uint8), starts[:-1].copy()
    # In the order of the segments, so that the chunks of each word ascend: those of a later one have higher numbers.
    for each, keep, numbers, at, (_, often) in zip(postings, kept, renumbered, places, every, strict=True):
        here = slice(None) if keep.all() else keep[each.chunks]
        into = _ranges(free[at], often)
        chunks[into] = numbers[each.chunks[here]]
        counts[into] = each.counts[here]
        free[at] += often
    return Postings(words, starts, chunks, counts)


def _words_of(postings: Postings, kept: Flags) -> tuple[Numbers, NDArray[np.int64]]:
    """The words of the kept chunks, and for each the number of these chunks that have it."""
    if kept.all() or not len(postings.words):
        return postings.words, np.diff(postings.starts)
    often = np.add.reduceat(kept[postings.chunks], postings.starts[:-1], dtype=np.int64)
    return postings.words[often > 0], often[often > 0]


def _counted(words: Numbers, chunks: Numbers) -> Postings:
    """The postings of words in chunks; a pair may occur several times."""
    both, counts = np.unique(words.astype(np.uint64) << np.uint64(32) | chunks, return_counts=True)
    return _indexed(
        (both >> np.uint64(32)).astype(np.uint32), both.astype(np.uint32), np.minimum(counts, _MOST).astype(np.uint8)
    )


def _indexed(words: Numbers, chunks: Numbers, counts: NDArray[np.uint8]) -> Postings:
    """Postings of words that are already sorted."""
    firsts = np.flatnonzero(np.diff(words, prepend=words[:1] + np.uint32(1))) if len(words) else np.zeros(0, np.int64)
    return Postings(words[firsts], np.append(firsts, len(words)).astype(np.int64), chunks, counts)


def _ranges(starts: NDArray[np.int64], lengths: NDArray[np.int64]) -> NDArray[np.int64]:
    """The numbers of all the ranges with these starts and lengths, one after the other."""
    before = _starts(lengths)
    return np.arange(int(before[-1]), dtype=np.int64) + np.repeat(starts - before[:-1], lengths)


def _starts(lengths: Sequence[int] | NDArray[np.int64]) -> NDArray[np.int64]:
    """The starts of consecutive ranges of these lengths, and the end of the last one."""
    starts = np.zeros(len(lengths) + 1, np.int64)
    np.cumsum(lengths, out=starts[1:])
    return starts
