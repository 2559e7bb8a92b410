"""The runs of projects: listed, and read only if they were written after a time."""

from collections.abc import AsyncIterator, Callable

from pydantic import ValidationError

from assistants.admin.command import Failed
from assistants.admin.screen import Screen
from assistants.state.runs import RunRecord
from assistants.state.store import RunKey, Store
from assistants.storage.concurrency import for_each
from assistants.storage.documents import Document
from assistants.storage.places import is_pointer

Found = tuple[RunKey, Document[RunRecord]]

_AT_ONCE = 64


async def runs_since(store: Store, project: str | None, since: float, screen: Screen) -> AsyncIterator[Found]:
    """The runs that were written after a time: one request for each 5,000 names, and one for each of these runs."""

    async def read(name: str) -> Found | None:
        try:
            document = await store.runs.read(name)
        except ValidationError:
            screen.note(f"{name} cannot be read")
            return None
        return (_key(name, document.value), document) if document else None

    with screen.progress("runs") as done:
        names: list[str] = []
        async for entry in store.runs.listing.forwards(f"{project}/" if project else ""):
            done(1)
            is_run = entry.name.count("/") == 2 and not is_pointer(entry.name)
            if is_run and entry.modified_at >= since:
                names.append(entry.name)
            if len(names) == _AT_ONCE:
                for found in await for_each(read, names):
                    if found:
                        yield found
                names = []
        for found in await for_each(read, names):
            if found:
                yield found


async def run_named(store: Store, run_id: str, project: str | None, thread: str | None, screen: Screen) -> Found:
    """The run with an id; if its thread is not given, all names of runs are listed.

    Raises
    ------
    Failed
        There is no such run.
    """
    if project is not None and thread is not None:
        key = RunKey(project, thread, run_id)
    else:
        key = await _listed(store, lambda key: key.run == run_id and thread in (None, key.thread), project, screen)
    document = await store.runs.read(key.name) if key else None
    if key is None or document is None:
        raise Failed(f"There is no run {run_id}.")
    return key, document


async def _listed(store: Store, wanted: Callable[[RunKey], bool], project: str | None, screen: Screen) -> RunKey | None:
    with screen.progress("names of runs") as done:
        async for name in store.runs.names(f"{project}/" if project else ""):
            done(1)
            if name.count("/") == 2 and wanted(key := key_of(name)):
                return key
    return None


def key_of(name: str) -> RunKey:
    """The key of the run in a document's name, or in the name of an imported run's pointer."""
    project, thread, run = name.split("/")
    return RunKey(project, thread, run.removeprefix("~"))


def _key(name: str, run: RunRecord) -> RunKey:
    """The key of a run, whose document's name may have another id, if it is a place."""
    return RunKey(name.partition("/")[0], run.thread_id, run.id)
