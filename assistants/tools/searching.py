"""A search for the model, in the stores of the assistant and of the thread together (contract, 12)."""

from collections.abc import Sequence

from assistants.schema.errors import ApiError
from assistants.schema.runs import MAX_OUTPUT
from assistants.search.hits import Hit
from assistants.state.citations import mark
from assistants.state.runs import Found
from assistants.state.searches import limits, ranking
from assistants.tools.servertool import Answer, Question, ToolFailed

MAX_QUERIES = 10
"""Queries of one search; further ones are left out."""

MAX_QUERY = 2_000
"""Characters of a query; the rest is cut off."""

NOTHING = "Nothing was found."
"""The output if no chunk answers the queries."""

_HOW_TO_CITE = (
    "Each result begins with its mark. Cite every result that your answer rests on: "
    "put its mark, copied exactly, at the end of the sentence."
)


async def search(question: Question, queries: Sequence[str]) -> Answer:
    """
    Raises
    ------
    ToolFailed
        A store has expired meanwhile.
    """
    run = question.run
    stores, most, ranked = run.stores, limits(run), ranking(run)
    texts = (query.strip()[:MAX_QUERY] for query in queries)
    asked = list(dict.fromkeys(text for text in texts if text))[:MAX_QUERIES]
    if not stores or not asked:
        return Answer(NOTHING, [])
    try:
        hits = await question.searcher.search(
            question.project,
            stores,
            asked,
            most.results,
            score_threshold=ranked["score_threshold"],
            budget=most.tokens,
            skip_missing=True,
        )
    except ApiError as error:
        raise ToolFailed(error.message) from error
    return answer_of(question.call.number, hits)


def answer_of(number: int, hits: Sequence[Hit]) -> Answer:
    """The answer to call `number`; results that exceed the size of an output are left out."""
    output, found = _HOW_TO_CITE, list[Found]()
    for place, hit in enumerate(hits):
        head = f"{output}\n\n{mark(number, place, hit.filename)}\n"
        if len(head) + len(hit.text) > MAX_OUTPUT:
            break
        output = head + hit.text
        result = Found(file_id=hit.file_id, file_name=hit.filename, score=hit.score, start=len(head), end=len(output))
        found.append(result)
    return Answer(output, found) if found else Answer(NOTHING, [])
