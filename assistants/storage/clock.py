"""Storage time: the local clock, corrected by what the storage service says the time is."""

import time
from collections.abc import Callable


class Clock:
    """Seconds since the epoch as the storage service counts them, so that all processes compare the same time.

    Each answer of the service tells, to the second, what its time was between the sending of the request and the
    arrival of the answer. The offset is moved only as far as that evidence demands.
    """

    def __init__(self, local: Callable[[], float] = time.time) -> None:
        self._local = local
        self._offset = 0.0
        self.corrected = False
        """Whether the service was heard at all; until then the time is the local clock's."""

    def now(self) -> float:
        return self._local() + self._offset

    def local(self) -> float:
        return self._local()

    def observe(self, date: float, sent: float, received: float) -> None:
        """Take in a `Date` header (whole seconds) of an answer; `sent` and `received` are local times."""
        earliest, latest = date - received, date + 1 - sent
        self._offset = min(max(self._offset, earliest), latest)
        self.corrected = True
