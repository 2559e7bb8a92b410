"""The handler of the queue `ingest`: makes chunks of files, so that they can be searched.

Items may come twice, late, out of order or never, and any process may die at any line: a version that the store does
not await has no effect.
"""

import asyncio
import logging
import time
from collections.abc import Awaitable, Callable, Iterable
from typing import NamedTuple

from assistants.ingestion.commits import Commits
from assistants.ingestion.items import (
    INGEST,
    MAX_CHECK_DELAY,
    CheckFiles,
    FreeStore,
    Ingest,
    PurgeFile,
    PurgeStore,
    RetireFiles,
    RetireStores,
    SweepFile,
    ingest_item,
)
from assistants.ingestion.limits import MAX_ATTENDANCE, refused
from assistants.ingestion.membership import chunks_name, send_items
from assistants.ingestion.removal import purge_file, purge_store, sweep_file
from assistants.ingestion.retention import free_store, retire_files, retire_stores
from assistants.model.errors import EndpointError
from assistants.notify.telling import tell_files
from assistants.schema.tools import StaticChunks
from assistants.schema.vector_stores import FileError
from assistants.state import post
from assistants.state.store import Store
from assistants.state.vector_stores import Member, Outcome, VectorStoreRecord
from assistants.storage.ids import blob_name
from assistants.storage.retrying import outlast
from assistants.telemetry import record
from assistants.telemetry.names import BYTES, FILE, STORE
from assistants.telemetry.scope import scoped

log = logging.getLogger("assistants.ingestion")

SMALL = 4 * 1024 * 1024
"""Bytes up to which several files are ingested at once; larger ones take turns, as each is kept in memory."""

_AT_ONCE = 8
_PATIENCE = 60.0
"""Seconds that a file waits for its turn; then its item goes to the end of the queue. An item that took longer than the
host's `functionTimeout` would end the whole process, so files must not wait for others that take long."""

_GIVEN_UP = "The file could not be processed after several attempts"
_CAUSES = 1_000
"""Files for which this process keeps the last error of the model's endpoint."""


class Unreadable(Exception):
    """A file has no text to search; the error gives the reason."""

    def __init__(self, error: FileError) -> None:
        super().__init__(error.message)
        self.error = error


class Busy(Exception):
    """A file cannot be processed at present, as others take all of the time."""


Cut = Callable[[str, bytes, StaticChunks], Awaitable[bytes]]
"""Makes the bytes of a file's chunks from its name, content and chunk sizes; raises `Unreadable` or `Busy`."""


class _Version(NamedTuple):
    """A version of a file in a store."""

    project: str
    store: str
    file: str
    version: str


class Ingestion:
    """The handler of the queue `ingest`."""

    def __init__(self, store: Store, cut: Cut) -> None:
        self._store = store
        self._cut = cut
        self._commits = Commits(store)
        self._under_way: set[_Version] = set()
        self._causes: dict[_Version, str] = {}
        self._small, self._large = asyncio.Semaphore(_AT_ONCE), asyncio.Semaphore(1)

    async def handle(self, content: bytes) -> None:
        """Handle an item.

        Raises
        ------
        pydantic.ValidationError
            The item is malformed; after its last delivery it moves to the poison queue.
        Exception
            A file could not be processed; the item is to be delivered again.
        """
        item = ingest_item.validate_json(content)
        if isinstance(item, PurgeStore):
            if await purge_store(self._store, item.project, item.store):
                await post.send(self._store, item, self._store.settings.purge_again)
        elif isinstance(item, PurgeFile):
            await purge_file(self._store, item.project, item.file)
            await self._store.files.delete(blob_name(item.project, item.file))
        elif isinstance(item, SweepFile):
            await sweep_file(self._store, item)
        elif isinstance(item, RetireFiles):
            await retire_files(self._store, item)
        elif isinstance(item, RetireStores):
            await retire_stores(self._store, item)
        elif isinstance(item, FreeStore):
            await free_store(self._store, item)
        elif isinstance(item, CheckFiles):
            await self._check_files(item)
        else:
            async with asyncio.timeout(MAX_ATTENDANCE):
                await self._ingest(item)

    async def give_up(self, content: bytes) -> None:
        """Handle an item that failed repeatedly: its file ends `failed`; of several files, each is tried alone."""
        await outlast(lambda: self._give_up(content))

    async def _ingest(self, item: Ingest) -> None:
        document = await self._store.vector_stores.read(blob_name(item.project, item.store))
        waiting = document.value.in_progress if document else {}
        ours: dict[_Version, Member] = {}
        for file_id, version in item.files.items():
            key = _Version(item.project, item.store, file_id, version)
            if file_id in waiting and waiting[file_id].version == version and key not in self._under_way:
                ours[key] = waiting[file_id]
        self._under_way.update(ours)
        try:
            found = await asyncio.gather(
                *(self._processed(key, member) for key, member in ours.items()), return_exceptions=True
            )
            self._keep_errors(zip(ours, found, strict=True))
            outcomes = [each for each in found if isinstance(each, Outcome)]
            if outcomes:
                document = await self._commits.add(item.project, item.store, outcomes)
        finally:
            self._under_way.difference_update(ours)
        if document is not None:
            await tell_files(self._store, item.project, item.store, list(item.files.items()), document.value)
        await self._delete_superseded(item, document.value if document else None)
        for each in found:
            if isinstance(each, BaseException) and not isinstance(each, Busy):
                raise each
        busy = {key.file: key.version for key, each in zip(ours, found, strict=True) if isinstance(each, Busy)}
        if busy:
            await post.send(self._store, item.model_copy(update={"files": busy}))

    def _keep_errors(self, found: Iterable[tuple[_Version, Outcome | BaseException]]) -> None:
        """Keep the errors of the model's endpoint: if a file fails in the end, its error quotes the last one."""
        for key, each in found:
            self._causes.pop(key, None)
            if isinstance(each, EndpointError):
                self._causes[key] = str(each)
        while len(self._causes) > _CAUSES:
            del self._causes[next(iter(self._causes))]

    async def _processed(self, key: _Version, member: Member) -> Outcome:
        """The outcome of a file, its chunks stored by version: searches ignore them until the store has it."""
        seen = {FILE: key.file, STORE: key.store, BYTES: member.size}
        with scoped(project=key.project), record.span("ingest", "internal", seen) as span:
            outcome = await self._outcome(key, member)
            if outcome.last_error is not None:
                span.fail(outcome.last_error.code)
            return outcome

    async def _outcome(self, key: _Version, member: Member) -> Outcome:
        if error := refused(member.filename, member.size):
            return self._failed(key, error)
        since = time.monotonic()
        async with self._small if member.size <= SMALL else self._large:
            if time.monotonic() - since > _PATIENCE:
                raise Busy
            content = await self._store.contents.read(blob_name(key.project, key.file))
            if content is None:
                return Outcome(key.file, key.version, None)
            try:
                chunks = await self._cut(member.filename, content, member.chunking)
            except Unreadable as unreadable:
                return self._failed(key, unreadable.error)
            await self._store.chunks.write(chunks_name(*key), chunks)
            return Outcome(key.file, key.version, "completed", len(chunks))

    def _failed(self, key: _Version, error: FileError) -> Outcome:
        log.info("%s in %s: %s", key.file, key.store, error.message)
        return Outcome(key.file, key.version, "failed", last_error=error)

    async def _delete_superseded(self, item: Ingest, record: VectorStoreRecord | None) -> None:
        """Delete the chunks of superseded versions, whether this delivery wrote them or an earlier one that died."""
        for file_id, version in item.files.items():
            member = record.members.get(file_id) if record else None
            if member is None or member.version != version or member.status == "cancelled":
                await self._store.chunks.delete(chunks_name(item.project, item.store, file_id, version))

    async def _check_files(self, item: CheckFiles) -> None:
        """Send the items of files that are not ingested yet. The successor is sent first, so that one always exists."""
        document = await self._store.vector_stores.read(blob_name(item.project, item.store))
        found = document.value.in_progress if document else {}
        waiting = {file_id: each for file_id, each in found.items() if each.version.startswith(item.token)}
        if not waiting:
            return
        stuck = len(waiting) == item.waiting
        # A large file may only need time: the delay grows each time no file was ingested.
        delay = min(item.delay * 2, MAX_CHECK_DELAY) if stuck else self._store.settings.look_again
        await post.send(self._store, item.model_copy(update={"waiting": len(waiting), "delay": delay}), delay)
        if stuck:
            files = ((file_id, each.version, each.size) for file_id, each in waiting.items())
            await send_items(self._store, item.project, item.store, files)

    async def _give_up(self, content: bytes) -> None:
        try:
            item = ingest_item.validate_json(content)
        except ValueError:
            log.error("dropped an item of the queue %s that cannot be read", INGEST)
            return
        if isinstance(item, Ingest):
            await self._give_up_files(item)
        elif isinstance(item, RetireFiles | RetireStores):
            log.error("project %s: %s was given up until the next timer", item.project, item.kind)
        else:
            await post.send(self._store, item, self._store.settings.look_again)

    async def _give_up_files(self, item: Ingest) -> None:
        if len(item.files) > 1:
            for file_id, version in item.files.items():
                await post.send(self._store, item.model_copy(update={"files": {file_id: version}}))
            return
        log.error("vector store %s: gave up %s", item.store, ", ".join(item.files))
        for file_id, version in item.files.items():
            cause = self._causes.pop(_Version(item.project, item.store, file_id, version), None)
            error = FileError(code="server_error", message=f"{_GIVEN_UP}: {cause}" if cause else f"{_GIVEN_UP}.")
            outcome = Outcome(file_id, version, "failed", last_error=error)
            document = await self._commits.add(item.project, item.store, [outcome])
            if document is not None:
                await tell_files(self._store, item.project, item.store, [(file_id, version)], document.value)
