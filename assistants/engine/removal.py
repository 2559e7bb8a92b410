"""Deletion of threads: by a client, or after a creation that failed."""

import asyncio
import logging
from collections.abc import AsyncIterator

from assistants.engine.items import Purge, SweepThreads
from assistants.state import post
from assistants.state.store import Store
from assistants.storage.ids import blob_name
from assistants.tools.code_interpreter.purging import purge_session

log = logging.getLogger("assistants.engine")


async def delete_thread(store: Store, project: str, thread_id: str) -> None:
    """Delete a thread with its messages and runs; a run in progress stops."""
    # Sent first: if this process dies, the item deletes the rest.
    await post.send(store, Purge(project=project, thread=thread_id), post.PURGE_DELAY)
    await purge(store, project, thread_id)


async def purge_thread(store: Store, item: Purge) -> None:
    """Delete the remaining blobs of a deleted thread; repeated until none is found."""
    if await purge(store, item.project, item.thread):
        await post.send(store, item, store.settings.purge_again)


async def sweep_threads(store: Store, item: SweepThreads) -> None:
    """Queue purges of threads whose creation failed."""
    for thread in sorted(await uncommitted_threads(store, item.project, item.newest, item.oldest)):
        if await store.threads.places.of(f"{item.project}/{thread}"):
            continue  # it was imported, or is being imported
        log.warning("thread %s: purged, as its creation was not committed", thread)
        await post.send(store, Purge(project=item.project, thread=thread))


async def purge(store: Store, project: str, thread_id: str) -> bool:
    """Delete a thread with its messages and runs; return whether any of these existed."""
    # First, and repeated by each purge: the process that began the deletion may have died before it.
    await store.threads.delete(blob_name(project, thread_id))
    had_log, runs = await asyncio.gather(
        store.messages.purge(project, thread_id), _names(store, blob_name(project, thread_id) + "/")
    )
    await asyncio.gather(*(store.runs.delete(name) for name in runs))
    had_code = await purge_session(store, project, thread_id)  # last, as a run's end ends its executions
    return had_log or bool(runs) or had_code


async def uncommitted_threads(store: Store, project: str, newest: str, oldest: str) -> set[str]:
    """The threads with ids between `newest` and `oldest` that have a log and no document."""
    start = blob_name(project, newest)
    logs, documents = await asyncio.gather(
        _threads(store.messages.names(project, start), oldest),
        _threads(store.threads.names(f"{project}/", start), oldest),
    )
    return logs - documents


async def _names(store: Store, prefix: str) -> list[str]:
    return [name async for name in store.runs.names(prefix)]


async def _threads(names: AsyncIterator[str], oldest: str) -> set[str]:
    """The threads of these blobs, up to the oldest one."""
    found = set[str]()
    async for name in names:
        thread = name.split("/")[1]
        if thread > oldest:
            break
        found.add(thread)
    return found
