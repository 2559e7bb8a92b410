"""`python -m tests.simulation`: simulates a number of schedules, and shows the first one with a problem."""

import argparse
import logging
import os
import sys
import time
from collections.abc import Iterable, Iterator
from concurrent.futures import ProcessPoolExecutor

from tests.simulation.world import Report, simulate

PORTION = 50


def some(seeds: range) -> list[Report]:
    """The reports of some schedules."""
    logging.disable(logging.CRITICAL)
    return [simulate(seed) for seed in seeds]


def portions(first: int, schedules: int) -> Iterator[range]:
    last = first + schedules
    return (range(start, min(start + PORTION, last)) for start in range(first, last, PORTION))


def main(arguments: list[str]) -> int:
    parser = argparse.ArgumentParser(prog="python -m tests.simulation", description=__doc__)
    parser.add_argument("--schedules", type=int, default=5_000, help="how many (default: %(default)s)")
    parser.add_argument("--first", type=int, default=0, help="the seed of the first one (default: %(default)s)")
    parser.add_argument("--jobs", type=int, default=os.cpu_count(), help="processes (default: %(default)s)")
    parser.add_argument("--seed", type=int, help="print all events of this one schedule")
    options = parser.parse_args(arguments)
    if options.seed is not None:
        return 1 if shown(options.seed).problems else 0
    began = time.monotonic()
    with ProcessPoolExecutor(options.jobs) as pool:
        failed = _summed_up(pool.map(some, portions(options.first, options.schedules)), began)
    for report in failed[:1]:
        print(f"\nThe schedule of the seed {report.seed}:")
        shown(report.seed)
    return 1 if failed else 0


def shown(seed: int) -> Report:
    """Print a schedule, line by line; it is the same for each call."""
    logging.disable(logging.CRITICAL)
    report = simulate(seed, print)
    print(f"seed {seed}:", *report.problems or ("nothing went wrong",), sep="\n  ")
    return report


def _summed_up(reports: Iterable[list[Report]], began: float) -> list[Report]:
    schedules = calls = steps = runs = 0
    failed: list[Report] = []
    for report in (report for portion in reports for report in portion):
        schedules, calls = schedules + 1, calls + report.calls
        steps, runs = steps + report.steps, runs + report.runs
        if report.problems:
            failed.append(report)
            print(f"seed {report.seed}:", *report.problems, sep="\n  ", flush=True)
    seconds = time.monotonic() - began
    print(
        f"{schedules} schedules with {runs} runs, {calls} calls of storage and {steps} steps in {seconds:.0f} s"
        f" ({schedules / seconds:.0f} a second): {len(failed)} went wrong"
    )
    return failed


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
