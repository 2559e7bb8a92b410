"""Files (contract, 6.1)."""

from typing import Literal

from assistants.schema.base import Resource, Timestamp

UploadPurpose = Literal["assistants", "batch", "fine-tune", "vision", "user_data", "evals"]
FilePurpose = Literal[
    "assistants", "assistants_output", "batch", "batch_output", "fine-tune", "fine-tune-results", "vision",
    "user_data", "evals",
]  # fmt: skip


class File(Resource):
    """A file that was uploaded, or that the service made."""

    object: Literal["file"] = "file"
    purpose: FilePurpose
    filename: str
    bytes: int
    created_at: Timestamp
    expires_at: Timestamp | None = None
    status: Literal["uploaded", "processed", "error"] = "processed"
    status_details: str | None = None
