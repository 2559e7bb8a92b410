"""`python -m benchmarks.hostile`: the effects on other requests while a hostile file is read, and without any file.

For each file: its time, the longest wait of another request, the longest gap in a stream that the model did not
make, and the peak memory of the service, alone and with its children. Azurite, the demo model and the service run
on this machine, each in a separate process.
"""

import argparse
import asyncio
import os
import platform
import tempfile
import time
from collections.abc import Awaitable, Callable, Mapping
from contextlib import AsyncExitStack, ExitStack, suppress
from pathlib import Path
from typing import NamedTuple

import httpx2

from assistants.local.azurite import Azurite
from benchmarks.streaming import CHUNK_DELAY, HEADERS, SLOW, Bench
from tests.support import hostile
from tests.support.hostile import HOSTILE, bomb
from tests.support.service.processes import Model, Service

CONTROL = 5.0
"""Seconds for which no file is read."""

_MB = 1024 * 1024


def elements(size: int) -> bytes:
    """A document of `size` bytes that consists of elements only: it takes long, and one whole processor."""
    return bomb(hostile.DOCUMENT, hostile.BEGIN, "<w:b/>", hostile.END, size)


FILES: Mapping[str, Callable[[], bytes]] = {
    **{file.name: file.content for file in HOSTILE},
    "elements.docx": lambda: elements(500 * _MB),
    "divisions.html": lambda: b"<div>" * 16_000,
    "pre.html": lambda: b"<pre>" * 16_000,
    "comment.html": lambda: b"<!--" * _MB,
    "long.txt": lambda: b"word " * (9 * _MB),
}


class Felt(NamedTuple):
    """The measured seconds and bytes."""

    took: float
    wait: float
    gap: float
    memory: int
    with_children: int
    outcome: str

    def __str__(self) -> str:
        times = f"{self.took:7.1f} {self.wait:8.3f} {self.gap:8.3f}"
        return f"{times} {self.memory / _MB:8.0f} {self.with_children / _MB:8.0f}  {self.outcome}"


class Others:
    """A service, and other clients that use it while it reads a file."""

    def __init__(self, bench: Bench, http: httpx2.AsyncClient, service: Service, model: Model) -> None:
        self._bench, self._http, self._service, self._model = bench, http, service, model
        self._searched = ""

    async def idle(self, seconds: float = CONTROL) -> Felt:
        """Measure while no file is read."""

        async def sleep() -> str:
            await asyncio.sleep(seconds)
            return "nothing is read"

        return await self._felt(sleep)

    async def open(self) -> None:
        """Create a store that is searched while a file is read."""
        self._searched, _ = await self._read(
            [await self._upload("a.txt", b"The spire of Strasbourg is 142 metres high.")]
        )

    async def reading(self, name: str, content: bytes, times: int = 1) -> Felt:
        """Measure while a file is read, or several equal ones."""
        files = [await self._upload(name, content) for _ in range(times)]

        async def read() -> str:
            return (await self._read(files))[1]

        return await self._felt(read)

    async def _upload(self, name: str, content: bytes) -> str:
        made = await self._http.post("files", data={"purpose": "assistants"}, files={"file": (name, content)})
        return made.raise_for_status().json()["id"]

    async def _felt(self, act: Callable[[], Awaitable[str]]) -> Felt:
        words = ["word "] * 2000
        self._model.script({"match": SLOW, "chunks": words, "chunk_delay": CHUNK_DELAY, "times": 1})
        begun = asyncio.Event()
        gaps = list[float]()
        stream = asyncio.create_task(self._bench.kept_open(begun.set, gaps))
        await begun.wait()
        waits, memory = list[float](), list[tuple[int, int]]()
        watching = [asyncio.create_task(self._ask(waits)), asyncio.create_task(self._weigh(memory))]
        started = time.perf_counter()
        outcome = await act()
        took = time.perf_counter() - started
        await asyncio.sleep(2 * CHUNK_DELAY)
        for task in (stream, *watching):
            task.cancel()
        await asyncio.gather(stream, *watching, return_exceptions=True)
        alone, all_of_it = (max(each) for each in zip(*memory, strict=True))
        return Felt(took, max(waits), max(gaps), alone, all_of_it, outcome)

    async def _read(self, files: list[str]) -> tuple[str, str]:
        """Add files to a new store, and wait; return the store, and the result of the last file."""
        store = (await self._http.post("vector_stores", json={"file_ids": files})).raise_for_status().json()["id"]
        while True:
            found = (await self._http.get(f"vector_stores/{store}/files")).raise_for_status().json()["data"]
            if all(file["status"] != "in_progress" for file in found):
                error = found[0]["last_error"]
                return store, found[0]["status"] if error is None else error["message"]
            await asyncio.sleep(0.05)

    async def _ask(self, waits: list[float]) -> None:
        while True:
            for method, path, body in (
                ("GET", "assistants?limit=1", None),
                ("POST", f"vector_stores/{self._searched}/search", {"query": "Strasbourg"}),
            ):
                started = time.perf_counter()
                (await self._http.request(method, path, json=body)).raise_for_status()
                waits.append(time.perf_counter() - started)
                await asyncio.sleep(0.02)

    async def _weigh(self, memory: list[tuple[int, int]]) -> None:
        while True:
            alone = resident(self._service.pid)
            memory.append((alone, alone + sum(map(resident, self._service.children()))))
            await asyncio.sleep(0.1)


def resident(pid: int) -> int:
    """Bytes of memory of a process; 0 if it has ended, or the system is not Linux."""
    with suppress(OSError):
        return int(Path(f"/proc/{pid}/statm").read_text(encoding="ascii").split()[1]) * os.sysconf("SC_PAGE_SIZE")
    return 0


async def served(stack: AsyncExitStack, storage: str, **settings: str) -> Others:
    """A service on this storage."""
    processes = stack.enter_context(ExitStack())
    model = processes.enter_context(Model())
    service = processes.enter_context(Service(storage, model.url, **settings))
    client = httpx2.AsyncClient(timeout=120, headers=HEADERS, base_url=f"{service.url}/")
    http = await stack.enter_async_context(client)
    bench = Bench(http, None, service.url, model.url)
    await bench.open()
    others = Others(bench, http, service, model)
    await others.open()
    return others


async def run(names: list[str]) -> None:
    """Measure on this machine, and print its data."""
    print(f"Python {platform.python_version()}, {os.cpu_count()} CPUs, load {os.getloadavg()[0]:.1f}")
    async with AsyncExitStack() as stack:
        data = Path(stack.enter_context(tempfile.TemporaryDirectory()))
        storage = stack.enter_context(Azurite(data))
        others = await served(stack, storage.connection_string)
        print(f"{'':<24} {'took s':>7} {'wait s':>8} {'gap s':>8} {'MB':>8} {'all MB':>8}")
        print(f"{'control':<24} {await others.idle()}", flush=True)
        for name in names or FILES:
            print(f"{name:<24} {await others.reading(name, FILES[name]())}", flush=True)


def main() -> None:
    """Read the arguments and run."""
    parser = argparse.ArgumentParser(prog="python -m benchmarks.hostile", description=__doc__)
    parser.add_argument("names", nargs="*", choices=[[], *FILES], help="some of the files; by default all of them")
    asyncio.run(run(parser.parse_args().names))


if __name__ == "__main__":
    main()
