"""`python -m benchmarks.memory`: whether a process grows with the number of its turns.

The service and the SDK's client are in this process, with a model that answers at once; each turn is on a new thread,
streamed and queued alternately. The caches of a process are bounded, that of threads here by 200 kB, and are full
after a while.
"""

import argparse
import asyncio
import gc
import logging
import sys
import tempfile
import warnings
from collections import Counter
from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any

import psutil

from assistants.local.azurite import Azurite
from assistants.model.answers import Chunk
from assistants.model.learnt import Learnt
from tests.support.service.inprocess import InProcess, in_process

SETTINGS = {"THREAD_CACHE_BYTES": "200000"}


class Answering:
    """A model with a constant answer and without state."""

    def __init__(self) -> None:
        self.learnt = Learnt()

    async def stream(self, body: dict[str, Any]) -> AsyncIterator[Chunk]:  # noqa: ARG002
        yield {"choices": [{"index": 0, "delta": {"role": "assistant", "content": "Hello."}, "finish_reason": None}]}
        yield {"choices": [{"index": 0, "delta": {}, "finish_reason": "stop"}]}


async def turn(service: InProcess[Any], assistant: str, number: int) -> None:
    """Create a thread and a run, and read them as a client does."""
    threads = service.client.beta.threads
    thread = await threads.create(messages=[{"role": "user", "content": f"Hello, {number}"}])
    if number % 2:
        async for _ in await threads.runs.create(thread.id, assistant_id=assistant, stream=True):
            pass
    else:
        run = await threads.runs.create(thread.id, assistant_id=assistant)
        await service.attend()
        await threads.runs.retrieve(run.id, thread_id=thread.id)
    await threads.messages.list(thread.id)


def counted() -> Counter[str]:
    """The objects after a garbage collection, by type."""
    gc.collect()
    return Counter(f"{type(each).__module__}.{type(each).__qualname__}" for each in gc.get_objects())


async def run(turns: int, every: int) -> None:
    """Print the table, and the types whose objects increase."""
    print("| turns | RSS, MB | objects | more a turn | blocks of memory | more a turn |\n|---|---|---|---|---|---|")
    with tempfile.TemporaryDirectory() as data, Azurite(Path(data)) as storage:
        async with in_process(storage, Answering(), **SETTINGS) as service:
            assistant = (await service.client.beta.assistants.create(model="demo")).id
            before, blocks_before = counted(), sys.getallocatedblocks()
            for number in range(1, turns + 1):
                await turn(service, assistant, number)
                if number % every:
                    continue
                found, blocks = counted(), sys.getallocatedblocks()
                memory = psutil.Process().memory_info().rss / 1e6
                objects = f"{found.total():,} | {(found.total() - before.total()) / every:+.2f}"
                print(
                    f"| {number:,} | {memory:.1f} | {objects} | {blocks:,} | {(blocks - blocks_before) / every:+.2f} |"
                )
                blocks_before = blocks
                grown, before = found - before, found
    print("\nMost in the last part:", ", ".join(f"{name} {count:+}" for name, count in grown.most_common(8)))


def main() -> None:
    """Read the arguments and run."""
    parser = argparse.ArgumentParser(prog="python -m benchmarks.memory", description=__doc__)
    parser.add_argument("--turns", type=int, default=5_000)
    parser.add_argument("--every", type=int, default=500)
    given = parser.parse_args()
    logging.disable(logging.CRITICAL)
    warnings.simplefilter("ignore", DeprecationWarning)
    asyncio.run(run(given.turns, given.every))


if __name__ == "__main__":
    main()
