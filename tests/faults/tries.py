"""`python -m tests.faults.tries`: plays jobs from stdin, one JSON per line, distributed to its child processes.

It has imported all modules and is single-threaded when it forks, so a process costs a fraction of a Python's start.
A line with a number ends a round of jobs and says how many are played at once; each job's result is a line with its
number, and an empty line ends the round.
"""

import asyncio
import gc
import json
import os
import signal
import sys
import traceback
from collections.abc import Iterator
from contextlib import closing, suppress
from dataclasses import replace
from itertools import chain
from pathlib import Path
from typing import Any, NamedTuple, Self

from azure.storage.blob import BlobServiceClient
from azure.storage.queue import QueueServiceClient

from assistants.local.azurite import Storage
from assistants.settings import settings
from assistants.state.store import Store
from assistants.storage.clock import Clock
from tests.faults.findings import settled
from tests.faults.flows import FLOWS
from tests.faults.journal import Journal, entries_of
from tests.faults.play import Over, Play
from tests.faults.points import KILLED
from tests.faults.served import FUNCTIONS, NET, Job, serving

ACCOUNTS = [f"tries{number}" for number in range(12)]
"""Storage accounts: a try has one alone, so that no try handles another's items; their number limits the tries."""


_TAIL = 6000
"""Characters of a log that are shown."""


class Result(NamedTuple):
    """The result of a job: whether its fault has occurred, the calls and queues that it used, and its errors."""

    struck: bool
    points: list[tuple[str, int]]
    queues: list[str]
    error: str | None


async def live(job: Job, journal: Journal) -> None:
    """Play a flow, from its beginning or from the point where the process died, and check the result."""
    flow = FLOWS[job.flow]
    async with serving(job, journal, **flow.settings) as served:
        play = Play(job, journal, served)
        try:
            with suppress(Over):
                await flow.play(play)
            await settled(play)
        finally:
            await play.leave()
        used = {kind.split()[1] for kind in served.injector.kinds}
        queues = [function.queue for function in FUNCTIONS if function.queue in used]
        journal.write("played", points=served.injector.points, queues=queues)


def life(job: Job, folder: Path) -> int:
    """Play a job; return 0, or 1 if a check failed."""
    signal.alarm(int(NET) * 3)
    log = os.open(folder / "log", os.O_APPEND | os.O_CREAT | os.O_WRONLY)
    for shown in (1, 2):
        os.dup2(log, shown)
    os.close(log)
    try:
        with closing(Journal(folder / "journal")) as journal:
            asyncio.run(live(job, journal))
    except BaseException:
        traceback.print_exc()
        return 1
    return 0


def played(jobs: list[dict[str, Any]], at_once: int, storage: Storage, data: Path) -> Iterator[tuple[int, Result]]:
    """The results of jobs, with their numbers. A process that dies is replaced by another one."""
    folders = [data / job["project"] for job in jobs]
    waiting, playing, died = _queue(len(jobs)), dict[int, str](), dict[int, int]()
    for folder in folders:
        folder.mkdir()

    def begin(account: str, again: int | None = None) -> None:
        """Start a process that first plays the job of a process that died, and then those that wait."""
        sys.stdout.flush()
        child = os.fork()
        if child == 0:
            connection = replace(storage, account=account).connection_string
            for number in chain([] if again is None else [again], waiting):
                (data / account).write_text(str(number))
                if life(Job(**jobs[number], storage=connection), folders[number]):
                    os._exit(1)
            os._exit(0)
        playing[child] = account

    for account in ACCOUNTS[:at_once]:
        begin(account)
    while playing:
        child, status = os.wait()
        account, code = playing.pop(child), os.waitstatus_to_exitcode(status)
        if code:
            number = int((data / account).read_text())
            killed = code == KILLED and number not in died
            died[number] = code
            begin(account, number if killed else None)
    for number, folder in enumerate(folders):
        yield number, outcome(folder, died.get(number, 0))


def _queue(length: int) -> Iterator[int]:
    """The numbers below `length`; each goes to one of the processes that iterate."""
    reading, writing = os.pipe()
    os.write(writing, b"".join(number.to_bytes(4, "big") for number in range(length)))
    os.close(writing)
    return (int.from_bytes(number, "big") for number in iter(lambda: os.read(reading, 4), b""))


def outcome(folder: Path, code: int) -> Result:
    """The result of a job, from its folder and the exit code of its last process."""
    entries = entries_of(folder / "journal")
    played = [entry for entry in entries if entry["what"] == "played"]
    found = played[0] if played else {"points": [], "queues": []}
    error = None if played and code in (0, KILLED) else f"exit code {code}\n{(folder / 'log').read_text()[-_TAIL:]}"
    return Result(any(entry["what"] == "struck" for entry in entries), found["points"], found["queues"], error)


def create_containers(storage: Storage) -> None:
    """Create all containers and queues in all accounts, so that no try is the first one to use them."""
    service = _Named()
    Store.over(settings(), Clock(), service, None)  # type: ignore[arg-type]
    for account in ACCOUNTS:
        connection = replace(storage, account=account).connection_string
        with BlobServiceClient.from_connection_string(connection) as blobs:
            for name in service.names:
                blobs.create_container(name)
        with QueueServiceClient.from_connection_string(connection) as queues:
            for function in FUNCTIONS:
                queues.create_queue(function.queue)


class _Named:
    """Records the names of the containers."""

    def __init__(self) -> None:
        self.names: set[str] = set()

    @property
    def client(self) -> Self:
        return self

    def get_container_client(self, name: str) -> None:
        self.names.add(name)


def warm_up(storage: Storage, data: Path) -> None:
    """Import and compile all modules that are loaded on first use."""
    connection = replace(storage, account=ACCOUNTS[0]).connection_string
    for name in ("text_run", "file_search"):
        folder = data / f"warm-{name}"
        folder.mkdir()
        job = Job(name, folder.name, connection, [function.queue for function in FUNCTIONS])
        with closing(Journal(folder / "journal")) as journal:
            asyncio.run(live(job, journal))


def main() -> None:
    """Read the arguments, the ports of Azurite's blobs and queues and a folder for journals, and play the jobs."""
    storage, data = Storage(int(sys.argv[1]), int(sys.argv[2])), Path(sys.argv[3])
    os.environ["OPENBLAS_NUM_THREADS"] = "1"  # threads do not survive a fork
    create_containers(storage)
    warm_up(storage, data)
    gc.collect()
    gc.freeze()
    jobs: list[dict[str, Any]] = []
    for line in sys.stdin:
        found = json.loads(line)
        if isinstance(found, dict):
            jobs.append(found)
            continue
        for number, result in played(jobs, found, storage, data):
            print(json.dumps([number, result]), flush=True)
        print(flush=True)
        jobs.clear()


if __name__ == "__main__":
    main()
