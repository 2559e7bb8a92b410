"""The containers and queues, opened from the settings."""

import asyncio
from dataclasses import dataclass, field
from typing import NamedTuple

from assistants.settings import Settings
from assistants.state.assistants import AssistantRecord
from assistants.state.changes import Changes
from assistants.state.files import FileRecord
from assistants.state.messages import Messages
from assistants.state.runs import RunRecord
from assistants.state.sessions import Hosting, Outcome, SessionRecord
from assistants.state.threads import Span, ThreadRecord
from assistants.state.uploads import UploadRecord
from assistants.state.vector_stores import VectorStoreRecord
from assistants.storage.clock import Clock
from assistants.storage.connection import MakeTransport, blob_service, queue_service
from assistants.storage.contents import Contents
from assistants.storage.documents import Documents
from assistants.storage.ids import IdSource, blob_name
from assistants.storage.logs import Logs
from assistants.storage.queues import Queues
from assistants.storage.services import BlobService, QueueService
from assistants.storage.slices import Slices
from assistants.storage.transport import Transport

_REMEMBERED = 1_000
"""Runs, some 100 bytes each. The first write of a run's driver records in the document that it is committed."""


class RunKey(NamedTuple):
    """The key of a run: its project, its thread and its id."""

    project: str
    thread: str
    run: str

    @property
    def name(self) -> str:
        return blob_name(*self)

    @property
    def thread_name(self) -> str:
        return blob_name(self.project, self.thread)


@dataclass(frozen=True)
class Store:
    """The containers and queues of the service, its clock and its ids."""

    settings: Settings
    clock: Clock
    ids: IdSource
    queues: Queues
    assistants: Documents[AssistantRecord]
    threads: Documents[ThreadRecord]
    messages: Messages
    runs: Documents[RunRecord]
    files: Documents[FileRecord]
    contents: Contents
    """The bytes of files, by the names of their documents."""
    uploads: Documents[UploadRecord]
    vector_stores: Documents[VectorStoreRecord]
    chunks: Contents
    """The chunks of a version of a file in a vector store."""
    sessions: Documents[SessionRecord]
    outcomes: Documents[Outcome]
    """The outcomes of executions of code."""
    snapshots: Contents
    """The snapshots of sessions' variables."""
    services: tuple[BlobService, QueueService]
    spans: dict[str, Span] = field(default_factory=dict[str, Span])
    """By project: the ids of the threads of this process that a queued sweep covers."""
    committed: dict[str, None] = field(default_factory=dict[str, None])
    """The names of the latest runs whose commit this process has seen, before their documents record it."""
    ended: dict[str, None] = field(default_factory=dict[str, None])
    """The names of the latest runs whose end this process has seen. An end is final: such a run locks no thread."""
    slices: Slices = field(default_factory=Slices)
    """Shared by the streams and the readers of long threads of this process."""
    answered: dict[str, asyncio.Event] = field(default_factory=dict[str, asyncio.Event])
    """By the names of runs of this process that await server tools: set when the process stores an output."""
    changes: Changes[RunRecord] = field(default_factory=Changes[RunRecord])
    """The runs that this process writes, for its requests that wait for a change."""
    hosting: Hosting = field(default_factory=Hosting)
    """The functions of this process's code execution that runs and threads depend on."""

    @classmethod
    def open(cls, settings: Settings, transport: MakeTransport = Transport) -> "Store":
        """The store of the account that the settings name.

        Raises
        ------
        NotConfigured
            The settings name no storage account.
        """
        clock = Clock()
        blobs, queues = blob_service(settings, clock, transport), queue_service(settings, clock, transport)
        return cls.over(settings, clock, blobs, queues)

    @classmethod
    def over(cls, settings: Settings, clock: Clock, blobs: BlobService, queues: QueueService) -> "Store":
        """The store of these services, whose answers correct the clock."""
        threads, slices = Documents(blobs, "threads", ThreadRecord), Slices()
        logs = Logs(blobs, "messages")
        return cls(
            settings=settings,
            clock=clock,
            ids=IdSource(clock),
            queues=Queues(queues),
            assistants=Documents(blobs, "assistants", AssistantRecord),
            threads=threads,
            messages=Messages(logs, threads, settings.log_segment_blocks, slices, settings.thread_cache_bytes),
            runs=Documents(blobs, "runs", RunRecord),
            files=Documents(blobs, "files", FileRecord),
            contents=Contents(blobs, "file-contents"),
            uploads=Documents(blobs, "uploads", UploadRecord, imported=False),
            vector_stores=Documents(blobs, "vector-stores", VectorStoreRecord),
            chunks=Contents(blobs, "vector-store-chunks"),
            sessions=Documents(blobs, "code", SessionRecord, imported=False),
            outcomes=Documents(blobs, "code", Outcome, imported=False),
            snapshots=Contents(blobs, "code"),
            services=(blobs, queues),
            slices=slices,
        )

    def saw_committed(self, key: RunKey) -> None:
        """Remember that the thread names the run: its creation is committed."""
        _remember(self.committed, key.name)

    def saw_ended(self, key: RunKey) -> None:
        """Remember that the run has ended. Its document is still read where its metadata are shown."""
        _remember(self.ended, key.name)

    async def hear_time(self) -> None:
        """Correct the clock by a request to storage, unless an earlier response has corrected it.

        Raises
        ------
        AzureError
            Storage does not answer.
        """
        if not self.clock.corrected:
            await self.assistants.read("time")

    async def close(self) -> None:
        await asyncio.gather(*(service.close() for service in self.services))


def _remember(names: dict[str, None], name: str) -> None:
    names[name] = None
    if len(names) > _REMEMBERED:
        del names[next(iter(names))]
