"""The export of a project of this service's storage, into a folder."""

from collections.abc import AsyncIterator

from azure.core.exceptions import ResourceNotFoundError

from assistants.migrate.exporting import (
    assistant_lines,
    file_line,
    file_records,
    thread_lines,
    thread_records,
    vector_store_lines,
)
from assistants.migrate.folder import KINDS, Folder, Tell
from assistants.state.files import FileRecord
from assistants.state.store import Store
from assistants.state.threads import ThreadGone
from assistants.storage.ids import blob_name


async def export_project(store: Store, project: str, folder: Folder, tell: Tell, since: int = 0) -> None:
    """Write all objects of a project that were created at or after `since`. An incomplete kind is written again."""
    await store.hear_time()
    of_kind = {
        "assistants": assistant_lines(store, project, since),
        "files": _files(store, project, folder, since),
        "vector_stores": vector_store_lines(store, project, since),
        "threads": _threads(store, project, folder, since),
    }
    for kind in KINDS:
        if folder.done(kind).complete:
            continue
        folder.restart(kind)
        portion, size = list[bytes](), 0
        async for lines in of_kind[kind]:
            portion.append(lines)
            size += len(lines)
            if size > _PORTION:
                folder.write(kind, portion, "")
                portion, size = [], 0
                tell(f"{kind}: {folder.done(kind).objects}")
        folder.write(kind, portion, "")
        folder.complete(kind)
        tell(f"{kind}: {folder.done(kind).objects}")


_PORTION = 1024 * 1024
"""Bytes of lines that are written at once."""


async def _files(store: Store, project: str, folder: Folder, since: int) -> AsyncIterator[bytes]:
    async for record in file_records(store, project, since):
        await _write_content(store, project, folder, record)
        yield file_line(record)


async def _write_content(store: Store, project: str, folder: Folder, record: FileRecord) -> None:
    place = folder.content(record.id)
    if place is None or record.without_content:
        return folder.miss("file.content", record.id, "it was imported without its content")
    if place.exists() and place.stat().st_size == record.bytes:
        return None
    part = place.with_name(place.name + ".part")
    try:
        with part.open("wb") as file:
            async for piece in store.contents.stream(blob_name(project, record.id), 0, record.bytes):
                file.write(piece)
    except ResourceNotFoundError:
        part.unlink()
        return folder.miss("file.content", record.id, "it was deleted meanwhile")
    part.replace(place)
    return None


async def _threads(store: Store, project: str, folder: Folder, since: int) -> AsyncIterator[bytes]:
    async for record in thread_records(store, project, since):
        try:
            yield b"".join([lines async for lines in thread_lines(store, project, record)])
        except ThreadGone:
            folder.miss("thread", record.id, "it was deleted meanwhile")
