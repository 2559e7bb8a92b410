from itertools import pairwise

import pytest

from assistants.search.chunking import Span, chunk
from assistants.tokens import of_text

WORDS = " ".join(f"word{number}" for number in range(1000))
LINES = "\n".join(f"A line that has the number {number}." for number in range(300))
TOKYO = "東京は日本の首都です。" * 200
MIXED = "".join(f"{number} 東京 Grüße\n\n" for number in range(500))
SOLID = "x" * 5000
TEXTS = [WORDS, LINES, TOKYO, MIXED, SOLID, f"\n\n  {LINES}\t\n", WORDS + TOKYO]


def texts(text: str, spans: list[Span]) -> list[str]:
    return [text[start:end] for start, end in spans]


@pytest.mark.parametrize("text", TEXTS)
@pytest.mark.parametrize(("size", "overlap"), [(100, 50), (100, 0), (137, 20), (800, 400), (4096, 2048)])
def test_chunks_are_no_longer_than_they_may_be_and_hold_all_of_the_text(text: str, size: int, overlap: int):
    spans = chunk(text, size, overlap)
    assert all(of_text(each) <= size for each in texts(text, spans))
    held = {at for start, end in spans for at in range(start, end)}
    assert {at for at, character in enumerate(text) if not character.isspace()} <= held
    assert all(each and each == each.strip() for each in texts(text, spans))


@pytest.mark.parametrize("text", TEXTS[:5])
def test_each_begins_about_the_overlap_before_the_one_before_it_ends(text: str):
    spans = chunk(text, 100, 40)
    assert len(spans) > 10
    for before, after in pairwise(spans):
        assert before.start < after.start < before.end < after.end
        assert 30 <= of_text(text[after.start : before.end]) <= 40


def test_without_an_overlap_no_text_is_repeated():
    spans = chunk(WORDS, 100, 0)
    assert [word for each in texts(WORDS, spans) for word in each.split()] == WORDS.split()


def test_they_are_cut_between_words_lines_or_sentences():
    assert all(each.endswith(".") and each.startswith("A line") for each in texts(LINES, chunk(LINES, 100, 50)))
    assert {word for each in texts(WORDS, chunk(WORDS, 100, 50)) for word in each.split()} == {*WORDS.split()}
    assert all(each.endswith("。") for each in texts(TOKYO, chunk(TOKYO, 100, 50)))


def test_a_paragraph_that_ends_near_the_end_of_a_chunk_is_not_split():
    text = f"{'a ' * 190}\n\n{'b ' * 300}"
    assert texts(text, chunk(text, 100, 0))[0] == ("a " * 190).strip()


def test_a_short_text_is_one_chunk_and_white_space_none():
    assert chunk("  Hi there. \n", 800, 400) == [Span(2, 11)]
    assert chunk(" \n\t ", 800, 400) == []
    assert chunk("", 800, 400) == []
