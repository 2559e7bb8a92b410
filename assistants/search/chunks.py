"""The blob of the chunks of one version of a file in a vector store.

A JSON header describes the rest: numpy's numbers (little-endian), then the text. Vectors are stored with half the
precision of searches, which changes no ranking; a chunk without a vector has zeros in its place.
"""

from __future__ import annotations

import json
import struct
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    import numpy as np
    from numpy.typing import NDArray

    from assistants.model.embedder import Vectors
    from assistants.search.segment import Segment

_HEADER = struct.Struct("<4sI")
_MAGIC = b"VSC1"
_NUMBER = 4


def encode(segment: Segment) -> bytes:
    """The blob of the chunks of one file."""
    import numpy as np

    (text,), postings = segment.texts, segment.postings
    (group,) = segment.groups or (None,)
    header = {
        "filename": text.filename,
        "chunks": len(segment),
        "words": len(postings.words),
        "postings": len(postings.chunks),
        "model": None,
        "dimensions": 0,
    }
    numbers = (text.spans, segment.lengths, postings.words, np.diff(postings.starts), postings.chunks)
    parts = (each.astype("<u4").tobytes() for each in numbers)
    blob = b"".join([_head(header), *parts, postings.counts.tobytes(), text.content])
    if group is None:
        return blob
    matrix = np.zeros((len(segment), group.matrix.shape[1]), "<f2")
    matrix[group.chunks] = group.matrix
    return _with(blob, group.model, matrix)


def with_vectors(blob: bytes, vectors: Vectors) -> bytes:
    """The blob with vectors, one for each chunk, from a blob without vectors."""
    return _with(blob, vectors.model, vectors.matrix.astype("<f2"))


def _with(blob: bytes, model: str, matrix: NDArray[np.float16]) -> bytes:
    header, at = _header(blob)
    numbers = memoryview(blob)[at : _matrix(header, at)]
    header |= {"model": model, "dimensions": matrix.shape[1]}
    return b"".join([_head(header), numbers, matrix.tobytes(), memoryview(blob)[at + len(numbers) :]])


def decode(blob: bytes, file_id: str, version: str) -> Segment:
    """The chunks in a blob, without a copy of their numbers: `merged` makes one, with vectors to search."""
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
    matrix = take("<f2", size * dimensions).reshape(size, dimensions)
    counts = take("u1", header["postings"])
    starts = np.concatenate([np.zeros(1, np.int64), np.cumsum(often, dtype=np.int64)])
    return Segment(
        texts=(Text(header["filename"], blob[at:], spans, file_id, version),),
        groups=grouped(header["model"], matrix) if header["model"] is not None else (),
        postings=Postings(words, starts, chunks, counts),
        lengths=lengths,
    )


def texts(blob: bytes) -> list[str]:
    """The texts of the chunks in a blob."""
    header, at = _header(blob)
    size = header["chunks"]
    bounds = struct.unpack_from(f"<{2 * size}I", blob, at)
    start = _matrix(header, at) + 2 * size * header["dimensions"] + header["postings"]
    return [blob[start + low : start + high].decode() for low, high in zip(bounds[::2], bounds[1::2], strict=True)]


def _head(header: dict[str, Any]) -> bytes:
    named = json.dumps(header).encode()
    named += b" " * (-(len(named) + _HEADER.size) % _NUMBER)
    return _HEADER.pack(_MAGIC, len(named)) + named


def _matrix(header: dict[str, Any], at: int) -> int:
    """The position at which the vectors begin, or would, if the header ends at `at`."""
    return at + _NUMBER * (3 * header["chunks"] + 2 * header["words"] + header["postings"])


def _header(blob: bytes) -> tuple[dict[str, Any], int]:
    """The header, and the position of its end."""
    magic, length = _HEADER.unpack_from(blob)
    if magic != _MAGIC:
        raise ValueError("these are no chunks of a file")
    end = _HEADER.size + length
    return json.loads(blob[_HEADER.size : end]), end
