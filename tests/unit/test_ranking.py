"""The order of chunks, and their scores."""

from typing import Any

import bm25s
import numpy as np
import pytest

from assistants.search import ranking
from assistants.search.chunking import Span
from assistants.search.ranking import rank
from assistants.search.segment import Segment, merged, segment
from assistants.search.words import Words
from tests.support.storage.segments import file_of, found_in, vectors

APPLES, WINE, BREAD = "red apples are sweet", "red wine is dry", "bread needs salt and flour"


def ranked(segments: list[Segment], query: str, **options: Any) -> list[str]:
    options = {"vectors": None, **options}
    found = rank(segments, [None] * len(segments), [query], **options)
    return [found_in(segments[each.segment], each.chunk) for each in found]


def scores(segments: list[Segment], *queries: str, **options: Any) -> list[float]:
    options = {"vectors": None, **options}
    return [each.score for each in rank(segments, [None] * len(segments), queries, **options)]


def test_bm25_gives_the_points_that_a_reference_implementation_gives():
    random = np.random.default_rng(7)
    vocabulary = [f"w{number}" for number in range(60)]
    texts = [" ".join(random.choice(vocabulary, size=random.integers(5, 60))) for _ in range(80)]
    reference = bm25s.BM25(method="lucene", k1=ranking.K1, b=ranking.B)
    reference.index([text.split() for text in texts], show_progress=False)
    files = [file_of(f"file-{number}", text) for number, text in enumerate(texts)]
    query = ["w3", "w17", "w58", "nowhere"]
    expected = reference.get_scores(query) * (ranking.K1 + 1)
    for segments in ([merged(files)], [merged(files[:30]), merged(files[30:])], files):
        order = ranking._by_keywords(segments, Words().of(" ".join(query)), None)
        np.testing.assert_allclose(order.points, expected, rtol=1e-4)


def test_chunks_are_found_by_keywords_and_rare_words_weigh_more():
    segments = [file_of("file-1", APPLES, WINE, BREAD)]
    assert ranked(segments, "red wine") == [WINE, APPLES]
    assert ranked(segments, "sweet reds") == [APPLES, WINE]
    assert ranked(segments, "Byzantium") == []


def test_chunks_without_a_word_of_the_query_are_found_by_vectors():
    segments = [file_of("file-1", APPLES, WINE, BREAD, rows=[[1, 0.1], [0.5, 0.5], [0, 1]])]
    assert ranked(segments, "fruit", vectors=vectors([[1, 0]])) == [APPLES, WINE]


def test_chunks_in_both_orders_rank_before_chunks_in_one():
    segments = [file_of("file-1", APPLES, WINE, BREAD, rows=[[1, 0.2], [1, 0.1], [0, 1]])]
    query = vectors([[1, 0]])
    assert ranked(segments, "apples", vectors=query) == [APPLES, WINE]
    assert ranked(segments, "apples", vectors=query, fused=False) == [WINE, APPLES]


def test_only_vectors_of_one_model_and_length_are_compared_the_others_are_found_by_keywords():
    segments = [
        file_of("file-1", APPLES, rows=[[1, 0]]),
        file_of("file-2", WINE, rows=[[1, 0]], model="other"),
        file_of("file-3", BREAD, rows=[[1, 0, 0]]),
    ]
    query = vectors([[1, 0]])
    assert ranked(segments, "nothing", vectors=query) == [APPLES]
    assert set(ranked(segments, "wine or bread", vectors=query)) == {APPLES, WINE, BREAD}
    assert ranked(segments, "wine", vectors=vectors([[1, 0, 0, 0]])) == [WINE]
    assert ranked(segments, "wine", vectors=vectors([[1, 0, 0, 0]]), fused=False) == [WINE]


@pytest.mark.parametrize("fused", [True, False])
def test_a_query_without_a_vector_searches_by_keywords(fused: bool):
    segments = [file_of("file-1", APPLES, WINE, BREAD, rows=[[1, 0], [0.6, 0.8], [0, 1]])]
    assert ranked(segments, "salt", vectors=vectors([[0, 0]]), fused=fused) == [BREAD]
    found = rank(segments, [None], ["salt", "fruit"], vectors([[0, 0], [1, 0.1]]), fused=fused)
    assert [each.chunk for each in found] == [2, 0, 1]


@pytest.mark.parametrize("fused", [True, False])
def test_a_chunk_without_a_vector_is_found_by_keywords(fused: bool):
    segments = [file_of("file-1", APPLES, WINE, BREAD, rows=[[1, 0], [0, 0], [0, 1]]), file_of("file-2", "dry bread")]
    query = vectors([[1, 0]])
    assert set(ranked(segments, "dry", vectors=query, fused=fused)) == {APPLES, WINE, "dry bread"}
    first = [np.array([True, True, True]), np.array([False])]
    found = rank(segments, first, ["dry"], query, fused=fused)
    assert {(each.segment, each.chunk) for each in found} == {(0, 0), (0, 1)}


def test_several_queries_are_fused():
    segments = [file_of("file-1", APPLES, WINE, BREAD)]
    found = rank(segments, [None], ["sweet apples", "flour"], None)
    assert {found_in(segments[0], each.chunk) for each in found[:2]} == {APPLES, BREAD}


def test_only_chosen_files_are_searched():
    segments = [file_of("file-1", APPLES, WINE), file_of("file-2", WINE)]
    found = rank(segments, [np.array([True, False]), None], ["wine"], None)
    assert [(each.segment, each.chunk) for each in found] == [(1, 0)]


def test_scores_are_between_0_and_1_and_never_rise():
    random = np.random.default_rng(3)
    rows = random.normal(size=(60, 4))
    texts = [f"{'wine ' * (number % 4)}{'red ' * (number % 3)}text {number}" for number in range(60)]
    segments = [file_of("file-1", *texts, rows=rows.tolist())]
    found = scores(segments, "red wine", "text 7", vectors=vectors(random.normal(size=(2, 4)).tolist()))
    assert found == sorted(found, reverse=True)
    assert all(0 <= score <= 1 for score in found)


def test_a_score_is_the_cosine_or_the_share_of_the_keywords():
    segments = [file_of("file-1", "red wine", "red bread", rows=[[1, 0], [0, 1]])]
    assert scores(segments, "nothing", vectors=vectors([[3, 4]])) == pytest.approx([0.8, 0.6], abs=1e-3)
    assert scores(segments, "red wine") == pytest.approx([1, 0.21], abs=0.01)
    assert scores(segments, "red wine or else")[0] < 0.5


def test_chunks_below_the_threshold_are_left_out():
    segments = [file_of("file-1", "red wine", "red bread", rows=[[1, 0], [0, 1]])]
    assert scores(segments, "nothing", vectors=vectors([[3, 4]]), threshold=0.7) == pytest.approx([0.8], abs=1e-3)
    assert scores(segments, "nothing", vectors=vectors([[3, 4]]), threshold=0.9) == []


def overlapping(*spans: tuple[int, int]) -> Segment:
    return segment("a.txt", TEXT, [Span(*each) for each in spans], None)


TEXT = "zebra one two three zebra four five six seven eight nine"


def test_a_chunk_whose_text_is_in_a_better_one_makes_way_for_others():
    crowd = [file_of(f"file-{number}", f"{'filler ' * number}zebra and more of the same") for number in range(1, 4)]
    segments = [overlapping((0, 25), (0, 34)), *crowd]
    found = rank(segments, [None] * 4, ["zebra"], None)
    assert (found[0].segment, found[-1].segment) == (0, 0)
    assert len(found) == 5


def test_one_chunk_in_two_stores_is_found_once():
    segments = [file_of("file-1", WINE, BREAD), file_of("file-1", WINE, BREAD)]
    assert ranked(segments, "wine") == [WINE]


def test_only_the_best_of_many_chunks_are_ranked():
    many = [file_of(f"file-{number}", f"wine {number}") for number in range(ranking.DEPTH + 50)]
    assert len(ranked([merged(many)], "wine")) == ranking.DEPTH


def test_an_empty_index_has_no_results():
    assert rank([], [], ["wine"], None) == []
    assert rank([], [], ["wine"], vectors([[1, 0]])) == []
    assert ranked([file_of("file-1", WINE)], "...") == []
