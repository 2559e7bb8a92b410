"""Outcomes of ingestions that end at about the same time, written together."""

import asyncio
from collections.abc import Sequence
from weakref import WeakValueDictionary

from assistants.state.store import Store
from assistants.state.vector_stores import Outcome, VectorStoreRecord, settled
from assistants.storage.documents import Document
from assistants.storage.ids import blob_name


class Commits:
    """Writes outcomes to the stores' documents; outcomes that arrive during a write are combined into the next one."""

    def __init__(self, store: Store) -> None:
        self._store = store
        self._gathered: dict[str, list[Outcome]] = {}
        self._locks: WeakValueDictionary[str, asyncio.Lock] = WeakValueDictionary()

    async def add(self, project: str, store_id: str, outcomes: Sequence[Outcome]) -> Document[VectorStoreRecord] | None:
        """The store with the outcomes in its document; None if it is gone.

        Raises
        ------
        AzureError
            Storage failed; the outcomes may have been written.
        """
        name = blob_name(project, store_id)
        self._gathered.setdefault(name, []).extend(outcomes)
        lock = self._locks.setdefault(name, asyncio.Lock())
        async with lock:
            gathered = self._gathered.pop(name, [])
            try:
                return await self._store.vector_stores.change(name, lambda record: settled(record, gathered))
            except BaseException:
                # Callers that wait for the lock still have theirs among them.
                self._gathered.setdefault(name, []).extend(gathered)
                raise
