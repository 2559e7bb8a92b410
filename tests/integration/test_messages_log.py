"""The segments of a thread's message log."""

import asyncio
from dataclasses import dataclass
from typing import Any

import pytest
from openai import BadRequestError

from assistants.local.azurite import Storage
from assistants.schema.errors import ApiError
from assistants.schema.messages import Message
from assistants.state.messages import Messages, delete_record, put_record, update_record
from assistants.state.paging import Cursors
from assistants.state.threads import ThreadGone, ThreadRecord
from assistants.storage.documents import Documents
from assistants.storage.errors import LogFull
from assistants.storage.ids import blob_name
from assistants.storage.logs import MAX_RECORD, Logs
from assistants.storage.services import Appended, BlobService
from assistants.storage.slices import Slices
from tests.support.service.attending import ScriptedModel
from tests.support.service.inprocess import in_process

PROJECT, THREAD = "p", "thread_1"
LIMIT = 4
"""Appends after which a segment is full."""


def put(message_id: str, text: str = "") -> bytes:
    content: list[Any] = [{"type": "text", "text": {"value": text, "annotations": []}}]
    return put_record(Message(id=message_id, created_at=1, thread_id=THREAD, role="user", content=content))


@dataclass
class Log:
    """The log of one thread."""

    logs: Logs
    threads: Documents[ThreadRecord]
    messages: Messages

    async def append(self, *records: bytes, segments: int = 1) -> int:
        return await self.messages.append(PROJECT, THREAD, segments, records)

    async def segments(self) -> int:
        """The number of segments in the thread's document."""
        thread = await self.threads.read(blob_name(PROJECT, THREAD))
        assert thread is not None
        return thread.value.segments

    async def sizes(self) -> list[int]:
        """The number of records in each segment."""
        names = (f"{blob_name(PROJECT, THREAD)}/{number:05d}" for number in range(await self.segments()))
        return [(await self.logs.read(name)).count(b"\n") for name in names]

    async def ids(self, thread: str = THREAD) -> list[str]:
        segments = await self.segments() if thread == THREAD else 1
        transcript = await self.messages.read(PROJECT, thread, segments)
        found, _ = await transcript.page(Cursors(limit=1000, order="asc"), ValueError)
        return [message.id for message in found]

    async def delete_thread(self) -> None:
        await self.threads.delete(blob_name(PROJECT, THREAD))
        await self.messages.purge(PROJECT, THREAD)


def messages_of(logs: Logs, threads: Documents[ThreadRecord]) -> Messages:
    return Messages(logs, threads, LIMIT, Slices(), 1_000_000)


@pytest.fixture
async def log(blobs: BlobService, fresh: str) -> Log:
    logs, threads = Logs(blobs, fresh), Documents(blobs, f"{fresh}-threads", ThreadRecord)
    log = Log(logs, threads, messages_of(logs, threads))
    await log.messages.create_log(PROJECT, THREAD)
    await threads.create(blob_name(PROJECT, THREAD), ThreadRecord(id=THREAD, created_at=1))
    return log


async def test_a_new_log_has_one_segment_with_the_first_messages_in_it(log: Log):
    await log.messages.create_log(PROJECT, "thread_2", [put("msg_1"), put("msg_2")])
    assert await log.ids("thread_2") == ["msg_1", "msg_2"]


async def test_a_segment_rolls_when_it_is_full(log: Log):
    segments = 1
    seen: list[int] = []
    for number in range(10):
        segments = await log.append(put(f"msg_{number}"), segments=segments)
        seen.append(segments)
    assert seen == [1, 1, 1, 2, 2, 2, 2, 3, 3, 3]
    assert await log.sizes() == [4, 4, 2]
    assert await log.ids() == [f"msg_{number}" for number in range(10)]


async def test_records_that_fit_one_block_are_one_append(log: Log):
    assert await log.append(*(put(f"msg_{number}") for number in range(20))) == 1
    assert await log.sizes() == [20]


async def test_records_that_do_not_fit_one_block_are_several_and_never_split(log: Log):
    big = "x" * (MAX_RECORD // 2)
    assert await log.append(*(put(f"msg_{number}", big) for number in range(6))) == 2
    assert await log.sizes() == [4, 2]
    assert await log.ids() == [f"msg_{number}" for number in range(6)]


async def test_updates_and_deletes_in_a_later_segment_change_messages_of_an_earlier_one(log: Log):
    segments = await log.append(put("msg_1"), put("msg_2"))
    for number in range(LIMIT):
        segments = await log.append(put(f"more_{number}"), segments=segments)
    segments = await log.append(update_record("msg_1", {"a": "b"}), segments=segments)
    await log.append(delete_record("msg_2"), segments=segments)
    transcript = await log.messages.read(PROJECT, THREAD, await log.segments())
    changed = await transcript.get("msg_1")
    assert changed is not None
    assert changed.metadata == {"a": "b"}
    assert await transcript.get("msg_2") is None


@pytest.mark.parametrize("appenders", [2, 12])
async def test_appenders_that_race_across_segments_lose_no_record_and_keep_their_own_order(log: Log, appenders: int):
    async def append(appender: int) -> None:
        segments = 1
        for number in range(6):
            segments = await log.append(put(f"msg_{appender}_{number}"), segments=segments)

    await asyncio.gather(*(append(appender) for appender in range(appenders)))
    ids = await log.ids()
    for appender in range(appenders):
        own = [each for each in ids if each.startswith(f"msg_{appender}_")]
        assert own == [f"msg_{appender}_{number}" for number in range(6)]
    assert len(ids) == 6 * appenders
    assert await log.segments() <= len(ids) // LIMIT + 1


async def test_an_appender_with_an_old_number_of_segments_finds_the_others(log: Log):
    segments = 1
    for number in range(2 * LIMIT):
        segments = await log.append(put(f"msg_{number}"), segments=segments)
    assert segments == 3
    assert await log.append(put("msg_late")) == 3
    assert "msg_late" in await log.ids()
    assert await log.segments() == 3


class Crash(Exception):
    """The simulated end of a process."""


class Dying(Documents[ThreadRecord]):
    """Documents whose writer dies before it writes."""

    async def change(self, *arguments: Any, **options: Any) -> Any:
        raise Crash


async def test_a_roller_that_died_between_its_two_writes_is_healed_by_the_next_append(
    log: Log, blobs: BlobService, fresh: str
):
    dying = messages_of(log.logs, Dying(blobs, f"{fresh}-threads", ThreadRecord))
    for number in range(LIMIT - 1):
        await log.append(put(f"msg_{number}"))
    with pytest.raises(Crash):
        await dying.append(PROJECT, THREAD, 1, [put("msg_3")])
    assert await log.segments() == 1
    assert await log.ids() == ["msg_0", "msg_1", "msg_2", "msg_3"]

    assert await log.append(put("msg_4")) == 2
    assert await log.segments() == 2
    assert await log.append(put("msg_5"), segments=2) == 2
    assert await log.sizes() == [5, 1]
    assert await log.ids() == [f"msg_{number}" for number in range(6)]


class Full(Logs):
    """Logs whose first segments are full."""

    async def append(self, name: str, records: bytes, *condition: Any) -> Appended:
        if name.endswith("/00000"):
            raise LogFull(name)
        return await super().append(name, records, *condition)


async def test_a_record_for_a_segment_at_the_services_own_limit_goes_to_the_next_segment(
    log: Log, blobs: BlobService, fresh: str
):
    full = messages_of(Full(blobs, fresh), log.threads)
    await log.append(put("msg_1"))
    assert await full.append(PROJECT, THREAD, 1, [put("msg_2"), put("msg_3")]) == 2
    assert await log.sizes() == [1, 2]


async def test_a_deleted_thread_cannot_be_appended_to_or_read(log: Log):
    await log.delete_thread()
    for act in (log.append(put("msg_1")), log.messages.read(PROJECT, THREAD, 1)):
        with pytest.raises(ThreadGone, match="No thread found with id 'thread_1'") as gone:
            await act
        assert isinstance(gone.value, ApiError)
        assert gone.value.status == 404
    assert await log.messages.purge(PROJECT, THREAD) is False


async def test_a_thread_that_is_deleted_while_its_log_gets_a_segment_is_gone(log: Log):
    for number in range(LIMIT - 1):
        await log.append(put(f"msg_{number}"))
    await log.threads.delete(blob_name(PROJECT, THREAD))
    with pytest.raises(ThreadGone):
        await log.append(put("msg_last"))


async def test_a_purge_deletes_every_segment_of_its_thread_and_of_no_other(log: Log):
    await log.messages.create_log(PROJECT, f"{THREAD}1", [put("msg_1")])
    segments = 1
    for number in range(2 * LIMIT):
        segments = await log.append(put(f"msg_{number}"), segments=segments)
    assert await log.messages.purge(PROJECT, THREAD) is True
    assert [name async for name in log.logs.names(f"{PROJECT}/")] == [f"{PROJECT}/{THREAD}1/00000"]


async def test_a_segment_is_not_appended_to_beyond_its_size(log: Log):
    size = len(put("msg_0"))
    assert await log.messages.append(PROJECT, THREAD, 1, [put("msg_0")], size) == 1
    with pytest.raises(ApiError, match="Thread thread_1 is full") as refused:
        await log.messages.append(PROJECT, THREAD, 1, [put("msg_1")], 2 * size - 1)
    assert refused.value.status == 400
    assert await log.ids() == ["msg_0"]


async def test_the_bytes_of_full_segments_are_noted(log: Log):
    segments = 1
    for number in range(2 * LIMIT):
        segments = await log.append(put(f"msg_{number}"), segments=segments)
    thread = await log.threads.read(blob_name(PROJECT, THREAD))
    assert thread is not None
    assert thread.value.full_bytes == 2 * LIMIT * len(put("msg_0"))


async def test_a_full_thread_accepts_no_message_and_no_run_but_can_be_read(idle: Storage):
    async with in_process(idle, ScriptedModel(), MAX_THREAD_BYTES="1500") as service:
        threads = service.client.beta.threads
        thread, message = (await threads.create()).id, "Hello, how are you?"
        assistant = (await service.client.beta.assistants.create(model="demo")).id
        add = lambda: threads.messages.create(thread, role="user", content=message)  # noqa: E731
        for _ in range(3):
            await add()
        with pytest.raises(BadRequestError, match=f"Thread {thread} is full"):
            await add()
        assert len((await threads.messages.list(thread)).data) == 3
        records = [put("msg_run", "an answer" * 100)]
        await service.store.messages.append("default", thread, 1, records)
        with pytest.raises(BadRequestError, match=f"Thread {thread} is full"):
            await threads.runs.create(thread, assistant_id=assistant, stream=True)
