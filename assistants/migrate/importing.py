"""The import: sorts objects, and writes them in an order in which each follows the objects that it names."""

from collections.abc import Awaitable, Callable, Iterable, Iterator
from pathlib import Path
from typing import TypeVar

from assistants.migrate import mapping
from assistants.migrate.contents import Contents
from assistants.migrate.files import import_file, import_store
from assistants.migrate.lines import END, Line
from assistants.migrate.mapping import CONTENT, Refused
from assistants.migrate.records import assistant_record
from assistants.migrate.spool import Spool, Spooled
from assistants.migrate.target import Target
from assistants.migrate.threads import import_thread
from assistants.migrate.told import Report
from assistants.migrate.writing import put
from assistants.schema.assistants import Assistant
from assistants.storage.concurrency import for_each
from assistants.storage.ids import blob_name
from assistants.storage.slices import Pace

T = TypeVar("T")

_AT_ONCE = 64
"""The number of objects that are passed to `for_each` together."""

_PARENTS = {
    END: "thread_id",
    "thread": "id",
    "thread.message": "thread_id",
    "thread.run": "thread_id",
    "thread.run.step": "thread_id",
}
"""By kind: the field with the id of the thread."""


async def import_lines(target: Target, lines: Iterable[Line], folder: Path | None = None) -> Report:
    """Import objects, and the contents of files in the folder; existing objects stay unchanged, or are refreshed.

    Raises
    ------
    AzureError
        Storage failed. A repetition completes the import.
    """
    with Spool() as spool:
        await _sort(target, lines, spool)
        await target.store.hear_time()
        contents = Contents(folder, spool)
        files, stores = await _once(target, spool, "file"), await _once(target, spool, "vector_store")
        await _each(files, lambda at, line: import_file(target, line, at, contents))
        await _each(
            stores,
            lambda at, line: import_store(target, line, at, spool.read("vector_store.file", str(line.raw.get("id")))),
        )
        await _each(await _once(target, spool, "assistant"), lambda at, line: _import_assistant(target, line, at))
        await _each(
            spool.groups("thread"),
            lambda at, thread: import_thread(target, thread, at, spool.read("thread", thread), spool.read(END, thread)),
        )
        await _report_lost(target, spool)
    return target.report


async def _sort(target: Target, lines: Iterable[Line], spool: Spool) -> None:
    pace = Pace(target.store.slices)
    for line in lines:
        raw, at = line.raw, line.at
        try:
            if line.error is not None:
                raise Refused(line.error)
            kind = mapping.kind_of(raw)
            if line.note:
                await target.report.add("noted", kind, _text(raw, "id"), at, line.note)
            if kind == "assistant":
                for number, made in enumerate(mapping.synthetic(raw)):
                    _keep(spool, str(made["object"]), f"{at}+{number}", made)
            _keep(spool, kind, at, raw)
        except Refused as error:
            await target.report.add("invalid", _text(raw, "object"), _text(raw, "id"), at, str(error))
        await pace.done()


def _keep(spool: Spool, kind: str, at: str, raw: mapping.Json) -> None:
    if kind in _PARENTS:
        thread = raw.get(_PARENTS[kind])
        if not isinstance(thread, str) or not thread:
            raise Refused(f"It has no `{_PARENTS[kind]}`.")
        spool.add(END if kind == END else "thread", thread, at, {**raw, "object": kind})
    elif kind == CONTENT:
        spool.add(kind, str(raw.get("file_id")), at, raw)
    elif kind == "vector_store.file":
        spool.add(kind, str(raw.get("vector_store_id")), at, raw)
    else:
        spool.add(kind, "", at, raw)


async def _once(target: Target, spool: Spool, kind: str) -> Iterator[Spooled]:
    """The objects of a kind, each once: the first one with its id."""
    known = dict[str, int]()
    for number, line in enumerate(spool.read(kind, "")):
        identifier = str(line.raw.get("id"))
        if known.setdefault(identifier, number) != number:
            await target.report.add("noted", kind, identifier, line.at, "It came before: the first one is kept.")
    kept = set(known.values())
    return (line for number, line in enumerate(spool.read(kind, "")) if number in kept)


async def _each(things: Iterable[T], act: Callable[[int, T], Awaitable[None]]) -> None:
    """Call `act` for each thing with its number, for several at once."""
    portion: list[tuple[int, T]] = []
    for numbered in enumerate(things):
        portion.append(numbered)
        if len(portion) == _AT_ONCE:
            await for_each(lambda each: act(*each), portion)
            portion = []
    await for_each(lambda each: act(*each), portion)


async def _import_assistant(target: Target, line: Spooled, number: int) -> None:
    shown = await target.mapped("assistant", line)
    if not isinstance(shown, Assistant):
        return None
    record, documents = assistant_record(shown), target.store.assistants
    name = blob_name(target.project, record.id)
    await target.name_files("assistant", record, line.at)
    if target.dry_run:
        return await target.foretold("assistant", record.id, line.at, await documents.read(name) is not None)
    created = target.time(shown.created_at, number)
    result = await put(documents, name, record, "asst_", created, (lambda _: record) if target.overwrite else None)
    await target.report.add(result, "assistant", record.id, line.at)
    return None


async def _report_lost(target: Target, spool: Spool) -> None:
    """Report files of vector stores missing in the import, and contents and ends without their file or thread."""
    stores = {str(line.raw.get("id")) for line in spool.read("vector_store", "")}
    for store_id in spool.groups("vector_store.file"):
        if store_id not in stores:
            for line in spool.read("vector_store.file", store_id):
                why = f"Its vector store '{store_id}' is not in the import."
                await target.report.add("invalid", "vector_store.file", _text(line.raw, "id"), line.at, why)
    files = {str(line.raw.get("id")) for line in spool.read("file", "")}
    for file_id in spool.groups(CONTENT):
        if file_id not in files:
            await target.report.add("invalid", CONTENT, file_id, "", "Its file is not in the import.")
    threads, ended = spool.groups("thread"), spool.groups(END)
    for thread in sorted({*ended} - {*threads}):
        await target.report.add("invalid", END, thread, "", "Its thread is not in the import.")
    known = set(ended)
    if without := [thread for thread in threads if thread not in known]:
        which = f"{len(without):,} threads have" if len(without) > 1 else f"{without[0]} has"
        why = f"{which} no end line, as exports of this service have: whether all of it is here is not known."
        await target.report.add("noted", END, "", "", why)


def _text(raw: object, name: str) -> str:
    value = raw.get(name) if isinstance(raw, dict) else None  # type: ignore[reportUnknownMemberType]
    return value if isinstance(value, str) else ""
