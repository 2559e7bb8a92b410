"""The result of a search."""

from collections.abc import Mapping
from typing import NamedTuple

from assistants.schema.vector_stores import AttributeValue


class Hit(NamedTuple):
    """One chunk of a file in a vector store."""

    store_id: str
    file_id: str
    filename: str
    score: float
    """How well it answers the queries: from 0 to 1, and never more than the score of a hit before it."""
    attributes: Mapping[str, AttributeValue]
    chunk: int
    """Its number among the chunks of its file, from 0 on."""
    text: str
