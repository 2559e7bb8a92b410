"""A run in the hands of one driver."""

import asyncio
from collections.abc import Callable

from assistants.engine import machine
from assistants.engine.transitions import change_run
from assistants.state.runs import RunRecord
from assistants.state.store import RunKey, Store
from assistants.storage.documents import Document


class ClaimLost(Exception):
    """Another attendance has the run now, or it has ended or is gone: touch nothing more."""


class Hold:
    """The run under this attendance's claim. A change is applied to a newer document only while the token is ours."""

    def __init__(self, store: Store, key: RunKey, document: Document[RunRecord], token: str) -> None:
        self.key = key
        self._store = store
        self._document = document
        self._token = token
        self._lock = asyncio.Lock()

    @property
    def document(self) -> Document[RunRecord]:
        """The run's document as it was last read or written here."""
        return self._document

    @property
    def run(self) -> RunRecord:
        """The run as it was last read or written here."""
        return self._document.value

    async def write(self, decide: Callable[[RunRecord], RunRecord | None], why: str) -> RunRecord:
        """
        Raises
        ------
        ClaimLost
            The claim is no longer ours; nothing was written.
        """

        def guarded(run: RunRecord) -> RunRecord | None:
            if not machine.holds(run, self._token):
                raise ClaimLost(self.key.run)
            return decide(run)

        async with self._lock:
            document = await change_run(self._store, self.key, guarded, why, self._document)
            if document is None:
                raise ClaimLost(self.key.run)
            self._document = document
            return document.value

    async def renew(self) -> RunRecord:
        now, length = self._store.clock.now(), self._store.settings.claim
        return await self.write(lambda run: machine.renew(run, self._token, now, length), "claim renewed")

    async def refresh(self) -> RunRecord:
        """
        Raises
        ------
        ClaimLost
            The claim is no longer ours.
        """
        async with self._lock:
            document = await self._store.runs.read_newer(self._document)
            if document is None or not machine.holds(document.value, self._token):
                raise ClaimLost(self.key.run)
            self._document = document
            return document.value
