"""Files: the document that describes one, and names the vector stores that it is in. Its content lies beside it."""

from pydantic import BaseModel, Field

from assistants.schema.files import File, FilePurpose


class FileRecord(BaseModel):
    """A file as it is stored."""

    id: str
    created_at: int
    purpose: FilePurpose
    filename: str
    bytes: int
    expires_at: int | None = None
    stores: list[str] = Field(default_factory=list[str])
    """Vector stores that the file may be in."""

    def expired(self, now: float) -> bool:
        return self.expires_at is not None and now >= self.expires_at


def view(record: FileRecord) -> File:
    """The file as the wire shows it (contract, 6.1)."""
    return File.model_validate(record.model_dump(exclude={"stores"}))
