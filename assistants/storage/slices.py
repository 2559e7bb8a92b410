"""Slices of the event loop's time for tasks with much work and few waits, so that they share the loop fairly."""

import asyncio
from collections import deque

SLICE = 0.002
"""Seconds of such work in the loop before other tasks run."""


class Slices:
    """The tasks of an event loop that have more work at once: one of them continues in each iteration of the loop."""

    def __init__(self) -> None:
        self._waiting: deque[asyncio.Future[None]] = deque()

    @property
    def awaited(self) -> bool:
        """Whether a task waits for its next slice."""
        return bool(self._waiting)

    async def next(self) -> None:
        """Wait for the next slice."""
        loop = asyncio.get_running_loop()
        if not self._waiting:
            loop.call_soon(self._give, loop)
        slice_ = loop.create_future()
        self._waiting.append(slice_)
        await slice_

    def _give(self, loop: asyncio.AbstractEventLoop) -> None:
        while self._waiting:
            slice_ = self._waiting.popleft()
            if not slice_.done():  # its task may have been cancelled
                slice_.set_result(None)
                break
        if self._waiting:
            loop.call_soon(self._give, loop)


class Pace:
    """The time that a task works on a stream of objects before other tasks continue.

    An object that the task had to wait for gets a slice of its own, unless other tasks await theirs.
    """

    def __init__(self, slices: Slices) -> None:
        self._slices = slices
        self._clock = asyncio.get_running_loop().time
        self._begin()
        self._asked = self._began

    def came(self) -> None:
        """The next object has arrived."""
        if self._clock() - self._asked >= SLICE:
            self._begin()

    async def done(self) -> None:
        """The object is processed; other tasks continue if it is their turn."""
        if self._clock() - self._began >= self._length:
            await self._slices.next()
            self._began, self._length = self._clock(), SLICE
        self._asked = self._clock()

    def _begin(self) -> None:
        self._began, self._length = self._clock(), 0 if self._slices.awaited else SLICE
