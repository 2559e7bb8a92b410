"""What is left of a deleted thread."""

import asyncio

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


async def _names(store: Store, prefix: str) -> list[str]:
    return [name async for name in store.runs.names(prefix)]
