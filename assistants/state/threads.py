"""Threads: the document that names the thread's last run and counts the segments of its log."""

from pydantic import BaseModel, Field

from assistants.schema.threads import Thread
from assistants.schema.tools import ToolResources


class ThreadRecord(BaseModel):
    """A thread as it is stored. It is locked exactly while the run it names is active."""

    id: str
    created_at: int
    metadata: dict[str, str] = Field(default_factory=dict[str, str])
    tool_resources: ToolResources | None = None
    last_run_id: str | None = None
    asked: bool = False
    """A user's message is known to be in the log; if not, only the log can tell."""
    segments: int = 1


def view(record: ThreadRecord) -> Thread:
    """The thread as the wire shows it (contract, 2)."""
    return Thread(
        id=record.id,
        created_at=record.created_at,
        metadata=record.metadata,
        tool_resources=record.tool_resources or {},
    )
