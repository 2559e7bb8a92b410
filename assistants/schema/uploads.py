"""Uploads: files that are sent in parts (contract, 6.2)."""

from typing import Annotated, Literal

from pydantic import Field

from assistants.schema.base import Items, NotNull, PartId, Request, Resource, Timestamp
from assistants.schema.files import File, FileExpiration, FilePurpose

Purpose = Literal["assistants", "batch", "fine-tune", "vision"]

MAX_PART = 64 * 1024 * 1024
"""The most bytes of a part."""

MAX_UPLOAD = 8 * 1024 * 1024 * 1024
"""The most bytes of all parts."""


class CreateUpload(Request):
    """A request to create an upload, with the data of its file."""

    filename: str
    purpose: Purpose
    bytes: Annotated[int, Field(ge=0, le=MAX_UPLOAD)]
    mime_type: str
    expires_after: NotNull[FileExpiration] = None


class AddUploadPart(Request):
    """A form to add a part."""

    data: Annotated[str, Field(json_schema_extra={"format": "binary"})]


class CompleteUpload(Request):
    """The parts of the file, in their order."""

    part_ids: Items[PartId]
    md5: NotNull[str] = None


class Upload(Resource):
    """A file that is being uploaded."""

    object: Literal["upload"] = "upload"
    bytes: int
    created_at: Timestamp
    filename: str
    purpose: FilePurpose
    status: Literal["pending", "completed", "cancelled", "expired"]
    expires_at: Timestamp
    file: File | None = None


class UploadPart(Resource):
    """A part of an upload."""

    object: Literal["upload.part"] = "upload.part"
    created_at: Timestamp
    upload_id: str
