"""The vector stores that a run needs before its first turn: not expired, with the thread's files in them."""

import asyncio
from collections.abc import Sequence

from assistants.schema.errors import store_expired
from assistants.schema.runs import LastError
from assistants.state.resources import searches
from assistants.state.runs import RunRecord
from assistants.state.store import Store
from assistants.state.vector_stores import VectorStoreRecord, used
from assistants.storage.documents import Document
from assistants.storage.ids import blob_name

MAX_WAIT = 60.0
"""Seconds from the run's start within which the thread's files are awaited (contract, 12)."""


def may_wait(run: RunRecord, now: float) -> bool:
    """Whether the run still waits for files that are being ingested. A takeover does not restart the wait."""
    return not run.turns and now < (run.started_at or now) + MAX_WAIT


class Preparation:
    """The vector stores of a run, as they were last read."""

    def __init__(self, store: Store, project: str, run: RunRecord) -> None:
        self._store = store
        self._project = project
        self._thread_stores = run.thread_stores
        self._ids = run.stores if searches(run.tools) and not run.turns else []
        self._found: Sequence[Document[VectorStoreRecord]] = ()

    async def begin(self) -> LastError | None:
        """Read the stores, and record that they are used; the error that ends the run if one of them has expired.

        A deleted store is skipped.
        """
        if not self._ids:
            return None
        now = self._store.clock.now()
        names = [blob_name(self._project, each) for each in self._ids]
        found = await asyncio.gather(*(self._store.vector_stores.read(name) for name in names))
        self._found = [each for each in found if each is not None]
        for each in self._found:
            if each.value.expired(now):
                return LastError(code="server_error", message=store_expired(each.value.id).message)
        for each in self._found:
            await self._store.vector_stores.change(each.name, lambda record: used(record, now), each)
        return None

    @property
    def waits(self) -> bool:
        """Whether a file of the thread's store is still to be ingested."""
        return any(each.value.in_progress for each in self._found if each.value.id in self._thread_stores)

    async def look(self) -> None:
        """Read the stores that have changed again."""
        found = await asyncio.gather(*(self._store.vector_stores.read_newer(each) for each in self._found))
        self._found = [each for each in found if each is not None]
