"""The measures of a ranking."""

import statistics
from collections.abc import Sequence
from typing import NamedTuple

from benchmarks.search.library import Library, Ranking
from benchmarks.search.questions import Question


class Measures(NamedTuple):
    """Measures over questions with an answer, each from 0 to 1."""

    recall_5: float
    """The share of questions with the answer in one of the first five chunks."""
    recall_20: float
    mrr: float
    """The mean of 1 / the rank of the first chunk with the answer; 0 if it is not found."""


async def measure(library: Library, questions: Sequence[Question], ranking: Ranking) -> Measures:
    """The measures of a ranking, over all questions."""
    ranked = await library.ranked([each.question for each in questions], ranking)
    places = [
        next((place for place, chunk in enumerate(chunks, 1) if each.answered(*chunk)), None)
        for each, chunks in zip(questions, ranked, strict=True)
    ]
    return Measures(
        _recall(places, 5), _recall(places, 20), statistics.fmean(1 / each if each else 0 for each in places)
    )


def _recall(places: Sequence[int | None], depth: int) -> float:
    return statistics.fmean(place is not None and place <= depth for place in places)
