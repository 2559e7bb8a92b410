"""The state machine of a run: pure functions from a record, an event and a time to the next record.

The table of states and events; an empty cell means that nothing happens (contract, 4.1):

=============== =========== =============== ====== ========== ========= ========= ========== ========= =========
state           START       PARK            SUBMIT CANCEL     STOP      COMPLETE  INCOMPLETE FAIL      EXPIRE
=============== =========== =============== ====== ========== ========= ========= ========== ========= =========
queued          in_progress                        cancelling                                failed    expired
in_progress     in_progress requires_action        cancelling           completed incomplete failed    expired
requires_action                             queued cancelling                                failed    expired
cancelling                                                    cancelled cancelled cancelled  cancelled cancelled
=============== =========== =============== ====== ========== ========= ========= ========== ========= =========

The other states, completed, incomplete, failed, cancelled and expired, are final: nothing happens in them.

PARK leaves a run in_progress when only server tools have been called. A run that is being cancelled ends
`cancelled` whatever ends it.
"""

from collections.abc import Mapping, Sequence
from enum import Enum

from assistants.schema.runs import LastError, RunStatus
from assistants.state.runs import FUNCTION, Claim, Finish, Found, Look, RunRecord, ToolCall, Turn

MAX_TAKEOVERS = 5
"""Claims without progress after which a run ends `failed`."""

LAST_WRITES = 2.0
"""Seconds after `expires_at` that a run's driver has to end it, before others may."""

MAX_TOOL_CALLS = 128
"""Tool calls one run may make (contract, 5)."""


class Event(Enum):
    """What can happen to a run."""

    START = "start"
    """A driver takes it up, for the first time or again."""
    PARK = "park"
    """The model has called tools whose outputs are awaited."""
    SUBMIT = "submit"
    """The client has handed in its outputs."""
    CANCEL = "cancel"
    """The client wants it to stop."""
    STOP = "stop"
    """It has stopped."""
    COMPLETE = "complete"
    """The model has said its last word."""
    INCOMPLETE = "incomplete"
    """The model was cut off, by a token budget or a content filter."""
    FAIL = "fail"
    """Something went wrong for good."""
    EXPIRE = "expire"
    """Its time is over."""


_S, _E = RunStatus, Event

TABLE: Mapping[RunStatus, Mapping[Event, RunStatus]] = {
    _S.QUEUED: {
        _E.START: _S.IN_PROGRESS, _E.CANCEL: _S.CANCELLING, _E.FAIL: _S.FAILED, _E.EXPIRE: _S.EXPIRED,
    },
    _S.IN_PROGRESS: {
        _E.START: _S.IN_PROGRESS, _E.PARK: _S.REQUIRES_ACTION, _E.CANCEL: _S.CANCELLING,
        _E.COMPLETE: _S.COMPLETED, _E.INCOMPLETE: _S.INCOMPLETE, _E.FAIL: _S.FAILED, _E.EXPIRE: _S.EXPIRED,
    },
    _S.REQUIRES_ACTION: {
        _E.SUBMIT: _S.QUEUED, _E.CANCEL: _S.CANCELLING, _E.FAIL: _S.FAILED, _E.EXPIRE: _S.EXPIRED,
    },
    _S.CANCELLING: {
        _E.STOP: _S.CANCELLED, _E.COMPLETE: _S.CANCELLED, _E.INCOMPLETE: _S.CANCELLED, _E.FAIL: _S.CANCELLED,
        _E.EXPIRE: _S.CANCELLED,
    },
}  # fmt: skip


def following(status: RunStatus, event: Event) -> RunStatus | None:
    """The state after an event, or None where nothing happens."""
    return TABLE.get(status, {}).get(event)


def held(run: RunRecord, now: float) -> bool:
    """Whether a live claim holds the run: nobody else may drive or end it."""
    return run.claim is not None and run.claim.until > now


def overdue(run: RunRecord, now: float) -> bool:
    """Whether the run is to be expired by whoever meets it."""
    return run.active and now >= run.expires_at and not held(run, now)


def ready(run: RunRecord, now: float) -> bool:
    """Whether the run waits for nothing but a driver."""
    waiting = run.status in (RunStatus.QUEUED, RunStatus.IN_PROGRESS) and not run.unanswered
    return waiting and not held(run, now)


def abandoned(run: RunRecord, now: float) -> bool:
    """Whether the run is being cancelled and nobody is left to finish that."""
    return run.status is RunStatus.CANCELLING and not held(run, now)


def born_claimed(run: RunRecord, token: str, now: float, length: float, prompt: list[int]) -> RunRecord:
    """A run that its creator drives itself. It is not committed yet."""
    claimed = claim(run, token, now, length, prompt)
    assert claimed is not None
    return claimed.model_copy(update={"committed": False})


def claim(run: RunRecord, token: str, now: float, length: float, prompt: list[int]) -> RunRecord | None:
    """Take up a ready run for `length` seconds. The first claim fixes the prompt. None: it is not ready.

    The claim counts itself, so that a run which kills every driver comes to an end.
    """
    status = following(run.status, Event.START)
    if status is None or not ready(run, now):
        return None
    return _write(
        run, now, committed=True, status=status, started_at=run.started_at if run.status is status else now,
        claim=_claim(run, token, now, length), takeovers=run.takeovers + 1, prompt=run.prompt or prompt,
    )  # fmt: skip


def renew(run: RunRecord, token: str, now: float, length: float) -> RunRecord | None:
    """Hold the claim for `length` more seconds. None: it is lost."""
    return _write(run, now, claim=_claim(run, token, now, length)) if holds(run, token) else None


def _claim(run: RunRecord, token: str, now: float, length: float) -> Claim:
    """No claim outlasts the run by more than its driver needs to expire it."""
    return Claim(token=token, until=min(now + length, max(run.expires_at, now) + LAST_WRITES))


def let_go(run: RunRecord, trouble: str, now: float) -> RunRecord:
    """Give back the claim, with word of what went wrong under it."""
    return _write(run, now, claim=None, trouble=trouble[:500])


def holds(run: RunRecord, token: str) -> bool:
    """Whether the claim is the one with this token; its time may be over, as long as nobody else has taken it."""
    return run.active and run.claim is not None and run.claim.token == token


def record(run: RunRecord, turn: Turn, now: float) -> RunRecord:
    """Write down what a call of the model brought. That is progress."""
    return _write(run, now, turns=[*run.turns, turn], takeovers=0)


def park(run: RunRecord, now: float, look: Look | None, stay: bool = False) -> RunRecord | None:
    """Give out the last turn's calls and let go of the run, in one write.

    A driver that stays keeps its claim as long as only server tools are awaited.
    """
    turn = run.turn
    if turn is None or run.status is not RunStatus.IN_PROGRESS:
        return None
    calls = [call if call.type == FUNCTION else call.model_copy(update={"sent_at": now}) for call in turn.calls]
    parked = turn.model_copy(update={"parked": True, "calls": calls})
    owed = any(call.type == FUNCTION for call in calls)
    status = following(run.status, Event.PARK) if owed else run.status
    claim = run.claim if stay and not owed else None
    return _write(run, now, turns=[*run.turns[:-1], parked], status=status, claim=claim, look=look, takeovers=0)


def submit(run: RunRecord, outputs: Mapping[str, str], now: float) -> RunRecord | None:
    """Take in the client's outputs, all of them. None: none are awaited."""
    status = following(run.status, Event.SUBMIT)
    answers = {call_id: {"output": output} for call_id, output in outputs.items()}
    return _write(_answered(run, answers, now), now, status=status) if status else None


def answer(
    run: RunRecord, call_id: str, output: str, now: float, found: Sequence[Found] | None = None
) -> RunRecord | None:
    """Take in a server tool's output, with what was found, if it is a search's.

    The first one stored wins. None: it is not awaited, or no longer.
    """
    if not run.active or call_id not in {call.id for call in run.unanswered if call.type != FUNCTION}:
        return None
    return _write(_answered(run, {call_id: {"output": output, "found": found}}, now), now)


def unheard(run: RunRecord, now: float, patience: float) -> list[ToolCall]:
    """The calls of server tools whose item was sent so long ago that it is sent again."""
    calls = run.unanswered if run.active else []
    return [call for call in calls if call.sent_at is not None and now - call.sent_at >= patience]


def sent_again(run: RunRecord, call_ids: set[str], now: float) -> RunRecord | None:
    """Note that the items of these calls are sent again. None: there is nobody to answer to any more."""
    turn = run.turn
    if turn is None or not call_ids or not run.active:
        return None
    calls = [call.model_copy(update={"sent_at": now}) if call.id in call_ids else call for call in turn.calls]
    return _write(run, now, turns=[*run.turns[:-1], turn.model_copy(update={"calls": calls})])


def touched(run: RunRecord, now: float) -> RunRecord | None:
    """Note that somebody has seen to an active run. None: somebody else has, since, or it has ended."""
    return run.model_copy(update={"touched_at": now}) if run.active and run.touched_at < now else None


def cancel(run: RunRecord, now: float) -> RunRecord | None:
    """Ask for the end of a run. None: it has ended, or was asked before."""
    status = following(run.status, Event.CANCEL)
    return _write(run, now, committed=True, status=status) if status else None


def discard(run: RunRecord, now: float) -> RunRecord | None:
    """Give up a run whose creation was never committed. Nobody is shown it, unless the commit still comes, too late."""
    if run.committed or not run.active:
        return None
    error = LastError(code="server_error", message="The run was not created in time.")
    return _write(run, now, status=RunStatus.FAILED, failed_at=now, claim=None, last_error=error)


def discarded(run: RunRecord) -> bool:
    """Whether its creation was given up: any other write to a run notes that it was committed."""
    return not run.committed and not run.active


def end(
    run: RunRecord, event: Event, now: float, error: LastError | None = None, reason: str | None = None
) -> RunRecord | None:
    """End a run by COMPLETE, INCOMPLETE (with a reason), FAIL (with an error) or EXPIRE. None: it has ended."""
    status = following(run.status, event)
    if status is None:
        return None
    stamp = _STAMPS.get(status)
    return _write(
        run, now, status=status, claim=None, committed=True, **({stamp: now} if stamp else {}),
        last_error=error if status is RunStatus.FAILED else None,
        incomplete_reason=reason if status is RunStatus.INCOMPLETE else None,
    )  # fmt: skip


def conclusion(turn: Turn) -> tuple[Event, str | None] | None:
    """What a published turn means for its run: the event that ends it, with a reason; None: its calls are given out."""
    if turn.calls and turn.finish not in _CUT_OFF:
        return None
    return _CONCLUSIONS[turn.finish]


def bounded(run: RunRecord, turn: Turn) -> Turn:
    """The turn, or a failed one in its place where it would call more tools than a run may."""
    if sum(len(each.calls) for each in [*run.turns, turn]) <= MAX_TOOL_CALLS:
        return turn
    message = f"The run made more than {MAX_TOOL_CALLS} tool calls, which is the limit."
    error = LastError.model_validate({"code": "server_error", "message": message})
    return turn.model_copy(update={"finish": "failed", "error": error})


_CUT_OFF = {"cancelled", "expired", "failed", "length", "content_filter"}

_CONCLUSIONS: Mapping[Finish, tuple[Event, str | None]] = {
    "stop": (Event.COMPLETE, None),
    "tool_calls": (Event.COMPLETE, None),
    "length": (Event.INCOMPLETE, "max_completion_tokens"),
    "content_filter": (Event.INCOMPLETE, "content_filter"),
    "cancelled": (Event.STOP, None),
    "expired": (Event.EXPIRE, None),
    "failed": (Event.FAIL, None),
}

_STAMPS = {
    RunStatus.COMPLETED: "completed_at",
    RunStatus.INCOMPLETE: "completed_at",
    RunStatus.FAILED: "failed_at",
    RunStatus.CANCELLED: "cancelled_at",
}


def _answered(run: RunRecord, answers: Mapping[str, Mapping[str, object]], now: float) -> RunRecord:
    turn = run.turn
    assert turn is not None
    calls = [
        call.model_copy(update=answers[call.id]) if call.id in answers and call.output is None else call
        for call in turn.calls
    ]
    complete = all(call.output is not None for call in calls)
    turn = turn.model_copy(update={"calls": calls, "answered_at": now if complete else None})
    return run.model_copy(update={"turns": [*run.turns[:-1], turn]})


def _write(run: RunRecord, now: float, **changes: object) -> RunRecord:
    entered = now if changes.get("status", run.status) is not run.status else run.entered_at
    return run.model_copy(update={**changes, "touched_at": now, "entered_at": entered})
