"""The blob that holds the chunks of one version of a file in a vector store.

A header in JSON describes the rest: numpy's numbers (little-endian), then the text. Vectors are stored with half the
precision that they are searched with, which changes no ranking; a chunk without one has 0 in its place.
"""

from __future__ import annotations

import json
import struct
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from assistants.search.segment import Segment

_HEADER = struct.Struct("<4sI")
_MAGIC = b"VSC1"
_NUMBER = 4


def encode(segment: Segment) -> bytes:
    """The chunks of one file as they are stored."""
    import numpy as np

    (text,), postings = segment.texts, segment.postings
    (group,) = segment.groups or (None,)
    header = {
        "filename": text.filename,
        "chunks": len(segment),
        "words": len(postings.words),
        "postings": len(postings.chunks),
        "model": group.model if group else None,
        "dimensions": group.matrix.shape[1] if group else 0,
    }
    named = json.dumps(header).encode()
    named += b" " * (-(len(named) + _HEADER.size) % _NUMBER)
    numbers = (text.spans, segment.lengths, postings.words, np.diff(postings.starts), postings.chunks)
    parts = [_HEADER.pack(_MAGIC, len(named)), named, *(each.astype("<u4").tobytes() for each in numbers)]
    if group:
        matrix = np.zeros((len(segment), group.matrix.shape[1]), "<f2")
        matrix[group.chunks] = group.matrix
        parts.append(matrix.tobytes())
    return b"".join([*parts, postings.counts.tobytes(), text.content])


def decode(blob: bytes, file_id: str, version: str) -> Segment:
    """The chunks that were stored."""
    import numpy as np

    from assistants.search.segment import Postings, Segment, Text, grouped

    header, at = _header(blob)
    size, dimensions = header["chunks"], header["dimensions"]

    def take(kind: str, count: int) -> Any:
        nonlocal at
        found = np.frombuffer(blob, kind, count, at)
        at += found.nbytes
        return found

    spans, lengths = take("<u4", 2 * size).reshape(-1, 2), take("<u4", size)
    words, often, chunks = take("<u4", header["words"]), take("<u4", header["words"]), take("<u4", header["postings"])
    matrix = take("<f2", size * dimensions).reshape(size, dimensions).astype(np.float32)
    counts = take("u1", header["postings"])
    starts = np.concatenate([np.zeros(1, np.int64), np.cumsum(often, dtype=np.int64)])
    return Segment(
        texts=(Text(header["filename"], blob[at:], spans, file_id, version),),
        groups=grouped(header["model"], matrix) if header["model"] is not None else (),
        postings=Postings(words, starts, chunks, counts),
        lengths=lengths,
    )


def texts(blob: bytes) -> list[str]:
    """The texts of the chunks that were stored."""
    header, at = _header(blob)
    size = header["chunks"]
    bounds = struct.unpack_from(f"<{2 * size}I", blob, at)
    numbers = 3 * size + 2 * header["words"] + header["postings"]
    start = at + _NUMBER * numbers + 2 * size * header["dimensions"] + header["postings"]
    return [blob[start + low : start + high].decode() for low, high in zip(bounds[::2], bounds[1::2], strict=True)]


def _header(blob: bytes) -> tuple[dict[str, Any], int]:
    """The header, and its end."""
    magic, length = _HEADER.unpack_from(blob)
    if magic != _MAGIC:
        raise ValueError("these are no chunks of a file")
    end = _HEADER.size + length
    return json.loads(blob[_HEADER.size : end]), end
