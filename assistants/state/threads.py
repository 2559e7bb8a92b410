"""Threads: the document that names the thread's last run and counts the segments of its log."""

from typing import NamedTuple

from pydantic import Field

from assistants.schema.errors import ApiError
from assistants.schema.threads import Thread
from assistants.state.resources import Equipped


class ThreadGone(ApiError):
    """The thread has been deleted, and its log with it."""

    def __init__(self, thread_id: str) -> None:
        super().__init__(404, f"No thread found with id '{thread_id}'.")


class ThreadRecord(Equipped):
    """A thread in its stored form. It is locked while the run that it names is active."""

    created_at: int
    metadata: dict[str, str] = Field(default_factory=dict[str, str])
    last_run_id: str | None = None
    asked: bool = False
    """The log has a user's message. If not set, the log has to be read for the answer."""
    segments: int = 1
    full_bytes: int = 0
    """Bytes of the segments before the last one."""


class Span(NamedTuple):
    """The ids of the threads that a sweep covers; the newest sorts first."""

    newest: str
    oldest: str
    until: float
    """The monotonic time until which threads of these ids may be created."""


def view(record: ThreadRecord) -> Thread:
    """The thread in the API's form (contract, 2)."""
    return Thread(
        id=record.id,
        created_at=record.created_at,
        metadata=record.metadata,
        tool_resources=record.tool_resources or {},
    )
