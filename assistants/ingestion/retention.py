"""Retention of files and vector stores: files that were not used are deleted, and expired stores lose their chunks."""

import logging

from assistants.ingestion.items import FreeStore, RetireFiles, RetireStores, SweepFile
from assistants.ingestion.removal import sweep_file
from assistants.state import post
from assistants.state.files import FileRecord, deleted
from assistants.state.resources import code_files
from assistants.state.retention import DAY, is_said_in, old, retire, unchanged
from assistants.state.store import Store
from assistants.state.vector_stores import closed, freed
from assistants.storage.concurrency import for_each
from assistants.storage.documents import Document
from assistants.storage.errors import Conflict
from assistants.storage.ids import blob_name
from assistants.storage.services import Entry

log = logging.getLogger("assistants.retention")

DELETED = 100
"""The most files that one item deletes."""

_LONGEST = (365 + 31) * DAY
"""Seconds after the last write of a store for which it is checked: by then it has expired, or never will."""


async def retire_files(store: Store, item: RetireFiles) -> None:
    """Delete a part of a project's files that were not used for `FILE_TTL_DAYS`, and queue the rest."""
    if store.settings.file_ttl_days is None:
        return
    await store.hear_time()
    before = store.clock.now() - store.settings.file_ttl_days * DAY
    found = await old(store.files, item.project, "file-", before, item.start, DELETED)
    gone, rest = await retire(found, lambda entry: _retire_file(store, item.project, entry, before))
    if gone:
        log.info("project %s: deleted %d files", item.project, gone)
    if rest is not None:
        await post.send(store, item.model_copy(update={"start": rest}))


async def retire_stores(store: Store, item: RetireStores) -> None:
    """Queue the freeing of a part of a project's vector stores that have expired, and queue the rest."""
    await store.hear_time()
    now = store.clock.now()
    # No store expires within a day of its last use, which is recorded in its document.
    found = await old(store.vector_stores, item.project, "vs_", now - DAY, item.start)

    async def examine(entry: Entry) -> bool:
        documents = await store.vector_stores.listed([entry]) if entry.modified_at > now - _LONGEST else []
        expired = [each for each in documents if each.value.expired(now) and not each.value.freed]
        for each in expired:
            await post.send(store, FreeStore(project=item.project, store=each.value.id))
        return bool(expired)

    _, rest = await retire(found, examine)
    if rest is not None:
        await post.send(store, item.model_copy(update={"start": rest}))


async def free_store(store: Store, item: FreeStore) -> None:
    """Delete the chunks of an expired store. The store stays, expired, with the list of its files.

    The store is closed first, so that no change of its expiry makes it usable without its chunks; last it is recorded
    that all chunks are deleted, so that after a crash it is found again.
    """
    name, now = blob_name(item.project, item.store), store.clock.now()
    document = await store.vector_stores.change(name, lambda record: closed(record, now))
    if document is None or not document.value.closed or document.value.freed:
        return
    await for_each(store.chunks.delete, [each async for each in store.chunks.names(f"{name}/")])
    await store.vector_stores.change(name, freed)


async def _retire_file(store: Store, project: str, entry: Entry, before: float) -> bool:
    """Delete the file of an entry of a listing unless it is in use or was changed since then."""
    document = await unchanged(store.files, entry)
    if document is None or await _is_used(store, project, document.value, before):
        return False
    item = SweepFile(project=project, file=document.value.id)
    # Sent first: if this process dies, the item deletes the file only if it is marked.
    await post.send(store, item, post.PURGE_DELAY)
    if not await _marked(store, document):
        return False
    await sweep_file(store, item)
    return True


async def _marked(store: Store, document: Document[FileRecord]) -> bool:
    """Mark a file as deleted, unless it was changed since it was read."""
    marked = deleted(document.value)
    try:
        if marked is not None:
            await store.files.replace(document, marked)
    except Conflict:
        return False
    return True


async def _is_used(store: Store, project: str, file: FileRecord, since: float) -> bool:
    """Whether a store with the file was used since then, or a thread with it was, or an assistant has it."""
    if file.gone(store.clock.now()):
        return False
    for store_id in file.stores:
        found = await store.vector_stores.read(blob_name(project, store_id))
        if found and file.id in found.value.members and found.value.last_active_at >= since:
            return True
    for user in file.users:
        if user.startswith("thread"):
            thread = await store.threads.read(blob_name(project, user))
            has = thread is not None and file.id in code_files(thread.value.tool_resources)
            if has and await is_said_in(store, project, user, since):
                return True
        else:
            assistant = await store.assistants.read(blob_name(project, user))
            if assistant is not None and file.id in code_files(assistant.value.tool_resources):
                return True
    return False
