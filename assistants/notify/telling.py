"""Sends the events of runs and files to webhooks: after the write, and again by the look-again item if that failed."""

import asyncio
import logging
from collections.abc import Sequence

from assistants.notify import items, notices
from assistants.state import post
from assistants.state.runs import RunRecord
from assistants.state.store import RunKey, Store
from assistants.state.vector_stores import VectorStoreRecord
from assistants.storage.documents import Document
from assistants.storage.errors import TRANSIENT, Conflict

log = logging.getLogger("assistants.notify")


def is_told(store: Store, project: str) -> bool:
    """Whether the project has a webhook."""
    return project in store.settings.webhooks


async def tell(store: Store, key: RunKey, document: Document[RunRecord], since: int) -> Document[RunRecord]:
    """Send the notices from number `since` on, which this process has just written. Failed ones are sent later.

    The result has them marked as told. The next write under the claim stores the marks; without a claim, they are
    stored now.
    """
    run = document.value
    numbers = [number for number in notices.untold(run) if number >= since]
    if not numbers:
        return document
    try:
        await _send(store, key, run, numbers)
    except TRANSIENT as error:
        log.warning("run %s: its webhook is told later: %s", key.run, error)
        return document
    marked = Document(document.name, notices.told(run, numbers), document.etag, document.writes)
    if run.claim is not None:
        return marked
    try:
        return await store.runs.replace(document, marked.value)
    except (*TRANSIENT, Conflict):
        return marked


async def tell_missed(store: Store, key: RunKey, document: Document[RunRecord]) -> Document[RunRecord]:
    """Send the notices that the process which wrote them may not have sent.

    Those of an active run have to be as old as a claim: the marks of younger ones may not be written yet.

    Raises
    ------
    AzureError, Contended
        Storage failed.
    """
    run = document.value
    until = store.clock.now() - store.settings.claim if run.active else None
    numbers = notices.untold(run, until) if is_told(store, key.project) else []
    if not numbers:
        return document
    await _send(store, key, run, numbers)
    return await store.runs.change(key.name, lambda run: notices.told(run, numbers), document) or document


async def tell_files(
    store: Store, project: str, store_id: str, versions: Sequence[tuple[str, str]], record: VectorStoreRecord
) -> None:
    """Send an event for each of these versions of files, as (id, version), that has been ingested or has failed.

    Raises
    ------
    AzureError
        Storage failed.
    """
    if not is_told(store, project):
        return
    found = ((file_id, version, record.members.get(file_id)) for file_id, version in versions)
    told = [
        items.of_file(project, store_id, file_id, version, member.status, store.clock.now())
        for file_id, version, member in found
        if member is not None and member.version == version and member.status in ("completed", "failed")
    ]
    await asyncio.gather(*(post.send(store, item) for item in told))


async def _send(store: Store, key: RunKey, run: RunRecord, numbers: Sequence[int]) -> None:
    await asyncio.gather(*(post.send(store, item) for item in items.of_run(key, run, numbers)))
