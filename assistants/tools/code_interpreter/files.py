"""The files of a session: its input files, and the files that code makes."""

import asyncio
import json
from collections.abc import AsyncIterator, Iterable
from pathlib import PurePosixPath

from assistants.ingestion.intake import create_file
from assistants.state.files import FileRecord
from assistants.state.resources import runs_code
from assistants.state.runs import RunRecord
from assistants.state.sessions import SessionRecord, session_name
from assistants.state.store import RunKey, Store
from assistants.storage.concurrency import for_each
from assistants.storage.ids import blob_name
from assistants.tools.code_interpreter.engine import InputFile

_MAX_NAME = 200
_BLOCK = "block-{:08}"
_BLOCK_BYTES = 4 * 1024 * 1024


async def inputs(store: Store, project: str, run: RunRecord, session: SessionRecord | None) -> list[InputFile]:
    """The files of the assistant and the thread, then those that code has made; deleted ones are left out."""
    made = session.files if session else {}
    given = [file for file in run.files if file not in made.values()]
    records = await for_each(lambda file: store.files.read(blob_name(project, file)), [*given, *made.values()])
    now = store.clock.now()
    there = {each.value.id: each.value for each in records if each is not None and not each.value.gone(now)}
    paths = {path: file for path, file in made.items() if file in there}
    taken = {*paths, *there}
    names = dict[str, str]()
    for file in given:
        if file in there:
            names[file] = _free(_plain(there[file].filename, file), file, taken)
            taken.add(names[file])
    return [
        *(_input(store, project, there[file], name) for file, name in names.items()),
        *(_input(store, project, there[file], path) for path, file in paths.items()),
    ]


async def told_files(store: Store, key: RunKey, run: RunRecord) -> str:
    """The text for the model on the limits and the present files; empty if the run has no code interpreter."""
    if not runs_code(run.tools):
        return ""
    session = await store.sessions.read(session_name(key.project, key.thread))
    found = await inputs(store, key.project, run, session and session.value)
    limit = f" A call may take {store.settings.code_interpreter_timeout:g} seconds."
    if not found:
        return limit
    lines = (f"- {json.dumps(each.name, ensure_ascii=False)}, {each.id}, {each.size} bytes" for each in found)
    told = "The files in /mnt/data, each of which is there under its name and under its id:"
    return "\n".join([f"{limit}\n\n{told}", *lines])


async def put_out(store: Store, project: str, filename: str, pieces: AsyncIterator[bytes]) -> str:
    """Store a file that code has made, for download; return its id."""
    file_id, blocks, size = store.ids.new("file-"), list[str](), 0
    name = blob_name(project, file_id)
    async for block in _blocks(pieces):
        blocks.append(_BLOCK.format(len(blocks)))
        size += len(block)
        await store.contents.stage(name, blocks[-1], block)
    record = FileRecord(
        id=file_id,
        created_at=int(store.clock.now()),
        purpose="assistants_output",
        filename=PurePosixPath(filename).name or file_id,
        bytes=size,
    )
    await create_file(store, project, record, blocks)
    return file_id


async def only(content: bytes) -> AsyncIterator[bytes]:
    """The content as one piece."""
    yield content
    await asyncio.sleep(0)


async def _blocks(pieces: AsyncIterator[bytes]) -> AsyncIterator[bytes]:
    gathered = bytearray()
    async for piece in pieces:
        gathered += piece
        if len(gathered) >= _BLOCK_BYTES:
            yield bytes(gathered)
            gathered.clear()
    if gathered:
        yield bytes(gathered)


def _input(store: Store, project: str, record: FileRecord, name: str) -> InputFile:
    blob = blob_name(project, record.id)
    return InputFile(record.id, name, record.bytes, lambda: store.contents.stream(blob, 0, record.bytes))


def _plain(filename: str, file_id: str) -> str:
    """The file's name without characters that a folder does not allow."""
    plain = "".join(each if each.isprintable() and each != "/" else "_" for each in filename).strip()
    plain = plain[-_MAX_NAME // 4 :] if len(plain.encode(errors="replace")) > _MAX_NAME else plain
    return plain if plain.strip(".") else file_id


def _free(name: str, file_id: str, taken: Iterable[str]) -> str:
    """The name or, if another file has it, a name with the file's id."""
    if name not in taken:
        return name
    path = PurePosixPath(name)
    return f"{path.stem}-{file_id}{path.suffix}"
