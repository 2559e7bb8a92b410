"""`python -m benchmarks.coldstart`: the time of a process to its open port, its first answer and its first run.

With `--other FOLDER` another checkout of the project alternates with this one. Azurite and the demo model run already.
"""

import argparse
import os
import platform
import statistics
import subprocess
import sys
import tempfile
import time
from collections.abc import Sequence
from pathlib import Path

import httpx2

from assistants.local.azurite import Azurite
from tests.support.service.processes import ROOT, Model

HEADERS = {"OpenAI-Beta": "assistants=v2", "Authorization": "Bearer unused"}
STEPS = ("to the port", "to the first answer", "to the end of the first run, which begins at once")


def start(folder: Path, settings: dict[str, str]) -> list[float]:
    """The milliseconds from the start of a process to each of the steps."""
    command = [sys.executable, "-m", "assistants.local", "--port", "0"]
    started, times = time.perf_counter(), list[float]()
    with subprocess.Popen(
        command, cwd=folder, env=settings, stdout=subprocess.PIPE, stderr=subprocess.DEVNULL, text=True
    ) as process:
        assert process.stdout is not None
        url = next(line for line in process.stdout if line.startswith("Listening on ")).split()[-1]
        times.append(time.perf_counter() - started)
        with httpx2.Client(base_url=url, headers=HEADERS, timeout=60) as http:
            assistant = http.post("/assistants", json={"model": "demo"}).raise_for_status().json()["id"]
            times.append(time.perf_counter() - started)
            thread = {"messages": [{"role": "user", "content": "Hello"}]}
            body = {"assistant_id": assistant, "thread": thread, "stream": True}
            answer = http.post("/threads/runs", json=body).raise_for_status()
            if "event: thread.run.completed" not in answer.text:
                raise RuntimeError(answer.text)
            times.append(time.perf_counter() - started)
        process.terminate()
        process.stdout.read()
    return [each * 1000 for each in times]


def run(rounds: int, folders: Sequence[Path]) -> None:
    """Print the table, with alternating folders."""
    print(f"Python {platform.python_version()}, {os.cpu_count()} CPUs, load {os.getloadavg()[0]:.1f}\n")
    times: dict[Path, list[list[float]]] = {folder: [] for folder in folders}
    with tempfile.TemporaryDirectory() as data, Azurite(Path(data)) as storage, Model() as model:
        ours = {"AzureWebJobsStorage": storage.connection_string, "OPENAI_BASE_URL": model.url}
        settings = {"PATH": os.environ.get("PATH", ""), "PYTHONUNBUFFERED": "1", "OPENAI_API_KEY": "unused", **ours}
        for number in range(rounds + 1):
            for folder, found in times.items():
                taken = start(folder, settings)
                if number:  # the first round writes the compiled modules
                    found.append(taken)
    print(f"| ms, p50 (longest) | {' | '.join(folder.name for folder in folders)} |")
    print(f"|---|{'---|' * len(folders)}")
    for at, step in enumerate(STEPS):
        columns = ([taken[at] for taken in found] for found in times.values())
        print(f"| {step} |", " | ".join(f"{statistics.median(each):.0f} ({max(each):.0f})" for each in columns), "|")


def main() -> None:
    """Read the arguments and run."""
    parser = argparse.ArgumentParser(prog="python -m benchmarks.coldstart", description=__doc__)
    parser.add_argument("--rounds", type=int, default=9)
    parser.add_argument("--other", type=Path, nargs="*", default=[], help="folders of other checkouts")
    given = parser.parse_args()
    run(given.rounds, [*(folder.resolve() for folder in given.other), ROOT])


if __name__ == "__main__":
    main()
