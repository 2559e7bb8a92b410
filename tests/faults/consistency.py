"""The rules for all stored objects, once no run is active and no item is left."""

import asyncio
import json
from collections import Counter
from collections.abc import AsyncIterable, Awaitable, Callable, Iterator
from dataclasses import dataclass
from typing import Any, TypeVar

from assistants.engine.items import WORK
from assistants.ingestion.items import INGEST
from assistants.local.azurite import Storage
from assistants.state.runs import RunRecord
from assistants.state.turns import message
from assistants.storage.logs import Logs
from assistants.tools.registry import QUEUES
from tests.faults.users import Confirmed
from tests.support.service.attending import open_store
from tests.support.storage.fold import Fold
from tests.support.storage.stored import PROJECT, queue_of

A = TypeVar("A")

_AT_ONCE = 16


@dataclass(frozen=True)
class Kept:
    """All threads, runs and messages of the project. Threads are named by their ids."""

    threads: set[str]
    runs: list[RunRecord]
    logs: dict[str, bytes]
    """The bytes of the logs, by thread."""

    @property
    def active(self) -> list[str]:
        """The runs that have not ended."""
        return [f"{run.id}: {run.status.value}" for run in self.runs if run.active]


async def kept(storage: Storage) -> Kept:
    """Read all objects; every log has one segment."""
    store, limit = open_store(storage), asyncio.Semaphore(_AT_ONCE)

    async def each(names: AsyncIterable[str], read: Callable[[str], Awaitable[A]]) -> dict[str, A]:
        async def one(name: str) -> tuple[str, A]:
            async with limit:
                return name, await read(name)

        return dict(await asyncio.gather(*[one(name) async for name in names]))

    async def log(name: str) -> bytes:
        assert name.endswith("/00000")
        return await stored.read(name)

    stored = Logs(store.services[0], "messages")
    try:
        logs = await each(stored.names(f"{PROJECT}/"), log)
        runs = await each(store.runs.names(f"{PROJECT}/"), store.runs.read)
        threads = [name async for name in store.threads.names(f"{PROJECT}/")]
    finally:
        await store.close()
    return Kept(
        threads={name.split("/")[1] for name in threads},
        runs=[document.value for document in runs.values() if document is not None],
        logs={name.split("/")[1]: content for name, content in logs.items()},
    )


def flaws(found: Kept, confirmed: Confirmed) -> Iterator[str]:
    """The violations: of runs, of threads and their messages, of changes that were confirmed to users."""
    yield from (f"has not ended: {run}" for run in found.active)
    yield from (f"belongs to no thread: run {run.id}" for run in found.runs if run.thread_id not in found.threads)
    yield from (f"belongs to no thread: the log of {each}" for each in found.logs.keys() - found.threads)
    yield from (f"has no log: thread {each}" for each in found.threads - found.logs.keys())
    folds = {thread: Fold([content]) for thread, content in found.logs.items()}
    for thread, content in found.logs.items():
        yield from _of_thread(thread, content, folds[thread], [run for run in found.runs if run.thread_id == thread])
    yield from _of_confirmed({run.id: run for run in found.runs}, found, folds, confirmed)


def items(storage: Storage) -> dict[str, int]:
    """The number of items in each queue that is not empty, hidden ones included."""
    names = [each for name in (WORK, INGEST, *QUEUES) for each in (name, f"{name}-poison")]
    counts = {name: queue_of(storage, name).get_queue_properties().approximate_message_count or 0 for name in names}
    return {name: count for name, count in counts.items() if count}


def _of_thread(thread: str, content: bytes, fold: Fold, runs: list[RunRecord]) -> Iterator[str]:
    """Check that each turn with a text has its message there, and that repeated puts are equal."""
    puts: list[dict[str, Any]] = [put for line in content.splitlines() if (put := json.loads(line).get("put"))]
    versions = Counter(each["id"] for each in {json.dumps(put): put for put in puts}.values())
    yield from (f"has {number} contents: message {each}" for each, number in versions.items() if number > 1)
    there = {each.id for each in fold.messages() if each.role == "assistant"}
    said = {said.id for run in runs for number in range(len(run.turns)) if (said := message(run, number))}
    yield from (f"was not published in {thread}: message {each}" for each in said - there)
    yield from (f"belongs to no turn of {thread}: message {each}" for each in there - said)


def _of_confirmed(
    runs: dict[str, RunRecord], found: Kept, folds: dict[str, Fold], confirmed: Confirmed
) -> Iterator[str]:
    yield from (f"is gone: thread {each}" for each in confirmed.threads - confirmed.deleted - found.threads)
    yield from (f"was deleted, and is there: thread {each}" for each in confirmed.deleted & found.threads)
    for each, thread in confirmed.messages.items():
        if thread not in confirmed.deleted and (thread not in folds or each not in folds[thread]):
            yield f"is gone: message {each} of {thread}"
    for each, thread in confirmed.runs.items():
        if thread not in confirmed.deleted and each not in runs:
            yield f"is gone: run {each} of {thread}"
    for (run_id, call_id), output in confirmed.outputs.items():
        run = runs.get(run_id)
        calls = {call.id: call.output for turn in run.turns for call in turn.calls} if run else {}
        if run is not None and calls.get(call_id) != output:
            yield f"is lost: the output of {call_id} in run {run_id}"
