"""Chunks in their stored form and in the form that is searched."""

import json
import struct
from typing import Any

import numpy as np
import pytest

from assistants.search.chunking import chunk
from assistants.search.chunks import decode, encode, texts
from assistants.search.segment import Segment, merged, segment
from assistants.search.words import Words
from tests.support.storage.segments import file_of, found_in, vectors

TEXT = " ".join(f"Größe {number % 7} of 東京 and 🦀 number{number}" for number in range(200))


def postings(of: Segment) -> dict[int, dict[str, int]]:
    """For each word, its count in each text."""
    found: dict[int, dict[str, int]] = {}
    for word in of.postings.words:
        chunks, counts = of.postings.of(int(word))
        found[int(word)] = {found_in(of, int(c)): int(n) for c, n in zip(chunks, counts, strict=True)}
    return found


def word(text: str) -> int:
    (number,) = Words().of(text)
    return number


def test_stored_chunks_can_be_read():
    spans = chunk(TEXT, 100, 50)
    rows = np.random.default_rng(1).normal(size=(len(spans), 8))
    stored = encode(segment("größe.md", TEXT, spans, vectors(rows.tolist())))
    assert texts(stored) == [TEXT[start:end] for start, end in spans]

    read = decode(stored, "file-1", "v-1")
    (text,), (group,) = read.texts, read.groups
    assert (text.file_id, text.version, text.filename) == ("file-1", "v-1", "größe.md")
    assert [found_in(read, number) for number in range(len(read))] == texts(stored)
    assert group.model == "m"
    np.testing.assert_allclose(group.matrix, vectors(rows.tolist()).matrix, atol=1e-3)
    (searched,) = merged([read]).groups
    assert searched.matrix.dtype == np.float32
    np.testing.assert_array_equal(searched.matrix, group.matrix)
    assert list(read.lengths) == [len(Words().of(each)) for each in texts(stored)]


def test_every_word_has_its_chunks_and_its_counts():
    spans = chunk(TEXT, 100, 50)
    expected: dict[int, dict[str, int]] = {}
    for start, end in spans:
        for each in Words().of(TEXT[start:end]):
            counts = expected.setdefault(each, {})
            counts[TEXT[start:end]] = counts.get(TEXT[start:end], 0) + 1
    assert postings(segment("a.txt", TEXT, spans, None)) == expected


def test_an_unknown_word_has_no_chunks():
    chunks, counts = file_of("file-1", "Hello").postings.of(word("world"))
    assert (len(chunks), len(counts)) == (0, 0)


def test_files_without_vectors_are_stored_too():
    assert file_of("file-1", "Hello").groups == ()


def test_a_chunk_without_a_vector_is_stored_beside_those_that_have_one():
    read = file_of("file-1", "a", "b", "c", rows=[[1, 0], [0, 0], [0, 1]])
    (group,) = read.groups
    assert list(group.chunks) == [0, 2]
    np.testing.assert_allclose(group.matrix, [[1, 0], [0, 1]])
    assert file_of("file-1", "a", "b", rows=[[0, 0], [0, 0]]).groups == ()
    assert [list(each.chunks) for each in merged([read, read]).groups] == [[0, 2, 3, 5]]


def test_chunks_stored_by_versions_with_vectors_for_all_can_be_read():
    header = {"filename": "a", "chunks": 2, "words": 0, "postings": 0, "model": "m", "dimensions": 2}
    named = json.dumps(header).encode()
    named += b" " * (-(len(named) + 8) % 4)
    spans, lengths = struct.pack("<4I", 0, 1, 1, 2), struct.pack("<2I", 0, 0)
    blob = b"VSC1" + struct.pack("<I", len(named)) + named + spans + lengths + struct.pack("<4e", 1, 0, 0, 1) + b"ab"
    (group,) = decode(blob, "file-1", "v-1").groups
    assert list(group.chunks) == [0, 1]
    np.testing.assert_array_equal(group.matrix, [[1, 0], [0, 1]])
    assert texts(blob) == ["a", "b"]


def test_other_bytes_are_not_read_as_chunks():
    with pytest.raises(ValueError, match="no chunks"):
        texts(b'{"chunks": ["Hello"]}')


def test_merged_segments_have_the_contents_of_all():
    one, two = file_of("file-1", "red apples", "green apples", rows=[[1, 0], [0, 1]]), file_of("file-2", "red wine")
    three = file_of("file-3", "apples, apples", rows=[[1, 1]])
    both = merged([merged([one, two]), three])
    assert [text.file_id for text in both.texts] == ["file-1", "file-2", "file-3"]
    assert [found_in(both, number) for number in range(4)] == [
        "red apples",
        "green apples",
        "red wine",
        "apples, apples",
    ]
    assert postings(both)[word("apple")] == {"red apples": 1, "green apples": 1, "apples, apples": 2}
    assert postings(both)[word("red")] == {"red apples": 1, "red wine": 1}
    (group,) = both.groups
    assert list(group.chunks) == [0, 1, 3]
    np.testing.assert_allclose(group.matrix[2], vectors([[1, 1]]).matrix[0], atol=1e-3)
    assert list(both.lengths) == [2, 2, 2, 2]


def test_files_that_are_left_out_leave_no_postings():
    segments = [file_of(f"file-{number}", f"red {number}", rows=[[number, 1]]) for number in range(3)]
    left = merged([merged(segments)], [np.array([True, False, True])])
    assert [text.file_id for text in left.texts] == ["file-0", "file-2"]
    assert postings(left)[word("red")] == {"red 0": 1, "red 2": 1}
    assert word("1") not in left.postings.words
    assert list(left.groups[0].chunks) == [0, 1]


def test_vectors_of_different_models_and_lengths_are_kept_apart():
    rows: list[Any] = [[[1, 0]], [[1, 0, 0]], [[0, 1]]]
    segments = [
        file_of("file-1", "a", rows=rows[0]), file_of("file-2", "b", rows=rows[1]),
        file_of("file-3", "c", rows=rows[2], model="other"), file_of("file-4", "d", rows=rows[0]),
    ]  # fmt: skip
    groups = merged(segments).groups
    assert [(group.model, group.matrix.shape, list(group.chunks)) for group in groups] == [
        ("m", (2, 2), [0, 3]),
        ("m", (1, 3), [1]),
        ("other", (1, 2), [2]),
    ]


def test_its_bytes_are_counted():
    small, large = file_of("file-1", "a b c"), file_of("file-2", "a b c " * 1000, rows=[[1.0] * 256])
    assert 0 < small.nbytes < 1000
    assert large.nbytes > 6000 + 512
    assert abs(merged([small, large]).nbytes - small.nbytes - large.nbytes - 512) < 100
