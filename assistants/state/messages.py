"""The messages of a thread: an append-only log of records, folded on read."""

import asyncio
import json
from collections.abc import AsyncIterator, Sequence
from typing import Any

from assistants.schema.errors import ApiError, too_large, unavailable
from assistants.schema.messages import Message
from assistants.state.threads import ThreadRecord
from assistants.storage.documents import Documents
from assistants.storage.errors import LogFull, NoLog
from assistants.storage.ids import blob_name
from assistants.storage.logs import MAX_RECORD, Logs

LogContent = Sequence[bytes]
"""The bytes of a thread's log, one entry a segment."""


class ThreadGone(ApiError):
    """The thread has been deleted, and its log with it."""

    def __init__(self, thread_id: str) -> None:
        super().__init__(404, f"No thread found with id '{thread_id}'.")


class Fold:
    """The messages of a log's records: an id keeps its first put, an update replaces fields, a delete is final.

    A deleted message keeps its place, so that it can still be a cursor.
    """

    def __init__(self, content: LogContent) -> None:
        self._messages: dict[str, dict[str, Any] | None] = {}
        for segment in content:
            for line in segment.splitlines():
                self._take(json.loads(line))

    def _take(self, record: dict[str, Any]) -> None:
        if put := record.get("put"):
            self._messages.setdefault(put["id"], put)
        elif update := record.get("update"):
            if message := self._messages.get(update["id"]):
                message.update(update)
        else:
            self._messages[record["delete"]] = None

    def __contains__(self, message_id: str) -> bool:
        """Whether the message was ever put, deleted or not."""
        return message_id in self._messages

    def get(self, message_id: str) -> Message | None:
        message = self._messages.get(message_id)
        return Message.model_validate(message) if message else None

    def messages(self) -> list[Message]:
        """The messages that are not deleted, oldest first."""
        return [Message.model_validate(message) for message in self._messages.values() if message]

    def raw(self) -> list[tuple[str, dict[str, Any] | None]]:
        """Ids and messages in the order of the log, oldest first; None for a deleted one."""
        return list(self._messages.items())


def put_record(message: Message) -> bytes:
    """
    Raises
    ------
    ApiError
        The message is too large for one record (413); it is never split.
    """
    return _record("put", message.model_dump(mode="json"))


def update_record(message_id: str, metadata: dict[str, str]) -> bytes:
    """The new metadata, all of it."""
    return _record("update", {"id": message_id, "metadata": metadata})


def delete_record(message_id: str) -> bytes:
    """Final, however often the message is put again."""
    return _record("delete", message_id)


class Messages:
    """The message logs of all threads. A log has segments; records are appended to the last one."""

    def __init__(self, logs: Logs, threads: Documents[ThreadRecord], segment_blocks: int) -> None:
        self._logs = logs
        self._threads = threads
        self._segment_blocks = segment_blocks

    async def create_log(self, project: str, thread_id: str, records: Sequence[bytes] = ()) -> None:
        """Make the log of a new thread, with its first messages in it.

        Raises
        ------
        ApiError
            It took so long that the creation was given up (503).
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

    async def append(self, project: str, thread_id: str, segments: int, records: Sequence[bytes]) -> int:
        """Append records in their order to a thread with this number of segments; return the new number.

        Raises
        ------
        ThreadGone
            The thread has been deleted.
        """
        for block in _blocks(records):
            while True:
                try:
                    count = await self._logs.append(_segment(project, thread_id, segments - 1), block)
                except NoLog:
                    raise ThreadGone(thread_id) from None
                except LogFull:
                    segments = await self._roll(project, thread_id, segments)
                    continue
                if count >= self._segment_blocks:
                    segments = await self._roll(project, thread_id, segments)
                break
        return segments

    async def _roll(self, project: str, thread_id: str, segments: int) -> int:
        """Begin the next segment. If this process dies before the end, the next append repeats it."""
        await self._logs.create(_segment(project, thread_id, segments))

        def one_more(thread: ThreadRecord) -> ThreadRecord | None:
            return thread.model_copy(update={"segments": segments + 1}) if thread.segments <= segments else None

        thread = await self._threads.change(blob_name(project, thread_id), one_more)
        if thread is None:
            raise ThreadGone(thread_id)
        return thread.value.segments

    async def fetch(self, project: str, thread_id: str, segments: int) -> list[bytes]:
        """The bytes of each segment of a thread's log.

        Raises
        ------
        ThreadGone
            The thread has been deleted.
        """
        try:
            reads = (self._logs.read(_segment(project, thread_id, number)) for number in range(segments))
            return await asyncio.gather(*reads)
        except NoLog:
            raise ThreadGone(thread_id) from None

    async def read(self, project: str, thread_id: str, segments: int) -> Fold:
        """All messages of a thread.

        Raises
        ------
        ThreadGone
            The thread has been deleted.
        """
        return Fold(await self.fetch(project, thread_id, segments))

    def names(self, project: str, start_from: str) -> AsyncIterator[str]:
        """The names of the project's logs, from one on: each begins with the name of its thread's document."""
        return self._logs.names(f"{project}/", start_from)

    async def purge(self, project: str, thread_id: str) -> bool:
        """Delete a thread's logs; return whether there were any."""
        names = [name async for name in self._logs.names(blob_name(project, thread_id) + "/")]
        await asyncio.gather(*(self._logs.delete(name) for name in names))
        return bool(names)


def _record(kind: str, value: object) -> bytes:
    record = json.dumps({kind: value}, ensure_ascii=False, separators=(",", ":")).encode() + b"\n"
    if len(record) > MAX_RECORD:
        raise too_large()
    return record


def _blocks(records: Sequence[bytes]) -> list[bytes]:
    blocks: list[bytes] = []
    for record in records:
        if blocks and len(blocks[-1]) + len(record) <= MAX_RECORD:
            blocks[-1] += record
        else:
            blocks.append(record)
    return blocks


def _segment(project: str, thread_id: str, number: int) -> str:
    return f"{blob_name(project, thread_id)}/{number:05d}"
