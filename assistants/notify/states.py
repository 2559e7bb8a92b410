"""The states of runs for listeners: sent after the write, in the background, at most once."""

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
"""The most states that wait; if there are more, the oldest are dropped."""

_AT_ONCE = 100
_LAST_WORDS = 2.0
"""Seconds that a stopping process spends on sending the states that wait."""


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
    """Sends states to listeners. If one of its methods raises, the states are lost."""

    async def send(self, states: Sequence[State]) -> None: ...

    async def close(self) -> None: ...


class States:
    """Receives the states from the writes of this process, in their order, and never delays a write."""

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
            except Exception as error:  # no error here may fail a run
                log.warning("%d states of runs were not told: %s", len(states), error)


def entered(document: Document[RunRecord], before: RunRecord | None) -> list[State]:
    """The states that a run entered by a write; a run that was created claimed has been queued before."""
    run, project = document.value, document.name.partition("/")[0]
    if is_discarded(run) or (before is not None and before.status is run.status):
        return []
    statuses = [run.status]
    if before is None and run.status is not RunStatus.QUEUED:
        statuses = [RunStatus.QUEUED, run.status]
    return [State(project, run.thread_id, run.id, status.value) for status in statuses]
