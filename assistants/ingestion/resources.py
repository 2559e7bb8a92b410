"""The files and vector stores that assistants and threads name: they must exist, or are created (contract, 1.2, 3)."""

import asyncio
import logging
from collections.abc import Iterable, Sequence

from azure.core.exceptions import AzureError

from assistants.ingestion.membership import create_store, put
from assistants.ingestion.removal import delete_store
from assistants.schema.errors import ApiError, not_found
from assistants.schema.tools import NewToolResources, ToolResources
from assistants.schema.vector_stores import CreateVectorStore, ExpiresAfter
from assistants.state.files import used_by
from assistants.state.lookup import find_file, find_vector_store
from assistants.state.resources import NOTHING, Attachments, E, code_files, equipped, named, store_ids
from assistants.state.store import Store
from assistants.state.vector_stores import NewMember, new_member, new_vector_store
from assistants.storage.concurrency import for_each
from assistants.storage.documents import Document, Documents
from assistants.storage.ids import blob_name

log = logging.getLogger("assistants.ingestion")


async def provide(
    store: Store,
    project: str,
    owner: E,
    requested: NewToolResources | None,
    attachments: Attachments = NOTHING,
    expires_after: ExpiresAfter | None = None,
) -> E:
    """An assistant or a thread that is about to be written, with its requested resources.

    A store is created only after all named objects were found. A store without an owner, whose process died before the
    owner was written, is like any other: it is listed, and expires if it was created for a thread.

    Parameters
    ----------
    attachments
        Files of a thread's first messages, which are added to its store; one is created if the thread has none.
    expires_after
        The expiry of a created store.

    Raises
    ------
    ApiError
        There is no such file or store (404); a file cannot be searched, the store that it is added to has expired, or
        the code interpreter would have too many files (400).
    """
    owner = owner.model_copy(update={"tool_resources": named(requested)})
    owner = equipped(owner, attachments.code) or owner
    stores = store_ids(owner.tool_resources)
    await register(store, project, owner.tool_resources, owner.id)
    await _check_files(store, project, attachments.rest)
    (helper,) = (requested or {}).get("file_search", {}).get("vector_stores") or [{}]
    files = [new_member(file_id, strict=attachments.strict) for file_id in attachments.search]
    files += [new_member(each, strategy=helper.get("chunking_strategy")) for each in helper.get("file_ids", ())]
    if not files:
        return owner
    for named_store in stores:
        if await put(store, project, named_store, files, anew=False) is None:
            raise not_found("vector store", named_store)
        return owner
    return equipped(owner, [], await _make(store, project, files, expires_after, helper.get("metadata"))) or owner


async def equip(
    store: Store,
    project: str,
    documents: Documents[E],
    known: Document[E],
    attachments: Attachments,
    expires_after: ExpiresAfter | None = None,
) -> Document[E] | None:
    """Add files for the tools of an assistant or a thread, committed by its document. None: it is gone.

    Files to be searched are added to its vector store. One is created if it has none, or a deleted one; of two that are
    created at the same time one is named, and the files of the other are moved to it.

    Raises
    ------
    ApiError
        There is no such file (404), a file cannot be searched, the store has expired, or the code interpreter would
        have too many files (400).
    """
    equipped(known.value, attachments.code)  # raises before any write
    await _record_user(store, project, known.value.id, attachments.code)
    await _check_files(store, project, attachments.rest)
    files = [new_member(file_id, strict=attachments.strict) for file_id in attachments.search]
    document, made = known, None
    while True:
        before = store_ids(document.value.tool_resources)
        using = await _filled(store, project, before, files) if files else None
        if files and using is None:
            using = made = made or await _make(store, project, files, expires_after)

        def more(record: E, before: Sequence[str] = before, using: str | None = using) -> E | None:
            if using is not None and store_ids(record.tool_resources) != before:
                return None  # it has another store by now, to which the files are added
            return equipped(record, attachments.code, using)

        try:
            changed = await documents.change(document.name, more, document)
        except ApiError:
            await _delete_unused(store, project, made)
            raise
        if changed is None:
            await _delete_unused(store, project, made)
            return None
        document = changed
        if using is None or store_ids(document.value.tool_resources) == [using]:
            await _delete_unused(store, project, made if made != using else None)
            return document


async def check(store: Store, project: str, resources: ToolResources | None) -> None:
    """Check that the named files and stores exist.

    Raises
    ------
    ApiError
        There is no such file or vector store (404).
    """
    await asyncio.gather(_check_stores(store, project, resources), _check_files(store, project, code_files(resources)))


async def register(store: Store, project: str, resources: ToolResources | None, user: str) -> None:
    """Check that the named files and stores exist, and record on each file that this assistant or thread names it.

    Raises
    ------
    ApiError
        There is no such file or vector store (404).
    """
    await asyncio.gather(
        _check_stores(store, project, resources), _record_user(store, project, user, code_files(resources))
    )


async def _check_stores(store: Store, project: str, resources: ToolResources | None) -> None:
    await for_each(lambda store_id: find_vector_store(store, project, store_id), store_ids(resources))


async def _check_files(store: Store, project: str, ids: Iterable[str]) -> None:
    await for_each(lambda file_id: find_file(store, project, file_id), ids)


async def _record_user(store: Store, project: str, user: str, ids: Iterable[str]) -> None:
    """Record on files the document that is about to name them: at their deletion they are removed from it."""
    now = store.clock.now()

    async def record(file_id: str) -> None:
        name = blob_name(project, file_id)
        document = await store.files.change(name, lambda file: used_by(file, user, now))
        if document is None or document.value.gone(now):
            raise not_found("file", file_id)

    await for_each(record, ids)


async def _filled(store: Store, project: str, ids: Sequence[str], files: Sequence[NewMember]) -> str | None:
    """The store, with the files added; None if it does not exist."""
    for store_id in ids:
        if await put(store, project, store_id, files, anew=False) is not None:
            return store_id
    return None


async def _make(
    store: Store,
    project: str,
    files: Sequence[NewMember],
    expires_after: ExpiresAfter | None,
    metadata: dict[str, str] | None = None,
) -> str:
    record = new_vector_store(store.ids.new("vs_"), CreateVectorStore(metadata=metadata), store.clock.now())
    record = record.model_copy(update={"expires_after": expires_after})
    return (await create_store(store, project, record, files)).id


async def _delete_unused(store: Store, project: str, made: str | None) -> None:
    """Delete a store that is not needed. If that fails, it is listed until it expires."""
    if made is None:
        return
    try:
        await delete_store(store, project, made)
    except (ApiError, AzureError) as error:
        log.warning("vector store %s: made in vain, and left: %s", made, error)
