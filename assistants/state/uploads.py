"""Uploads: the document of a file that is sent in parts. The parts are staged blocks of the file's content."""

from collections.abc import Iterable, Mapping
from typing import Literal

from assistants.schema.base import Deferred
from assistants.schema.errors import (
    unknown_part,
    upload_being_completed,
    upload_mismatch,
    upload_not_pending,
)
from assistants.schema.files import File
from assistants.schema.uploads import Purpose, Upload
from assistants.state.files import FileRecord

LIFETIME = 3600
"""Seconds within which an upload has to be completed (contract, 6.2)."""


class UploadRecord(Deferred):
    """An upload as it is stored."""

    id: str
    file_id: str
    """The file that the upload will become."""
    created_at: int
    expires_at: int
    filename: str
    purpose: Purpose
    bytes: int
    keep: int | None = None
    """Seconds after which the file expires."""
    status: Literal["pending", "completed", "cancelled"] = "pending"
    part_ids: list[str] | None = None
    """The parts of the file, set when the completion begins."""
    file: File | None = None


def view(record: UploadRecord, now: float) -> Upload:
    """The upload in the API's form."""
    shown = record.model_dump(include=set(Upload.model_fields) - {"object", "status"})
    return Upload.model_validate({**shown, "status": _status(record, now)})


def pending(record: UploadRecord, now: float) -> None:
    """
    Raises
    ------
    ApiError
        The upload has ended (400).
    """
    if (status := _status(record, now)) != "pending":
        raise upload_not_pending(status)


def cancelled(record: UploadRecord, now: float) -> UploadRecord | None:
    """Cancel the upload; a repetition has no effect.

    Raises
    ------
    ApiError
        It has ended in another way, or is being completed (400).
    """
    if record.status == "cancelled":
        return None
    pending(record, now)
    if record.part_ids is not None:
        raise upload_being_completed()
    return record.model_copy(update={"status": "cancelled"})


def begun(record: UploadRecord, part_ids: list[str], now: float) -> UploadRecord | None:
    """Begin to complete the upload with these parts; a repetition has no effect.

    Raises
    ------
    ApiError
        It has ended in another way, or is being completed with other parts (400).
    """
    if record.status == "completed" and record.part_ids == part_ids:
        return None
    pending(record, now)
    if record.part_ids is not None and record.part_ids != part_ids:
        raise upload_being_completed()
    return record.model_copy(update={"part_ids": part_ids})


def given_up(record: UploadRecord, part_ids: list[str]) -> UploadRecord | None:
    """Record that the completion with these parts failed; another one may be tried."""
    if record.status != "pending" or record.part_ids != part_ids:
        return None
    return record.model_copy(update={"part_ids": None})


def completed(record: UploadRecord, file: File) -> UploadRecord:
    """The upload, completed as a file."""
    return record.model_copy(update={"status": "completed", "file": file})


def blocks(record: UploadRecord, part_ids: Iterable[str], sizes: Mapping[str, int]) -> list[str]:
    """The blocks of the parts in their order, taken from the existing blocks.

    Raises
    ------
    ApiError
        A part does not exist, or the sizes of the parts do not add up to the upload's (400).
    """
    by_part: dict[str, list[str]] = {}
    for block in sorted(sizes):
        by_part.setdefault(part_of(block), []).append(block)
    found: list[str] = []
    for part_id in part_ids:
        if part_id not in by_part:
            raise unknown_part(part_id)
        found += by_part[part_id]
    if (total := sum(sizes[block] for block in found)) != record.bytes:
        raise upload_mismatch("bytes", record.bytes, total)
    return found


def block(part_id: str, number: int) -> str:
    """The name of a part's block. All names have the same length, as storage requires."""
    return f"{part_id}.{number:05}"


def part_of(block: str) -> str:
    """The part that a block belongs to."""
    return block.rpartition(".")[0]


def file_of(record: UploadRecord, now: int) -> FileRecord:
    """The file that the upload becomes."""
    return FileRecord(
        id=record.file_id,
        created_at=now,
        purpose=record.purpose,
        filename=record.filename,
        bytes=record.bytes,
        expires_at=now + record.keep if record.keep is not None else None,
    )


def _status(record: UploadRecord, now: float) -> str:
    return "expired" if record.status == "pending" and now >= record.expires_at else record.status
