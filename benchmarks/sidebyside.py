"""`python -m benchmarks.sidebyside`: two services of the API measured in alternation, A, B and A again, in one run.

Each service is named by its base URL, and is called by the same client over HTTP. If a URL is missing, the service of
this repository is used, with Azurite and the demo model, which answers at once, in separate processes. The
differences between the two columns of A show the machine's own noise. The tables are Markdown.
"""

import argparse
import asyncio
import json
import os
import platform
import statistics
import tempfile
import time
from collections.abc import AsyncIterator, Awaitable, Callable, Sequence
from contextlib import AsyncExitStack
from pathlib import Path
from typing import Any, NamedTuple

import httpx2
import psutil

from assistants.local.azurite import Azurite
from tests.support.service.processes import Model, Service

POLL = 0.01
"""Seconds between two reads of a run."""

BATCH = 1000
"""The most messages that a thread is created with."""

AT_ONCE = 8
"""Objects that are created at the same time, outside measurements."""

TOOL = '{"type": "retrieval"}'
CALL = "Please call retrieval"
"""The demo model calls the function that a text names."""

LISTS = {"list 1": "limit=1", "list 100": "limit=100", "list 100, oldest first": "limit=100&order=asc"}

Json = dict[str, Any]
Cell = str


class Target(NamedTuple):
    """A service, and its processes if they are known."""

    name: str
    url: str
    key: str
    model: str
    pids: Sequence[int] = ()

    def cpu_time(self) -> float | None:
        """The seconds of CPU time of its processes and their children so far."""
        if not self.pids:
            return None
        own = [psutil.Process(pid) for pid in self.pids]
        found = {each for process in own for each in (process, *process.children(recursive=True))}
        return sum(sum(each.cpu_times()[:2]) for each in found)


class Caller:
    """A client of one service."""

    def __init__(self, target: Target, http: httpx2.AsyncClient) -> None:
        self.target, self._http = target, http
        self._headers = {"OpenAI-Beta": "assistants=v2", "Authorization": f"Bearer {target.key}"}

    async def get(self, path: str) -> Any:
        return (await self._http.get(self.target.url + path, headers=self._headers)).raise_for_status().json()

    async def post(self, path: str, body: Json) -> Any:
        sent = await self._http.post(self.target.url + path, json=body, headers=self._headers)
        return sent.raise_for_status().json()

    async def assistant(self, *tools: Json) -> str:
        return (await self.post("/assistants", {"model": self.target.model, "tools": list(tools)}))["id"]

    async def thread(self, messages: int = 0, text: str = "Hello") -> str:
        """Create a thread with `messages` messages."""
        begun = [_message(text)] * min(messages, BATCH)
        thread = (await self.post("/threads", {"messages": begun} if begun else {}))["id"]
        await at_once(messages - len(begun), lambda: self.post(f"/threads/{thread}/messages", _message(text)))
        return thread

    async def run(self, thread: str, assistant: str) -> Json:
        return await self.post(f"/threads/{thread}/runs", {"assistant_id": assistant})

    async def ended(self, run: Json) -> None:
        """Poll a run until it has completed."""
        while run["status"] in ("queued", "in_progress"):
            await asyncio.sleep(POLL)
            run = await self.get(f"/threads/{run['thread_id']}/runs/{run['id']}")
        if run["status"] != "completed":
            raise RuntimeError(f"{self.target.url}: {run['status']}, {run.get('last_error')}")

    async def queued(self, thread: str, assistant: str) -> None:
        """A turn whose run is polled."""
        await self.ended(await self.run(thread, assistant))

    async def streamed(self, thread: str, assistant: str) -> float:
        """A turn whose stream is read to its end; returns the seconds to its first delta."""
        url, body = f"{self.target.url}/threads/{thread}/runs", {"assistant_id": assistant, "stream": True}
        started, first, last = time.perf_counter(), 0.0, ""
        async with self._http.stream("POST", url, json=body, headers=self._headers) as response:
            response.raise_for_status()
            async for line in response.aiter_lines():
                if line.startswith("event:"):
                    last = line.removeprefix("event:").strip()
                    if last == "thread.message.delta":
                        first = first or time.perf_counter() - started
        if not first or last not in ("done", "thread.run.completed"):
            raise RuntimeError(f"{self.target.url}: a stream ended with {last}")
        return first


def _message(text: str) -> Json:
    return {"role": "user", "content": text}


async def at_once(number: int, make: Callable[[], Awaitable[object]]) -> None:
    """Call `make` `number` times, a few at a time."""
    left = iter(range(number))

    async def some() -> None:
        for _ in left:
            await make()

    await asyncio.gather(*(some() for _ in range(AT_ONCE)))


async def seconds(act: Awaitable[object]) -> float:
    """The seconds of an awaitable."""
    started = time.perf_counter()
    await act
    return time.perf_counter() - started


async def latencies(caller: Caller, rounds: int, tool: Json) -> dict[str, Cell]:
    """The latencies of a client, one request after the other."""
    assistant = await caller.assistant()
    times: dict[str, list[float]] = {}

    def note(name: str, taken: float) -> None:
        times.setdefault(name, []).append(taken)

    for _ in range(rounds):
        note("thread create", await seconds(caller.thread()))
        thread = await caller.thread()
        note("message create", await seconds(caller.post(f"/threads/{thread}/messages", _message("Hello"))))
        started = time.perf_counter()
        run = await caller.run(thread, assistant)
        note("run create, its answer", time.perf_counter() - started)
        await caller.ended(run)
        note("run create to completed, polled", time.perf_counter() - started)
        note("first streamed delta", await caller.streamed(await caller.thread(1), assistant))
    rows = {name: shown(taken) for name, taken in times.items()}
    try:
        assistant = await caller.assistant(tool)
        turns = [await seconds(caller.queued(await caller.thread(1, CALL), assistant)) for _ in range(rounds)]
        return rows | {"a turn with a server tool, polled": shown(turns)}
    except httpx2.HTTPStatusError as error:
        return rows | {"a turn with a server tool, polled": f"refused ({error.response.status_code})"}


async def throughput(caller: Caller, users: Sequence[int], lasting: float) -> dict[str, Cell]:
    """Turns per second of users that wait for the end of each, and the service's CPU time per turn."""
    assistant, rows = await caller.assistant(), dict[str, Cell]()
    for turn in (caller.queued, caller.streamed):
        used, turns = caller.target.cpu_time(), 0
        for number in users:
            done, end = 0, time.perf_counter() + lasting

            async def user(end: float = end, turn: Callable[[str, str], Awaitable[object]] = turn) -> int:
                number = 0
                while time.perf_counter() < end:
                    await turn(await caller.thread(1), assistant)
                    number += 1
                return number

            started = time.perf_counter()
            done = sum(await asyncio.gather(*(user() for _ in range(number))))
            rows[f"{turn.__name__} turns a second, {number} users"] = f"{done / (time.perf_counter() - started):.1f}"
            turns += done
        after = caller.target.cpu_time()
        cpu = "not known" if used is None or after is None else f"{(after - used) / turns * 1000:.0f}"
        rows[f"CPU of a {turn.__name__} turn, ms"] = cpu
    return rows


async def of_threads(caller: Caller, counts: Sequence[int], rounds: int) -> dict[str, Cell]:
    """The latencies in threads of several lengths."""
    assistant, rows = await caller.assistant(), dict[str, Cell]()
    for count in counts:
        thread = await caller.thread(count)
        messages = f"/threads/{thread}/messages"
        for name, query in LISTS.items():
            times = [await seconds(caller.get(f"{messages}?{query}")) for _ in range(rounds)]
            rows[f"{count:,} messages: {name}"] = shown(times)
        times = [await seconds(caller.post(messages, _message("Hello"))) for _ in range(rounds)]
        rows[f"{count:,} messages: add a message"] = shown(times)
        deltas = [await caller.streamed(thread, assistant) for _ in range(rounds)]
        rows[f"{count:,} messages: first streamed delta"] = shown(deltas)
    return rows


async def of_lists(caller: Caller, counts: Sequence[int], runs: Sequence[int], rounds: int) -> dict[str, Cell]:
    """The latencies of lists with at least certain numbers of objects."""
    rows = dict[str, Cell]()
    assistant, thread = await caller.assistant(), await caller.thread(1)

    async def measure(kind: str, path: str, count: int) -> None:
        for name, query in {"newest": "", "oldest": "&order=asc"}.items():
            times = [await seconds(caller.get(f"{path}?limit=100{query}")) for _ in range(rounds)]
            rows[f"{count:,} {kind}: the {name} 100"] = shown(times)

    made = 0
    for count in counts:
        await at_once(count - made, caller.assistant)
        made = count
        await measure("assistants", "/assistants", count)
    made = 0
    for count in runs:
        for _ in range(count - made):
            await caller.queued(thread, assistant)
        made = count
        await measure("runs", f"/threads/{thread}/runs", count)
    return rows


Measure = Callable[[Caller], Awaitable[dict[str, Cell]]]


def shown(times: Sequence[float]) -> Cell:
    """Milliseconds: p50 (p95)."""
    ordered = statistics.quantiles(times, n=100, method="inclusive") if len(times) > 1 else [times[0]] * 99
    return f"{ordered[49] * 1000:.1f} ({ordered[94] * 1000:.1f})"


async def compared(
    title: str, callers: Sequence[Caller], measure: Callable[[Caller], Awaitable[dict[str, Cell]]]
) -> None:
    """Print a table with a column for each caller, measured one after the other."""
    columns = [await measure(caller) for caller in callers]
    print(f"\n| {title} | {' | '.join(caller.target.name for caller in callers)} |")
    print(f"|---|{'---|' * len(callers)}")
    for name in columns[0]:
        print(f"| {name} | {' | '.join(column[name] for column in columns)} |", flush=True)


async def measured(given: argparse.Namespace, targets: Sequence[Target]) -> None:
    """Print all tables."""
    limits = httpx2.Limits(max_connections=None, max_keepalive_connections=None)
    async with httpx2.AsyncClient(timeout=120, limits=limits) as http:
        callers = [Caller(target, http) for target in targets]
        for caller in callers:
            assistant = await caller.assistant()
            for _ in range(5):
                await caller.queued(await caller.thread(1), assistant)
                await caller.streamed(await caller.thread(1), assistant)
        again = [*callers, Caller(callers[0].target._replace(name="A again"), http)]
        tool, few = json.loads(given.tool), max(given.rounds // 5, 2)
        messages = [count for count in (10, 100, 1_000, 10_000) if count <= given.limit]
        objects = [count for count in (100, 1_000, 10_000) if count <= given.limit]
        await compared("one user, ms, p50 (p95)", again, lambda each: latencies(each, given.rounds, tool))
        if given.seconds:
            await compared("load", again, lambda each: throughput(each, given.users, given.seconds))
        if messages:
            await compared("ms, p50 (p95)", again, lambda each: of_threads(each, messages, few))
        if objects:
            # Once each: created objects stay, so a second measurement would have longer lists.
            await compared("ms, p50 (p95)", callers, lambda each: of_lists(each, objects, given.runs, few))


async def run(given: argparse.Namespace) -> None:
    """Measure on this machine, and print its data."""
    print(f"Python {platform.python_version()}, {os.cpu_count()} CPUs, load {os.getloadavg()[0]:.1f}")
    async with AsyncExitStack() as stack:
        targets = [target async for target in opened(stack, given)]
        await measured(given, targets)


async def opened(stack: AsyncExitStack, given: argparse.Namespace) -> AsyncIterator[Target]:
    """A and B; the service of this repository is started for a missing URL."""
    if given.a is None:
        data = Path(stack.enter_context(tempfile.TemporaryDirectory()))
        storage = stack.enter_context(Azurite(data))
        model = stack.enter_context(Model())
        service = Service(storage.connection_string, model.url, RETRIEVAL_HANDLER="fake")
        stack.enter_context(service)
        yield Target("A", service.url, "unused", given.model, [service.pid])
    else:
        yield Target("A", given.a.rstrip("/"), given.a_key, given.model, given.a_pids)
    if given.b is not None:
        yield Target("B", given.b.rstrip("/"), given.b_key, given.model, given.b_pids)


def main() -> None:
    """Read the arguments and run."""
    parser = argparse.ArgumentParser(prog="python -m benchmarks.sidebyside", description=__doc__)
    for name in ("a", "b"):
        parser.add_argument(f"--{name}", metavar="URL", help="base URL, such as http://127.0.0.1:7071/v1")
        parser.add_argument(f"--{name}-key", default="unused")
        parser.add_argument(f"--{name}-pids", type=int, nargs="*", default=[], help="processes whose CPU time counts")
    parser.add_argument("--model", default="demo", help="the model of the assistants that are made")
    parser.add_argument("--tool", default=TOOL, help=f"a server tool, which the model calls on {CALL!r}")
    parser.add_argument("--rounds", type=int, default=50)
    parser.add_argument("--users", type=int, nargs="*", default=[1, 4, 8, 16, 32])
    parser.add_argument("--seconds", type=float, default=5, help="of each number of users; 0: none")
    parser.add_argument("--limit", type=int, default=10_000, help="the most messages and objects; 0: none")
    parser.add_argument("--runs", type=int, nargs="*", default=[100], help="runs in a list")
    asyncio.run(run(parser.parse_args()))


if __name__ == "__main__":
    main()
