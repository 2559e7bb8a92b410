"""`python -m benchmarks.telemetry`: the cost of telemetry, off and on: imports at the start, a span, and a run.

The runs have one turn and are driven in one process over Azurite, by a model that answers at once. The collector is
another thread of it, so the figures with telemetry include the collector's time.
"""

import argparse
import asyncio
import os
import platform
import statistics
import subprocess
import sys
import tempfile
import time
import warnings
from pathlib import Path

from assistants.local.azurite import Azurite, Storage
from assistants.settings import Settings
from assistants.telemetry import names, record
from tests.support.service.attending import ScriptedModel
from tests.support.service.collector import Collector
from tests.support.service.inprocess import InProcess, in_process
from tests.support.service.processes import ROOT

IMPORT = (
    "import time; began = time.process_time(); import function_app;"
    "function_app._prepare(); print(time.process_time() - began)"
)
SPANS = 1_500
"""Fewer than the exporter keeps, so that none is dropped."""


def starting(settings: dict[str, str], rounds: int) -> float:
    """Milliseconds of processor time of the imports of the app and of a first run in a process; the median."""
    environment = {"PATH": os.environ.get("PATH", ""), **settings}
    command = [sys.executable, "-c", IMPORT]
    found = [
        float(subprocess.run(command, cwd=ROOT, env=environment, capture_output=True, text=True, check=True).stdout)
        for _ in range(rounds + 1)
    ]
    return statistics.median(found[1:]) * 1000


def span() -> float:
    """Microseconds of a span with two attributes and a count."""
    began = time.perf_counter()
    for _ in range(SPANS):
        with record.span("chat", "client", {names.OPERATION: "chat", names.REQUEST_MODEL: "demo"}):
            record.add(names.STORAGE, 1, {names.STATUS: 200})
    return (time.perf_counter() - began) / SPANS * 1_000_000


async def streamed(service: InProcess[ScriptedModel], assistant: str) -> float:
    """Milliseconds of processor time of a streamed run on a new thread."""
    began = time.process_time()
    thread: dict[str, object] = {"messages": [{"role": "user", "content": "Hello"}]}
    stream = await service.client.beta.threads.create_and_run(assistant_id=assistant, thread=thread, stream=True)  # type: ignore[reportArgumentType]
    async for _ in stream:
        pass
    return (time.process_time() - began) * 1000


async def running(storage: Storage, rounds: int, url: str) -> tuple[float, float]:
    """Milliseconds of a run, off and on in alternation; the medians."""
    off, on = list[float](), list[float]()
    replies = ({"text": "Hello there."},) * (2 * rounds + 2)
    async with in_process(storage, ScriptedModel(*replies)) as service:
        assistant = (await service.client.beta.assistants.create(model="demo")).id
        for number in range(rounds + 1):
            taken = await streamed(service, assistant)
            record.begin(Settings.model_validate({"OTEL_EXPORTER_OTLP_ENDPOINT": url}))
            also = await streamed(service, assistant)
            record.end()
            if number:
                off.append(taken)
                on.append(also)
    return statistics.median(off), statistics.median(on)


def main() -> None:
    """Read the arguments and print the table."""
    parser = argparse.ArgumentParser(prog="python -m benchmarks.telemetry", description=__doc__)
    parser.add_argument("--rounds", type=int, default=40)
    given = parser.parse_args()
    warnings.simplefilter("ignore", DeprecationWarning)
    print(f"Python {platform.python_version()}, {os.cpu_count()} CPUs, load {os.getloadavg()[0]:.1f}\n")
    with tempfile.TemporaryDirectory() as data, Azurite(Path(data)) as storage, Collector() as collector:
        endpoint = {"OTEL_EXPORTER_OTLP_ENDPOINT": collector.url}
        starts = [starting(settings, max(given.rounds // 8, 1)) for settings in ({}, endpoint)]
        runs = asyncio.run(running(storage, given.rounds, collector.url))
        without = span()
        record.begin(Settings.model_validate(endpoint))
        spans = [without, span()]
        record.end()
    print("| p50 | off | on |\n|---|---|---|")
    print(f"| imports of a start, ms of processor time | {starts[0]:.0f} | {starts[1]:.0f} |")
    print(f"| a span and a count, µs | {spans[0]:.2f} | {spans[1]:.1f} |")
    print(f"| a streamed run with its client, ms of processor time | {runs[0]:.1f} | {runs[1]:.1f} |")


if __name__ == "__main__":
    main()
