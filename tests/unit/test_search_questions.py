"""The questions that measure the quality of search (benchmarks/search)."""

import re
from collections import Counter
from collections.abc import Mapping
from functools import cache

from benchmarks.search.corpus import documents
from benchmarks.search.questions import Question, flat, questions

_WORD = re.compile(r"[a-z0-9@$^~-][\w./@^~-]*")
_COMMON = """
a about after again all an and any are as at be been before but by can could did do does for from get had has have how
i if in into is it its just me more must my no not of on one only or other our out own same should so some than that
the their them then there these they this those to up use used we what when where which while who why will with without
would you your
"""
_END = re.compile(r"(?<=[.!?])\s|\s(?:\*|\||#+|-)\s")
"""The end of a sentence, or the beginning of an item of a list, a cell of a table or a heading."""
_RARE = 0.05
"""The greatest share of all documents in which a rare word occurs."""


def test_there_are_300_different_questions() -> None:
    assert len({each.question for each in questions()}) == len(questions()) == 300


def test_they_are_about_most_of_the_documents_and_not_about_a_few_of_them() -> None:
    asked = Counter(each.document for each in questions())
    assert len(asked) > 100
    assert max(asked.values()) < 30


def test_most_answers_are_in_the_documentation_of_this_machine() -> None:
    assert len(_answerable()) > 270


def test_an_answer_is_at_one_place() -> None:
    assert [each for each in _answerable() if sum(text.count(each.anchor) for text in _texts().values()) > 1] == []


def test_a_question_has_no_phrase_of_its_answer() -> None:
    assert [each for each in _answerable() if _phrases(each.question) & _phrases(_sentences(each))] == []


def test_a_question_has_hardly_a_rare_word_of_its_answer() -> None:
    rare = _rare()
    shared = {each: rare & {*_words(each.question)} & {*_words(_sentences(each))} for each in _answerable()}
    assert [each for each, words in shared.items() if len(words) > 2] == []


@cache
def _texts() -> Mapping[str, str]:
    return {name: flat(text) for name, text in documents().items()}


@cache
def _answerable() -> list[Question]:
    return [each for each in questions() if each.anchor in _texts().get(each.document, "")]


def _sentences(question: Question) -> str:
    """The complete sentences that contain an anchor."""
    text = _texts()[question.document]
    first = text.index(question.anchor)
    begins = [match.end() for match in _END.finditer(text, 0, first)]
    end = _END.search(text, first + len(question.anchor) - 1)
    return text[begins[-1] if begins else 0 : end.start() if end else None]


def _words(text: str) -> list[str]:
    """The meaningful words, without English endings."""
    words = (word.rstrip("./-") for word in _WORD.findall(text.lower()))
    return [
        re.sub(r"(?<=...)(ations?|ings?|ied|ies|ed|es|s|ly|e|y)$", "", word) for word in words if word not in _common()
    ]


def _phrases(text: str) -> set[tuple[str, ...]]:
    """All sequences of three such words."""
    words = _words(text)
    return set(zip(words, words[1:], words[2:], strict=False))


def _rare() -> set[str]:
    found = Counter(word for text in _texts().values() for word in set(_words(text)))
    return {word for word, count in found.items() if count < len(_texts()) * _RARE}


@cache
def _common() -> frozenset[str]:
    return frozenset(_COMMON.split())
