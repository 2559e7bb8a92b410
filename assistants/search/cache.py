"""The indexes of vector stores in memory: documents are read again only when their ETags have changed."""

from __future__ import annotations

import asyncio
from collections import OrderedDict
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING
from weakref import WeakValueDictionary

from assistants.search.chunks import decode
from assistants.state.store import Store
from assistants.state.vector_stores import VectorStoreRecord
from assistants.storage.concurrency import for_each
from assistants.storage.documents import Document
from assistants.storage.ids import blob_name

if TYPE_CHECKING:
    from assistants.search.index import Index
    from assistants.search.segment import Segment


@dataclass(frozen=True)
class Opened:
    """A store's document, and the index of its files."""

    document: Document[VectorStoreRecord]
    index: Index


class Cache:
    """The indexes of the stores that were searched last, up to `SEARCH_CACHE_BYTES`."""

    def __init__(self, store: Store) -> None:
        self._store = store
        self._opened: OrderedDict[str, Opened] = OrderedDict()
        self._locks: WeakValueDictionary[str, asyncio.Lock] = WeakValueDictionary()

    async def read(self, name: str) -> Document[VectorStoreRecord] | None:
        """The store's current document."""
        known = self._opened.get(name)
        return await (
            self._store.vector_stores.read_newer(known.document) if known else self._store.vector_stores.read(name)
        )

    async def open(self, project: str, document: Document[VectorStoreRecord]) -> Opened:
        """The store, with the chunks of all files that are completed in this document.

        Only chunks that are not in memory are read. Concurrent calls for a store wait for each other.

        Raises
        ------
        AzureError
            Storage failed.
        """
        name = document.name
        lock = self._locks.setdefault(name, asyncio.Lock())
        async with lock:
            known = self._opened.pop(name, None)
            if known is None or known.document.etag != document.etag:
                known = Opened(document, await self._grown(project, document.value, known.index if known else None))
            self._opened[name] = known
        held = sum(opened.index.nbytes for opened in self._opened.values())
        while held > self._store.settings.search_cache_bytes:
            held -= self._opened.popitem(last=False)[1].index.nbytes
        return known

    async def _grown(self, project: str, record: VectorStoreRecord, index: Index | None) -> Index:
        members = record.members.items()
        versions = {file_id: member.version for file_id, member in members if member.status == "completed"}

        async def load(version: tuple[str, str]) -> Segment | None:
            blob = await self._store.chunks.read(blob_name(project, record.id, *version))
            return await asyncio.to_thread(decode, blob, *version) if blob else None

        found = await for_each(load, (await asyncio.to_thread(_missing, index, versions)).items())
        new = [segment for segment in found if segment is not None]
        return await asyncio.to_thread(_grown, index, new, versions)


def _missing(index: Index | None, versions: Mapping[str, str]) -> Mapping[str, str]:
    return versions if index is None else index.missing(versions)


def _grown(index: Index | None, new: Sequence[Segment], versions: Mapping[str, str]) -> Index:
    from assistants.search.index import Index

    return (index or Index()).grown(new, versions)
