"""The events of a run for webhooks: pure functions of its record.

The write that changes a run also records the notices of the change. They are sent after it, and marked as told by the
next write of the same process; the look-again item sends unmarked ones again.
"""

from collections.abc import Collection, Iterator

from assistants.schema.runs import RunStatus
from assistants.state.runs import Notice, RunRecord
from assistants.state.turns import message


def begun(run: RunRecord) -> RunRecord:
    """A new run with the notices of its first states; it may have been created claimed."""
    states = [RunStatus.QUEUED] if run.status is RunStatus.QUEUED else [RunStatus.QUEUED, run.status]
    return run.model_copy(update={"notices": [_of_state(state, run.created_at) for state in states]})


def noted(before: RunRecord, after: RunRecord) -> RunRecord:
    """The run after a change, with the notices of the change: of published messages, and of a new state."""
    if is_discarded(after):
        return after
    new = list(_published(before, after))
    if after.status is not before.status:
        new.append(_of_state(after.status, after.entered_at))
    return after.model_copy(update={"notices": [*(after.notices or ()), *new]}) if new else after


def untold(run: RunRecord, until: float | None = None) -> list[int]:
    """The numbers of the notices that may not have been sent; with `until`, only of those from before that time."""
    if is_discarded(run):
        return []
    notices = enumerate(run.notices or ())
    return [number for number, each in notices if not each.told and (until is None or each.at <= until)]


def told(run: RunRecord, numbers: Collection[int]) -> RunRecord:
    """The run with these notices marked as told; the same object if they are marked already."""
    notices = run.notices or []
    if all(number >= len(notices) or notices[number].told for number in numbers):
        return run
    marked = [
        each.model_copy(update={"told": True}) if number in numbers else each for number, each in enumerate(notices)
    ]
    return run.model_copy(update={"notices": marked})


def is_discarded(run: RunRecord) -> bool:
    """Whether the run's creation was given up, so that no client knows it."""
    return not run.committed and not run.active


def _published(before: RunRecord, after: RunRecord) -> Iterator[Notice]:
    """The messages that were published by the change; those that were cut off are not completed."""
    for number in range(_published_turns(before), _published_turns(after)):
        said = message(after, number)
        if said is not None and said.status == "completed":
            yield Notice(type="thread.message.completed", at=after.touched_at, message=said.id)


def _published_turns(run: RunRecord) -> int:
    """The number of published turns: a turn is published before its calls are given out, and before its run ends."""
    return len(run.turns) - (run.unpublished is not None and run.active)


def _of_state(status: RunStatus, at: float) -> Notice:
    return Notice(type=f"thread.run.{status.value}", at=at)
