"""Storage time: the local clock, corrected by the time that the storage service reports."""

import time
from collections.abc import Callable


class Clock:
    """Seconds since the epoch as the storage service counts them, so that all processes compare the same time.

    Each answer has, to the second, the service's time at a moment between the sending of the request and the arrival
    of the answer. The offset changes only as far as that requires.
    """

    def __init__(self, local: Callable[[], float] = time.time) -> None:
        self._local = local
        self._offset = 0.0
        self.corrected = False
        """Whether the service has answered; until then the time is the local clock's."""

    def now(self) -> float:
        return self._local() + self._offset

    def local(self) -> float:
        return self._local()

    def observe(self, date: float, sent: float, received: float) -> None:
        """Take in a `Date` header (whole seconds) of an answer; `sent` and `received` are local times."""
        earliest, latest = date - received, date + 1 - sent
        self._offset = min(max(self._offset, earliest), latest)
        self.corrected = True
