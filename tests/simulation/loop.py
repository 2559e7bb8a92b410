"""A deterministic event loop: a seed selects the next callback, and waiting takes no time.

Every callback belongs to the process whose task scheduled it, by a context variable. Callbacks of a dead process never
run again, not even for their `finally` blocks; those of a suspended one wait until it continues.
"""

import asyncio
import contextvars
import heapq
import random
import warnings
from asyncio import events
from collections.abc import Callable
from contextlib import suppress
from contextvars import Context
from typing import Any


class Lane:
    """The callbacks of one process, which dies and is suspended as a whole. Times are the loop's."""

    def __init__(self, name: str) -> None:
        self.name = name
        self.dead = False
        self.paused_until = 0.0
        self.context = contextvars.copy_context()
        self.context.run(LANE.set, self)

    def __repr__(self) -> str:
        return self.name


LANE: contextvars.ContextVar[Lane] = contextvars.ContextVar("lane")


class _Handle:
    """A callback that is to run, at a time or as soon as the seed selects it."""

    __slots__ = ("args", "callback", "called_off", "context", "lane")

    def __init__(self, callback: Callable[..., object], args: tuple[Any, ...], context: Context) -> None:
        self.callback = callback
        self.args = args
        self.context = context
        self.lane = context.get(LANE)
        self.called_off = False

    def cancel(self) -> None:
        self.called_off = True

    def cancelled(self) -> bool:
        return self.called_off


class SimulatedLoop(asyncio.AbstractEventLoop):
    """Runs one callback after the other, in an order and at times determined by the seed alone.

    As a context manager it is the running loop of this thread.
    """

    def __init__(self, chance: random.Random) -> None:
        self._random = chance.random
        self._now = 0.0
        self._ready: list[_Handle] = []
        self._timers: list[tuple[float, int, _Handle]] = []
        self._numbers = 0
        self._tasks: list[asyncio.Task[Any]] = []
        self._open = True
        self.steps = 0
        self.problems: list[str] = []
        """The exceptions that no task has handled, as texts."""

    def __enter__(self) -> "SimulatedLoop":
        events._set_running_loop(self)
        return self

    def __exit__(self, *exception: object) -> None:
        """Discard the remaining callbacks, without running any."""
        self._open = False
        self._ready.clear()
        self._timers.clear()
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")  # coroutines that never began cause warnings
            self._take_apart()
        events._set_running_loop(None)

    def _take_apart(self) -> None:
        for task in self._tasks:
            if not task.done():
                task._log_destroy_pending = False  # pyright: ignore[reportAttributeAccessIssue]
                with suppress(BaseException):  # its remaining code has no effect
                    task.get_coro().close()  # pyright: ignore[reportOptionalMemberAccess]
        self._tasks.clear()

    def run(self, until: float, done: Callable[[], bool] = lambda: False) -> bool:
        """Run up to a time, or until no callback is left or `done` is true; return whether `done` was true."""
        ready, timers = self._ready, self._timers
        while not done():
            if not ready:
                while timers and timers[0][2].called_off:
                    heapq.heappop(timers)
                if not timers or timers[0][0] > until:
                    return False
                self._now = max(self._now, timers[0][0])
                while timers and timers[0][0] <= self._now:
                    ready.append(heapq.heappop(timers)[2])
            picked = int(self._random() * len(ready))
            handle, ready[picked] = ready[picked], ready[-1]
            ready.pop()
            lane = handle.lane
            if handle.called_off or (lane is not None and lane.dead):
                continue
            if lane is not None and lane.paused_until > self._now:
                self._at(lane.paused_until, handle)
                continue
            self.steps += 1
            handle.context.run(handle.callback, *handle.args)
        return True

    # The interface that asyncio requires of a loop.

    def time(self) -> float:
        return self._now

    def call_soon(self, callback: Callable[..., object], *args: Any, context: Context | None = None) -> Any:
        handle = _Handle(callback, args, context or contextvars.copy_context())
        if self._open:
            self._ready.append(handle)
        return handle

    def call_at(self, when: float, callback: Callable[..., object], *args: Any, context: Context | None = None) -> Any:
        handle = _Handle(callback, args, context or contextvars.copy_context())
        if self._open:
            self._at(when, handle)
        return handle

    def call_later(
        self, delay: float, callback: Callable[..., object], *args: Any, context: Context | None = None
    ) -> Any:
        return self.call_at(self._now + delay, callback, *args, context=context)

    def create_future(self) -> "asyncio.Future[Any]":
        return asyncio.Future(loop=self)

    def create_task(self, coro: Any, *, name: str | None = None, context: Context | None = None) -> "asyncio.Task[Any]":
        # A task copies the context in which it is created; the lane's own may be in use at this time.
        within = context.copy() if context else contextvars.copy_context()
        task = within.run(lambda: asyncio.Task(coro, loop=self, name=name or "task"))
        self._tasks.append(task)
        return task

    def call_exception_handler(self, context: dict[str, Any]) -> None:
        exception = context.get("exception")
        if self._open and exception is not None:
            self.problems.append(f"{context.get('message')}: {exception!r}")

    def get_debug(self) -> bool:
        return False

    def is_running(self) -> bool:
        return self._open

    def is_closed(self) -> bool:
        return not self._open

    def _at(self, when: float, handle: _Handle) -> None:
        self._numbers += 1
        heapq.heappush(self._timers, (when, self._numbers, handle))
