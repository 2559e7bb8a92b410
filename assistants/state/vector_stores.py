"""Vector stores: one document holds the store, its files and its batches, so one write moves a status and all counts.

All functions here are pure functions of that document.
"""

from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from typing import NamedTuple

from pydantic import Field

from assistants.schema.base import Deferred
from assistants.schema.errors import not_in_store, store_expired, store_full
from assistants.schema.tools import ChunkingStrategy, StaticChunks
from assistants.schema.vector_stores import (
    MAX_FILES,
    AttributeValue,
    CreateVectorStore,
    ExpiresAfter,
    FileCounts,
    FileError,
    FileStatus,
    ModifyVectorStore,
    ObjectAttributes,
    VectorStore,
    VectorStoreFile,
    VectorStoreFileBatch,
    VectorStoreStatus,
)

AUTO = StaticChunks(max_chunk_size_tokens=800, chunk_overlap_tokens=400)
"""The chunks that `auto` means (contract, 6.3)."""

_DAY = 86_400
_HOUR = 3_600
_REMOVED_KEPT = 1_000


class Member(Deferred):
    """A file in a store. Its `version` is new each time the file is added, and names the blob of its chunks."""

    created_at: int
    ordinal: int
    version: str
    filename: str = ""
    size: int = 0
    """Bytes of the file."""
    status: FileStatus = "in_progress"
    attributes: ObjectAttributes = Field(default_factory=dict[str, AttributeValue])
    chunking: StaticChunks = AUTO
    usage_bytes: int = 0
    last_error: FileError | None = None


class Batch(Deferred):
    """Files that were added by one request."""

    created_at: int
    file_ids: list[str]
    cancelled: bool = False


class VectorStoreRecord(Deferred):
    """A vector store as it is stored."""

    id: str
    created_at: int
    name: str | None = None
    description: str | None = None
    metadata: dict[str, str] = Field(default_factory=dict[str, str])
    expires_after: ExpiresAfter | None = None
    last_active_at: int
    members: dict[str, Member] = Field(default_factory=dict[str, Member])
    batches: dict[str, Batch] = Field(default_factory=dict[str, Batch])
    removed: dict[str, int] = Field(default_factory=dict[str, int])
    """Ordinals of the files that were removed last, so that they can still be cursors."""
    next_ordinal: int = 0
    closed: bool = False
    """It has expired, finally: its chunks are deleted."""
    freed: bool = False
    """All of its chunks are deleted."""

    @property
    def expires_at(self) -> int | None:
        return self.last_active_at + self.expires_after["days"] * _DAY if self.expires_after else None

    @property
    def in_progress(self) -> dict[str, Member]:
        """The files that are yet to be ingested."""
        return {file_id: each for file_id, each in self.members.items() if each.status == "in_progress"}

    def expired(self, now: float) -> bool:
        return self.closed or (self.expires_at is not None and now >= self.expires_at)


class NewMember(NamedTuple):
    """A file to be added to a store; its version, name and size are added later."""

    file_id: str
    attributes: Mapping[str, AttributeValue]
    chunking: StaticChunks
    strict: bool = True
    """Whether the request is refused if the file's type cannot be searched; else that file alone fails, later."""
    created_at: int | None = None
    """When it was added to the store, if not now."""
    version: str = ""
    filename: str = ""
    size: int = 0


class Outcome(NamedTuple):
    """The outcome of the ingestion of one version of a file; without a status the file was deleted."""

    file_id: str
    version: str
    status: FileStatus | None
    usage_bytes: int = 0
    last_error: FileError | None = None


def new_vector_store(id_: str, request: CreateVectorStore, now: float) -> VectorStoreRecord:
    """A store without its files."""
    return VectorStoreRecord(
        id=id_,
        created_at=int(now),
        last_active_at=int(now),
        name=request.name,
        description=request.description,
        metadata=request.metadata or {},
        expires_after=request.expires_after,
    )


def new_member(
    file_id: str,
    attributes: Mapping[str, AttributeValue] | None = None,
    strategy: ChunkingStrategy | None = None,
    strict: bool = True,
) -> NewMember:
    """A file of a request; its default is `auto` chunks."""
    chunking = strategy["static"] if strategy and strategy["type"] == "static" else AUTO
    return NewMember(file_id, attributes or {}, chunking, strict)


def modified(record: VectorStoreRecord, request: ModifyVectorStore) -> VectorStoreRecord:
    """Change the fields that were sent; a null unsets one."""
    fields = {name: getattr(request, name) for name in request.model_fields_set}
    if fields.get("metadata", ()) is None:
        fields["metadata"] = {}
    return record.model_copy(update=fields)


def usable(record: VectorStoreRecord, now: float) -> VectorStoreRecord:
    """
    Raises
    ------
    ApiError
        The store has expired (400).
    """
    if record.expired(now):
        raise store_expired(record.id)
    return record


def used(record: VectorStoreRecord, now: float) -> VectorStoreRecord | None:
    """Record that the store is used now. None: the last use is too recent for another write."""
    if now - record.last_active_at < _HOUR or record.expired(now):
        return None
    return record.model_copy(update={"last_active_at": int(now)})


def with_members(
    record: VectorStoreRecord, files: Sequence[NewMember], now: float, batch_id: str | None = None
) -> VectorStoreRecord:
    """Add files to the store; a file that is in the store already is ingested again.

    Raises
    ------
    ApiError
        The store has expired, or would have too many files (400).
    """
    usable(record, now)
    new = {
        each.file_id: Member(
            created_at=int(now) if each.created_at is None else each.created_at,
            ordinal=ordinal,
            version=each.version,
            filename=each.filename,
            size=each.size,
            attributes=dict(each.attributes),
            chunking=each.chunking,
        )
        for ordinal, each in enumerate(files, record.next_ordinal)
    }
    members = {**record.members, **new}
    if len(members) > MAX_FILES:
        raise store_full(record.id, MAX_FILES)
    batches = dict(record.batches)
    if batch_id is not None:
        batches[batch_id] = Batch(created_at=int(now), file_ids=list(new))
    return record.model_copy(
        update={
            "members": members,
            "batches": batches,
            "removed": {file_id: at for file_id, at in record.removed.items() if file_id not in new},
            "next_ordinal": record.next_ordinal + len(files),
            "last_active_at": max(record.last_active_at, int(now)),
        }
    )


def missing(record: VectorStoreRecord, files: Iterable[NewMember]) -> list[NewMember]:
    """The files that are not in the store, or cannot be searched there."""
    there = {file_id for file_id, each in record.members.items() if each.status in ("in_progress", "completed")}
    return [each for each in files if each.file_id not in there]


def without_members(record: VectorStoreRecord, file_ids: Iterable[str]) -> VectorStoreRecord | None:
    """Remove these files. None: none of them is in the store."""
    gone = {file_id: record.members[file_id].ordinal for file_id in file_ids if file_id in record.members}
    if not gone:
        return None
    members = {file_id: each for file_id, each in record.members.items() if file_id not in gone}
    removed = [*record.removed.items(), *gone.items()][-_REMOVED_KEPT:]
    return record.model_copy(update={"members": members, "removed": dict(removed)})


def with_attributes(
    record: VectorStoreRecord, file_id: str, attributes: Mapping[str, AttributeValue]
) -> VectorStoreRecord:
    """
    Raises
    ------
    ApiError
        The file is not in the store (404).
    """
    member = member_of(record, file_id).model_copy(update={"attributes": dict(attributes)})
    return record.model_copy(update={"members": {**record.members, file_id: member}})


def settled(record: VectorStoreRecord, outcomes: Iterable[Outcome]) -> VectorStoreRecord | None:
    """Record the outcomes of ingestions. None: all were of versions that are no longer in progress."""
    waiting = {(file_id, each.version) for file_id, each in record.in_progress.items()}
    news = {each.file_id: each for each in outcomes if (each.file_id, each.version) in waiting}
    if not news:
        return None
    ended = {
        file_id: record.members[file_id].model_copy(
            update={"status": each.status, "usage_bytes": each.usage_bytes, "last_error": each.last_error}
        )
        for file_id, each in news.items()
        if each.status is not None
    }
    record = record.model_copy(update={"members": {**record.members, **ended}})
    return without_members(record, news.keys() - ended.keys()) or record


def closed(record: VectorStoreRecord, now: float) -> VectorStoreRecord | None:
    """Close an expired store; its files in progress end. None: it is closed already, or has not expired."""
    if record.closed or not record.expired(now):
        return None
    ended = {name: each.model_copy(update={"status": "cancelled"}) for name, each in record.in_progress.items()}
    return record.model_copy(update={"closed": True, "members": {**record.members, **ended}})


def freed(record: VectorStoreRecord) -> VectorStoreRecord | None:
    """Record that all chunks of a closed store are deleted. None: this is recorded already, or it is not closed."""
    return record.model_copy(update={"freed": True}) if record.closed and not record.freed else None


def batch_cancelled(record: VectorStoreRecord, batch_id: str) -> VectorStoreRecord | None:
    """Cancel the batch's files that are in progress. None: it has none.

    Raises
    ------
    ApiError
        The store has no such batch (404).
    """
    batch, waiting = batch_of(record, batch_id), record.in_progress
    stopped = {
        file_id: record.members[file_id].model_copy(update={"status": "cancelled"})
        for file_id in batch.file_ids
        if file_id in waiting
    }
    if not stopped:
        return None
    batches = {**record.batches, batch_id: batch.model_copy(update={"cancelled": True})}
    return record.model_copy(update={"members": {**record.members, **stopped}, "batches": batches})


def member_of(record: VectorStoreRecord, file_id: str) -> Member:
    """
    Raises
    ------
    ApiError
        The file is not in the store (404).
    """
    if file_id not in record.members:
        raise not_in_store("file", file_id, record.id)
    return record.members[file_id]


def batch_of(record: VectorStoreRecord, batch_id: str) -> Batch:
    """
    Raises
    ------
    ApiError
        The store has no such batch (404).
    """
    if batch_id not in record.batches:
        raise not_in_store("file batch", batch_id, record.id)
    return record.batches[batch_id]


def listed(
    record: VectorStoreRecord, among: Iterable[str], status: FileStatus | None
) -> list[tuple[str, VectorStoreFile | None]]:
    """All of the store's files, oldest first; None for files that are not requested, or were removed."""
    among = set(among)
    ordinals = record.removed | {file_id: each.ordinal for file_id, each in record.members.items()}

    def shown(file_id: str) -> VectorStoreFile | None:
        asked = file_id in among and file_id in record.members
        return view_file(record, file_id) if asked and status in (None, record.members[file_id].status) else None

    return [(file_id, shown(file_id)) for file_id in sorted(ordinals, key=ordinals.__getitem__)]


def view_store(record: VectorStoreRecord, now: float) -> VectorStore:
    """The store in the API's form."""
    counts = _counts(record, record.members)
    status: VectorStoreStatus = "in_progress" if counts.in_progress else "completed"
    return VectorStore(
        id=record.id,
        created_at=record.created_at,
        name=record.name,
        description=record.description,
        usage_bytes=0 if record.closed else sum(each.usage_bytes for each in record.members.values()),
        file_counts=counts,
        status="expired" if record.expired(now) else status,
        expires_after=record.expires_after,
        expires_at=record.expires_at,
        last_active_at=record.last_active_at,
        metadata=record.metadata,
    )


def view_file(record: VectorStoreRecord, file_id: str) -> VectorStoreFile:
    """A file of the store in the API's form.

    Raises
    ------
    ApiError
        The file is not in the store (404).
    """
    member = member_of(record, file_id)
    return VectorStoreFile(
        id=file_id,
        created_at=member.created_at,
        usage_bytes=member.usage_bytes,
        vector_store_id=record.id,
        status=member.status,
        last_error=member.last_error,
        chunking_strategy={"type": "static", "static": member.chunking},
        attributes=member.attributes,
    )


def view_batch(record: VectorStoreRecord, batch_id: str) -> VectorStoreFileBatch:
    """A batch in the API's form; its counts are of the files that are still in the store.

    Raises
    ------
    ApiError
        The store has no such batch (404).
    """
    batch = batch_of(record, batch_id)
    counts = _counts(record, batch.file_ids)
    status: FileStatus = "in_progress" if counts.in_progress else "completed"
    return VectorStoreFileBatch(
        id=batch_id,
        created_at=batch.created_at,
        vector_store_id=record.id,
        status="cancelled" if batch.cancelled else status,
        file_counts=counts,
    )


def _counts(record: VectorStoreRecord, file_ids: Iterable[str]) -> FileCounts:
    found = Counter(record.members[file_id].status for file_id in file_ids if file_id in record.members)
    return FileCounts(**found, total=found.total())
