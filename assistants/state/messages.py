"""The messages of a thread: an append-only log of records."""

import asyncio
import json
from collections.abc import AsyncIterator, Iterable, Sequence

from assistants.schema.errors import thread_full, too_large, unavailable
from assistants.schema.messages import Message
from assistants.state.outlines import Outlines, Segment
from assistants.state.threads import ThreadGone, ThreadRecord
from assistants.state.transcript import Transcript
from assistants.storage.documents import Documents
from assistants.storage.errors import LogFull, LogTooLong, NoLog
from assistants.storage.ids import blob_name
from assistants.storage.logs import MAX_RECORD, Logs
from assistants.storage.services import ALWAYS, if_at_most
from assistants.storage.slices import Pace, Slices


def put_record(message: Message) -> bytes:
    """
    Raises
    ------
    ApiError
        The message is too large for one record (413); it is never split.
    """
    return _record("put", message.model_dump(mode="json"))


async def put_records(messages: Iterable[Message], slices: Slices) -> list[bytes]:
    """The records of many messages, made in slices; raises as `put_record`."""
    pace, records = Pace(slices), list[bytes]()
    for message in messages:
        records.append(put_record(message))
        await pace.done()
    return records


def update_record(message_id: str, metadata: dict[str, str]) -> bytes:
    """The record of a message's new metadata, complete."""
    return _record("update", {"id": message_id, "metadata": metadata})


def delete_record(message_id: str) -> bytes:
    """The record of a deletion; it is final, even if the message is put again later."""
    return _record("delete", message_id)


class Messages:
    """The message logs of all threads. A log has segments; records are appended to the last one.

    Parameters
    ----------
    segment_blocks
        Appends after which a segment is full.
    slices
        Shared by the tasks of this process that read long logs.
    cache_bytes
        Memory for the outlines of the logs that were read last.
    """

    def __init__(
        self,
        logs: Logs,
        threads: Documents[ThreadRecord],
        segment_blocks: int,
        slices: Slices,
        cache_bytes: int,
    ) -> None:
        self._logs = logs
        self._threads = threads
        self._segment_blocks = segment_blocks
        self._slices = slices
        self._outlines = Outlines(logs, slices, cache_bytes)

    async def create_log(self, project: str, thread_id: str, records: Sequence[bytes] = ()) -> None:
        """Make the log of a new thread, with its first messages in it.

        Raises
        ------
        ApiError
            It took so long that the creation was discarded (503).
        """
        await self._logs.create(_segment(project, thread_id, 0))
        await self.fill_log(project, thread_id, records)

    async def fill_log(self, project: str, thread_id: str, records: Sequence[bytes]) -> None:
        """Append the first messages of a thread before its commit; a later append notices if the log is full.

        Raises
        ------
        ApiError
            As `create_log`.
        """
        try:
            for block in _blocks(records):
                await self._logs.append(_segment(project, thread_id, 0), block)
        except NoLog:
            raise unavailable() from None

    async def append(
        self, project: str, thread_id: str, segments: int, records: Sequence[bytes], most: int | None = None
    ) -> int:
        """Append records in their order to a thread with this number of segments; return the new number.

        `most` is the greatest size in bytes that the last segment may have afterwards.

        Raises
        ------
        ThreadGone
            The thread has been deleted.
        ApiError
            The thread is full (400).
        """
        for block in _blocks(records):
            while True:
                name = _segment(project, thread_id, segments - 1)
                try:
                    appends, size = await self._logs.append(name, block, ALWAYS if most is None else if_at_most(most))
                except NoLog:
                    raise ThreadGone(thread_id) from None
                except LogTooLong:
                    raise thread_full(thread_id) from None
                except LogFull:
                    _, size = await self._logs.part(name, 0, 1)
                    segments = await self._roll(project, thread_id, segments, size)
                    continue
                if appends >= self._segment_blocks:
                    segments = await self._roll(project, thread_id, segments, size)
                break
        return segments

    async def _roll(self, project: str, thread_id: str, segments: int, size: int) -> int:
        """Begin the next segment. If this process dies meanwhile, the next append repeats it."""
        await self._logs.create(_segment(project, thread_id, segments))

        def one_more(thread: ThreadRecord) -> ThreadRecord | None:
            if thread.segments > segments:
                return None
            return thread.model_copy(update={"segments": segments + 1, "full_bytes": thread.full_bytes + size})

        thread = await self._threads.change(blob_name(project, thread_id), one_more)
        if thread is None:
            raise ThreadGone(thread_id)
        return thread.value.segments

    async def read(self, project: str, thread_id: str, segments: int) -> Transcript:
        """The messages of a thread as they are now.

        Raises
        ------
        ThreadGone
            The thread has been deleted.
        """
        names = (_segment(project, thread_id, number) for number in range(segments))
        try:
            found = await asyncio.gather(*(self._outlines.read(name) for name in names))
        except NoLog:
            raise ThreadGone(thread_id) from None
        return Transcript(self._logs, self._slices, thread_id, found)

    async def begun(self, thread_id: str, records: Sequence[bytes]) -> Transcript:
        """The messages of a new thread, whose log begins with these records."""
        content, segment = b"".join(records), Segment("")
        await segment.take(content, 0, self._slices, len(content))
        return Transcript(self._logs, self._slices, thread_id, [segment])

    def names(self, project: str, start_from: str) -> AsyncIterator[str]:
        """The names of the project's logs, from one on: each begins with the name of its thread's document."""
        return self._logs.names(f"{project}/", start_from)

    async def last_append(self, project: str, thread_id: str) -> float:
        """When the thread's log was last appended to, in storage time; 0 if it has no log."""
        prefix = blob_name(project, thread_id) + "/"
        return max([entry.modified_at async for entry in self._logs.listing.forwards(prefix)], default=0)

    async def purge(self, project: str, thread_id: str) -> bool:
        """Delete a thread's log with its indexes; return whether any of these existed."""
        names = [name async for name in self._logs.names(blob_name(project, thread_id) + "/")]
        for name in names:
            self._outlines.forget(name)
        await asyncio.gather(*(self._logs.delete(name) for name in names))
        return bool(names)


def _record(kind: str, value: object) -> bytes:
    record = json.dumps({kind: value}, ensure_ascii=False, separators=(",", ":")).encode() + b"\n"
    if len(record) > MAX_RECORD:
        raise too_large()
    return record


def _blocks(records: Sequence[bytes]) -> list[bytes]:
    blocks: list[list[bytes]] = []
    size = 0
    for record in records:
        size += len(record)
        if blocks and size <= MAX_RECORD:
            blocks[-1].append(record)
        else:
            blocks.append([record])
            size = len(record)
    return [b"".join(block) for block in blocks]


def _segment(project: str, thread_id: str, number: int) -> str:
    return f"{blob_name(project, thread_id)}/{number:05d}"
