"""Adds files to vector stores, and removes them."""

import logging
import secrets
from collections.abc import Callable, Collection, Iterable, Sequence

from azure.core.exceptions import AzureError

from assistants.ingestion.items import CheckFiles, Ingest, portions
from assistants.ingestion.readers.registry import attachable, suffix_of
from assistants.schema.errors import not_found, unsupported_files
from assistants.state import post
from assistants.state.files import FileRecord, in_store
from assistants.state.store import Store
from assistants.state.vector_stores import NewMember, VectorStoreRecord, missing, usable, with_members, without_members
from assistants.storage.concurrency import for_each
from assistants.storage.documents import Document
from assistants.storage.errors import Conflict
from assistants.storage.ids import blob_name

log = logging.getLogger("assistants.ingestion")


async def create_store(
    store: Store, project: str, record: VectorStoreRecord, files: Sequence[NewMember], place: str | None = None
) -> VectorStoreRecord:
    """Write a new store, with its first files in it.

    Parameters
    ----------
    place
        The name of its document, if it is imported.

    Raises
    ------
    ApiError
        There is no such file (404), or it cannot be searched (400).
    """
    files = await _registered(store, project, record.id, files)
    if files:
        last_active = record.last_active_at
        record = with_members(record, files, store.clock.now()).model_copy(update={"last_active_at": last_active})
    await store.vector_stores.create(place or blob_name(project, record.id), record)
    await _follow_up(store, project, record.id, files)
    return record


async def attach(
    store: Store, project: str, store_id: str, files: Sequence[NewMember], batch_id: str | None = None
) -> VectorStoreRecord:
    """Add files to a store; a file that is in the store already is ingested again.

    Each file names the store, and the item that checks the files is in the queue, before the write of the store's
    document commits the addition: no crash leaves a file that is never ingested, or that stays in the store after its
    deletion.

    Raises
    ------
    ApiError
        There is no such store or file (404), a file cannot be searched, or the store has expired or is full (400).
    """
    record = await put(store, project, store_id, files, batch_id)
    if record is None:
        raise not_found("vector store", store_id)
    return record


async def put(
    store: Store,
    project: str,
    store_id: str,
    files: Sequence[NewMember],
    batch_id: str | None = None,
    anew: bool = True,
) -> VectorStoreRecord | None:
    """As `attach`, but None if the store does not exist; unless `anew`, files that are in the store stay unchanged.

    Raises
    ------
    ApiError
        There is no such file (404), a file cannot be searched, or the store has expired or is full (400).
    """
    known = await store.vector_stores.read(blob_name(project, store_id))
    if known is None:
        return None
    usable(known.value, store.clock.now())
    if not anew:
        files = missing(known.value, files)
        if not files:
            return known.value
    files = await _registered(store, project, store_id, files)
    document = await _supersede(
        store,
        project,
        known,
        [each.file_id for each in files],
        lambda record: with_members(record, files, store.clock.now(), batch_id),
    )
    if document is None:
        return None
    await _follow_up(store, project, store_id, files)
    return document.value


async def detach(store: Store, project: str, store_id: str, file_ids: Collection[str]) -> bool:
    """Remove files from a store; return whether the store exists and had any of them.

    The files still name the store, as another request may be adding them at the same time.
    """
    known = await store.vector_stores.read(blob_name(project, store_id))
    if known is None:
        return False
    return (
        await _supersede(store, project, known, file_ids, lambda record: without_members(record, file_ids)) is not None
    )


async def send_items(
    store: Store, project: str, store_id: str, files: Iterable[tuple[str, str, int]], delay: float = 0
) -> None:
    """Send items for the ingestion of files of the store, given as (id, version, bytes)."""

    async def send(item: Ingest) -> None:
        await post.send(store, item, delay)

    await for_each(send, portions(project, store_id, files))


def chunks_name(project: str, store_id: str, file_id: str, version: str) -> str:
    """The name of the blob of the chunks of a version of a file."""
    return blob_name(project, store_id, file_id, version)


async def _registered(store: Store, project: str, store_id: str, files: Sequence[NewMember]) -> list[NewMember]:
    """The files, each once, with versions of a common beginning. Each file names the store, and an item checks them.

    Raises
    ------
    ApiError
        There is no such file (404), or its type cannot be searched (400).
    """
    if not files:
        return []
    token, once, now = secrets.token_hex(8), {each.file_id: each for each in files}, store.clock.now()

    def refused(file: NewMember, record: FileRecord) -> bool:
        return file.strict and not attachable(record.filename)

    async def register(numbered: tuple[int, NewMember]) -> tuple[NewMember, FileRecord]:
        number, file = numbered
        document = await store.files.change(
            blob_name(project, file.file_id),
            lambda record: None if refused(file, record) else in_store(record, store_id, now),
        )
        if document is None or document.value.gone(now) or document.value.without_content:
            raise not_found("file", file.file_id)
        known = document.value
        return file._replace(version=f"{token}-{number}", filename=known.filename, size=known.bytes), known

    found = await for_each(register, enumerate(once.values()))
    if suffixes := [suffix_of(record.filename) for file, record in found if refused(file, record)]:
        raise unsupported_files(suffixes)
    registered = [file for file, _ in found]
    delay = store.settings.look_again
    item = CheckFiles(project=project, store=store_id, token=token, waiting=len(registered), delay=delay)
    await post.send(store, item, delay)
    return registered


async def _follow_up(store: Store, project: str, store_id: str, files: Sequence[NewMember]) -> None:
    """Send the items of files after the commit. If that fails, the item that checks the files sends them later."""
    try:
        await send_items(store, project, store_id, ((each.file_id, each.version, each.size) for each in files))
    except AzureError as error:
        log.warning("vector store %s: left to the check of its files: %s", store_id, error)


async def _supersede(
    store: Store,
    project: str,
    known: Document[VectorStoreRecord],
    file_ids: Collection[str],
    decide: Callable[[VectorStoreRecord], VectorStoreRecord | None],
) -> Document[VectorStoreRecord] | None:
    """Change a store that loses these files or ingests them again, and delete the chunks of their old versions.

    An item for the old versions is sent first: if this process dies, the item's handler finds that the store does not
    await them, and deletes the chunks. The result is None if the store is gone, or `decide` leaves it unchanged.
    """
    document, sent = known, set[tuple[str, str]]()
    while document is not None and (changed := decide(document.value)) is not None:
        members = document.value.members
        versions = {(each, members[each].version) for each in file_ids if each in members}
        items = ((*version, 0) for version in sorted(versions - sent))
        await send_items(store, project, known.value.id, items, post.PURGE_DELAY)
        sent |= versions
        try:
            document = await store.vector_stores.replace(document, changed)
        except Conflict:
            document = await store.vector_stores.read(known.name)
            continue
        await _delete_chunks(store, [chunks_name(project, known.value.id, *version) for version in sorted(versions)])
        return document
    return None


async def _delete_chunks(store: Store, names: Iterable[str]) -> None:
    try:
        await for_each(store.chunks.delete, names)
    except AzureError as error:
        log.warning("chunks are left to their item: %s", error)
