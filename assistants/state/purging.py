"""What is left of threads that were deleted, or never created."""

import asyncio
from collections.abc import AsyncIterator

from assistants.state.store import Store
from assistants.storage.ids import blob_name


async def purge(store: Store, project: str, thread_id: str) -> bool:
    """Delete a thread with its messages and runs; whether there were any of these."""
    # First, and again: who began the deletion may have died before it got so far.
    await store.threads.delete(blob_name(project, thread_id))
    had_log, runs = await asyncio.gather(
        store.messages.purge(project, thread_id), _names(store, blob_name(project, thread_id) + "/")
    )
    await asyncio.gather(*(store.runs.delete(name) for name in runs))
    return had_log or bool(runs)


async def unborn(store: Store, project: str, newest: str, oldest: str) -> set[str]:
    """The threads with ids between these two of which there is a log, and no document."""
    start = blob_name(project, newest)
    logs, documents = await asyncio.gather(
        _threads(store.messages.names(project, start), oldest),
        _threads(store.threads.names(f"{project}/", start), oldest),
    )
    return logs - documents


async def _names(store: Store, prefix: str) -> list[str]:
    return [name async for name in store.runs.names(prefix)]


async def _threads(names: AsyncIterator[str], oldest: str) -> set[str]:
    """Whose blobs these are, up to the oldest thread."""
    found = set[str]()
    async for name in names:
        thread = name.split("/")[1]
        if thread > oldest:
            break
        found.add(thread)
    return found
