"""The objects of a project as NDJSON, in the order of an import: each after those that it names, the oldest first."""

from collections.abc import AsyncIterator, Callable, Sequence
from typing import TypeVar

from pydantic import BaseModel

from assistants.migrate.lines import end_of_thread, raw_line
from assistants.schema.base import Resource
from assistants.schema.errors import not_found
from assistants.state import assistants, files, runs, threads
from assistants.state.files import FileRecord
from assistants.state.paging import Cursors, page_of_documents
from assistants.state.runs import RunRecord
from assistants.state.store import Store
from assistants.state.threads import ThreadRecord
from assistants.state.turns import steps
from assistants.state.vector_stores import VectorStoreRecord, view_file, view_store
from assistants.storage.documents import Documents

D = TypeVar("D", bound=BaseModel)

_PAGE = 100


def line(shown: Resource) -> bytes:
    """The object as a line."""
    return shown.model_dump_json().encode() + b"\n"


async def assistant_lines(store: Store, project: str, since: int = 0) -> AsyncIterator[bytes]:
    """The assistants of a project that were created at or after `since`."""
    async for record in _oldest_first(store.assistants, project, (), lambda record: record.id):
        if record.created_at >= since:
            yield line(assistants.view(record))


async def file_records(store: Store, project: str, since: int = 0) -> AsyncIterator[FileRecord]:
    """The files of a project that were created at or after `since`."""
    async for record in _oldest_first(store.files, project, (), lambda record: record.id):
        if record.created_at >= since and not record.gone(store.clock.now()):
            yield record


def file_line(record: FileRecord) -> bytes:
    """A file, without its content."""
    return line(files.view(record))


async def vector_store_lines(store: Store, project: str, since: int = 0) -> AsyncIterator[bytes]:
    """The vector stores of a project that were created at or after `since`, each before its files."""
    async for record in _oldest_first(store.vector_stores, project, (), lambda record: record.id):
        if record.created_at >= since:
            yield b"".join(_store_lines(record, store.clock.now()))


async def thread_records(store: Store, project: str, since: int = 0) -> AsyncIterator[ThreadRecord]:
    """The threads of a project that were created at or after `since`."""
    async for record in _oldest_first(store.threads, project, (), lambda record: record.id):
        if record.created_at >= since:
            yield record


async def thread_lines(store: Store, project: str, thread: ThreadRecord) -> AsyncIterator[bytes]:
    """A thread, its messages, and its runs, each before its steps; and the line that ends the thread.

    Raises
    ------
    ThreadGone
        The thread was deleted meanwhile.
    """
    transcript = await store.messages.read(project, thread.id, thread.segments)
    yield line(threads.view(thread))
    after, more, messages, ran, stepped = None, True, 0, 0, 0
    while more:
        page, more = await transcript.page(
            Cursors(_PAGE, "asc", after), lambda message_id: not_found("message", message_id)
        )
        after, messages = page[-1].id if page else None, messages + len(page)
        if page:
            yield b"".join(map(line, page))
    async for run in _oldest_first(store.runs, project, (thread.id,), lambda run: run.id):
        if run.committed or run.id == thread.last_run_id:
            found = _with_steps(run)
            ran, stepped = ran + 1, stepped + len(found) - 1
            yield b"".join(map(line, found))
    yield raw_line(end_of_thread(thread.id, (1, messages, ran, stepped)))


def _with_steps(run: RunRecord) -> Sequence[Resource]:
    return [runs.view(run), *steps(run, content=True)]


def _store_lines(record: VectorStoreRecord, now: float) -> Sequence[bytes]:
    members = sorted(record.members, key=lambda file_id: record.members[file_id].ordinal)
    return [line(view_store(record, now)), *(line(view_file(record, file_id)) for file_id in members)]


async def _oldest_first(
    documents: Documents[D], project: str, parents: Sequence[str], identifier: Callable[[D], str]
) -> AsyncIterator[D]:
    after, more = None, True
    while more:
        cursors = Cursors(_PAGE, "asc", after)
        page, more = await page_of_documents(documents, project, parents, cursors, lambda record: record)
        for record in page:
            yield record
        after = identifier(page[-1]) if page else None
