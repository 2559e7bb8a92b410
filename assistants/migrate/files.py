"""Imports files and vector stores. The ordinary ingestion embeds the stores' files again."""

from collections.abc import Iterable, Iterator

from assistants.ingestion.intake import create_file
from assistants.ingestion.membership import create_store
from assistants.ingestion.membership import put as put_in
from assistants.migrate.contents import Contents
from assistants.migrate.records import file_record, new_member, store_record
from assistants.migrate.spool import Spooled
from assistants.migrate.target import Target
from assistants.migrate.writing import put, reserve
from assistants.schema.errors import ApiError
from assistants.schema.files import File
from assistants.schema.vector_stores import MAX_FILES, VectorStore, VectorStoreFile
from assistants.state.files import FileRecord
from assistants.state.vector_stores import NewMember, VectorStoreRecord
from assistants.storage.contents import PIECE
from assistants.storage.errors import Conflict
from assistants.storage.ids import blob_name


async def import_file(target: Target, line: Spooled, number: int, contents: Contents) -> None:
    """Import a file, or the content of a file that was imported without. Other fields of the file do not change."""
    shown = await target.mapped("file", line)
    if not isinstance(shown, File):
        return None
    store, name, pieces = target.store, blob_name(target.project, shown.id), contents.of(shown.id)
    if file_record(shown, without_content=pieces is None).gone(store.clock.now()):
        return await target.report.add("invalid", "file", shown.id, line.at, "It has expired.")
    if pieces is None:
        await target.report.add("noted", "file", shown.id, line.at, "Its content is not in the import.")
    record = file_record(shown, without_content=pieces is None)
    created = target.time(shown.created_at, number)
    if pieces is None and not target.dry_run:
        result = await put(store.files, name, record, "file-", created, None)
        return await target.report.add(result, "file", shown.id, line.at)
    if target.dry_run:
        at, known = name, await store.files.read(name)
    else:
        at, known = await reserve(store.files, name, "file-", created, noted=True)
    if known is not None and (pieces is None or not known.value.without_content):
        return await target.report.add("there", "file", shown.id, line.at)
    try:
        blocks, size = await _staged(target, name, pieces or iter(()))
    except ValueError as error:
        return await target.report.add("invalid", "file", shown.id, line.at, str(error))
    if pieces is not None and size != shown.bytes:
        await target.report.add("noted", "file", shown.id, line.at, f"It has {size} bytes, not {shown.bytes}.")
    if target.dry_run:
        target.foreseen["file", shown.id] = pieces is not None
        return await target.report.add("imported", "file", shown.id, line.at)
    record = record.model_copy(update={"bytes": size})
    if known is None:
        await create_file(store, target.project, record, blocks, at)
        return await target.report.add("imported", "file", shown.id, line.at)
    await store.contents.commit(name, blocks)

    def complete(file: FileRecord) -> FileRecord | None:
        return (
            file.model_copy(update={"bytes": size, "image": None, "without_content": False})
            if file.without_content
            else None
        )

    await store.files.change(at, complete, known)
    await target.report.add("imported", "file", shown.id, line.at)
    return None


async def _staged(target: Target, name: str, pieces: Iterator[bytes]) -> tuple[list[str], int]:
    """The blocks of a content, which are staged unless in a dry run, and its size in bytes."""
    blocks, size = list[str](), 0
    for piece in _even(pieces):
        blocks.append(f"{len(blocks):05}")
        if not target.dry_run:
            await target.store.contents.stage(name, blocks[-1], piece)
        size += len(piece)
    return blocks, size


def _even(pieces: Iterable[bytes]) -> Iterator[bytes]:
    """The pieces, joined to larger ones: storage allows 50,000 blocks."""
    held = bytearray()
    for piece in pieces:
        held += piece
        while len(held) >= PIECE:
            yield bytes(held[:PIECE])
            del held[:PIECE]
    if held:
        yield bytes(held)


async def import_store(target: Target, line: Spooled, number: int, files: Iterable[Spooled]) -> None:
    """Import a vector store with its files, each with its attributes and its sizes of chunks."""
    shown = await target.mapped("vector_store", line)
    if not isinstance(shown, VectorStore):
        return None
    store, name, record = target.store, blob_name(target.project, shown.id), store_record(shown)
    members = await _members(target, record, files)
    if target.dry_run:
        return await target.foretold(
            "vector_store", shown.id, line.at, await store.vector_stores.read(name) is not None
        )
    at, known = await reserve(store.vector_stores, name, "vs_", target.time(shown.created_at, number))
    if known is None:
        try:
            await create_store(store, target.project, record, members, at)
            return await target.report.add("imported", "vector_store", shown.id, line.at)
        except Conflict:  # another import was first
            pass
        except ApiError as error:
            return await target.report.add("invalid", "vector_store", shown.id, line.at, error.message)
    if not target.overwrite:
        return await target.report.add("there", "vector_store", shown.id, line.at)
    await store.vector_stores.change(at, lambda known: _refreshed(known, record, members))
    try:
        await put_in(store, target.project, shown.id, members, anew=False)
    except ApiError as error:
        await target.report.add("noted", "vector_store", shown.id, line.at, error.message)
    await target.report.add("overwritten", "vector_store", shown.id, line.at)
    return None


async def _members(target: Target, record: VectorStoreRecord, files: Iterable[Spooled]) -> list[NewMember]:
    """The files that can be added to the store; the others are reported."""
    members = dict[str, NewMember]()
    for line in files:
        shown = await target.mapped("vector_store.file", line)
        if not isinstance(shown, VectorStoreFile):
            continue
        why, now = "", target.store.clock.now()
        if record.expired(now):
            why = "Its vector store has expired."
        elif len(members) == MAX_FILES:
            why = f"A vector store has {MAX_FILES} files at most."
        elif not await target.has_file(shown.id, with_content=True):
            why = "The file is not there, or has no content."
        if why:
            await target.report.add("invalid", "vector_store.file", shown.id, line.at, why)
        else:
            members[shown.id] = new_member(shown)
    return sorted(members.values(), key=lambda member: member.created_at or 0)


def _refreshed(
    known: VectorStoreRecord, record: VectorStoreRecord, files: Iterable[NewMember]
) -> VectorStoreRecord | None:
    members = dict(known.members)
    for each in files:
        if each.file_id in members:
            members[each.file_id] = members[each.file_id].model_copy(update={"attributes": dict(each.attributes)})
    kept = {name: getattr(record, name) for name in ("name", "description", "metadata", "expires_after")}
    changed = known.model_copy(update={**kept, "members": members})
    return changed if changed != known else None
