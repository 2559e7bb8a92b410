"""Makes files of uploads: the content is complete before the document that shows it is written."""

import hashlib
from collections.abc import Iterable

from assistants.ingestion.images import stored_type
from assistants.ingestion.items import SweepFile
from assistants.schema.errors import not_found, unavailable, upload_mismatch
from assistants.state import post, uploads
from assistants.state.files import FileRecord, view
from assistants.state.store import Store
from assistants.state.uploads import UploadRecord
from assistants.storage.errors import Conflict
from assistants.storage.ids import blob_name

_SWEEP_DELAY = 180
"""Seconds after which a content without a file is deleted; a file is not checked for expiry earlier."""

_COMMIT_WITHIN = 60
"""Seconds after which no file is created any more, as its content may be deleted before the write has ended."""


async def create_file(
    store: Store, project: str, record: FileRecord, blocks: Iterable[str], place: str | None = None
) -> FileRecord:
    """Create a file of the staged blocks of its content. A repetition returns the file that exists already.

    Parameters
    ----------
    place
        The name of its document, if it is imported.

    Raises
    ------
    ApiError
        Storage took too long (503).
    """
    await _queue_sweep(store, project, record.id, _SWEEP_DELAY)
    return await _commit(store, project, record, blocks, store.clock.now() + _COMMIT_WITHIN, place)


async def complete_upload(
    store: Store, project: str, upload_id: str, part_ids: list[str], md5: str | None
) -> UploadRecord:
    """Create a file of an upload's parts. A repetition with the same parts is harmless.

    Raises
    ------
    ApiError
        There is no such upload (404), it has ended in another way, or its parts do not fit it (400).
    """
    name = blob_name(project, upload_id)
    known = await store.uploads.read(name)
    if known is None:
        raise not_found("upload", upload_id)
    if uploads.begun(known.value, part_ids, store.clock.now()) is None:
        return known.value
    content = blob_name(project, known.value.file_id)
    blocks = uploads.blocks(known.value, part_ids, await store.contents.blocks(content))

    # A completion that another request has begun with other parts takes precedence: which commit is first is unknown.
    begun = await store.uploads.change(name, lambda record: uploads.begun(record, part_ids, store.clock.now()), known)
    if begun is None:
        raise not_found("upload", upload_id)
    if begun.value.status == "completed":
        return begun.value
    left = begun.value.expires_at - store.clock.now()
    await _queue_sweep(store, project, begun.value.file_id, left + _SWEEP_DELAY)
    if md5 is not None:
        await store.contents.commit(content, blocks)
        if (found := await _md5(store, content, begun.value.bytes)) != md5.lower():
            await store.uploads.change(name, lambda record: uploads.given_up(record, part_ids), begun)
            raise upload_mismatch("md5", md5, found)
    record = uploads.file_of(begun.value, int(store.clock.now()))
    file = view(await _commit(store, project, record, blocks, begun.value.expires_at + _COMMIT_WITHIN))
    done = await store.uploads.change(name, lambda record: uploads.completed(record, file), begun)
    return done.value if done else uploads.completed(begun.value, file)


async def _queue_sweep(store: Store, project: str, file_id: str, delay: float) -> None:
    """Queue a sweep before the commit: no crash leaves a content without a file, or a file that never expires."""
    await post.send(store, SweepFile(project=project, file=file_id), delay)


async def _commit(
    store: Store,
    project: str,
    record: FileRecord,
    blocks: Iterable[str],
    until: float,
    place: str | None = None,
) -> FileRecord:
    name = blob_name(project, record.id)
    await store.contents.commit(name, blocks)
    if store.clock.now() > until:
        raise unavailable()
    if record.image is None:
        record = record.model_copy(update={"image": await stored_type(store, name, record.bytes)})
    try:
        await store.files.create(place or name, record)
    except Conflict:
        made = await store.files.read(name)
        if made is None:
            raise unavailable() from None
        return made.value
    return record


async def _md5(store: Store, name: str, size: int) -> str:
    digest = hashlib.md5(usedforsecurity=False)
    async for piece in store.contents.stream(name, 0, size):
        digest.update(piece)
    return digest.hexdigest()
