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
    """How well the chunk answers the queries: from 0 to 1, and at most the score of the preceding hit."""
    attributes: Mapping[str, AttributeValue]
    chunk: int
    """The chunk's number within its file, from 0 on."""
    text: str
