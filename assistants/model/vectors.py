"""The vectors in answers of embeddings, in all their formats: pure functions."""

from __future__ import annotations

import base64
import binascii
from collections import Counter
from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Any, cast

if TYPE_CHECKING:
    import numpy as np
    from numpy.typing import NDArray


def listed(answer: Mapping[str, Any], count: int) -> list[object] | None:
    """The embeddings of an answer in the order of their texts, unchanged; None if there are more or fewer than texts.

    If the indices are missing or repeated, the positions determine the order.
    """
    data: Any = answer.get("data")
    if not isinstance(data, list) or len(cast("list[Any]", data)) != count:
        return None
    found: list[Mapping[str, Any]] = [each if isinstance(each, dict) else {} for each in cast("list[Any]", data)]
    indices: list[Any] = [each.get("index") for each in found]
    if {index for index in indices if type(index) is int} == set(range(count)):
        found = sorted(found, key=lambda each: each["index"])
    return [each.get("embedding") for each in found]


def unit(rows: Sequence[object], dimensions: int) -> NDArray[np.float32] | None:
    """A matrix of at most `dimensions` columns, whose rows have length 1; None if there are no vectors.

    A row is 0 if it has no vector: it is null, not numeric, not finite, or of another length than most.
    """
    import numpy as np

    found = [_vector(row) for row in rows]
    lengths = Counter(len(vector) for vector in found if vector is not None)
    if not lengths:
        return None
    ((most, _),) = lengths.most_common(1)
    matrix = np.zeros((len(rows), min(most, dimensions)), np.float32)
    for number, vector in enumerate(found):
        if vector is not None and len(vector) == most:
            matrix[number] = vector[:dimensions]
    norms = np.linalg.norm(matrix.astype(np.float64), axis=1, keepdims=True)
    return (matrix / np.where(norms > 0, norms, 1)).astype(np.float32)


def _vector(row: object) -> NDArray[np.float32] | None:
    """The vector in base64 of little-endian float32, or in numbers, which some endpoints nest in another list."""
    import numpy as np

    try:
        if isinstance(row, str):
            vector = np.frombuffer(base64.b64decode(row), "<f4")
        else:
            with np.errstate(all="ignore"):
                vector = np.array(row, np.float32)
            if vector.ndim == 2 and len(vector) == 1:
                vector = vector[0]
    except (ValueError, TypeError, OverflowError, binascii.Error):
        return None
    return vector if vector.ndim == 1 and vector.any() and bool(np.isfinite(vector).all()) else None
