"""`python -m benchmarks.moving`: messages per second of an import and of an export, compared with storage alone.

The comparison writes the same blobs of the same sizes by the service's own client, without other work. Azurite runs on
this machine, in a separate process.
"""

import argparse
import asyncio
import io
import json
import os
import platform
import tempfile
import time
from collections.abc import Iterator
from pathlib import Path

from assistants.local.azurite import Azurite
from assistants.migrate.exporting import thread_lines, thread_records
from assistants.migrate.importing import import_lines
from assistants.migrate.lines import read_text
from assistants.migrate.target import Target
from assistants.migrate.told import Report, Told
from assistants.settings import Settings
from assistants.state.store import Store
from assistants.storage.concurrency import for_each
from assistants.storage.services import IF_MISSING

TEXT = "What is said in such a message is some two hundred characters long, as most of what people ask is short. " * 2


def lines(threads: int, messages: int) -> Iterator[dict[str, object]]:
    """Threads with ids of another service, and their messages."""
    for number in range(threads):
        thread = {"thread_id": f"thread_foreign-{number}", "created_at": 1_700_000_000 + number}
        yield {"id": thread["thread_id"], "object": "thread", "created_at": thread["created_at"]}
        for at in range(messages):
            text = {"type": "text", "text": {"value": TEXT, "annotations": []}}
            identity = {"id": f"msg_{number}-{at}", "object": "thread.message", **thread}
            yield {**identity, "role": "assistant" if at % 2 else "user", "content": [text]}


async def ignored(told: Told) -> None:
    """Ignore a result."""


async def measured(store: Store, project: str, threads: int, messages: int) -> None:
    """Print the line of one size."""
    text = b"".join(json.dumps(each).encode() + b"\n" for each in lines(threads, messages))
    began = time.perf_counter()
    await import_lines(Target(store, project, Report(ignored)), read_text(io.BytesIO(text), "x"))
    imported = time.perf_counter() - began
    began, size = time.perf_counter(), 0
    async for record in thread_records(store, project):
        async for each in thread_lines(store, project, record):
            size += len(each)
    exported = time.perf_counter() - began
    floor = await alone(store, f"{project}-floor", threads, size // threads)
    number = threads * messages
    shown = f"{threads} x {messages:,}"
    print(f"{shown:<16}{number / imported:>12,.0f}{number / floor:>12,.0f}{number / exported:>12,.0f}", flush=True)


async def alone(store: Store, project: str, threads: int, size: int) -> float:
    """Seconds to write the blobs of these threads: pointer, log, its content, document."""
    blobs = store.services[0]

    async def write(number: int) -> None:
        name = f"{project}/{number}"
        await blobs.put("threads", f"{project}/~{number}", b"x" * 60, IF_MISSING)
        await blobs.create_append("messages", name, IF_MISSING)
        for start in range(0, size, 4_000_000):
            await blobs.append("messages", name, b"x" * min(4_000_000, size - start))
        await blobs.put("threads", name, b"x" * 250, IF_MISSING)

    began = time.perf_counter()
    await for_each(write, range(threads))
    return time.perf_counter() - began


async def main(sizes: list[tuple[int, int]]) -> None:
    """Print the table."""
    with tempfile.TemporaryDirectory() as data, Azurite(Path(data)) as storage:
        store = Store.open(Settings.model_validate({"AzureWebJobsStorage": storage.connection_string}))
        await store.hear_time()
        await import_lines(
            Target(store, "first", Report(ignored)),
            read_text(io.BytesIO(json.dumps(next(lines(1, 0))).encode()), "x"),
        )
        print(f"{platform.platform()}, Python {platform.python_version()}, {os.cpu_count()} CPUs; messages a second")
        print(f"{'threads':<16}{'import':>12}{'storage':>12}{'export':>12}")
        for number, size in enumerate(sizes):
            await measured(store, f"p{number}", *size)
        await store.close()


if __name__ == "__main__":
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--sizes", nargs="*", default=["100x100", "1x10000"], help="threads x messages")
    asked = [each.split("x") for each in parser.parse_args().sizes]
    asyncio.run(main([(int(threads), int(messages)) for threads, messages in asked]))
