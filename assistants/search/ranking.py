"""The ranking of chunks: their orders by meaning and by keywords, combined by reciprocal rank fusion."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from assistants.model.embedder import Vectors
from assistants.search.segment import Flags, Floats, Segment
from assistants.search.words import Words

DEPTH = 200
"""The first chunks of each order, which are fused; further chunks do not count."""

RANK = 60.0
"""The larger, the less the first ranks count: a chunk gets 1 / (RANK + its rank) from each order that it is in."""

MEANING, KEYWORDS = 1.0, 1.0
"""The weights of the two orders."""

REPEATED = 0.5
"""The part of its points that a chunk keeps if all of its text is in better chunks."""

K1, B = 2.0, 0.75
"""BM25: the saturation of repeated words, and the normalization by the length of a chunk.

K1 is the largest of the usual values, from 1.2 to 2: in chunks of 800 tokens the subject is often repeated.
"""

Places = NDArray[np.float64]
Numbers = NDArray[np.int64]


class Ranked(NamedTuple):
    """A chunk in the ranking: its segment, its number there, and its score."""

    segment: int
    chunk: int
    score: float


class _Order(NamedTuple):
    """An order of chunks: the best, the points of every chunk, and the points that are worth 1."""

    best: Numbers
    points: Floats
    whole: float
    weight: float


def rank(
    segments: Sequence[Segment],
    searched: Sequence[Flags | None],
    queries: Sequence[str],
    vectors: Vectors | None,
    threshold: float = 0.0,
    fused: bool = True,
) -> list[Ranked]:
    """The best chunks, the best first.

    A chunk's relevance is the greater of two numbers, for the query that it answers best: the cosine of the angle
    between the vectors of chunk and query, and its share of the points that the keywords of the query can give by
    BM25; a chunk of average length that has each of them once has all of the points. The score is the relevance, or
    that of a later chunk if that is greater: the order is by ranks, but scores never rise.

    Parameters
    ----------
    searched
        For each segment, the flags of the chunks that are searched; None: all.
    vectors
        The queries' vectors, one row each, of zeros for a query without one; None: only keywords are compared.
    threshold
        The least relevance of a chunk.
    fused
        Whether keywords count if both the query and the chunk have vectors.
    """
    mask = _mask(segments, searched)
    orders = list(_by_meaning(segments, vectors, mask)) if vectors else []
    orders += _keyword_orders(segments, queries, vectors if orders and not fused else None, mask)
    found = np.unique(np.concatenate([order.best for order in orders])) if orders else np.zeros(0, np.int64)
    if not len(found):
        return []
    shares = [np.minimum(np.maximum(order.points[found] / order.whole, 0), 1) for order in orders]
    relevance, places = np.max(shares, axis=0), _reciprocal(orders, found)
    enough = relevance >= threshold
    found, relevance, places = found[enough], relevance[enough], places[enough]
    starts = np.cumsum([0, *(len(each) for each in segments)])
    at = np.searchsorted(starts, found, side="right") - 1
    chunks = found - starts[at]
    first = np.lexsort((found, -relevance, -places))
    places[first] *= _fresh(segments, [(int(at[each]), int(chunks[each])) for each in first])
    order = np.lexsort((found, -relevance, -places))
    order = order[places[order] > 0]
    scores = np.maximum.accumulate(relevance[order][::-1])[::-1]
    return [
        Ranked(int(segment), int(chunk), float(score))
        for segment, chunk, score in zip(at[order], chunks[order], scores, strict=True)
    ]


def _mask(segments: Sequence[Segment], searched: Sequence[Flags | None]) -> Flags | None:
    if all(flags is None for flags in searched):
        return None
    both = zip(segments, searched, strict=True)
    return np.concatenate([np.ones(len(each), np.bool_) if flags is None else flags for each, flags in both])


def _by_meaning(segments: Sequence[Segment], vectors: Vectors, mask: Flags | None) -> Iterable[_Order]:
    """An order for each query: the chunks with comparable vectors; no order if there are none."""
    queries, length = vectors.matrix.shape
    cosines, start, any_found = np.zeros((queries, sum(map(len, segments))), np.float32), 0, False
    for each in segments:
        for group in each.groups:
            if (group.model, group.matrix.shape[1]) == (vectors.model, length):
                where = slice(start, start + len(each)) if len(group.chunks) == len(each) else start + group.chunks
                cosines[:, where] = np.inner(vectors.matrix, group.matrix)
                any_found = True
        start += len(each)
    return [_order(row, 1.0, mask, MEANING) for row in cosines] if any_found else []


def _keyword_orders(
    segments: Sequence[Segment], queries: Sequence[str], vectors: Vectors | None, mask: Flags | None
) -> Iterable[_Order]:
    """An order for each query; if there are vectors, only of chunks and queries that have none."""
    words = Words()
    unseen = _unseen(segments, vectors, mask) if vectors else mask
    for number, query in enumerate(queries):
        if vectors is None or not vectors.matrix[number].any():
            yield _by_keywords(segments, sorted(set(words.of(query))), mask)
        elif unseen is not None and unseen.any():
            yield _by_keywords(segments, sorted(set(words.of(query))), unseen)


def _unseen(segments: Sequence[Segment], vectors: Vectors, mask: Flags | None) -> Flags:
    """The searched chunks without a comparable vector."""
    unseen, start = np.ones(sum(map(len, segments)), np.bool_), 0
    for each in segments:
        for group in each.groups:
            if (group.model, group.matrix.shape[1]) == (vectors.model, vectors.matrix.shape[1]):
                unseen[start + group.chunks] = False
        start += len(each)
    return unseen if mask is None else unseen & mask


def _by_keywords(segments: Sequence[Segment], words: Sequence[int], mask: Flags | None) -> _Order:
    """The order by BM25; a word is worth the same in all segments."""
    total = sum(map(len, segments))
    average = max(sum(int(each.lengths.sum()) for each in segments) / max(total, 1), 1)
    points, start = np.zeros(total, np.float32), 0
    found = [[each.postings.of(word) for word in words] for each in segments]
    frequencies = [sum(len(postings[at][0]) for postings in found) for at in range(len(words))]
    worth = [float(np.log1p((total - often + 0.5) / (often + 0.5))) for often in frequencies]
    for each, postings in zip(segments, found, strict=True):
        own = points[start : start + len(each)]
        damped = (K1 * (1 - B + B / average * each.lengths)).astype(np.float32)
        for (chunks, counts), value in zip(postings, worth, strict=True):
            gain = damped[chunks]
            gain += counts
            np.divide(counts, gain, out=gain)
            gain *= np.float32(value * (K1 + 1))
            own[chunks] += gain
        start += len(each)
    return _order(points, sum(worth) or 1.0, mask, KEYWORDS)


def _order(points: Floats, whole: float, mask: Flags | None, weight: float) -> _Order:
    if mask is not None:
        points = points * mask
    size = len(points)
    best = np.argpartition(points, size - DEPTH)[size - DEPTH :] if size > DEPTH else np.arange(size)
    best = best[points[best] > 0]
    return _Order(best[np.lexsort((best, -points[best]))], points, whole, weight)


def _reciprocal(orders: Sequence[_Order], found: Numbers) -> Places:
    """Reciprocal rank fusion (Cormack, Clarke and Buettcher, 2009)."""
    places = np.zeros(len(found))
    for order in orders:
        places[np.searchsorted(found, order.best)] += order.weight / (RANK + 1 + np.arange(len(order.best)))
    return places


def _fresh(segments: Sequence[Segment], chunks: Sequence[tuple[int, int]]) -> Places:
    """The part of its points that each chunk keeps, best first: less if better chunks have some of its text, 0 if all.

    Chunks of a file begin at least half of a chunk after each other, or an eighth less if the text has a better place
    to cut: only chunks at most two apart have text in common.
    """
    kept = np.ones(len(chunks))
    same: set[tuple[str, int, bytes]] = set()
    texts: set[bytes] = set()
    taken: set[tuple[int, int, int]] = set()
    for number, (segment, chunk) in enumerate(chunks):
        at, own = segments[segment].place(chunk)
        text = segments[segment].texts[at]
        start, end = text.spans[own].tolist()
        content = text.content[start:end]
        if (text.file_id, own, content) in same:
            kept[number] = 0
            continue
        beside = (
            text.spans[each].tolist() for each in (own - 2, own - 1, own + 1, own + 2) if (segment, at, each) in taken
        )
        covered = max((min(end, high) - max(start, low) for low, high in beside), default=0)
        share = 1.0 if content in texts else max(covered, 0) / max(end - start, 1)
        kept[number] = 1 - (1 - REPEATED) * share
        taken.add((segment, at, own))
        texts.add(content)
        same.add((text.file_id, own, content))
    return kept
