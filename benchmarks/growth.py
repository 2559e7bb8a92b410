"""`python -m benchmarks.growth`: the time of requests in threads of 10 to 10,000 messages, warm and cold, in one run.

The service over Azurite, both on this machine, with the client and a model that answers at once in its process. A
warm service has read the thread before; a cold one has no cache. The prompt is the newest 2,000 tokens. Each flow has
its own threads, to which each run and each added message adds one.
"""

import argparse
import asyncio
import os
import platform
import statistics
import tempfile
import time
import warnings
from collections.abc import AsyncIterator, Awaitable, Callable, Mapping, Sequence
from pathlib import Path
from typing import Any

from openai import AsyncOpenAI

from assistants.local.azurite import Azurite, Storage
from assistants.model.answers import Chunk
from assistants.model.learnt import Learnt
from assistants.schema.messages import Message
from assistants.state.messages import put_record
from assistants.state.store import Store
from tests.support.service.inprocess import in_process

LENGTHS = (10, 100, 1_000, 10_000)
CONTEXT = 2_300
TEXT = "The filter is cleaned with warm water once a month, and is dried before it is put back. "

Act = Callable[[AsyncOpenAI, str, str], Awaitable[None]]
Timed = Callable[[AsyncOpenAI, str, str], Awaitable[float]]


class Answering:
    """A model that answers one word."""

    learnt = Learnt()

    async def stream(self, body: dict[str, Any]) -> AsyncIterator[Chunk]:  # noqa: ARG002
        yield {"choices": [{"index": 0, "delta": {"role": "assistant", "content": "Yes."}, "finish_reason": None}]}
        yield {"choices": [{"index": 0, "delta": {}, "finish_reason": "stop"}]}


async def first_delta(client: AsyncOpenAI, thread: str, assistant: str) -> float:
    """Seconds from the request to the first delta; the run is read to its end."""
    started, found = time.perf_counter(), 0.0
    async for event in await client.beta.threads.runs.create(thread, assistant_id=assistant, stream=True):
        if event.event == "thread.message.delta" and not found:
            found = time.perf_counter() - started
    return found


def timed(act: Act) -> Timed:
    """The seconds of a request."""

    async def run(client: AsyncOpenAI, thread: str, assistant: str) -> float:
        started = time.perf_counter()
        await act(client, thread, assistant)
        return time.perf_counter() - started

    return run


@timed
async def add(client: AsyncOpenAI, thread: str, _: str) -> None:
    """Add a message."""
    await client.beta.threads.messages.create(thread, role="user", content=TEXT)


@timed
async def list_one(client: AsyncOpenAI, thread: str, _: str) -> None:
    """List the newest message."""
    await client.beta.threads.messages.list(thread, limit=1)


@timed
async def list_hundred(client: AsyncOpenAI, thread: str, _: str) -> None:
    """List the newest messages, as many as a page has."""
    await client.beta.threads.messages.list(thread, limit=100)


FLOWS: Mapping[str, Timed] = {
    "first delta": first_delta,
    "add a message": add,
    "list 1": list_one,
    "list 100": list_hundred,
}


async def fill(store: Store, thread: str, number: int) -> None:
    """Append `number` messages, by appends of 100."""
    content: Any = [{"type": "text", "text": {"value": TEXT * 4, "annotations": []}}]
    one = put_record(Message(id="msg_000000", created_at=1, thread_id=thread, role="user", content=content))
    for start in range(0, number, 100):
        records = [one.replace(b"msg_000000", b"msg_%06d" % each) for each in range(start, min(start + 100, number))]
        await store.messages.append("default", thread, 1, records)


async def measured(storage: Storage, cache: str, rounds: int) -> Mapping[str, Sequence[float]]:
    """The median milliseconds of each flow by the length of the thread; the lengths alternate."""
    settings = {"THREAD_CACHE_BYTES": cache, "MODEL_CONTEXT": f"*={CONTEXT}"}
    async with in_process(storage, Answering(), **settings) as service:
        client = service.client
        assistant = (await client.beta.assistants.create(model="demo")).id
        threads = {name: [(await client.beta.threads.create()).id for _ in LENGTHS] for name in FLOWS}
        for name, act in FLOWS.items():
            for thread, length in zip(threads[name], LENGTHS, strict=True):
                await fill(service.store, thread, length)
                await act(client, thread, assistant)
        times = {name: [list[float]() for _ in LENGTHS] for name in FLOWS}
        for _ in range(rounds):
            for name, act in FLOWS.items():
                for thread, found in zip(threads[name], times[name], strict=True):
                    found.append(await act(client, thread, assistant))
    return {name: [statistics.median(each) * 1000 for each in found] for name, found in times.items()}


async def run(rounds: int) -> None:
    """Measure on this machine, and print its data."""
    warnings.simplefilter("ignore", DeprecationWarning)  # the SDK's
    print(f"Python {platform.python_version()}, {os.cpu_count()} CPUs, load {os.getloadavg()[0]:.1f}; p50 in ms")
    with tempfile.TemporaryDirectory() as data, Azurite(Path(data)) as storage:
        print(f"{'messages':<24}" + "".join(f"{length:>10,}" for length in LENGTHS))
        for state, cache in (("warm", str(64 * 1024 * 1024)), ("cold", "0")):
            for name, found in (await measured(storage, cache, rounds)).items():
                print(f"{name + ', ' + state:<24}" + "".join(f"{each:>10.1f}" for each in found), flush=True)


def main() -> None:
    """Read the arguments and run."""
    parser = argparse.ArgumentParser(prog="python -m benchmarks.growth", description=__doc__)
    parser.add_argument("--rounds", type=int, default=20)
    asyncio.run(run(parser.parse_args().rounds))


if __name__ == "__main__":
    main()
