"""The states of runs on their way to those who listen: told after the write, in the background, once if at all."""

import asyncio
import logging
from collections import deque
from collections.abc import Sequence
from typing import NamedTuple, Protocol

from assistants.notify.notices import is_discarded
from assistants.schema.runs import RunStatus
from assistants.state.runs import RunRecord
from assistants.storage.documents import Document

log = logging.getLogger("assistants.notify")

_MOST = 10_000
"""States that may wait; beyond that the oldest are dropped."""

_AT_ONCE = 100
_LAST_WORDS = 2.0
"""Seconds that a process which stops takes to send those that wait."""


class State(NamedTuple):
    """A state that a run has entered."""

    project: str
    thread: str
    run: str
    status: str

    @property
    def argument(self) -> dict[str, str]:
        """The argument of the message `notification`."""
        return {"thread_id": self.thread, "run_id": self.run, "status": self.status}


class Carrier(Protocol):
    """Brings states to those who listen. Both methods may raise; what was to be sent is lost then."""

    async def send(self, states: Sequence[State]) -> None: ...

    async def close(self) -> None: ...


class States:
    """Takes the states from the writes of this process, in their order, and never makes one wait."""

    def __init__(self, carrier: Carrier) -> None:
        self._carrier = carrier
        self._waiting: deque[State] = deque(maxlen=_MOST)
        self._task: asyncio.Task[None] | None = None

    def changed(self, document: Document[RunRecord], before: RunRecord | None) -> None:
        """A run was created, or written by this process."""
        found = entered(document, before)
        self._waiting.extend(found)
        if found and (self._task is None or self._task.done()):
            self._task = asyncio.create_task(self._send())

    async def close(self) -> None:
        if self._task is not None and not self._task.done():
            await asyncio.wait({self._task}, timeout=_LAST_WORDS)
            self._task.cancel()
        await self._carrier.close()

    async def _send(self) -> None:
        while self._waiting:
            states = [self._waiting.popleft() for _ in range(min(len(self._waiting), _AT_ONCE))]
            try:
                await self._carrier.send(states)
            except Exception as error:  # whatever it is, no run may fail for it
                log.warning("%d states of runs were not told: %s", len(states), error)


def entered(document: Document[RunRecord], before: RunRecord | None) -> list[State]:
    """The states that a run entered by a write; one that was created claimed was queued before."""
    run, project = document.value, document.name.partition("/")[0]
    if is_discarded(run) or (before is not None and before.status is run.status):
        return []
    statuses = [run.status]
    if before is None and run.status is not RunStatus.QUEUED:
        statuses = [RunStatus.QUEUED, run.status]
    return [State(project, run.thread_id, run.id, status.value) for status in statuses]
