"""Storage time: the local clock, corrected by the time that the storage service reports."""

import time
from collections.abc import Callable

MAX_STEP = 30.0
"""Seconds by which one answer corrects a clock at once, as after a suspension that the local clock has missed."""

SLEW = 0.1
"""Seconds by which answers correct a clock further, per second that passes."""


class Clock:
    """Seconds since the epoch as the storage service counts them, so that all processes compare the same time.

    Each answer has, to the second, the service's time at a moment between the sending of the request and the arrival
    of the answer. The offset changes only as far as that requires; after the first answer by no more than `MAX_STEP`
    and `SLEW`, so that no run expires when the service's clock is set.

    Parameters
    ----------
    local
        Seconds since the epoch, without steps.
    """

    def __init__(self, local: Callable[[], float] | None = None) -> None:
        self._local = local or steady()
        self._offset = 0.0
        self._room, self._observed = MAX_STEP, 0.0
        self.corrected = False
        """Whether the service has answered; until then the time is the local clock's."""

    def now(self) -> float:
        return self._local() + self._offset

    def local(self) -> float:
        return self._local()

    def observe(self, date: float, sent: float, received: float) -> None:
        """Correct the clock by an answer's `Date` header (whole seconds); `sent` and `received` are local times."""
        earliest, latest = date - received, date + 1 - sent
        wanted = min(max(self._offset, earliest), latest) - self._offset
        if not self.corrected:
            self._offset, self._observed, self.corrected = self._offset + wanted, received, True
            return
        passed, self._observed = max(received - self._observed, 0), max(received, self._observed)
        self._room = min(self._room + passed * SLEW, MAX_STEP)
        step = min(max(wanted, -self._room), self._room)
        self._room -= abs(step)
        self._offset += step


def steady() -> Callable[[], float]:
    """A clock that reads the machine's time once, and then counts by a clock that is never set.

    If the system has one, it also counts while the machine is suspended: `CLOCK_BOOTTIME` of Linux, `CLOCK_MONOTONIC`
    of macOS and Windows.
    """
    number = getattr(time, "CLOCK_BOOTTIME", getattr(time, "CLOCK_MONOTONIC", None))
    count = time.monotonic if number is None else lambda: time.clock_gettime(number)
    beginning = time.time() - count()
    return lambda: beginning + count()
