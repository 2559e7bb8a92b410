"""The queue items: attend to a run, purge threads, answer the call of a server tool. They hold ids only."""

from typing import Annotated, Literal

from pydantic import Field, TypeAdapter

from assistants.state.post import Item
from assistants.state.runs import Look, RunRecord
from assistants.state.store import RunKey
from assistants.storage.ids import Project
from assistants.tools.registry import SERVER_TOOLS

WORK = "work"
"""The queue of all items but the calls of server tools; each of those has its own."""

Segments = Annotated[int, Field(ge=1, le=100_000)]
"""The number of segments of a thread's log; each holds tens of thousands of appends."""


class _Work(Item):
    @property
    def queue(self) -> str:
        return WORK


class Attend(_Work):
    """Attend to a run now."""

    kind: Literal["attend"] = "attend"
    project: Project
    thread: str
    run: str
    segments: Segments = 1
    look: Look | None = None
    """The run's look-again item, which is deleted when the run has ended."""


class LookAgain(_Work):
    """Attend to a run repeatedly, at intervals of `LOOK_AGAIN` seconds, until it has ended."""

    kind: Literal["look"] = "look"
    project: Project
    thread: str
    run: str
    segments: Segments = 1


class Purge(_Work):
    """Delete the remaining blobs of a deleted thread."""

    kind: Literal["purge"] = "purge"
    project: Project
    thread: str


class PurgeRest(_Work):
    """Delete the remaining blobs of a thread if its document is gone."""

    kind: Literal["purge_rest"] = "purge_rest"
    project: Project
    thread: str


class RetireThreads(_Work):
    """Delete the threads of a project that were not used for `THREAD_TTL_DAYS`, beginning with a name."""

    kind: Literal["retire_threads"] = "retire_threads"
    project: Project
    start: str = ""


class SweepThreads(_Work):
    """Purge the threads with ids between `newest` and `oldest` whose creation failed."""

    kind: Literal["look_after_threads"] = "look_after_threads"
    project: Project
    newest: str
    oldest: str


class Call(Item):
    """Answer one call of a server tool."""

    project: Project
    thread: str
    run: str
    call: str
    tool: str = Field(default="", exclude=True)
    """The type of the tool, which decides the queue. It is not part of the item."""

    @property
    def queue(self) -> str:
        return SERVER_TOOLS[self.tool].queue


WorkItem = Attend | LookAgain | Purge | PurgeRest | RetireThreads | SweepThreads
work_item: TypeAdapter[WorkItem] = TypeAdapter(Annotated[WorkItem, Field(discriminator="kind")])


def run_key(item: Attend | LookAgain | Call) -> RunKey:
    """The key of an item's run."""
    return RunKey(item.project, item.thread, item.run)


def attend_item(key: RunKey, run: RunRecord, look: Look | None = None) -> Attend:
    """The item that has a run attended to at once."""
    return Attend(project=key.project, thread=key.thread, run=key.run, segments=run.segments, look=look or run.look)


def look_again_item(key: RunKey, run: RunRecord) -> LookAgain:
    """The item that has a run attended to until it has ended."""
    return LookAgain(project=key.project, thread=key.thread, run=key.run, segments=run.segments)
