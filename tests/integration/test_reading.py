"""The child processes that read files: their limits, their end, and its result."""

import asyncio
import os
import signal
import sys
from collections.abc import AsyncIterator, Callable
from pathlib import Path

import pytest

from assistants.ingestion import reading
from assistants.ingestion.ingestion import Busy, Unreadable
from assistants.ingestion.reading import Child, Reading
from assistants.schema.tools import StaticChunks
from assistants.search.chunks import texts
from assistants.settings import Settings
from tests.support.service.processes import eventually

CHUNKING: StaticChunks = {"max_chunk_size_tokens": 800, "chunk_overlap_tokens": 400}
MEMORY = 256 * 1024 * 1024

linux = pytest.mark.skipif(sys.platform != "linux", reason="only Linux holds all of it")


class Readers:
    """Child processes with misbehaving readers, and with the real ones."""

    def __init__(self, children: int = 1, idle: float = 60) -> None:
        settings = Settings.model_validate({"READING_PROCESSES": children, "READING_MEMORY_BYTES": MEMORY})
        self.started: list[Child] = []
        self.reading = Reading(settings, self._start, idle)

    async def _start(self, memory: int) -> Child:
        self.started.append(await Child.start(memory, "tests.support.service.badchild"))
        return self.started[-1]

    async def read(self, name: str, content: bytes | str = b"") -> str:
        content = content.encode() if isinstance(content, str) else content
        return "\n".join(texts(await self.reading.read(name, content, CHUNKING)))

    async def error(self, name: str, content: bytes | str = b"") -> str:
        with pytest.raises(Unreadable) as raised:
            await self.read(name, content)
        assert raised.value.error.code == "invalid_file"
        return raised.value.error.message


@pytest.fixture
async def readers() -> AsyncIterator[Readers]:
    readers = Readers()
    yield readers
    await readers.reading.close()
    assert readers.reading.pids == []
    assert not [child.pid for child in readers.started if is_alive(child.pid)]


def is_alive(pid: int) -> bool:
    try:
        os.kill(pid, 0)
    except OSError:
        return False
    return True


async def comes(condition: Callable[[], object]) -> None:
    """Wait for the condition, while other tasks run."""
    await asyncio.to_thread(eventually, condition)


async def test_one_child_reads_files_one_after_the_other(readers: Readers):
    found = await asyncio.gather(*(readers.read("a.txt", f"text {number}") for number in range(5)))
    assert found == [f"text {number}" for number in range(5)]
    assert len(readers.started) == 1


async def test_a_child_without_files_is_ended_after_a_while():
    readers = Readers(idle=0.1)
    await readers.read("a.txt", "text")
    await comes(lambda: not is_alive(readers.started[0].pid) and not readers.reading.pids)
    assert await readers.read("a.txt", "more") == "more"
    await readers.reading.close()


@pytest.mark.parametrize(("size", "fits"), [("8", True), ("15000000", False)])
async def test_a_child_is_used_again_unless_it_took_much_memory(
    readers: Readers, size: str, fits: bool, monkeypatch: pytest.MonkeyPatch
):
    monkeypatch.setattr(reading, "_USED_UP", 60 * 1024 * 1024)
    await readers.read("a.grow", size)
    await readers.read("a.txt", "text")
    assert len(readers.started) == (1 if fits else 2)


async def test_a_child_reads_so_many_files_at_most(readers: Readers, monkeypatch: pytest.MonkeyPatch):
    monkeypatch.setattr(reading, "_FILES", 2)
    for _ in range(5):
        await readers.read("a.txt", "text")
    assert len(readers.started) == 3


async def test_a_file_that_is_not_read_has_the_next_one_read_by_another_child(readers: Readers):
    assert "neither UTF-8" in await readers.error("a.txt", b"\xff\xfe\xfd\xfc\xfb")
    assert await readers.read("a.txt", "text") == "text"
    assert len(readers.started) == 2


@linux
async def test_memory_ends_the_file_and_says_so(readers: Readers):
    assert await readers.error("a.grow", str(10**9)) == "Reading the file takes more than 256 MB of memory."
    assert await readers.error("a.txt", bytes(MEMORY)) == "Reading the file takes more than 256 MB of memory."
    assert await readers.read("a.txt", "text") == "text"


async def test_processor_time_ends_the_file_and_says_so(readers: Readers, monkeypatch: pytest.MonkeyPatch):
    with monkeypatch.context() as short:
        short.setattr(reading, "processor_seconds", lambda size: 1)
        assert await readers.error("a.spin") == "Reading the file takes more than 1 seconds of processor time."
    assert await readers.read("a.txt", "text") == "text"


@pytest.mark.parametrize("name", ["a.sleep", "a.spin"])
async def test_time_ends_the_file_and_says_so(readers: Readers, name: str, monkeypatch: pytest.MonkeyPatch):
    with monkeypatch.context() as short:
        short.setattr(reading, "MAX_SECONDS", 1)
        assert await readers.error(name) == "Reading the file takes more than 1 seconds."
    assert await readers.read("a.txt", "text") == "text"
    assert len(readers.started) == 2


async def test_more_text_than_a_file_may_have_ends_it(readers: Readers):
    assert await readers.error("a.grow", str(20_000_001)) == "The file has more than 5,000,000 tokens."


async def test_an_answer_is_not_read_beyond_its_limit(readers: Readers, monkeypatch: pytest.MonkeyPatch):
    monkeypatch.setattr(reading, "MAX_INDEX", 1000)
    assert await readers.read("a.txt", "short") == "short"
    assert "ended the process" in await readers.error("a.txt", "long " * 1000)


async def test_a_file_that_crashes_two_children_fails(readers: Readers):
    message = await readers.error("a.crash")
    assert message == "Reading the file ended the process that read it."
    assert len(readers.started) == 2
    assert await readers.read("a.txt", "text") == "text"


async def test_a_file_whose_child_was_killed_is_read_by_another_child(readers: Readers, tmp_path: Path):
    deadly = tmp_path / "deadly"
    deadly.touch()

    async def start(memory: int) -> Child:
        if readers.started:
            deadly.unlink()
        return await Readers._start(readers, memory)

    readers.reading._start = start  # type: ignore[assignment]
    assert await readers.read("a.die_once", str(deadly)) == "risen"
    assert len(readers.started) == 2


async def test_a_child_that_is_killed_while_idle_is_replaced(readers: Readers):
    await readers.read("a.txt", "text")
    os.kill(readers.started[0].pid, signal.SIGKILL)
    assert await readers.read("a.txt", "more") == "more"


async def test_other_files_are_read_while_one_takes_long():
    readers = Readers(children=2)
    slow = asyncio.create_task(readers.read("a.sleep"))
    await comes(lambda: readers.started)
    assert [await readers.read("a.txt", str(number)) for number in range(3)] == ["0", "1", "2"]
    assert len(readers.started) == 2
    assert not slow.done()
    slow.cancel()
    await asyncio.gather(slow, return_exceptions=True)
    await comes(lambda: not is_alive(readers.started[0].pid))
    await readers.reading.close()


async def test_a_file_waits_for_its_turn_only_for_so_long(readers: Readers, monkeypatch: pytest.MonkeyPatch):
    monkeypatch.setattr(reading, "_PATIENCE", 0.05)
    monkeypatch.setattr(reading, "MAX_SECONDS", 1)
    slow = asyncio.create_task(readers.read("a.sleep"))
    await asyncio.sleep(0)
    with pytest.raises(Busy):
        await readers.read("a.txt", "text")
    await asyncio.gather(slow, return_exceptions=True)


async def test_closing_ends_a_child_that_is_reading(readers: Readers):
    slow = asyncio.create_task(readers.read("a.spin"))
    await comes(lambda: readers.started)
    await readers.reading.close()
    assert not is_alive(readers.started[0].pid)
    with pytest.raises(OSError, match="no file is read"):
        await slow


async def test_the_output_of_a_library_is_no_part_of_the_answer(readers: Readers, capfd: pytest.CaptureFixture[str]):
    assert await readers.read("a.talk") == "talked"
    assert await readers.read("a.txt", "text") == "text"
    assert capfd.readouterr() == ("", "")


@linux
async def test_a_reader_has_access_to_the_files_bytes_only(
    readers: Readers, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
):
    monkeypatch.setenv("OPENAI_API_KEY", "secret")
    monkeypatch.setenv("AzureWebJobsStorage", "secret")
    found = dict(line.split(": ", 1) for line in (await readers.read("a.attempts", f"{tmp_path}/file")).split("\n"))
    assert [found.pop("environment")] == [
        str(sorted({"LC_CTYPE", "PYTHONPATH", *reading._OWN, *(name for name in reading._KEPT if name in os.environ)}))
    ]
    assert int(found.pop("descriptors")) <= 3 + 2 + 1  # the standard ones, the two pipes, and the listing's own
    assert found == {
        "socket": "Confined", "program": "Confined", "fork": "Confined", "write": "Confined", "read": "done",
        "thread": "done", "C socket": "-1", "C fork": "-1", "C program": "-1", "C kill": "-1",
    }  # fmt: skip
    assert not (tmp_path / "file").exists()


PARENT = """
import asyncio, sys
from assistants.ingestion.reading import Child

async def main():
    child = await Child.start(2**28, "tests.support.service.badchild")
    print(child.pid, flush=True)
    await child.ask({"name": sys.argv[1], "size": 800, "overlap": 0, "tokens": 9, "seconds": 60}, b"")

asyncio.run(main())
"""


@pytest.mark.parametrize("name", ["a.spin", "a.sleep"])
async def test_a_child_ends_with_its_parent_however_that_ends(name: str):
    parent = await asyncio.create_subprocess_exec(
        sys.executable, "-c", PARENT, name, stdout=asyncio.subprocess.PIPE, cwd=Path(__file__).parents[2]
    )
    assert parent.stdout is not None
    child = int(await parent.stdout.readline())
    await asyncio.sleep(0.3)
    parent.kill()
    await parent.wait()
    await comes(lambda: not is_alive(child))
