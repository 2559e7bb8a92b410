"""Schedules in portions, shared by several test files."""

import logging

import pytest

from tests.simulation.world import simulate

SCHEDULES = 5_000
PORTION = 250

every_portion = pytest.mark.parametrize("start", range(0, SCHEDULES // 2, PORTION))
"""The numbers of half of the schedules; of each number there is an even seed and an odd one."""


def hold(start: int, odd: int) -> None:
    """Simulate a portion of them; the first one with a problem is printed."""
    logging.disable(logging.CRITICAL)
    try:
        for number in range(start, start + PORTION):
            report = simulate(seed := 2 * number + odd)
            if report.problems:
                lines: list[str] = []
                simulate(seed, lines.append)
                pytest.fail("\n".join([f"seed {seed}: {report.problems}", *lines]), pytrace=False)
    finally:
        logging.disable(logging.NOTSET)
