"""Files: the document describes a file and names its users; the content is a separate blob."""

from pydantic import Field

from assistants.schema.base import Deferred
from assistants.schema.files import File, FilePurpose

_USERS_KEPT = 1_000


class FileRecord(Deferred):
    """A file as it is stored."""

    id: str
    created_at: int
    purpose: FilePurpose
    filename: str
    bytes: int
    expires_at: int | None = None
    image: str | None = None
    """The media type of an image that models accept; empty: it is none; None: the content was not examined."""
    stores: list[str] = Field(default_factory=list[str])
    """Vector stores that the file may be in."""
    users: list[str] = Field(default_factory=list[str])
    """Assistants and threads whose code interpreter may have the file, the latest ones."""
    without_content: bool = False
    """The file was imported, and its content was not."""
    deleted: bool = False
    """The file is deleted, but may still be named by its `stores` and `users`."""

    def gone(self, now: float) -> bool:
        """Whether the file is deleted or has expired."""
        return self.deleted or (self.expires_at is not None and now >= self.expires_at)


def view(record: FileRecord) -> File:
    """The file in the API's form (contract, 6.1)."""
    return File.model_validate(record.model_dump(exclude={"image", "stores", "users", "deleted", "without_content"}))


def in_store(record: FileRecord, store_id: str, now: float) -> FileRecord | None:
    """Record that the file may be in a store. None: this is recorded already, or the file is gone."""
    if record.gone(now) or store_id in record.stores:
        return None
    return record.model_copy(update={"stores": [*record.stores, store_id]})


def out_of_store(record: FileRecord, store_id: str) -> FileRecord | None:
    """Record that the file is not in a store. None: this is recorded already."""
    left = [store for store in record.stores if store != store_id]
    return record.model_copy(update={"stores": left}) if left != record.stores else None


def used_by(record: FileRecord, user: str, now: float) -> FileRecord | None:
    """Record that an assistant or a thread may have the file. None: this is recorded already, or the file is gone."""
    if record.gone(now) or user in record.users:
        return None
    return record.model_copy(update={"users": [*record.users, user][-_USERS_KEPT:]})


def deleted(record: FileRecord) -> FileRecord | None:
    """Mark the file as deleted. None: it is marked already."""
    return None if record.deleted else record.model_copy(update={"deleted": True})
