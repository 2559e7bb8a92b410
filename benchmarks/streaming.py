"""`python -m benchmarks.streaming`: the time to the first word of a stream, compared with a direct call of the model.

Then the waits of other requests while many streams run at the full speed of the model. Azurite, the demo model, which
answers at once, and the service run on this machine, each in a separate process.
"""

import argparse
import asyncio
import multiprocessing
import os
import platform
import statistics
import tempfile
import time
from collections.abc import AsyncIterator, Callable, Sequence
from concurrent.futures import ProcessPoolExecutor
from contextlib import AsyncExitStack, suppress
from pathlib import Path
from typing import Any

import httpx2

from assistants.local.azurite import Azurite
from assistants.state.store import Store
from assistants.state.threads import ThreadRecord
from tests.support.service.attending import open_store
from tests.support.service.processes import Model, Service

HEADERS = {"OpenAI-Beta": "assistants=v2", "Authorization": "Bearer unused"}
SLOW, FAST = "slowly", "fast"
CHUNK_DELAY = 0.5
"""Seconds between two words of a slow stream."""

MODEL_WAITS = {"thread.run.step.created": 1, "thread.message.delta": 1, "thread.message.completed": 3}
"""The number of such waits before an event: at the end for the finish reason, the usage and `[DONE]`."""


class Bench:
    """The service and the model, and the measured requests."""

    def __init__(self, http: httpx2.AsyncClient, store: Store | None, service: str, model: str) -> None:
        self._http, self._store, self._service, self._model = http, store, service, model
        self._assistant = ""

    async def open(self) -> None:
        self._assistant = (await self._post(f"{self._service}/assistants", {"model": "demo"}))["id"]

    async def direct(self) -> float:
        """Seconds from a request to the model to the first word."""
        body = {"model": "demo", "stream": True, "messages": [{"role": "user", "content": "Hello"}]}
        started = time.perf_counter()
        async for line in self._lines(f"{self._model}/chat/completions", body):
            if '"content": "You' in line:
                return time.perf_counter() - started
        raise RuntimeError("no word came")

    async def stored(self) -> float:
        """Seconds of the storage operations of a streamed run before its call of the model: two reads, two writes."""
        assert self._store is not None
        threads = self._store.threads
        name, record = self._store.ids.new("thread_"), ThreadRecord(id="thread_bench", created_at=0)
        started = time.perf_counter()
        for _ in range(2):
            await threads.read(name)
        await threads.replace(await threads.create(name, record), record)
        return time.perf_counter() - started

    async def streamed(self) -> tuple[float, float]:
        """Seconds from the creation of a run to the first bytes, and to the first word."""
        url, body = await self._run("Hello")
        started, first = time.perf_counter(), 0.0
        async for line in self._lines(url, body):
            first = first or time.perf_counter() - started
            if line == "event: thread.message.delta":
                return first, time.perf_counter() - started
        raise RuntimeError("no word came")

    async def kept_open(self, begun: Callable[[], object], gaps: list[float] | None = None) -> list[float]:
        """Read a slow stream to its end; return the seconds between its events, less those of the model.

        They are also added to `gaps` as they occur.
        """
        url, body = await self._run(SLOW)
        gaps = [] if gaps is None else gaps
        last, name, before_done = 0.0, "", ""
        async for line in self._lines(url, body):
            if not line.startswith("event: "):
                continue
            name, now = line.removeprefix("event: "), time.perf_counter()
            if last:
                gaps.append(now - last - CHUNK_DELAY * MODEL_WAITS.get(name, 0))
            last = now
            if name == "thread.message.delta":
                begun()
            if name.startswith("thread.run."):
                before_done = name
        if (before_done, name) != ("thread.run.completed", "done"):
            raise RuntimeError(f"a stream ended with {before_done}, {name}")
        return gaps

    async def at_full_speed(self) -> tuple[int, float]:
        """Read a fast stream to its end; return the number of its deltas, and its seconds."""
        url, body = await self._run(FAST)
        started, deltas, last = time.perf_counter(), 0, ""
        async for line in self._lines(url, body):
            if line.startswith("event: "):
                last = line
                deltas += line == "event: thread.message.delta"
        if last != "event: done":
            raise RuntimeError(f"a stream ended with {last}")
        return deltas, time.perf_counter() - started

    def ping(self) -> str:
        """The URL of another client's requests meanwhile."""
        return f"{self._service}/assistants/{self._assistant}"

    async def _run(self, text: str) -> tuple[str, dict[str, Any]]:
        """The request that runs the assistant on a new thread."""
        messages = [{"role": "user", "content": text}]
        thread = await self._post(f"{self._service}/threads", {"messages": messages})
        return f"{self._service}/threads/{thread['id']}/runs", {"assistant_id": self._assistant, "stream": True}

    async def _post(self, url: str, body: dict[str, Any]) -> Any:
        return (await self._http.post(url, json=body, headers=HEADERS)).raise_for_status().json()

    async def _lines(self, url: str, body: dict[str, Any]) -> AsyncIterator[str]:
        async with self._http.stream("POST", url, json=body, headers=HEADERS) as response:
            response.raise_for_status()
            async for line in response.aiter_lines():
                yield line


async def opened(bench: Bench, number: int, at_once: int = 10) -> "list[asyncio.Task[list[float]]]":
    """Open this number of slow streams, a few at a time; all of them have begun."""
    begun = [asyncio.Event() for _ in range(number)]
    tasks: list[asyncio.Task[list[float]]] = []
    for index, event in enumerate(begun):
        if index >= at_once:
            await begun[index - at_once].wait()
        tasks.append(asyncio.create_task(bench.kept_open(event.set)))
    await asyncio.gather(*(event.wait() for event in begun))
    if any(task.done() for task in tasks):
        for task in tasks:
            task.cancel()
        await asyncio.gather(*tasks, return_exceptions=True)
        raise RuntimeError("some streams ended before all were open")
    return tasks


async def held_up() -> float:
    """The longest delay of an idle process on this machine, until the task is cancelled."""
    longest, last = 0.0, time.perf_counter()
    with suppress(asyncio.CancelledError):
        while True:
            await asyncio.sleep(0.01)
            now = time.perf_counter()
            longest, last = max(longest, now - last - 0.01), now
    return longest


async def first_words(bench: Bench, rounds: int) -> None:
    """Print the table of times, both kinds of calls in alternation."""
    direct, stored, first, word = [], [], [], []
    for _ in range(rounds):
        direct.append(await bench.direct())
        stored.append(await bench.stored())
        bytes_at, word_at = await bench.streamed()
        first.append(bytes_at)
        word.append(word_at)
    rows = {
        "direct call, first word": direct,
        "four storage calls": stored,
        "run, first bytes": first,
        "run, first word": word,
    }
    for name, times in rows.items():
        print(f"  {name:<26} p50 {_ms(times, 50):>6.1f} ms   p95 {_ms(times, 95):>6.1f} ms")
    print(f"  {'first word over the direct':<26} p50 {_ms(word, 50) - _ms(direct, 50):>6.1f} ms", flush=True)


def _ms(times: Sequence[float], percentile: int) -> float:
    return statistics.quantiles(times, n=100, method="inclusive")[percentile - 1] * 1000


def pings(url: str, until: Path) -> list[tuple[float, float]]:
    """In a separate process: the time of each request and its seconds, until a file exists."""
    times: list[tuple[float, float]] = []
    with httpx2.Client(timeout=120, headers=HEADERS) as http:
        while not until.exists():
            started = time.time()
            http.get(url).raise_for_status()
            times.append((started, time.time() - started))
            time.sleep(0.02)
    return times


async def shared(bench: Bench, service: Service, data: Path, number: int) -> None:
    """Print the times of pings while `number` streams run at full speed."""
    loop, ended = asyncio.get_running_loop(), data / "ended"
    with ProcessPoolExecutor(1, multiprocessing.get_context("spawn")) as pool:
        pinging = loop.run_in_executor(pool, pings, bench.ping(), ended)
        await asyncio.sleep(2)  # until it has begun
        started, used = time.time(), service.cpu_time()
        streams = await asyncio.gather(*(bench.at_full_speed() for _ in range(number)))
        took, used = time.time() - started, service.cpu_time() - used
        ended.touch()
        times = [seconds for sent, seconds in await pinging if sent >= started]
    deltas = sum(each for each, _ in streams)
    print(f"{number} streams at full speed: {deltas / took:,.0f} deltas/s, {used / deltas * 1e6:.0f} us of CPU each")
    print(f"  {'another request':<26} p50 {_ms(times, 50):>6.1f} ms   p95 {_ms(times, 95):>6.1f} ms", flush=True)


async def measured(stack: AsyncExitStack, rounds: int, few: int, many: int, fast: int) -> None:
    """Print all measurements when they are available."""
    data = Path(stack.enter_context(tempfile.TemporaryDirectory()))
    storage = stack.enter_context(Azurite(data))
    model = stack.enter_context(Model())
    service = stack.enter_context(Service(storage.connection_string, model.url))
    limits = httpx2.Limits(max_connections=None, max_keepalive_connections=None)
    http = await stack.enter_async_context(httpx2.AsyncClient(timeout=120, limits=limits))
    store = open_store(storage)
    stack.push_async_callback(store.close)
    bench = Bench(http, store, service.url, model.url)
    await bench.open()
    for _ in range(5):
        await bench.direct()
        await bench.streamed()

    print("alone", flush=True)
    await first_words(bench, rounds)
    for number, measure in ((few, first_words), (many, None)):
        if not number:
            continue
        words = ["word "] * int(60 / CHUNK_DELAY)
        model.script({"match": SLOW, "chunks": words, "chunk_delay": CHUNK_DELAY, "times": number})
        idle = asyncio.create_task(held_up())
        tasks = await opened(bench, number)
        print(f"{number} streams open", flush=True)
        if measure:
            await measure(bench, rounds // 2)
        gaps = [gap for found in await asyncio.gather(*tasks) for gap in found]
        idle.cancel()
        print(f"  longest gap that the model did not make {max(gaps):.3f} s, held up itself {await idle:.3f} s")

    model.script({"match": FAST, "chunks": ["word "] * 2_000, "times": fast})
    await shared(bench, service, data, fast)


async def run(rounds: int, few: int, many: int, fast: int) -> None:
    """Measure on this machine, and print its data."""
    print(f"Python {platform.python_version()}, {os.cpu_count()} CPUs, load {os.getloadavg()[0]:.1f}")
    async with AsyncExitStack() as stack:
        await measured(stack, rounds, few, many, fast)


def main() -> None:
    """Read the arguments and run."""
    parser = argparse.ArgumentParser(prog="python -m benchmarks.streaming", description=__doc__)
    parser.add_argument("--rounds", type=int, default=100)
    parser.add_argument("--few", type=int, default=50, help="streams kept open while the first word is timed again")
    parser.add_argument("--many", type=int, default=200, help="streams whose gaps are timed")
    parser.add_argument("--fast", type=int, default=50, help="streams at full speed beside which requests are timed")
    arguments = parser.parse_args()
    asyncio.run(run(arguments.rounds, arguments.few, arguments.many, arguments.fast))


if __name__ == "__main__":
    main()
