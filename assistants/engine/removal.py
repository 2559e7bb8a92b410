"""Threads that are deleted, or were never created, and what is left of them."""

import logging

from assistants.engine.items import WORK, LookAfterThreads, Purge
from assistants.state.purging import purge, unborn
from assistants.state.store import Store

log = logging.getLogger("assistants.engine")

PURGE_DELAY = 30
"""Seconds after which what is left of a deleted thread is looked for: any write begun before has ended by then."""


async def delete_thread(store: Store, project: str, thread_id: str) -> None:
    """Delete a thread with its messages and runs; a run in progress stops."""
    # Sent first: should this process die, the item finds what is left.
    await store.queues.send(WORK, Purge(project=project, thread=thread_id).model_dump(), PURGE_DELAY)
    await purge(store, project, thread_id)


async def purge_thread(store: Store, item: Purge) -> None:
    """Delete what is left of a thread, until nothing was left."""
    if await purge(store, item.project, item.thread):
        await store.queues.send(WORK, item.model_dump(), store.settings.purge_again)


async def look_after_threads(store: Store, item: LookAfterThreads) -> None:
    """Have everything purged that was made of a thread which never was: the process that made it may have died."""
    for thread in sorted(await unborn(store, item.project, item.newest, item.oldest)):
        log.warning("thread %s: never created, and purged", thread)
        await store.queues.send(WORK, Purge(project=item.project, thread=thread).model_dump())
