"""The items of the queue `ingest`. They hold ids only."""

from collections.abc import Iterable, Iterator
from typing import Annotated, Literal

from pydantic import Field, TypeAdapter

from assistants.state.post import Item
from assistants.storage.ids import Project

INGEST = "ingest"
"""The queue of the ingestion of files."""

MAX_CHECK_DELAY = 600.0
"""The most seconds between two checks of files of which none was ingested meanwhile."""

_FILES = 16
_BYTES = 4 * 1024 * 1024


class _Ingest(Item):
    @property
    def queue(self) -> str:
        return INGEST


class Ingest(_Ingest):
    """Ingest these versions of files, if the store still awaits them."""

    kind: Literal["ingest"] = "ingest"
    project: Project
    store: str
    files: dict[str, str]
    """Versions, by the files' ids."""


class CheckFiles(_Ingest):
    """Check files that were added to a store together, repeatedly until all of them are ingested."""

    kind: Literal["look"] = "look"
    project: Project
    store: str
    token: str
    """The beginning of the files' versions, common to all of them."""
    waiting: int
    """The number of files that were not ingested when the item was sent."""
    delay: Annotated[float, Field(gt=0, le=MAX_CHECK_DELAY)]
    """Seconds for which the item was hidden."""


class PurgeStore(_Ingest):
    """Delete the remaining blobs of a deleted vector store."""

    kind: Literal["purge_store"] = "purge_store"
    project: Project
    store: str


class PurgeFile(_Ingest):
    """Delete the remaining blobs of a deleted file."""

    kind: Literal["purge_file"] = "purge_file"
    project: Project
    file: str


class SweepFile(_Ingest):
    """Delete a content without a file, or a file that has expired."""

    kind: Literal["look_after_file"] = "look_after_file"
    project: Project
    file: str


class RetireFiles(_Ingest):
    """Delete the files of a project that were not used for `FILE_TTL_DAYS`, beginning with a name."""

    kind: Literal["retire_files"] = "retire_files"
    project: Project
    start: str = ""


class RetireStores(_Ingest):
    """Free the vector stores of a project that have expired, beginning with a name."""

    kind: Literal["retire_stores"] = "retire_stores"
    project: Project
    start: str = ""


class FreeStore(_Ingest):
    """Delete the chunks of a vector store that has expired."""

    kind: Literal["free_store"] = "free_store"
    project: Project
    store: str


Retirement = RetireFiles | RetireStores
IngestItem = Ingest | CheckFiles | PurgeStore | PurgeFile | SweepFile | Retirement | FreeStore
ingest_item: TypeAdapter[IngestItem] = TypeAdapter(Annotated[IngestItem, Field(discriminator="kind")])


def portions(project: str, store_id: str, files: Iterable[tuple[str, str, int]]) -> Iterator[Ingest]:
    """Items for files, given as (id, version, bytes): small files share an item, a large one has its own."""
    item, size = Ingest(project=project, store=store_id, files={}), 0
    for file_id, version, length in files:
        if item.files and (len(item.files) == _FILES or size + length > _BYTES):
            yield item
            item, size = Ingest(project=project, store=store_id, files={}), 0
        item.files[file_id] = version
        size += length
    if item.files:
        yield item
