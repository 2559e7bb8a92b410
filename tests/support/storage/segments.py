"""Segments of files that are given as lists of chunks."""

from collections.abc import Sequence
from typing import Any

import numpy as np

from assistants.model.embedder import Vectors
from assistants.search.chunking import Span
from assistants.search.chunks import decode, encode
from assistants.search.segment import Segment, segment


def vectors(rows: Sequence[Sequence[float]], model: str = "m") -> Vectors:
    """The rows, scaled to length 1, except for rows of zeros."""
    matrix = np.array(rows, np.float32)
    lengths = np.linalg.norm(matrix, axis=1, keepdims=True)
    return Vectors(model, (matrix / np.where(lengths > 0, lengths, 1)).astype(np.float32))


def file_of(
    file_id: str, *chunks: str, rows: Any = None, model: str = "m", version: str = "v", filename: str = "a.txt"
) -> Segment:
    """A segment of a stored file, whose chunks do not overlap; `rows` are its vectors."""
    text, spans = "\n".join(chunks), list[Span]()
    for each in chunks:
        start = spans[-1].end + 1 if spans else 0
        spans.append(Span(start, start + len(each)))
    made = segment(filename, text, spans, vectors(rows, model) if rows else None)
    return decode(encode(made), file_id, version)


def found_in(segment: Segment, number: int) -> str:
    """The text of a chunk."""
    at, own = segment.place(number)
    return segment.texts[at].chunk(own)
