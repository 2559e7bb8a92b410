"""The vectors in answers of embeddings, and those that cannot be used."""

import base64
import struct
from typing import Any

import numpy as np
import pytest

from assistants.model.vectors import listed, unit


def base64_of(*numbers: float) -> str:
    return base64.b64encode(struct.pack(f"<{len(numbers)}f", *numbers)).decode()


@pytest.mark.parametrize(
    ("indices", "expected"),
    [
        ([0, 1, 2], "abc"),
        ([2, 0, 1], "bca"),
        ([0, 0, 0], "abc"),
        ([1, 2, 3], "abc"),
        ([0, 1, None], "abc"),
        (["0", "2", "1"], "abc"),
        ([False, True, 2], "abc"),
        ([0, 2, 1.0], "abc"),
    ],
)
def test_embeddings_are_in_the_order_of_their_texts(indices: list[object], expected: str):
    data = [{"index": index, "embedding": letter} for index, letter in zip(indices, "abc", strict=True)]
    assert listed({"data": data}, 3) == list(expected)


def test_without_an_index_the_position_counts():
    assert listed({"data": [{"embedding": "a"}, None, {"embedding": "b"}, 1, {}]}, 5) == ["a", None, "b", None, None]


@pytest.mark.parametrize("answer", [{}, {"data": None}, {"data": {}}, {"data": []}, {"data": [{}]}, {"data": [{}] * 3}])
def test_as_many_are_expected_as_there_are_texts(answer: Any):
    assert listed(answer, 2) is None


@pytest.mark.parametrize("row", [[3.0, 4.0], [3, 4], [[3.0, 4.0]], base64_of(3, 4), [3e30, 4e30], [3e-30, 4e-30]])
def test_a_vector_in_any_format_is_scaled_to_length_1(row: object):
    found = unit([row], 256)
    assert found is not None
    assert found.dtype == np.float32
    np.testing.assert_allclose(found, [[0.6, 0.8]], rtol=1e-6)


def test_a_longer_vector_is_cut():
    found = unit([[3, 4, 12]], 2)
    assert found is not None
    np.testing.assert_allclose(found, [[0.6, 0.8]], rtol=1e-6)


@pytest.mark.parametrize(
    "row",
    [
        None, [], {}, "", "text", 1, True, [1], [1, 2, 3], [0, 0], [float("nan"), 1], [float("inf"), 1], [1e300, 1],
        [10**400, 1], [[1, 2], [3, 4]], [[], []], [None, 1], [{}, 1], ["a", 1], base64_of(1, 2, 3), "AAA=", "Ä",
        base64_of(float("nan"), 1),
    ],
)  # fmt: skip
def test_an_invalid_vector_or_one_of_another_length_is_a_row_of_zeros(row: object):
    found = unit([[3, 4], row, [4, 3]], 256)
    assert found is not None
    np.testing.assert_allclose(found, [[0.6, 0.8], [0, 0], [0.8, 0.6]], rtol=1e-6)


@pytest.mark.parametrize("rows", [[], [None], [[], [0.0, 0.0]], [[float("nan")]]])
def test_no_vectors_are_no_matrix(rows: list[object]):
    assert unit(rows, 256) is None
