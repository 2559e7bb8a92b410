"""Makes records of another service's objects."""

from collections.abc import Sequence
from typing import Any

from assistants.schema.assistants import Assistant
from assistants.schema.files import File
from assistants.schema.runs import Run, RunStatus
from assistants.schema.steps import RunStep
from assistants.schema.threads import Thread
from assistants.schema.vector_stores import VectorStore, VectorStoreFile
from assistants.state.assistants import AssistantRecord
from assistants.state.files import FileRecord
from assistants.state.runs import ACTIVE, Imported, RunRecord
from assistants.state.threads import ThreadRecord
from assistants.state.vector_stores import AUTO, NewMember, VectorStoreRecord

_DEFAULTS = {"temperature": 1.0, "top_p": 1.0, "response_format": "auto"}
"""Defaults of an assistant: they are shown but not stored, so that they are not sent to the model."""


def assistant_record(shown: Assistant) -> AssistantRecord:
    """An assistant's record."""
    fields: dict[str, Any] = shown.model_dump(mode="json", exclude={"object"})
    kept = {name: value for name, value in fields.items() if value is not None and _DEFAULTS.get(name) != value}
    return AssistantRecord.model_validate({**kept, "tool_resources": fields["tool_resources"] or None})


def thread_record(shown: Thread, asked: bool) -> ThreadRecord:
    """A thread's record; `asked`: it has a message of a user."""
    return ThreadRecord(
        id=shown.id,
        created_at=shown.created_at,
        metadata=shown.metadata,
        tool_resources=shown.tool_resources or None,
        asked=asked,
    )


def ended(run: Run) -> Run:
    """The run, ended: a run that was active elsewhere cannot continue here, and has expired."""
    if run.status not in ACTIVE:
        return run
    return run.model_copy(update={"status": RunStatus.EXPIRED, "required_action": None})


def run_record(shown: Run, steps: Sequence[RunStep]) -> RunRecord:
    """The record of an ended run, which is never driven."""
    return RunRecord(
        id=shown.id,
        thread_id=shown.thread_id,
        assistant_id=shown.assistant_id,
        created_at=shown.created_at,
        expires_at=shown.expires_at or shown.created_at,
        touched_at=shown.created_at,
        entered_at=shown.created_at,
        status=shown.status,
        model=shown.model,
        metadata=shown.metadata,
        committed=True,
        imported=Imported(run=shown, steps=list(steps)),
    )


def file_record(shown: File, without_content: bool) -> FileRecord:
    """A file's record."""
    return FileRecord(
        id=shown.id,
        created_at=shown.created_at,
        purpose=shown.purpose,
        filename=shown.filename,
        bytes=shown.bytes,
        expires_at=shown.expires_at,
        image="" if without_content else None,
        without_content=without_content,
    )


def store_record(shown: VectorStore) -> VectorStoreRecord:
    """A vector store's record, without its files."""
    return VectorStoreRecord(
        id=shown.id,
        created_at=shown.created_at,
        name=shown.name,
        description=shown.description,
        metadata=shown.metadata,
        expires_after=shown.expires_after,
        last_active_at=shown.last_active_at or shown.created_at,
    )


def new_member(shown: VectorStoreFile) -> NewMember:
    """A file to be added to its store with its former time and attributes."""
    strategy = shown.chunking_strategy
    chunking = strategy["static"] if strategy["type"] == "static" else AUTO
    return NewMember(shown.id, shown.attributes, chunking, strict=False, created_at=shown.created_at)
