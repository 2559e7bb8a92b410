"""The faults of a schedule and their times: a plan derived from a seed."""

import random
from enum import Enum


class Fault(Enum):
    """A fault of a call of storage, or of the process that makes it."""

    REFUSED = "refused to the end; it never acts"
    LOST = "acts, and its answer is lost to the end"
    TWICE = "acts, its answer is lost, and it is sent again"
    RETRIED = "never arrives, and is sent again"
    LATE = "is given up, and acts afterwards"
    SLOW = "takes its time"
    CRASH_BEFORE = "its process dies before it is sent"
    CRASH_AFTER = "its process dies as soon as it has acted"
    PAUSE_BEFORE = "its process stands still before it is sent"
    PAUSE_AFTER = "its process stands still as soon as it has acted"
    STOP = "its process is asked to stop"


WEIGHTS = {
    Fault.REFUSED: 4, Fault.LOST: 5, Fault.TWICE: 5, Fault.RETRIED: 2, Fault.LATE: 3, Fault.SLOW: 3,
    Fault.CRASH_BEFORE: 5, Fault.CRASH_AFTER: 6, Fault.PAUSE_BEFORE: 4, Fault.PAUSE_AFTER: 5, Fault.STOP: 2,
}  # fmt: skip
POINTS = 3
"""The most faults of a schedule whose faulty calls are chosen beforehand."""

CALM = 0.17
"""The share of schedules without faults."""

_CALLS, _WRITES = 160, 60
"""The approximate numbers of calls, and of calls other than reads, while a schedule's users act."""


class Plan:
    """The faults of one schedule.

    A sixth of the schedules has none; most have a few at selected calls; some have occasional ones at any call; some a
    time without storage; some have processes that die or are suspended at times of their own.
    """

    def __init__(self, chance: random.Random) -> None:
        self._chance = chance
        kind = chance.random()
        self.calm = kind < CALM
        self._points: dict[int, Fault] = {}
        self._spares_reads = False
        self._rate = 0.0
        self.outages: list[tuple[float, float, bool]] = []
        """The begin and the end of each, and whether queues fail as well."""
        self.blows: list[float] = []
        """Times at which a process dies or is suspended, at any point of its work."""
        self.delivers_oddly = 0.0
        """The share of items that are delivered twice, late, or without being deleted afterwards."""
        self._calls = 0
        self._on = not self.calm
        self.left = 0
        if self.calm:
            return
        self.delivers_oddly = chance.choice((0.0, 0.0, 0.05, 0.3))
        self.left = chance.choice((1, 2, 3, 6, 10))
        if kind < 0.62:
            self._spares_reads = chance.random() < 0.6
            calls = _WRITES if self._spares_reads else _CALLS
            self._points = {int(calls * chance.random() ** 1.3): self.any() for _ in range(chance.randint(1, POINTS))}
        elif kind < 0.8:
            self._rate = chance.choice((0.01, 0.03, 0.08))
        elif kind < 0.9:
            begins = chance.uniform(0, 30)
            self.outages = [(begins, begins + chance.choice((3, 20, 60, 100)), chance.random() < 0.5)]
            self._points = {chance.randrange(_CALLS): self.any() for _ in range(chance.randint(0, 2))}
        else:
            self.blows = sorted(chance.uniform(0, 40) for _ in range(chance.randint(1, 3)))

    def any(self) -> Fault:
        return self._chance.choices(list(WEIGHTS), list(WEIGHTS.values()))[0]

    def end(self) -> None:
        """Plan no more faults."""
        self._on = False
        self.delivers_oddly = 0.0

    def next(self, operation: str) -> Fault | None:
        """The fault of the next call."""
        if not self._on or (self._spares_reads and operation in ("download_blob", "list_blob_names")):
            return None
        self._calls += 1
        if self._points:
            return self._points.get(self._calls)
        if self._rate and self.left and self._chance.random() < self._rate:
            self.left -= 1
            return self.any()
        return None

    def out_of_order(self, now: float, is_queue: bool) -> bool:
        """Whether storage answers no request at this time."""
        return any(begins <= now < ends and (queues or not is_queue) for begins, ends, queues in self.outages)
