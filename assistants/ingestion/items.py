"""What the queue `ingest` holds: ids only."""

from collections.abc import Iterable, Iterator
from typing import Annotated, Literal

from pydantic import BaseModel, Field, TypeAdapter

from assistants.storage.ids import Project

INGEST = "ingest"
"""The queue that moves files into vector stores."""

LONGEST_DELAY = 600.0
"""Seconds between two looks at files that have not got on."""

_FILES = 16
_BYTES = 4 * 1024 * 1024


class Ingest(BaseModel):
    """Ingest these files, if the store still waits for these versions of them."""

    kind: Literal["ingest"] = "ingest"
    project: Project
    store: str
    files: dict[str, str]
    """Versions, by the files' ids."""


class LookAgain(BaseModel):
    """See how the files that came together are getting on, and go on doing so until all have been ingested."""

    kind: Literal["look"] = "look"
    project: Project
    store: str
    token: str
    """What their versions begin with."""
    waiting: int
    """How many were still to be ingested when the item was sent."""
    delay: Annotated[float, Field(gt=0, le=LONGEST_DELAY)]
    """Seconds for which it was hidden."""


class PurgeStore(BaseModel):
    """Delete what is left of a deleted vector store."""

    kind: Literal["purge_store"] = "purge_store"
    project: Project
    store: str


class PurgeFile(BaseModel):
    """Delete what is left of a deleted file."""

    kind: Literal["purge_file"] = "purge_file"
    project: Project
    file: str


class LookAfterFile(BaseModel):
    """Delete a content that no file was made of, or a file that has expired, which nobody may ever meet."""

    kind: Literal["look_after_file"] = "look_after_file"
    project: Project
    file: str


Item = Ingest | LookAgain | PurgeStore | PurgeFile | LookAfterFile
ingest_item: TypeAdapter[Item] = TypeAdapter(Annotated[Item, Field(discriminator="kind")])


def portions(project: str, store_id: str, files: Iterable[tuple[str, str, int]]) -> Iterator[Ingest]:
    """Items for files, given as (id, version, bytes): small ones go together, a large one goes alone."""
    item, size = Ingest(project=project, store=store_id, files={}), 0
    for file_id, version, length in files:
        if item.files and (len(item.files) == _FILES or size + length > _BYTES):
            yield item
            item, size = Ingest(project=project, store=store_id, files={}), 0
        item.files[file_id] = version
        size += length
    if item.files:
        yield item
