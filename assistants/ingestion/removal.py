"""Deletes vector stores and files, and purges their remaining blobs."""

from assistants.ingestion.items import PurgeFile, PurgeStore, SweepFile
from assistants.ingestion.membership import detach
from assistants.schema.errors import not_found
from assistants.state import post
from assistants.state.files import deleted, out_of_store
from assistants.state.lookup import find_vector_store
from assistants.state.resources import without_files
from assistants.state.store import Store
from assistants.storage.concurrency import for_each
from assistants.storage.ids import blob_name

MAX_HIDDEN = 6 * 86_400
"""The most seconds for which an item is hidden; storage allows seven days."""


async def delete_store(store: Store, project: str, store_id: str) -> None:
    """Delete a store. The queue deletes its chunks, which are no longer found, as there may be many.

    Raises
    ------
    ApiError
        There is no such vector store (404).
    """
    await find_vector_store(store, project, store_id)
    # Sent first: if this process dies, the item deletes the rest.
    await post.send(store, PurgeStore(project=project, store=store_id), post.PURGE_DELAY)
    # If it does not exist, an earlier try of this request may have deleted it, with its answer lost.
    await store.vector_stores.delete(blob_name(project, store_id))


async def purge_store(store: Store, project: str, store_id: str) -> bool:
    """Delete a store with its chunks; its files may still name it. Return whether any of these existed."""
    prefix = blob_name(project, store_id)
    # First, and repeated by each purge: the process that began the deletion may have died before it.
    await store.vector_stores.delete(prefix)
    names = [name async for name in store.chunks.names(f"{prefix}/")]

    async def forget(file: str) -> None:
        await store.files.change(f"{project}/{file}", lambda record: out_of_store(record, store_id))

    await for_each(forget, {name.removeprefix(f"{prefix}/").partition("/")[0] for name in names})
    await for_each(store.chunks.delete, names)
    return bool(names)


async def delete_file(store: Store, project: str, file_id: str) -> None:
    """Delete a file, and remove it from all vector stores and code interpreters that have it.

    Raises
    ------
    ApiError
        There is no such file (404).
    """
    name = blob_name(project, file_id)
    document = await store.files.read(name)
    if document is None or document.value.gone(store.clock.now()):
        raise not_found("file", file_id)
    await _queue_purge(store, project, file_id)
    # This marks it as deleted; if the item was faster, no document is left to be marked.
    await purge_file(store, project, file_id)


async def purge_file(store: Store, project: str, file_id: str) -> None:
    """Remove a deleted file from its users, and delete its content.

    The document stays until a repetition after a while: requests in progress may still record new users in it.
    """
    name = blob_name(project, file_id)
    document = await store.files.read(name)
    if document is not None:
        await store.files.change(name, deleted, document)
        await for_each(lambda store_id: detach(store, project, store_id, [file_id]), document.value.stores)
        await for_each(lambda user: _release(store, project, user, file_id), document.value.users)
    await store.contents.delete(name)


async def sweep_file(store: Store, item: SweepFile) -> None:
    """Delete the content of a file that was never created, or an expired file; repeat later if it has yet to expire."""
    name, now = blob_name(item.project, item.file), store.clock.now()
    document = await store.files.read(name)
    if document is None:
        if not await store.files.places.of(name):  # else its import is in progress, or will be repeated
            await store.contents.delete(name)
    elif document.value.gone(now):
        await _queue_purge(store, item.project, item.file)
        await purge_file(store, item.project, item.file)
    elif document.value.expires_at is not None:
        delay = min(document.value.expires_at - now, MAX_HIDDEN)
        await post.send(store, item, delay)


async def _queue_purge(store: Store, project: str, file_id: str) -> None:
    await post.send(store, PurgeFile(project=project, file=file_id), post.PURGE_DELAY)


async def _release(store: Store, project: str, user: str, file_id: str) -> None:
    """Remove a file from the code interpreter of an assistant or a thread."""
    name = blob_name(project, user)
    if user.startswith("thread"):
        await store.threads.change(name, lambda record: without_files(record, [file_id]))
    else:
        await store.assistants.change(name, lambda record: without_files(record, [file_id]))
