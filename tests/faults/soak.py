"""`python -m tests.faults.soak`: simulated users, two processes that are killed, a model that fails.

At the end every run has ended, every thread accepts another message and another run, each model turn has exactly one
message, every confirmed change has happened, and no queue item and no orphaned blob exists. It prints its counts, and
the violations.
"""

import argparse
import asyncio
import os
import platform
import random
import signal
import sys
import tempfile
import time
from collections import Counter
from collections.abc import Sequence
from contextlib import ExitStack, suppress
from functools import partial
from pathlib import Path
from typing import Any, NamedTuple

from assistants.local.azurite import Azurite
from tests.faults.consistency import flaws, items, kept
from tests.faults.users import Clients, Confirmed, User, all_at_once
from tests.support.service.processes import Instance, Model, eventually

SETTINGS = {
    "LOOK_AGAIN": "4", "CLAIM": "3", "RUN_LIFETIME": "20", "PURGE_AGAIN": "1", "PURGE_DELAY": "2", "LEASE": "5",
    "LOOK_AFTER": "5", "RETRIEVAL_DELAY": "0.1", "MODEL_TIMEOUT": "3", "MODEL_RETRIES": "2",
}  # fmt: skip

SETTLED = 60.0
"""Seconds after which every run has ended and every item was handled: RUN_LIFETIME, and a margin."""

BETWEEN_KILLS = (1.5, 5)
"""The least and the greatest number of seconds that a process lives."""

BETWEEN_CHILDREN = (1, 3)
"""Seconds between two kills of a process's children, which read files."""

FAILURES: list[dict[str, Any]] = [
    {"chance": 0.05, "status": 500},
    {"chance": 0.05, "status": 429, "headers": {"Retry-After": "1"}},
    {"chance": 0.05, "text": "It is sunny in Oslo today.", "cut_after": 4},
    {"chance": 0.03, "text": "It is sunny in Oslo today.", "delay": 5},
    {"chance": 0.2, "text": "It is sunny in Oslo today.", "chunk_delay": 0.2},
]
"""Occasional replies of the model; otherwise it calls the tools that the text names, and answers at once."""


class Report(NamedTuple):
    """The result of a soak."""

    counts: dict[str, int]
    flaws: list[str]

    def __str__(self) -> str:
        return "\n".join([*(f"{number:7} {what}" for what, number in self.counts.items()), *self.flaws])


def soak(users: int, seconds: float, seed: int) -> Report:
    """Run users for some seconds, then check the stored objects.

    Raises
    ------
    AssertionError
        An answer to a user deviates from the contract, or does not arrive.
    """
    with ExitStack() as stack:
        data = stack.enter_context(tempfile.TemporaryDirectory())
        storage = stack.enter_context(Azurite(Path(data)))
        model = stack.enter_context(Model())
        instances = [
            stack.enter_context(Instance(storage.connection_string, model.url, RUNS_DRIVEN_BY=driver, **SETTINGS))
            for driver in ("creator", "queue")
        ]
        clients = Clients(instances, random.Random(f"{seed} clients"))
        living = [User(clients, random.Random(f"{seed} user {number}")) for number in range(users)]

        model.script(*({"times": -1, **failure} for failure in FAILURES))
        kills = _lived(living, instances, seconds, seed)
        model.forget()

        eventually(lambda: not asyncio.run(kept(storage)).active, SETTLED)
        ends = all_at_once([partial(_goes_on, user) for user in living])
        eventually(lambda: not items(storage), SETTLED)
        confirmed, left = Confirmed(), asyncio.run(kept(storage))
        for user in living:
            confirmed.add(user.confirmed)
        counts = {"processes killed": kills, **_counted(confirmed, instances)}
        assert confirmed.counts["streams with an error"] == 0
        return Report(counts, [*(flaw for each in ends for flaw in each), *flaws(left, confirmed)])


def _lived(users: Sequence[User], instances: Sequence[Instance], seconds: float, seed: int) -> int:
    """Run users while processes are killed and started again; return the number of kills."""
    end, kills = time.monotonic() + seconds, Counter[Instance]()

    def over() -> bool:
        return time.monotonic() > end

    def kill_again_and_again(instance: Instance, chance: random.Random) -> None:
        while True:
            time.sleep(chance.uniform(*BETWEEN_KILLS))
            if over():
                return
            instance.kill()
            kills[instance] += 1
            instance.start()

    def kill_children(instance: Instance, chance: random.Random) -> None:
        while not over():
            time.sleep(chance.uniform(*BETWEEN_CHILDREN))
            for child in instance.children():
                with suppress(ProcessLookupError):
                    os.kill(child, signal.SIGKILL)

    killers = [
        partial(kill_again_and_again, instance, random.Random(f"{seed} kills {number}"))
        for number, instance in enumerate(instances)
    ]
    killers += [
        partial(kill_children, instance, random.Random(f"{seed} children {number}"))
        for number, instance in enumerate(instances)
    ]
    all_at_once([*killers, *(partial(user.live, over) for user in users)])
    return kills.total()


def _goes_on(user: User) -> list[str]:
    """The problems of the user's threads, each of which has to accept a message and a run."""
    threads = sorted(user.confirmed.threads - user.confirmed.deleted)
    ends = [(thread, user.turn(thread)) for thread in threads]
    unread = [f"was not read, but is {status}: the file of {store}" for store, status in user.files() if status]
    return unread + [f"does not go on, but ended {end}: thread {thread}" for thread, end in ends if end != "completed"]


def _counted(confirmed: Confirmed, instances: Sequence[Instance]) -> dict[str, int]:
    lines = [line for instance in instances for line in instance.lines]
    return {
        "threads": len(confirmed.threads),
        "threads deleted": len(confirmed.deleted),
        "messages of users": len(confirmed.messages),
        "runs": len(confirmed.runs),
        "outputs handed in": len(confirmed.outputs),
        "files": len(confirmed.stores),
        "claims lost": sum("another handlers has it now" in line for line in lines),
        "items moved to a poison queue": sum(" moves to " in line for line in lines),
        "seconds the slowest answer took": round(confirmed.slowest),
        **dict(sorted(confirmed.counts.items())),
    }


def main() -> int:
    parser = argparse.ArgumentParser(prog="python -m tests.faults.soak", description=__doc__)
    parser.add_argument("--users", type=int, default=12)
    parser.add_argument("--seconds", type=float, default=300)
    parser.add_argument("--seed", type=int, default=int(time.time()))
    arguments = parser.parse_args()
    print(f"seed {arguments.seed}, {arguments.users} users, {arguments.seconds:.0f} s")
    print(f"Python {platform.python_version()}, {os.cpu_count()} CPUs, load {os.getloadavg()[0]:.1f}", flush=True)
    report = soak(arguments.users, arguments.seconds, arguments.seed)
    print(report)
    return 1 if report.flaws else 0


if __name__ == "__main__":
    sys.exit(main())
