"""File search in the files of the assistant and of the thread (contract, 12)."""

import json
from typing import Any, cast

from assistants.tools.retrieval import look_up
from assistants.tools.searching import search
from assistants.tools.servertool import Answer, Question, ServerTool, ToolFailed


async def answer(question: Question) -> Answer:
    """The results; in a run of v1, the answer of the tool `retrieval`."""
    asked = queries(question.call.arguments)
    return await (look_up if question.run.v1 else search)(question, asked)


def queries(arguments: str) -> list[str]:
    """
    Raises
    ------
    ToolFailed
        The arguments do not match the function's parameters.
    """
    try:
        given: Any = json.loads(arguments)
        asked: Any = given["queries"]
    except (ValueError, TypeError, KeyError, RecursionError):
        asked = None
    listed = cast("list[Any]", asked) if isinstance(asked, list) else [asked]
    if not all(isinstance(query, str) for query in listed):
        raise ToolFailed("The arguments must be a JSON object with `queries`, an array of strings.")
    return listed


FILE_SEARCH = ServerTool(
    type="file_search",
    queue="retrieval",
    description=(
        "Searches the files that belong to this conversation, by meaning and by words, and gives the passages that "
        "fit best. Use it whenever the answer may be in the files."
    ),
    parameters={
        "type": "object",
        "properties": {
            "queries": {
                "type": "array",
                "items": {"type": "string"},
                "description": (
                    "What to look for: the question in words of its own, understandable without the conversation; "
                    "several where it has several sides, or may be put in other words."
                ),
            }
        },
        "required": ["queries"],
    },
    answer=answer,
)
