"""Files put into vector stores and taken out of them."""

import logging
import secrets
from collections.abc import Callable, Collection, Iterable, Sequence

from azure.core.exceptions import AzureError

from assistants.ingestion.items import INGEST, Ingest, LookAgain, portions
from assistants.ingestion.readers.registry import attachable, suffix_of
from assistants.schema.errors import not_found, unsupported_files
from assistants.state.files import FileRecord, in_store
from assistants.state.store import Store
from assistants.state.vector_stores import NewMember, VectorStoreRecord, attached, detached, missing, usable
from assistants.storage.atonce import each
from assistants.storage.documents import Conflict, Document
from assistants.storage.ids import blob_name

log = logging.getLogger("assistants.ingestion")

PURGE_DELAY = 30
"""Seconds after which what is left of a deletion is looked for: any write begun before has ended by then."""


async def find_store(store: Store, project: str, store_id: str) -> Document[VectorStoreRecord]:
    """
    Raises
    ------
    ApiError
        There is no such vector store (404).
    """
    document = await store.vector_stores.read(blob_name(project, store_id))
    if document is None:
        raise not_found("vector store", store_id)
    return document


async def create_store(
    store: Store, project: str, record: VectorStoreRecord, files: Sequence[NewMember]
) -> VectorStoreRecord:
    """Write a new store, with its first files in it.

    Raises
    ------
    ApiError
        There is no such file (404), or it cannot be searched (400).
    """
    files = await _announced(store, project, record.id, files)
    record = attached(record, files, store.clock.now()) if files else record
    await store.vector_stores.create(blob_name(project, record.id), record)
    await _follow_up(store, project, record.id, files)
    return record


async def attach(
    store: Store, project: str, store_id: str, files: Sequence[NewMember], batch_id: str | None = None
) -> VectorStoreRecord:
    """Put files into a store; one that was in it already is ingested anew.

    The files know of the store, and the look-again item is in the queue, before the store's document commits it all: no
    crash leaves a file behind that nobody ingests, or that stays in the store when it is deleted.

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
    """As `attach`, but None where there is no such store; if not `anew`, a file that it has is left as it is.

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
    files = await _announced(store, project, store_id, files)
    document = await _supersede(
        store,
        project,
        known,
        [each.file_id for each in files],
        lambda record: attached(record, files, store.clock.now(), batch_id),
    )
    if document is None:
        return None
    await _follow_up(store, project, store_id, files)
    return document.value


async def detach(store: Store, project: str, store_id: str, file_ids: Collection[str]) -> bool:
    """Take files out of a store, if there is such a store; whether any of them was in it.

    A file goes on knowing of the store: it may be put in again at this very moment.
    """
    known = await store.vector_stores.read(blob_name(project, store_id))
    if known is None:
        return False
    return await _supersede(store, project, known, file_ids, lambda record: detached(record, file_ids)) is not None


async def send_items(
    store: Store, project: str, store_id: str, files: Iterable[tuple[str, str, int]], delay: float = 0
) -> None:
    """Have files ingested that are in the store, given as (id, version, bytes)."""

    async def send(item: Ingest) -> None:
        await store.queues.send(INGEST, item.model_dump(), delay)

    await each(send, portions(project, store_id, files))


def chunks_name(project: str, store_id: str, file_id: str, version: str) -> str:
    """Where the chunks of a version of a file lie."""
    return blob_name(project, store_id, file_id, version)


async def _announced(store: Store, project: str, store_id: str, files: Sequence[NewMember]) -> list[NewMember]:
    """The files, each once, with versions that begin alike; they know of the store, and an item looks for them.

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

    async def announce(numbered: tuple[int, NewMember]) -> tuple[NewMember, FileRecord]:
        number, file = numbered
        document = await store.files.change(
            blob_name(project, file.file_id),
            lambda record: None if refused(file, record) else in_store(record, store_id, now),
        )
        if document is None or document.value.gone(now):
            raise not_found("file", file.file_id)
        known = document.value
        return file._replace(version=f"{token}-{number}", filename=known.filename, size=known.bytes), known

    found = await each(announce, enumerate(once.values()))
    if suffixes := [suffix_of(record.filename) for file, record in found if refused(file, record)]:
        raise unsupported_files(suffixes)
    announced = [file for file, _ in found]
    delay = store.settings.look_again
    look = LookAgain(project=project, store=store_id, token=token, waiting=len(announced), delay=delay)
    await store.queues.send(INGEST, look.model_dump(), delay)
    return announced


async def _follow_up(store: Store, project: str, store_id: str, files: Sequence[NewMember]) -> None:
    """What comes after the commit. No failure here is the client's: the look-again item makes up for it."""
    try:
        await send_items(store, project, store_id, ((each.file_id, each.version, each.size) for each in files))
    except AzureError as error:
        log.warning("vector store %s: left to its look-again item: %s", store_id, error)


async def _supersede(
    store: Store,
    project: str,
    known: Document[VectorStoreRecord],
    file_ids: Collection[str],
    decide: Callable[[VectorStoreRecord], VectorStoreRecord | None],
) -> Document[VectorStoreRecord] | None:
    """Change a store that is to have these files no more, or anew, and delete the chunks of what goes out of use.

    An item for the ingestion of that is sent first: should this process die, it finds that the store does not wait for
    it, and deletes them. The answer is None where the store is gone, or `decide` leaves it.
    """
    document, announced = known, set[tuple[str, str]]()
    while document is not None and (changed := decide(document.value)) is not None:
        members = document.value.members
        versions = {(each, members[each].version) for each in file_ids if each in members}
        items = ((*version, 0) for version in sorted(versions - announced))
        await send_items(store, project, known.value.id, items, PURGE_DELAY)
        announced |= versions
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
        await each(store.chunks.delete, names)
    except AzureError as error:
        log.warning("chunks are left to their item: %s", error)
