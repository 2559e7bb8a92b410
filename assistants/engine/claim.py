"""The two ways to write a run after its creation: with its claim, and without."""

import asyncio
import logging
import secrets
from collections.abc import Callable

from assistants.engine import machine
from assistants.notify import notices
from assistants.notify.telling import is_told, tell
from assistants.schema.runs import RunStatus
from assistants.state.runs import RunRecord
from assistants.state.store import RunKey, Store
from assistants.state.transcript import Transcript
from assistants.storage.documents import Document
from assistants.telemetry import lines, record
from assistants.telemetry.names import PROJECT, QUEUE_TIME, REQUEST_MODEL, RUN_DURATION, RUN_STATUS, RUNS

log = logging.getLogger("assistants.runs")


class ClaimLost(Exception):
    """Another process has claimed the run, or it has ended or was deleted: this process may not write it."""


def new_token() -> str:
    """The token of a claim."""
    return secrets.token_hex(8)


async def change_run(
    store: Store,
    key: RunKey,
    decide: Callable[[RunRecord], RunRecord | None],
    why: str,
    known: Document[RunRecord] | None = None,
) -> Document[RunRecord] | None:
    """Write the run that `decide` returns, log a change of its state, and notify the project's webhook, if it has one.

    The result is the current run, changed or not; None if there is no run.
    """
    before: RunRecord | None = None
    told = is_told(store, key.project)

    def remember(run: RunRecord) -> RunRecord | None:
        nonlocal before
        before = run
        after = decide(run)
        return notices.noted(run, after) if told and after is not None else after

    document = await store.runs.change(key.name, remember, known)
    if document is None or before is None:
        return document
    log_transition(key, before, document.value, why)
    if not document.value.active:
        store.saw_ended(key)
    if document.value is not before:
        store.changes.tell(document, before)
        if told:
            return await tell(store, key, document, len(before.notices or ()))
    return document


class ClaimedRun:
    """A run under the claim of this process. A change is applied to a newer document only while the claim holds."""

    def __init__(self, store: Store, key: RunKey, document: Document[RunRecord], token: str) -> None:
        self.key = key
        self._store = store
        self._document = document
        self._token = token
        self._lock = asyncio.Lock()

    @property
    def document(self) -> Document[RunRecord]:
        """The run's document as this process last read or wrote it."""
        return self._document

    @property
    def run(self) -> RunRecord:
        """The run as this process last read or wrote it."""
        return self._document.value

    async def write(self, decide: Callable[[RunRecord], RunRecord | None], why: str) -> RunRecord:
        """
        Raises
        ------
        ClaimLost
            The claim is lost; the document is unchanged.
        """

        def guarded(run: RunRecord) -> RunRecord | None:
            if not machine.is_claimed_by(run, self._token):
                raise ClaimLost(self.key.run)
            return decide(run)

        async with self._lock:
            document = await change_run(self._store, self.key, guarded, why, self._document)
            if document is None:
                raise ClaimLost(self.key.run)
            self._document = document
            return document.value

    async def renew(self) -> RunRecord:
        """Renew the claim; raises as `write` does."""
        now, length = self._store.clock.now(), self._store.settings.claim
        return await self.write(lambda run: machine.renewed(run, self._token, now, length), "claim renewed")

    async def refresh(self) -> RunRecord:
        """
        Raises
        ------
        ClaimLost
            The claim is lost.
        """
        async with self._lock:
            document = await self._store.runs.read_newer(self._document)
            if document is None or not machine.is_claimed_by(document.value, self._token):
                raise ClaimLost(self.key.run)
            self._document = document
            return document.value


async def claim_run(
    store: Store, key: RunKey, document: Document[RunRecord], transcript: Transcript
) -> tuple[Document[RunRecord] | None, ClaimedRun | None]:
    """Claim a run if it is ready; the prompt of a first claim is all of `transcript`.

    The result is the current run, None if there is no run, and the claimed run, None if the claim failed.
    """
    token = new_token()

    def claim(run: RunRecord) -> RunRecord | None:
        return machine.claimed(run, token, store.clock.now(), store.settings.claim, transcript.lengths)

    document_then = await change_run(store, key, claim, "claimed", document)
    if document_then is None or not machine.is_claimed_by(document_then.value, token):
        return document_then, None
    return document_then, ClaimedRun(store, key, document_then, token)


def log_transition(key: RunKey, before: RunRecord | None, after: RunRecord, why: str) -> None:
    """Log a transition, as JSON: run, thread, project, from, to, why, seconds in the previous state; and count it."""
    if before is not None and before.status is after.status:
        return
    line = {
        "run": key.run,
        "thread": key.thread,
        "project": key.project,
        "from": before and before.status.value,
        "to": after.status.value,
        "why": after.last_error.message if after.last_error else why,
        "seconds": round(after.touched_at - before.entered_at, 3) if before else 0,
    }
    lines.write(log, "run", line)
    shared = {PROJECT: key.project, REQUEST_MODEL: after.model}
    record.add(RUNS, 1, {**shared, RUN_STATUS: after.status.value})
    if before is not None and (before.status, after.status) == (RunStatus.QUEUED, RunStatus.IN_PROGRESS):
        record.add(QUEUE_TIME, after.touched_at - before.entered_at, shared)
    if not after.active:
        record.add(RUN_DURATION, after.touched_at - after.created_at, {**shared, RUN_STATUS: after.status.value})
