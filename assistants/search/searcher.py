"""Search in vector stores."""

import asyncio
import math
import re
from collections import Counter
from collections.abc import Mapping, Sequence

from assistants.schema.errors import not_found
from assistants.schema.vector_stores import AttributeValue, Filter
from assistants.search.chunks import decode
from assistants.search.embedder import Embedder
from assistants.search.filters import matches
from assistants.search.hits import Hit
from assistants.state.store import Store
from assistants.state.vector_stores import VectorStoreRecord, usable, used
from assistants.storage.documents import Document
from assistants.storage.ids import blob_name


class Searcher:
    """Finds the chunks that answer queries best."""

    def __init__(self, store: Store, embedder: Embedder) -> None:
        self._store = store
        self._embedder = embedder

    async def search(
        self,
        project: str,
        store_ids: Sequence[str],
        queries: Sequence[str],
        limit: int,
        *,
        filters: Filter | None = None,
        score_threshold: float = 0.0,
        ranker: str = "auto",  # noqa: ARG002
        budget: int | None = None,
        skip_missing: bool = False,
    ) -> list[Hit]:
        """The best chunks of all these stores together, the best first; what several queries find is fused.

        The stores count as used.

        Parameters
        ----------
        limit
            How many hits at most.
        filters
            Which files are searched, by their attributes.
        score_threshold
            The least score of a hit, from 0 to 1.
        ranker
            `none` is the order of the embeddings alone; any other name is the fusion with keywords.
        budget
            Tokens that the texts of the hits may have together; None: as many as they have.
        skip_missing
            Search the stores that are there, whichever are not.

        Raises
        ------
        ApiError
            There is no such store (404), or one has expired (400).
        """
        documents = await asyncio.gather(*(self._used(project, store_id) for store_id in dict.fromkeys(store_ids)))
        found: list[Hit] = []
        for store_id, document in zip(dict.fromkeys(store_ids), documents, strict=True):
            if document is not None:
                found += await self._chunks(project, document.value, filters)
            elif not skip_missing:
                raise not_found("vector store", store_id)
        words = [set(_words(hit.text)) for hit in found]
        df = Counter(word for each in words for word in each)
        wanted = {word for query in queries for word in _words(query)}
        total = sum(math.log(1 + len(found) / (df[word] + 0.5)) for word in wanted) or 1
        scored = [
            hit._replace(score=sum(math.log(1 + len(found) / (df[word] + 0.5)) for word in wanted & each) / total)
            for hit, each in zip(found, words, strict=True)
        ]
        best = sorted((hit for hit in scored if hit.score and hit.score >= score_threshold), key=lambda hit: -hit.score)
        return _within(best[:limit], budget)

    async def _used(self, project: str, store_id: str) -> Document[VectorStoreRecord] | None:
        now = self._store.clock.now()
        return await self._store.vector_stores.change(
            blob_name(project, store_id), lambda record: used(usable(record, now), now)
        )

    async def _chunks(self, project: str, record: VectorStoreRecord, filters: Filter | None) -> list[Hit]:
        hits: list[Hit] = []
        for file_id, member in record.members.items():
            if member.status == "completed" and matches(filters, member.attributes):
                content = await self._store.chunks.read(blob_name(project, record.id, file_id, member.version))
                file = await self._store.files.read(blob_name(project, file_id))
                if content and file:
                    hits += _hits(record.id, file_id, file.value.filename, member.attributes, decode(content))
        return hits


def _hits(
    store_id: str, file_id: str, filename: str, attributes: Mapping[str, AttributeValue], chunks: Sequence[str]
) -> list[Hit]:
    return [Hit(store_id, file_id, filename, 0.0, attributes, number, text) for number, text in enumerate(chunks)]


def _within(hits: Sequence[Hit], budget: int | None) -> list[Hit]:
    kept: list[Hit] = []
    for hit in hits:
        size = -(-len(hit.text) // 4)
        if budget is None or size <= budget:
            kept.append(hit)
            budget = None if budget is None else budget - size
    return kept


def _words(text: str) -> list[str]:
    return re.findall(r"\w+", text.lower())
