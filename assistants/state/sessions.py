"""The code interpreter's sessions, one for each thread, and the executions in them: pure decisions about records.

An execution is done at most once. It begins with the write that records it in the session as the one in progress. Its
outcome is a document of its own, which is never replaced. An execution in progress that has no outcome after `until`
gets an outcome that says that it was interrupted.
"""

from collections.abc import Awaitable, Callable
from dataclasses import dataclass
from enum import Enum

from pydantic import Field

from assistants.schema.base import Deferred
from assistants.state.runs import Ran
from assistants.storage.ids import blob_name

MAX_FILES = 100
"""Files made by code that a session keeps: the latest ones."""

LIFETIME = 3600
"""Seconds after which variables move to another process (contract, 12)."""


async def _nothing_missing() -> str | None:
    return None


async def _end_nothing(project: str, thread: str) -> None:
    pass


@dataclass
class Hosting:
    """The functions of this process's code execution that runs and threads depend on."""

    missing: Callable[[], Awaitable[str | None]] = _nothing_missing
    """Returns why code cannot be executed; None: it can."""
    end: Callable[[str, str], Awaitable[None]] = _end_nothing
    """Ends the session of a project's thread."""


class Underway(Deferred):
    """An execution in progress."""

    id: str
    until: float
    """The time after which it is considered interrupted."""


class SessionRecord(Deferred):
    """A session as it is stored."""

    began_at: float
    """When its process was last started, or an earlier time."""
    underway: Underway | None = None
    last: str | None = None
    """The last execution whose variables the session has, or may have."""
    snapshot: str | None = None
    """The execution whose snapshot is kept."""
    files: dict[str, str] = Field(default_factory=dict[str, str])
    """The files that code has made, by their paths below `/mnt/data`, the latest last."""


class Outcome(Deferred):
    """The outcome of an execution."""

    output: str
    """The output for the model."""
    ran: Ran
    executed: bool = True
    """Whether the session has the execution's variables, or may have."""
    snapshot: bool = False
    """Whether a snapshot of the variables is stored, under the execution's id."""
    files: dict[str, str] = Field(default_factory=dict[str, str])
    """The files that the execution made or changed."""


class Step(Enum):
    """The next step for an execution."""

    BEGIN = "begin"
    """No execution is in progress: record it and execute it."""
    TAKE = "take"
    """It has an outcome."""
    WAIT = "wait"
    """An execution is in progress, this one or another one."""
    INTERRUPT = "interrupt"
    """The execution in progress is overdue: write its outcome."""
    SETTLE = "settle"
    """The execution in progress has an outcome, which the session does not have yet."""


def step(session: SessionRecord, outcome: Outcome | None, other: Outcome | None, now: float) -> Step:
    """The next step towards the outcome of an execution.

    Parameters
    ----------
    session
        Read before the outcomes, as an outcome is written before the session is.
    outcome
        The outcome of the execution.
    other
        The outcome of the execution in progress, this one or another one.
    """
    if session.underway is not None and other is not None:
        return Step.SETTLE
    if outcome is not None:
        return Step.TAKE
    if session.underway is None:
        return Step.BEGIN
    return Step.WAIT if now < session.underway.until else Step.INTERRUPT


def begun(session: SessionRecord, execution: str, now: float, until: float) -> SessionRecord:
    """The session with the execution in progress."""
    began = session.began_at if now < session.began_at + LIFETIME else now
    return session.model_copy(update={"underway": Underway(id=execution, until=until), "began_at": began})


def freed(session: SessionRecord, execution: str) -> SessionRecord | None:
    """The session without the execution, whose code was not executed. None: it is not in progress there."""
    if session.underway is None or session.underway.id != execution:
        return None
    return session.model_copy(update={"underway": None})


def settled(session: SessionRecord, execution: str, outcome: Outcome) -> SessionRecord | None:
    """The session after the execution. None: it is not in progress there."""
    if session.underway is None or session.underway.id != execution:
        return None
    made = outcome.files
    files = {path: file for path, file in session.files.items() if path not in made} | made
    changes: dict[str, object] = {"underway": None, "files": dict(list(files.items())[-MAX_FILES:])}
    if outcome.executed:
        changes |= {"last": execution, "snapshot": execution if outcome.snapshot else None}
    return session.model_copy(update=changes)


def session_name(project: str, thread: str) -> str:
    """The name of the session's document."""
    return blob_name(project, thread, "session")


def outcome_name(project: str, thread: str, execution: str) -> str:
    """The name of the document of an outcome."""
    return blob_name(project, thread, "outcome", execution)


def snapshot_name(project: str, thread: str, execution: str) -> str:
    """The name of the snapshot that an execution left."""
    return blob_name(project, thread, "snapshot", execution)
