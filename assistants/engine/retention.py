"""Retention: a timer sends an item for each project, and each item deletes a part of the project's unused threads.

An item acts first and then sends its successor: repeated after a crash, it finds the remaining threads. The next timer
begins again, so a lost item costs a day. Two chains at once are harmless, as every deletion is conditional.
"""

import logging

from assistants.engine.items import PurgeRest, RetireThreads
from assistants.engine.removal import purge
from assistants.engine.requests import active_run
from assistants.ingestion.items import RetireFiles, RetireStores
from assistants.state import post
from assistants.state.retention import DAY, is_said_in, old, projects, retire, unchanged
from assistants.state.store import Store
from assistants.state.threads import ThreadRecord
from assistants.storage.documents import Document
from assistants.storage.ids import blob_name
from assistants.storage.services import Entry

log = logging.getLogger("assistants.retention")

SCHEDULE = "0 17 3 * * *"
"""When the timer fires: once a day, in the time zone of the host, which is UTC."""

DELETED = 100
"""Threads that one item deletes at most."""


async def begin_retention(store: Store) -> None:
    """Send the first item for each project, when the timer fires.

    Raises
    ------
    AzureError
        Storage failed; the next timer makes up for it.
    """
    if store.settings.thread_ttl_days is not None:
        async for project in projects(store.threads):
            await post.send(store, RetireThreads(project=project))
    if store.settings.file_ttl_days is not None:
        async for project in projects(store.files):
            await post.send(store, RetireFiles(project=project))
    async for project in projects(store.vector_stores):
        await post.send(store, RetireStores(project=project))


async def retire_threads(store: Store, item: RetireThreads) -> None:
    """Delete a part of a project's threads that were not used for `THREAD_TTL_DAYS`, and queue the rest."""
    if store.settings.thread_ttl_days is None:
        return
    await store.hear_time()
    before = store.clock.now() - store.settings.thread_ttl_days * DAY
    found = await old(store.threads, item.project, "thread_", before, item.start, DELETED)
    deleted, rest = await retire(found, lambda entry: retire_thread(store, item.project, entry, before))
    if deleted:
        log.info("project %s: deleted %d threads", item.project, deleted)
    if rest is not None:
        await post.send(store, item.model_copy(update={"start": rest}))


async def unused(store: Store, project: str, entry: Entry, before: float) -> Document[ThreadRecord] | None:
    """The thread of an entry of a listing, if last written before that time; None if it was used later."""
    document = await unchanged(store.threads, entry)
    if document is None or await is_said_in(store, project, document.value.id, before):
        return None
    return document if await active_run(store, project, document.value) is None else None


async def retire_thread(store: Store, project: str, entry: Entry, before: float) -> bool:
    """Delete the thread of an entry of a listing unless it is in use; return whether it was deleted.

    The deletion is conditional on the thread's ETag: a run that begins meanwhile is committed by a change of the
    thread. A message that arrives between the check and the deletion is deleted with the thread, as when a client
    deletes it.
    """
    document = await unused(store, project, entry, before)
    if document is None:
        return False
    # Sent first: if this process dies, the item deletes the rest. It has no effect if the thread still exists.
    await post.send(store, PurgeRest(project=project, thread=document.value.id), post.PURGE_DELAY)
    if not await store.threads.delete_known(document):
        return False
    await purge(store, project, document.value.id)
    return True


async def purge_rest(store: Store, item: PurgeRest) -> None:
    """Delete the remaining blobs of a thread that was retired; repeated until none is found."""
    if await store.threads.read(blob_name(item.project, item.thread)) is not None:
        return
    if await purge(store, item.project, item.thread):
        await post.send(store, item, store.settings.purge_again)
