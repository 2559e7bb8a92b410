"""The export of a project of this service's storage, into a folder."""

from collections.abc import AsyncIterator, Sequence

from azure.core.exceptions import ResourceNotFoundError

from assistants.migrate.exporting import (
    assistant_lines,
    file_line,
    file_records,
    thread_lines,
    thread_records,
    vector_store_lines,
)
from assistants.migrate.folder import KINDS, Folder, Progress, Tell
from assistants.migrate.lines import PART
from assistants.state.files import FileRecord
from assistants.state.store import Store
from assistants.state.threads import ThreadGone
from assistants.storage.ids import blob_name
from assistants.storage.places import is_pointer


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
        total = None if since else await _number(store, project, kind)
        tell(Progress(kind, 0, total, 0))
        portion, size = list[bytes](), 0
        async for lines in of_kind[kind]:
            portion.append(lines)
            size += len(lines)
            if size > _PORTION:
                _write(folder, kind, portion, total, tell)
                portion, size = [], 0
        _write(folder, kind, portion, total, tell)
        folder.end(kind)


def _write(folder: Folder, kind: str, portion: Sequence[bytes], total: int | None, tell: Tell) -> None:
    """Write objects of a kind, each with the objects that belong to it."""
    objects = sum(each.count(b"\n") for each in portion) - (len(portion) if kind == "threads" else 0)
    folder.write(kind, portion, objects, len(portion))
    done = folder.done(kind)
    tell(Progress(kind, done.read, total, done.objects))


async def _number(store: Store, project: str, kind: str) -> int:
    of_kind = {
        "assistants": store.assistants,
        "files": store.files,
        "vector_stores": store.vector_stores,
        "threads": store.threads,
    }
    number = 0
    async for name in of_kind[kind].names(f"{project}/"):
        number += not is_pointer(name)
    return number


_PORTION = 1024 * 1024
"""Bytes of lines that are written at once."""


async def _files(store: Store, project: str, folder: Folder, since: int) -> AsyncIterator[bytes]:
    async for record in file_records(store, project, since):
        await _write_content(store, project, folder, record)
        yield file_line(record)


async def _write_content(store: Store, project: str, folder: Folder, record: FileRecord) -> None:
    place = folder.content(record.id)
    if place is None or record.without_content:
        return folder.miss("files", record.id, f"file.content {record.id}", "it was imported without its content")
    if place.exists() and place.stat().st_size == record.bytes:
        return None
    part = place.with_name(place.name + PART)
    try:
        with part.open("wb") as file:
            async for piece in store.contents.stream(blob_name(project, record.id), 0, record.bytes):
                file.write(piece)
    except ResourceNotFoundError:
        part.unlink()
        return folder.miss("files", record.id, f"file.content {record.id}", "it was deleted meanwhile")
    part.replace(place)
    return None


async def _threads(store: Store, project: str, folder: Folder, since: int) -> AsyncIterator[bytes]:
    async for record in thread_records(store, project, since):
        try:
            yield b"".join([lines async for lines in thread_lines(store, project, record)])
        except ThreadGone:
            folder.miss("threads", record.id, f"thread {record.id}", "it was deleted meanwhile")
