import asyncio

import pytest

from assistants.storage import logs as module
from assistants.storage.errors import NoLog
from assistants.storage.logs import MAX_RECORD, Logs
from assistants.storage.services import BlobService
from tests.integration.conftest import Disturbed, arrives_twice


@pytest.fixture
def logs(blobs: BlobService, fresh: str) -> Logs:
    """Logs of a container that does not exist yet."""
    return Logs(blobs, fresh)


async def test_before_the_container_is_made_there_is_no_log(logs: Logs):
    with pytest.raises(NoLog):
        await logs.append("p/a", b"1")
    with pytest.raises(NoLog):
        await logs.read("p/a")
    assert [name async for name in logs.names("p/")] == []
    await logs.delete("p/a")


async def test_the_first_create_makes_the_container_and_a_race_for_it_has_no_loser(logs: Logs):
    await asyncio.gather(*(logs.create(f"p/{number}") for number in range(8)))
    assert [name async for name in logs.names("p/")] == [f"p/{number}" for number in range(8)]


async def test_a_new_log_is_empty(logs: Logs):
    await logs.create("p/a")
    assert await logs.read("p/a") == await logs.read("p/a", 0, 0) == await logs.read("p/a", 5) == b""


async def test_creating_a_log_again_keeps_its_records(logs: Logs):
    await logs.create("p/a")
    await logs.append("p/a", b"1")
    await logs.create("p/a")
    assert await logs.read("p/a") == b"1"


async def test_a_missing_log_is_not_created_by_an_append(logs: Logs):
    await logs.create("p/other")
    with pytest.raises(NoLog):
        await logs.append("p/a", b"1")
    with pytest.raises(NoLog):
        await logs.read("p/a")
    assert [name async for name in logs.names("p/")] == ["p/other"]


async def test_a_deleted_log_is_not_created_by_an_append(logs: Logs):
    await logs.create("p/a")
    await logs.delete("p/a")
    await logs.delete("p/a")
    with pytest.raises(NoLog):
        await logs.append("p/a", b"1")


async def test_an_append_returns_the_number_of_appends(logs: Logs):
    await logs.create("p/a")
    assert [await logs.append("p/a", b"x" * size) for size in (1, 1000, 1)] == [(1, 1), (2, 1001), (3, 1002)]


async def test_appends_at_once_are_all_kept_and_counted(logs: Logs):
    await logs.create("p/a")
    await asyncio.gather(*(logs.append("p/a", bytes([number])) for number in range(20)))
    assert sorted(await logs.read("p/a")) == list(range(20))
    # Azurite, unlike Azure, answers simultaneous appends with the number at their arrival.
    assert (await logs.append("p/a", b"x")).appends == 21


@pytest.mark.parametrize(
    ("start", "end", "expected"),
    [
        (0, None, b"0123456789"),
        (4, None, b"456789"),
        (0, 4, b"0123"),
        (4, 7, b"456"),
        (4, 4, b""),
        (7, 4, b""),
        (9, 10, b"9"),
        (9, 100, b"9"),
        (10, None, b""),
        (10, 20, b""),
        (100, None, b""),
    ],
)
@pytest.mark.parametrize("most", [module.MAX_READ, 1, 3, 5, 10])
async def test_ranges_are_read_in_as_many_requests_as_it_takes(
    logs: Logs, monkeypatch: pytest.MonkeyPatch, start: int, end: int | None, expected: bytes, most: int
):
    monkeypatch.setattr(module, "MAX_READ", most)
    await logs.create("p/a")
    await logs.append("p/a", b"01234")
    await logs.append("p/a", b"56789")
    assert await logs.read("p/a", start, end) == expected


async def test_a_read_between_appends_finds_whole_records(logs: Logs, monkeypatch: pytest.MonkeyPatch):
    monkeypatch.setattr(module, "MAX_READ", 64)
    await logs.create("p/a")
    record = b"0123456789\n"

    async def append() -> None:
        for _ in range(40):
            await logs.append("p/a", record)

    appending = asyncio.create_task(append())
    lengths: list[int] = []
    while not appending.done():
        content = await logs.read("p/a")
        assert content == record * (len(content) // len(record))
        lengths.append(len(content))
    await appending
    assert lengths == sorted(lengths)
    assert len(set(lengths)) > 2
    assert await logs.read("p/a") == record * 40


async def test_the_largest_record_is_one_append(logs: Logs):
    await logs.create("p/a")
    assert await logs.append("p/a", b"x" * MAX_RECORD) == (1, MAX_RECORD)
    assert len(await logs.read("p/a")) == MAX_RECORD


async def test_an_append_may_land_twice(logs: Logs, disturbed_blobs: BlobService, transport: Disturbed, fresh: str):
    await logs.create("p/a")
    transport.mishaps.append(arrives_twice)
    assert await Logs(disturbed_blobs, fresh).append("p/a", b"1") == (2, 2)
    assert await logs.read("p/a") == b"11"


async def test_names_are_those_under_the_prefix(logs: Logs):
    for name in ("p/a/1", "p/a/0", "p/ab/0", "q/a/0"):
        await logs.create(name)
    assert [name async for name in logs.names("p/a/")] == ["p/a/0", "p/a/1"]
