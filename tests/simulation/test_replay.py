"""A seed always determines the same schedule, in any process."""

import logging
import os
import subprocess
import sys
from collections.abc import Iterator

import pytest

from tests.simulation.faults import Plan
from tests.simulation.mutations import MUTATIONS
from tests.simulation.world import World, simulate
from tests.support.imports import ROOT

SEEDS = range(700, 730)


@pytest.fixture(autouse=True)
def quiet() -> Iterator[None]:
    logging.disable(logging.CRITICAL)
    yield
    logging.disable(logging.NOTSET)


def traced(seed: int) -> list[str]:
    lines: list[str] = []
    simulate(seed, lines.append)
    return lines


def test_a_seed_replays_to_the_letter():
    for seed in SEEDS:
        assert traced(seed) == traced(seed)


def test_a_trace_does_not_change_the_schedule():
    for seed in SEEDS:
        assert simulate(seed) == simulate(seed, lambda _: None)


def test_a_seed_replays_in_another_process():
    seed = SEEDS[0]
    for hash_seed in ("1", "2"):
        printed = subprocess.run(
            [sys.executable, "-m", "tests.simulation", "--seed", str(seed)],
            cwd=ROOT,
            env={**os.environ, "PYTHONHASHSEED": hash_seed},
            capture_output=True,
            text=True,
            check=True,
        ).stdout
        assert printed.splitlines()[: len(traced(seed))] == traced(seed)


def test_a_schedule_that_fails_fails_again():
    with MUTATIONS[0].patch():
        failed = next(report for report in map(simulate, SEEDS) if report.problems)
        assert simulate(failed.seed, lambda _: None) == failed
    assert not simulate(failed.seed).problems


def test_schedules_differ_and_are_not_idle():
    reports = [simulate(seed) for seed in SEEDS]
    assert len({report.seconds for report in reports}) == len(SEEDS)
    assert sum(report.runs for report in reports) > len(SEEDS)


def test_every_kind_of_fault_is_planned():
    worlds = [World(seed) for seed in range(200)]
    plans: list[Plan] = [world.plan for world in worlds]
    assert any(plan.calm for plan in plans)
    assert any(plan.outages for plan in plans)
    assert any(plan.blows for plan in plans)
    assert any(plan.delivers_oddly for plan in plans)
