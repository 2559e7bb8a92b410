"""v1's retrieval: a search in files, or a fake that answers Oslo to every question."""

import asyncio
import json
from collections.abc import Sequence
from typing import Any

from assistants.storage.ids import blob_name
from assistants.tools.searching import search
from assistants.tools.servertool import Answer, Question, ServerTool


async def answer(question: Question) -> Answer:
    """The answer to the argument `q`; without one, the answer to all arguments."""
    return await look_up(question, [_query(question.call.arguments)])


async def look_up(question: Question, queries: Sequence[str]) -> Answer:
    """The answer of the configured handler; by default the fake's if there are no files to search."""
    handler = question.store.settings.retrieval_handler
    if handler == "search" or (handler is None and await _has_files(question)):
        return await search(question, queries)
    await asyncio.sleep(question.store.settings.retrieval_delay)
    return Answer("Oslo")


async def _has_files(question: Question) -> bool:
    names = (blob_name(question.project, store_id) for store_id in question.run.stores)
    documents = await asyncio.gather(*(question.store.vector_stores.read(name) for name in names))
    return any(document.value.members for document in documents if document is not None)


def _query(arguments: str) -> str:
    try:
        given: Any = json.loads(arguments)["q"]
    except (ValueError, TypeError, KeyError, RecursionError):
        given = None
    return given if isinstance(given, str) else arguments


RETRIEVAL = ServerTool(
    type="retrieval",
    queue="retrieval",
    description="Looks up what the assistant's files say about a question.",
    parameters={
        "type": "object",
        "properties": {"q": {"type": "string", "description": "The question to look up."}},
        "required": ["q"],
    },
    answer=answer,
)
