"""What queue items say: attend to a run, look at it again, purge threads, answer a tool call. Ids only."""

from typing import Annotated, Literal

from pydantic import BaseModel, Field, TypeAdapter

from assistants.state.runs import Look, RunRecord
from assistants.state.store import RunKey
from assistants.storage.ids import Project

WORK = "work"
"""The queue of everything but the server tools, which have one each."""

Segments = Annotated[int, Field(ge=1, le=100_000)]
"""The segments of a thread's log, of which each holds tens of thousands of appends."""


class Attend(BaseModel):
    """Attend to a run now."""

    kind: Literal["attend"] = "attend"
    project: Project
    thread: str
    run: str
    segments: Segments = 1
    look: Look | None = None
    """The run's look-again item, to be deleted by whoever finishes the run."""


class LookAgain(BaseModel):
    """See how a run is getting on, and go on doing so until it has ended."""

    kind: Literal["look"] = "look"
    project: Project
    thread: str
    run: str
    segments: Segments = 1


class Purge(BaseModel):
    """Delete what is left of a deleted thread."""

    kind: Literal["purge"] = "purge"
    project: Project
    thread: str


class LookAfterThreads(BaseModel):
    """Purge what was made of threads that were never created, of those with ids between these two."""

    kind: Literal["look_after_threads"] = "look_after_threads"
    project: Project
    newest: str
    oldest: str


class Call(BaseModel):
    """Answer one call of a server tool."""

    project: Project
    thread: str
    run: str
    call: str


WorkItem = Attend | LookAgain | Purge | LookAfterThreads
work_item: TypeAdapter[WorkItem] = TypeAdapter(Annotated[WorkItem, Field(discriminator="kind")])


def run_key(item: Attend | LookAgain | Call) -> RunKey:
    """The run that an item is about."""
    return RunKey(item.project, item.thread, item.run)


def attend_item(key: RunKey, run: RunRecord, look: Look | None = None) -> Attend:
    """The item that sets a run going at once."""
    return Attend(project=key.project, thread=key.thread, run=key.run, segments=run.segments, look=look or run.look)
