"""`python -m benchmarks.storage`: CPU time and time of each storage operation, compared with the SDK's in one run.

Also the CPU time of the service for a turn. Azurite, the demo model, which answers at once, and the service run
on this machine, each in a separate process.
"""

import argparse
import asyncio
import os
import platform
import statistics
import tempfile
import time
from collections.abc import Awaitable, Callable, Mapping
from pathlib import Path
from typing import Any, NamedTuple

import httpx2

from assistants.local.azurite import Azurite, Storage
from assistants.settings import Settings
from assistants.storage.connection import blob_service, queue_service
from assistants.storage.services import IF_MISSING, if_match
from tests.support.service.processes import Model, Service
from tests.support.storage.sdk import SdkBlobService, SdkQueueService

HEADERS = {"OpenAI-Beta": "assistants=v2", "Authorization": "Bearer unused"}
SIZE = 3000
"""Bytes of a document, approximately those of a run."""


class Cost(NamedTuple):
    """Milliseconds of an operation."""

    cpu: float
    time: float


Operations = Mapping[str, Callable[[], Awaitable[object]]]


async def operations(blobs: Any, queues: Any, name: str) -> Operations:
    """Each operation by its name, over the services, on blobs and a queue of that name."""
    content, text = b"x" * SIZE, "e" * 200
    await blobs.client.create_container(name)
    await queues.client.create_queue(name)
    etag = await blobs.put(name, "p/document", content, IF_MISSING)
    await blobs.put(name, "p/same", content, IF_MISSING)
    same = (await blobs.get(name, "p/same")).etag
    await blobs.create_append(name, "p/log", IF_MISSING)
    numbers = iter(range(10**9))

    async def replace() -> None:
        nonlocal etag
        etag = await blobs.put(name, "p/document", content, if_match(etag))

    async def deliver() -> None:
        await queues.send(name, text)
        (item,) = await queues.receive(name, 1, 60)
        await queues.delete(name, item.receipt)

    return {
        "get": lambda: blobs.get(name, "p/document"),
        "get, unchanged": lambda: blobs.get(name, "p/same", same),
        "put, replacing": replace,
        "put, creating": lambda: blobs.put(name, f"p/{next(numbers)}", content, IF_MISSING),
        "append": lambda: blobs.append(name, "p/log", b"x" * 300),
        "send, receive, delete": deliver,
        "receive nothing": lambda: queues.receive(f"{name}-idle", 16, 60),
    }


async def cost(act: Callable[[], Awaitable[object]], number: int) -> Cost:
    """The cost of an operation that is called `number` times."""
    cpu, began = time.process_time(), time.perf_counter()
    for _ in range(number):
        await act()
    return Cost((time.process_time() - cpu) / number * 1000, (time.perf_counter() - began) / number * 1000)


async def compared(storage: Storage, rounds: int, number: int) -> None:
    """Print the table of operations, both ways in alternation."""
    settings = Settings.model_validate({"AzureWebJobsStorage": storage.connection_string})
    blobs, queues = blob_service(settings), queue_service(settings)
    ours = await operations(blobs, queues, "ours")
    sdks = await operations(SdkBlobService(blobs.client), SdkQueueService(queues.client), "sdk")
    for name in ("ours", "sdk"):
        await queues.client.create_queue(f"{name}-idle")
    print(f"{'ms of CPU (ms)':<24}{'by hand':>16}{'by the SDK':>16}{'CPU':>8}")
    for name, act in ours.items():
        measured: dict[str, list[Cost]] = {"ours": [], "sdk": []}
        for _ in range(rounds):
            measured["ours"].append(await cost(act, number))
            measured["sdk"].append(await cost(sdks[name], number))
        mine, theirs = (_median(costs) for costs in measured.values())
        ratio = mine.cpu / theirs.cpu
        print(f"  {name:<22}{_shown(mine):>16}{_shown(theirs):>16}{ratio:>8.0%}", flush=True)
    await asyncio.gather(blobs.close(), queues.close())


def _median(costs: list[Cost]) -> Cost:
    return Cost(statistics.median(each.cpu for each in costs), statistics.median(each.time for each in costs))


def _shown(cost: Cost) -> str:
    return f"{cost.cpu:.2f} ({cost.time:.1f})"


def turns(storage: Storage, number: int) -> None:
    """Print the CPU time of the service for a turn on a new thread, streamed and queued."""
    with Model() as model, Service(storage.connection_string, model.url) as service:
        http = httpx2.Client(base_url=service.url, headers=HEADERS, timeout=60)

        def post(path: str, body: dict[str, Any]) -> Any:
            return http.post(path, json=body).raise_for_status().json()

        assistant = post("/assistants", {"model": "demo"})["id"]
        asked = {"assistant_id": assistant, "thread": {"messages": [{"role": "user", "content": "Hello"}]}}

        def streamed() -> None:
            answer = http.post("/threads/runs", json={**asked, "stream": True}).raise_for_status()
            if "event: thread.run.completed" not in answer.text:
                raise RuntimeError(answer.text)

        def queued() -> None:
            run = post("/threads/runs", asked)
            while run["status"] in ("queued", "in_progress"):
                time.sleep(0.05)
                run = http.get(f"/threads/{run['thread_id']}/runs/{run['id']}").raise_for_status().json()
            if run["status"] != "completed":
                raise RuntimeError(run)

        for turn in (streamed, queued):
            for _ in range(5):
                turn()
            before = service.cpu_time()
            for _ in range(number):
                turn()
            print(
                f"a turn, {turn.__name__:<10} {(service.cpu_time() - before) / number * 1000:>6.1f} ms of CPU",
                flush=True,
            )


def run(rounds: int, number: int, of_turns: int) -> None:
    """Measure on this machine, and print its data."""
    print(f"Python {platform.python_version()}, {os.cpu_count()} CPUs, load {os.getloadavg()[0]:.1f}")
    with tempfile.TemporaryDirectory() as data, Azurite(Path(data)) as storage:
        if rounds:
            asyncio.run(compared(storage, rounds, number))
        turns(storage, of_turns)


def main() -> None:
    """Read the arguments and run."""
    parser = argparse.ArgumentParser(prog="python -m benchmarks.storage", description=__doc__)
    parser.add_argument("--rounds", type=int, default=9, help="of each operation, each way")
    parser.add_argument("--number", type=int, default=100, help="operations in a round")
    parser.add_argument("--turns", type=int, default=100)
    arguments = parser.parse_args()
    run(arguments.rounds, arguments.number, arguments.turns)


if __name__ == "__main__":
    main()
