"""Every call of every flow, to storage and to the model, meets every fault, one at a time; then every run ends.

Each flow is first played without a fault, which finds its calls, new ones included. By default each call meets one
fault: a third of them fail, a third lose their answer, the others hang or kill the process. `--faults=all` tries all.
"""

import json
import os
import random
import subprocess
import sys
from collections import Counter
from collections.abc import Callable, Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any, NamedTuple

import pytest

from assistants.local.azurite import Azurite
from tests.faults.flows import FLOWS
from tests.faults.points import Fault
from tests.faults.served import FUNCTIONS
from tests.faults.tries import ACCOUNTS, Result
from tests.support.service.processes import ROOT

RECORDED_AT_ONCE = 3
"""Few, so that no call is repeated because it takes too long."""

SPARSE = {Fault.FAILS: (3, 0), Fault.LOST: (3, 1), Fault.HANGS: (6, 2), Fault.KILLS: (6, 5)}
"""For each fault: one of how many calls meets it by default, and which of them."""

pytestmark = [
    pytest.mark.timeout(1800),
    pytest.mark.skipif(not hasattr(os, "fork"), reason="tries are played by processes that are forked"),
]

Play = Callable[[Sequence[Mapping[str, Any]], int], list[Result]]


class Try(NamedTuple):
    """A fault at a call, and its result."""

    fault: str
    call: str
    nth: int
    result: Result


class Table(NamedTuple):
    """The tries of each flow, and the number that selects the calls which hang or kill."""

    seed: int
    points: Mapping[str, int]
    tries: Mapping[str, list[Try]]


@pytest.fixture(scope="module")
def play(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Play]:
    """Plays jobs, several at once."""
    data = tmp_path_factory.mktemp("tries")
    with Azurite(tmp_path_factory.mktemp("azurite"), accounts=ACCOUNTS) as storage:
        command = [
            sys.executable,
            "-m",
            "tests.faults.tries",
            str(storage.blob_port),
            str(storage.queue_port),
            str(data),
        ]
        with subprocess.Popen(command, cwd=ROOT, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True) as process:
            yield lambda jobs, at_once: played(process, jobs, at_once)
            assert process.stdin is not None
            process.stdin.close()


def played(process: "subprocess.Popen[str]", jobs: Sequence[Mapping[str, Any]], at_once: int) -> list[Result]:
    assert process.stdin is not None
    assert process.stdout is not None
    process.stdin.write("".join(f"{line}\n" for line in [*map(json.dumps, jobs), at_once]))
    process.stdin.flush()
    results: dict[int, Result] = {}
    for line in iter(process.stdout.readline, "\n"):
        assert line, "the tries have come to an untimely end"
        number, result = json.loads(line)
        results[number] = Result(*result)
    return [results[number] for number in range(len(jobs))]


@pytest.fixture(scope="module")
def table(play: Play, request: pytest.FixtureRequest) -> Table:
    """All tries of the selected flows."""
    items: list[Any] = [item for item in request.session.items if item.path == Path(__file__)]
    flows = [item.callspec.params["flow"] for item in items]
    queues = [function.queue for function in FUNCTIONS]
    recorded = play([{"flow": flow, "project": flow, "queues": queues} for flow in flows], RECORDED_AT_ONCE)
    assert [result.error for result in recorded if result.error] == []

    seed = request.config.getoption("fault_seed")
    seed = random.randrange(6) if seed is None else seed
    points = [(flow, *point, result) for flow, result in zip(flows, recorded, strict=True) for point in result.points]
    jobs = [
        {"flow": flow, "fault": fault.value, "call": call, "nth": nth, "queues": result.queues}
        for number, (flow, call, nth, result) in enumerate(points)
        for fault in Fault
        if request.config.getoption("faults") == "all" or (number + seed) % SPARSE[fault][0] == SPARSE[fault][1]
    ]
    # Some tries take little time and much CPU, others the opposite: mixed, they end soonest.
    random.Random(seed).shuffle(jobs)
    results = play([{**job, "project": f"try-{number}"} for number, job in enumerate(jobs)], len(ACCOUNTS))
    tries: dict[str, list[Try]] = {flow: [] for flow in flows}
    for job, result in zip(jobs, results, strict=True):
        tries[job["flow"]].append(Try(job["fault"], job["call"], job["nth"], result))
    return Table(seed, Counter(flow for flow, *_ in points), tries)


@pytest.mark.parametrize("flow", FLOWS)
def test_with_a_fault_at_any_call_a_flow_ends_and_every_confirmed_change_lasts(
    table: Table, flow: str, record_property: Callable[[str, object], None]
):
    tried = table.tries[flow]
    struck = Counter(each.fault for each in tried if each.result.struck)
    faults = ", ".join(f"{struck[fault.value]} {fault.value}" for fault in Fault)
    met = f"{flow}: {table.points[flow]} calls, {struck.total()} faults ({faults})"
    record_property("fault points", (table.seed, met, struck.total()))
    failed = [f"{each.call} {each.nth} {each.fault}:\n{each.result.error}" for each in tried if each.result.error]
    assert not failed, f"with --fault-seed={table.seed}\n" + "\n".join(failed)
    # Other processes read a run at varying times, so a few calls may not occur again.
    assert struck.total() >= len(tried) / 2
