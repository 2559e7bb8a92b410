"""The index of a long segment: written by readers, written anew if it is lost, deleted with its thread."""

import asyncio

import pytest

from assistants.schema.messages import Message
from assistants.state import outlines
from assistants.state.logindex import SUFFIX
from assistants.state.messages import Messages, delete_record, put_record, update_record
from assistants.state.outline import SIZE
from assistants.state.paging import Cursors
from assistants.state.threads import ThreadGone, ThreadRecord
from assistants.storage.documents import Documents
from assistants.storage.errors import NoLog
from assistants.storage.ids import blob_name
from assistants.storage.logs import MAX_RECORD, Logs
from assistants.storage.services import BlobService, Part
from assistants.storage.slices import Slices

PROJECT, THREAD = "p", "thread_1"
SEGMENT = f"{blob_name(PROJECT, THREAD)}/00000"


@pytest.fixture(autouse=True)
def reach(monkeypatch: pytest.MonkeyPatch) -> None:
    """Lower the number of bytes that need no index."""
    monkeypatch.setattr(outlines, "REACH", 1000)


@pytest.fixture
async def logs(blobs: BlobService, fresh: str) -> Logs:
    logs = Logs(blobs, fresh)
    await logs.create(SEGMENT)
    return logs


@pytest.fixture
def process(logs: Logs, blobs: BlobService, fresh: str) -> "Process":
    return Process(logs, blobs, fresh)


class Process:
    """Makes the messages of processes without caches."""

    def __init__(self, logs: Logs, blobs: BlobService, fresh: str) -> None:
        self._threads = Documents(blobs, f"{fresh}-threads", ThreadRecord)
        self._logs = logs

    def __call__(self, logs: Logs | None = None) -> Messages:
        return Messages(logs or self._logs, self._threads, 1000, Slices(), 10_000_000)


def put(number: int, text: str = "Hello") -> bytes:
    content = [{"type": "text", "text": {"value": text, "annotations": []}}]
    fields = {"id": f"msg_{number}", "created_at": 1, "thread_id": THREAD, "role": "user", "content": content}
    return put_record(Message.model_validate(fields))


async def ids(messages: Messages) -> list[str]:
    transcript = await messages.read(PROJECT, THREAD, 1)
    found, _ = await transcript.page(Cursors(limit=1000, order="asc"), LookupError)
    return [message.id for message in found]


async def entries(logs: Logs) -> int:
    """The number of entries in the index."""
    return len(await logs.read(SEGMENT + SUFFIX)) // SIZE


def expected(number: int) -> list[str]:
    return [f"msg_{each}" for each in range(number)]


async def test_a_short_log_has_none_and_a_long_one_is_read_by_it(logs: Logs, process: Process):
    await logs.append(SEGMENT, put(0))
    assert await ids(process()) == expected(1)
    with pytest.raises(NoLog):
        await entries(logs)
    await logs.append(SEGMENT, b"".join(put(number) for number in range(1, 40)))
    assert await ids(process()) == expected(40)
    assert await entries(logs) == 40
    assert await ids(process()) == expected(40)


async def test_it_grows_with_the_log_and_has_changes_far_back(logs: Logs, process: Process):
    known = process()
    for start in range(0, 60, 3):
        await logs.append(SEGMENT, b"".join(put(number) for number in range(start, start + 3)))
        assert await ids(known) == expected(start + 3)
    assert 50 < await entries(logs) <= 60
    await logs.append(SEGMENT, update_record("msg_1", {"a": "b"}) + delete_record("msg_0"))
    for messages in (known, process()):
        assert await ids(messages) == expected(60)[1:]
        changed = await (await messages.read(PROJECT, THREAD, 1)).get("msg_1")
        assert changed is not None
        assert changed.metadata == {"a": "b"}


async def test_a_lost_index_is_written_again(logs: Logs, process: Process):
    known = process()
    await logs.append(SEGMENT, b"".join(put(number) for number in range(40)))
    await ids(known)
    await logs.delete(SEGMENT + SUFFIX)
    assert await ids(process()) == expected(40)
    assert await entries(logs) == 40
    await logs.delete(SEGMENT + SUFFIX)
    for start in (40, 60, 80):
        await logs.append(SEGMENT, b"".join(put(number) for number in range(start, start + 20)))
        assert await ids(known) == expected(start + 20)
    assert await entries(logs) == 100


async def test_readers_at_once_write_each_entry_once(logs: Logs, process: Process):
    processes = [process() for _ in range(6)]
    for start in (0, 40, 80):
        await logs.append(SEGMENT, b"".join(put(number) for number in range(start, start + 40)))
        for found in await asyncio.gather(*(ids(messages) for messages in processes * 2)):
            assert found == expected(start + 40)
    assert await entries(logs) == 120


async def test_records_as_large_as_they_may_be_are_read(logs: Logs, process: Process):
    large = "x" * (MAX_RECORD - len(put(0, "")))
    for number in range(3):
        assert len(put(number, large)) == MAX_RECORD
        await logs.append(SEGMENT, put(number, large))
    assert await ids(process()) == expected(3)


async def test_a_purge_deletes_it(logs: Logs, process: Process):
    await logs.append(SEGMENT, b"".join(put(number) for number in range(40)))
    await ids(process())
    assert await process().purge(PROJECT, THREAD) is True
    assert [name async for name in logs.names(PROJECT)] == []


class Purged(Logs):
    """Logs whose thread is purged while its index is written."""

    async def create(self, name: str) -> None:
        await self.delete(SEGMENT)
        await super().create(name)


async def test_a_reader_that_is_late_leaves_none_of_a_deleted_thread(
    logs: Logs, blobs: BlobService, fresh: str, process: Process
):
    await logs.append(SEGMENT, b"".join(put(number) for number in range(40)))
    with pytest.raises(ThreadGone):
        await ids(process(Purged(blobs, fresh)))
    assert [name async for name in logs.names(PROJECT)] == []


class Recorded(Logs):
    """Logs that record the number of bytes read."""

    def __init__(self, service: BlobService, container: str) -> None:
        super().__init__(service, container)
        self.received = list[int]()

    async def part(self, name: str, start: int, end: int) -> Part:
        part = await super().part(name, start, end)
        self.received.append(len(part.content))
        return part


async def test_a_page_deep_in_the_log_reads_its_own_records(
    logs: Logs, blobs: BlobService, fresh: str, process: Process
):
    await logs.append(SEGMENT, b"".join(put(number, "Hello" * 100) for number in range(400)))
    await ids(process())
    recorded = Recorded(blobs, fresh)
    transcript = await process(recorded).read(PROJECT, THREAD, 1)
    assert sum(recorded.received) <= 400 * SIZE + 2_000
    recorded.received.clear()
    page, more = await transcript.page(Cursors(limit=3, order="asc", after="msg_200"), LookupError)
    assert [message.id for message in page] == ["msg_201", "msg_202", "msg_203"]
    assert more
    assert len(recorded.received) == 1
    assert recorded.received[0] < 3_000
