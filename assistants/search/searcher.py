"""Search in vector stores."""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Callable, Iterable, Sequence

from assistants.model.embedder import Embedder, Vectors
from assistants.schema.errors import not_found
from assistants.schema.vector_stores import Filter
from assistants.search.cache import Cache, Opened
from assistants.search.filters import matches
from assistants.search.hits import Hit
from assistants.state.store import Store
from assistants.state.vector_stores import VectorStoreRecord, usable, used
from assistants.storage.documents import Document
from assistants.storage.ids import blob_name
from assistants.tokens import of_text

log = logging.getLogger("assistants.search")

_PATIENCE = 15.0
"""Seconds that a search waits for the vectors of its queries."""


class Searcher:
    """Finds the chunks that answer queries best."""

    def __init__(self, store: Store, embedder: Embedder) -> None:
        self._store = store
        self._embedder = embedder
        self._cache = Cache(store)

    async def search(
        self,
        project: str,
        store_ids: Sequence[str],
        queries: Sequence[str],
        limit: int,
        *,
        filters: Filter | None = None,
        score_threshold: float = 0.0,
        ranker: str = "auto",
        budget: int | None = None,
        skip_missing: bool = False,
    ) -> list[Hit]:
        """The best chunks of all these stores together, the best first; the results of several queries are fused.

        The stores are recorded as used.

        Parameters
        ----------
        limit
            The most hits.
        filters
            The files to search, by their attributes.
        score_threshold
            The least score of a hit, from 0 to 1.
        ranker
            `none` is the order of the embeddings, with keywords only for chunks and queries without any; all other
            names mean the fusion with keywords.
        budget
            The most tokens of the hits' texts together; None: no limit.
        skip_missing
            Search the stores that exist, without an error for the others.

        Raises
        ------
        ApiError
            There is no such store (404), or one has expired (400).
        """
        queries = [query for query in dict.fromkeys(queries) if query.strip()]
        names = list(dict.fromkeys(store_ids))
        embedding = asyncio.ensure_future(self._embedded(queries))
        try:
            found = await asyncio.gather(*(self._used(project, store_id) for store_id in names))
            for store_id, document in zip(names, found, strict=True):
                if document is None and not skip_missing:
                    raise not_found("vector store", store_id)
            documents = [document for document in found if document is not None]
            if not documents or not queries:
                return []
            opened = await asyncio.gather(*(self._cache.open(project, document) for document in documents))
            vectors = await embedding
        finally:
            embedding.cancel()
        return await asyncio.to_thread(
            _best, opened, queries, vectors, limit, filters, score_threshold, ranker != "none", budget
        )

    async def _used(self, project: str, store_id: str) -> Document[VectorStoreRecord] | None:
        name, now = blob_name(project, store_id), self._store.clock.now()
        document = await self._cache.read(name)
        if document is None or used(usable(document.value, now), now) is None:
            return document
        return await self._store.vector_stores.change(name, lambda record: used(usable(record, now), now), document)

    async def _embedded(self, queries: Sequence[str]) -> Vectors | None:
        """The queries' vectors; None if the endpoint fails: the search then is by keywords."""
        if not queries:
            return None
        try:
            return await asyncio.wait_for(self._embedder.embed(queries), _PATIENCE)
        except Exception as error:
            log.warning("searched by keywords alone: %s: %s", type(error).__name__, error)
            return None


def _best(
    opened: Sequence[Opened],
    queries: Sequence[str],
    vectors: Vectors | None,
    limit: int,
    filters: Filter | None,
    threshold: float,
    fused: bool,
    budget: int | None,
) -> list[Hit]:
    from assistants.search.ranking import rank

    records = [each.document.value for each in opened for _ in each.index.segments]
    segments = [segment for each in opened for segment in each.index.segments]
    searched = [flags for each in opened for flags in each.index.searched(_chosen(each.document.value, filters))]
    ranked = rank(segments, searched, queries, vectors, threshold, fused)

    def hits() -> Iterable[Hit]:
        for each in ranked:
            record, segment = records[each.segment], segments[each.segment]
            at, number = segment.place(each.chunk)
            text, member = segment.texts[at], record.members[segment.texts[at].file_id]
            yield Hit(record.id, text.file_id, text.filename, each.score, member.attributes, number, text.chunk(number))

    return _within(hits(), limit, budget)


def _chosen(record: VectorStoreRecord, filters: Filter | None) -> Callable[[str], bool] | None:
    """A function that returns whether the filters match a file."""
    return (lambda file_id: matches(filters, record.members[file_id].attributes)) if filters else None


def _within(hits: Iterable[Hit], limit: int, budget: int | None) -> list[Hit]:
    """The first hits within the limits; a hit that exceeds the budget is skipped, and later ones are tried."""
    kept: list[Hit] = []
    for hit in hits:
        size = of_text(hit.text) if budget is not None else 0
        if budget is None or size <= budget:
            kept.append(hit)
            budget = None if budget is None else budget - size
        if len(kept) == limit:
            break
    return kept
