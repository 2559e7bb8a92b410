"""The state machine of a run: pure functions from a record, an event and a time to the next record.

A participle (`claimed`, `parked`, `ended`) returns the next record, and None if the run stays as it is; `is_...`
answers a question.

The table of states and events; an event has no effect where the cell is empty (contract, 4.1):

=============== =========== =============== ====== ========== ========= ========= ========== ========= =========
state           START       PARK            SUBMIT CANCEL     STOP      COMPLETE  INCOMPLETE FAIL      EXPIRE
=============== =========== =============== ====== ========== ========= ========= ========== ========= =========
queued          in_progress                        cancelling                                failed    expired
in_progress     in_progress requires_action        cancelling           completed incomplete failed    expired
requires_action                             queued cancelling                                failed    expired
cancelling                                                    cancelled cancelled cancelled  cancelled cancelled
=============== =========== =============== ====== ========== ========= ========= ========== ========= =========

The other states, completed, incomplete, failed, cancelled and expired, are final: no event has an effect in them.

PARK leaves a run in_progress when only server tools have been called. A run that is being cancelled ends
`cancelled`, whichever event ends it.
"""

from collections.abc import Mapping, Sequence
from enum import Enum
from typing import NamedTuple

from assistants.schema.runs import LastError, RunStatus
from assistants.state.runs import FUNCTION, Claim, Finish, Found, Look, Ran, RunRecord, ToolCall, Turn

MAX_TAKEOVERS = 5
"""Claims without progress after which a run ends `failed`."""

LAST_WRITES = 2.0
"""Seconds after `expires_at` in which only the run's driver may end it."""

MAX_TOOL_CALLS = 128
"""Tool calls that one run may make (contract, 5)."""


class Event(Enum):
    """An event of a run."""

    START = "start"
    """A driver claims the run, for the first time or again."""
    PARK = "park"
    """The model has called tools whose outputs are awaited."""
    SUBMIT = "submit"
    """The client has submitted its outputs."""
    CANCEL = "cancel"
    """The client cancels the run."""
    STOP = "stop"
    """The cancelled run has stopped."""
    COMPLETE = "complete"
    """The model has answered without calling a tool."""
    INCOMPLETE = "incomplete"
    """A token budget or a content filter cut the model off."""
    FAIL = "fail"
    """An error that a repetition would not correct."""
    EXPIRE = "expire"
    """`expires_at` has passed."""


class Ending(NamedTuple):
    """The ending of a run: an event, with a reason or an error."""

    event: Event
    reason: str | None = None
    """With INCOMPLETE: `incomplete_details.reason`."""
    error: LastError | None = None
    """With FAIL: `last_error`."""


class Need(Enum):
    """The action that an active run needs from the process that reads it."""

    EXPIRE = "expire"
    """Expire it: no driver has ended it in time."""
    STOP = "stop"
    """End it: it is being cancelled, and no driver has it."""
    CALL_AGAIN = "call again"
    """Send items of calls of server tools that are considered lost."""
    DRIVE = "drive"
    """Drive it: it waits for a driver."""
    NOTHING = "nothing"
    """No action: it has ended, a driver has it, or outputs are awaited."""


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
    """The state after an event; None: the event has no effect."""
    return TABLE.get(status, {}).get(event)


def need(run: RunRecord, now: float, resend_after: float) -> Need:
    """The action that the run needs now; calls without an output for `resend_after` seconds are considered lost."""
    if is_overdue(run, now):
        return Need.EXPIRE
    if run.status is RunStatus.CANCELLING and not is_claimed(run, now):
        return Need.STOP
    if lost_calls(run, now, resend_after):
        return Need.CALL_AGAIN
    return Need.DRIVE if is_ready(run, now) else Need.NOTHING


def is_claimed(run: RunRecord, now: float) -> bool:
    """Whether the run has a live claim: no other process may drive or end it."""
    return run.claim is not None and run.claim.until > now


def is_claimed_by(run: RunRecord, token: str) -> bool:
    """Whether the claim has this token; it may have lapsed, but no other claim has replaced it."""
    return run.active and run.claim is not None and run.claim.token == token


def is_overdue(run: RunRecord, now: float) -> bool:
    """Whether the next process that reads the run has to expire it."""
    return run.active and now >= run.expires_at and not is_claimed(run, now)


def is_ready(run: RunRecord, now: float) -> bool:
    """Whether the run waits for a driver only."""
    waiting = run.status in (RunStatus.QUEUED, RunStatus.IN_PROGRESS) and not run.unanswered
    return waiting and not is_claimed(run, now)


def is_discarded(run: RunRecord) -> bool:
    """Whether its creation was given up: every other write of a run records that it was committed."""
    return not run.committed and not run.active


def created_claimed(run: RunRecord, token: str, now: float, length: float, prompt_lengths: list[int]) -> RunRecord:
    """A new run that its creator drives. It is not committed yet."""
    own = claimed(run, token, now, length, prompt_lengths)
    assert own is not None
    return own.model_copy(update={"committed": False})


def claimed(run: RunRecord, token: str, now: float, length: float, prompt_lengths: list[int]) -> RunRecord | None:
    """Claim a ready run for `length` seconds. The first claim fixes the prompt. None: the run is not ready.

    Claims without progress are counted, so that a run that crashes every driver ends.
    """
    status = following(run.status, Event.START)
    if status is None or not is_ready(run, now):
        return None
    return _write(
        run, now, committed=True, status=status, started_at=run.started_at if run.status is status else now,
        claim=_claim(run, token, now, length), takeovers=run.takeovers + 1,
        prompt_lengths=run.prompt_lengths or prompt_lengths,
    )  # fmt: skip


def renewed(run: RunRecord, token: str, now: float, length: float) -> RunRecord | None:
    """Renew the claim for `length` seconds. None: the claim is lost."""
    own = _claim(run, token, now, length)
    return _write(run, now, committed=True, claim=own) if is_claimed_by(run, token) else None


def _claim(run: RunRecord, token: str, now: float, length: float) -> Claim:
    """A claim, which ends at most `LAST_WRITES` seconds after the run expires."""
    return Claim(token=token, until=min(now + length, max(run.expires_at, now) + LAST_WRITES))


def released(run: RunRecord, trouble: str, now: float) -> RunRecord:
    """Release the claim, and record the error of its driver."""
    return _write(run, now, claim=None, trouble=trouble[:500])


def recorded(run: RunRecord, turn: Turn, now: float) -> RunRecord:
    """Record the outcome of a call of the model, which counts as progress."""
    return _write(run, now, committed=True, turns=[*run.turns, turn], takeovers=0)


def parked(run: RunRecord, now: float, look: Look | None, stay: bool = False) -> RunRecord | None:
    """Record that the last turn's calls are given out, and release the claim, in one write.

    A driver with `stay` keeps its claim while all awaited outputs are those of server tools.
    """
    turn = run.turn
    if turn is None or run.status is not RunStatus.IN_PROGRESS:
        return None
    calls = [call if call.type == FUNCTION else call.model_copy(update={"sent_at": now}) for call in turn.calls]
    given_out = turn.model_copy(update={"parked": True, "calls": calls})
    owed = any(call.type == FUNCTION for call in calls)
    status = following(run.status, Event.PARK) if owed else run.status
    claim = run.claim if stay and not owed else None
    return _write(run, now, turns=[*run.turns[:-1], given_out], status=status, claim=claim, look=look, takeovers=0)


def submitted(run: RunRecord, outputs: Mapping[str, str], now: float) -> RunRecord | None:
    """Store all of the client's outputs. None: the run awaits none."""
    status = following(run.status, Event.SUBMIT)
    answers = {call_id: {"output": output} for call_id, output in outputs.items()}
    return _write(_with_outputs(run, answers, now), now, status=status) if status else None


def answered(
    run: RunRecord,
    call_id: str,
    output: str,
    now: float,
    found: Sequence[Found] | None = None,
    ran: Ran | None = None,
) -> RunRecord | None:
    """Store a server tool's output: of a search with the passages found, of code with the result of its execution.

    The first stored output wins. None: the run does not await the output, or no longer.
    """
    if not run.active or call_id not in {call.id for call in run.unanswered if call.type != FUNCTION}:
        return None
    return _write(_with_outputs(run, {call_id: {"output": output, "found": found, "ran": ran}}, now), now)


def lost_calls(run: RunRecord, now: float, resend_after: float) -> list[ToolCall]:
    """The unanswered calls of server tools whose items were sent `resend_after` seconds ago or earlier."""
    calls = run.unanswered if run.active else []
    return [call for call in calls if call.sent_at is not None and now - call.sent_at >= resend_after]


def resent(run: RunRecord, call_ids: set[str], now: float) -> RunRecord | None:
    """Record that the items of these calls are sent again. None: the run has ended."""
    turn = run.turn
    if turn is None or not call_ids or not run.active:
        return None
    calls = [call.model_copy(update={"sent_at": now}) if call.id in call_ids else call for call in turn.calls]
    return _write(run, now, turns=[*run.turns[:-1], turn.model_copy(update={"calls": calls})])


def touched(run: RunRecord, now: float) -> RunRecord | None:
    """Record that a process has attended to an active run. None: the run has ended, or a later time is recorded."""
    return run.model_copy(update={"touched_at": now}) if run.active and run.touched_at < now else None


def cancelled(run: RunRecord, now: float) -> RunRecord | None:
    """Begin to cancel a run. None: it has ended, or is being cancelled."""
    status = following(run.status, Event.CANCEL)
    return _write(run, now, committed=True, status=status) if status else None


def discarded(run: RunRecord, now: float) -> RunRecord | None:
    """Give up a run whose creation was never committed. It is shown only if the commit still arrives, too late."""
    if run.committed or not run.active:
        return None
    error = LastError(code="server_error", message="The run was not created in time.")
    return _write(run, now, status=RunStatus.FAILED, failed_at=now, claim=None, last_error=error)


def ended(run: RunRecord, ending: Ending, now: float) -> RunRecord | None:
    """End a run by STOP, COMPLETE, INCOMPLETE, FAIL or EXPIRE. None: it has ended."""
    status = following(run.status, ending.event)
    if status is None:
        return None
    stamp = _STAMPS.get(status)
    return _write(
        run, now, status=status, claim=None, committed=True, **({stamp: now} if stamp else {}),
        last_error=ending.error if status is RunStatus.FAILED else None,
        incomplete_reason=ending.reason if status is RunStatus.INCOMPLETE else None,
    )  # fmt: skip


def conclusion(turn: Turn) -> Ending | None:
    """The ending that a published turn brings its run; None: the turn's calls are given out."""
    if turn.calls and turn.finish not in _CUT_OFF:
        return None
    return _CONCLUSIONS[turn.finish]._replace(error=turn.error)


def bounded(run: RunRecord, turn: Turn) -> Turn:
    """The turn, or a failed turn in its place if it calls more tools than a run may."""
    if sum(len(made.calls) for made in [*run.turns, turn]) <= MAX_TOOL_CALLS:
        return turn
    message = f"The run made more than {MAX_TOOL_CALLS} tool calls, which is the limit."
    error = LastError.model_validate({"code": "server_error", "message": message})
    return turn.model_copy(update={"finish": "failed", "error": error})


_CUT_OFF = {"cancelled", "expired", "failed", "length", "content_filter"}

_CONCLUSIONS: Mapping[Finish, Ending] = {
    "stop": Ending(Event.COMPLETE),
    "tool_calls": Ending(Event.COMPLETE),
    "length": Ending(Event.INCOMPLETE, "max_completion_tokens"),
    "content_filter": Ending(Event.INCOMPLETE, "content_filter"),
    "cancelled": Ending(Event.STOP),
    "expired": Ending(Event.EXPIRE),
    "failed": Ending(Event.FAIL),
}

_STAMPS = {
    RunStatus.COMPLETED: "completed_at",
    RunStatus.INCOMPLETE: "completed_at",
    RunStatus.FAILED: "failed_at",
    RunStatus.CANCELLED: "cancelled_at",
}


def _with_outputs(run: RunRecord, answers: Mapping[str, Mapping[str, object]], now: float) -> RunRecord:
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
