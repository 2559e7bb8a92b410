"""The states of runs that are sent to listeners; no error in sending them reaches a run."""

import asyncio
from collections.abc import Sequence
from typing import Any

import pytest

from assistants.notify import states
from assistants.notify.states import State, States, entered
from assistants.schema.runs import RunStatus
from assistants.state.runs import RunRecord
from assistants.storage.documents import Document


def run(status: RunStatus, committed: bool = True) -> RunRecord:
    return RunRecord(
        id="run_1", thread_id="thread_1", assistant_id="asst_1", model="demo", status=status, created_at=0,
        entered_at=0, touched_at=0, expires_at=600, committed=committed,
    )  # fmt: skip


def written(status: RunStatus, **others: Any) -> Document[RunRecord]:
    return Document("alice/thread_1/run_1", run(status, **others), "etag")


@pytest.mark.parametrize(
    ("before", "after", "told"),
    [
        (None, written(RunStatus.QUEUED), ["queued"]),
        (None, written(RunStatus.IN_PROGRESS), ["queued", "in_progress"]),
        (run(RunStatus.IN_PROGRESS), written(RunStatus.COMPLETED), ["completed"]),
        (run(RunStatus.IN_PROGRESS), written(RunStatus.IN_PROGRESS), []),
        (run(RunStatus.QUEUED), written(RunStatus.FAILED, committed=False), []),
    ],
    ids=["created", "created claimed", "another state", "the same state", "given up before its commit"],
)
def test_a_write_tells_the_states_that_the_run_has_entered(
    before: RunRecord | None, after: Document[RunRecord], told: list[str]
):
    assert entered(after, before) == [State("alice", "thread_1", "run_1", status) for status in told]


class Carrier:
    def __init__(self) -> None:
        self.sent: list[str] = []
        self.works, self.closed = asyncio.Event(), False

    async def send(self, states: Sequence[State]) -> None:
        await self.works.wait()
        if not self.sent:
            self.sent.append("failed")
            raise OSError("down")
        self.sent += [each.status for each in states]

    async def close(self) -> None:
        self.closed = True


async def test_states_that_cannot_be_sent_are_lost_and_later_ones_are_sent_in_order(monkeypatch: pytest.MonkeyPatch):
    monkeypatch.setattr(states, "_AT_ONCE", 1)
    carrier = Carrier()
    told = States(carrier)
    told.changed(written(RunStatus.IN_PROGRESS), None)
    told.changed(written(RunStatus.COMPLETED), run(RunStatus.IN_PROGRESS))
    carrier.works.set()
    await told.close()
    assert (carrier.sent, carrier.closed) == (["failed", "in_progress", "completed"], True)


async def test_a_process_that_stops_waits_a_moment_only(monkeypatch: pytest.MonkeyPatch):
    monkeypatch.setattr(states, "_LAST_WORDS", 0.01)
    carrier = Carrier()
    told = States(carrier)
    told.changed(written(RunStatus.QUEUED), None)
    await told.close()
    assert (carrier.sent, carrier.closed) == ([], True)
