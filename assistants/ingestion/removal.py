"""Vector stores and files that are deleted, and what is left of them."""

from assistants.ingestion.attachment import detach, find_store
from assistants.ingestion.items import INGEST, LookAfterFile, PurgeFile, PurgeStore
from assistants.schema.errors import not_found
from assistants.state.files import FileRecord
from assistants.state.store import Store
from assistants.storage.atonce import each
from assistants.storage.ids import blob_name

PURGE_DELAY = 30
"""Seconds after which what is left of a deletion is looked for: any write begun before has ended by then."""

LONGEST_DELAY = 6 * 86_400
"""Seconds for which an item may be hidden; storage allows seven days."""


async def delete_store(store: Store, project: str, store_id: str) -> None:
    """
    Raises
    ------
    ApiError
        There is no such vector store (404).
    """
    document = await find_store(store, project, store_id)
    # Sent first: should this process die, the item finds what is left.
    await store.queues.send(INGEST, PurgeStore(project=project, store=store_id).model_dump(), PURGE_DELAY)
    if not await store.vector_stores.delete(document.name):
        raise not_found("vector store", store_id)
    await purge_store(store, project, store_id)

    def without(record: FileRecord) -> FileRecord | None:
        left = [each for each in record.stores if each != store_id]
        return record.model_copy(update={"stores": left}) if left != record.stores else None

    async def forget(file_id: str) -> None:
        await store.files.change(blob_name(project, file_id), without)

    await each(forget, document.value.members)


async def purge_store(store: Store, project: str, store_id: str) -> bool:
    """Delete a store with its chunks; whether there were any of these."""
    # First, and again: who began the deletion may have died before it got so far.
    await store.vector_stores.delete(blob_name(project, store_id))
    names = [name async for name in store.chunks.names(blob_name(project, store_id) + "/")]
    await each(store.chunks.delete, names)
    return bool(names)


async def delete_file(store: Store, project: str, file_id: str) -> None:
    """Delete a file, which takes it out of all vector stores.

    Raises
    ------
    ApiError
        There is no such file (404).
    """
    document = await store.files.read(blob_name(project, file_id))
    if document is None:
        raise not_found("file", file_id)
    item = PurgeFile(project=project, file=file_id, stores=document.value.stores)
    await store.queues.send(INGEST, item.model_dump(), PURGE_DELAY)
    if not await store.files.delete(document.name) or document.value.expired(store.clock.now()):
        raise not_found("file", file_id)
    await purge_file(store, item)


async def purge_file(store: Store, item: PurgeFile) -> None:
    """What is left of a file. One that is put into a store just now is taken out by its ingestion, which misses it."""
    name = blob_name(item.project, item.file)
    await store.files.delete(name)
    for store_id in item.stores:
        await detach(store, item.project, store_id, [item.file])
    await store.contents.delete(name)


async def look_after_file(store: Store, item: LookAfterFile) -> None:
    """Delete the content of a file that was never made, or a file that has expired; if it is to expire, come again."""
    name, now = blob_name(item.project, item.file), store.clock.now()
    document = await store.files.read(name)
    if document is None:
        await store.contents.delete(name)
    elif document.value.expired(now):
        purge = PurgeFile(project=item.project, file=item.file, stores=document.value.stores)
        await store.queues.send(INGEST, purge.model_dump(), PURGE_DELAY)
        await purge_file(store, purge)
    elif document.value.expires_at is not None:
        delay = min(document.value.expires_at - now, LONGEST_DELAY)
        await store.queues.send(INGEST, item.model_dump(), delay)
