"""The history of a run, from its document: pure functions."""

from collections.abc import Iterator
from typing import NamedTuple

from assistants.engine import machine
from assistants.engine.machine import Need
from assistants.state.runs import RunRecord, Turn


class Happened(NamedTuple):
    """An event of a run: its time in seconds since the epoch, its name, and its details."""

    at: float
    event: str
    detail: str = ""


def history(run: RunRecord) -> list[Happened]:
    """The events of a run in their order, without texts of messages, arguments and outputs."""
    return sorted(_events(run), key=lambda each: each.at)


def stuck(run: RunRecord, now: float, look_again: float) -> str | None:
    """Why an active run is stuck: it should have been attended to; None if it is not stuck."""
    need = machine.need(run, now, look_again)
    if need is Need.NOTHING or now - max(run.touched_at, run.claim.until if run.claim else 0) <= 2 * look_again:
        return None
    return {
        Need.EXPIRE: "it has expired, and no process has ended it",
        Need.STOP: "it was cancelled, and no process has ended it",
        Need.CALL_AGAIN: "a tool has not answered",
        Need.DRIVE: "no process drives it",
    }[need]


def driver(run: RunRecord, now: float) -> str:
    """The process that attends to a run."""
    if not run.active:
        return "ended"
    if run.claim is not None and machine.is_claimed(run, now):
        return f"driven, claim until {run.claim.until - now:.0f} s from now"
    return "awaits outputs of the client" if run.awaited else "awaits tools" if run.unanswered else "waits for a driver"


def _events(run: RunRecord) -> Iterator[Happened]:
    yield Happened(run.created_at, "created", f"assistant {run.assistant_id}, model {run.model}")
    if run.started_at:
        yield Happened(run.started_at, "started")
    for number, turn in enumerate(run.turns, 1):
        yield from _turn(number, turn)
    for notice in run.notices or ():
        yield Happened(notice.at, f"webhook {notice.type}", "told" if notice.told else "not marked as told")
    if run.trouble:
        yield Happened(run.touched_at, "trouble", run.trouble)
    if run.takeovers > 1:
        yield Happened(run.touched_at, "claims without progress", str(run.takeovers))
    if run.active:
        yield Happened(run.touched_at, "last write", run.status.value)
    else:
        why = run.last_error.message if run.last_error else run.incomplete_reason or ""
        yield Happened(run.entered_at, run.status.value, why)


def _turn(number: int, turn: Turn) -> Iterator[Happened]:
    yield Happened(turn.started_at, f"turn {number} began")
    tokens = f"{turn.usage.prompt_tokens} + {turn.usage.completion_tokens} tokens" if turn.usage else ""
    error = turn.error.message if turn.error else ""
    detail = ", ".join(filter(None, [turn.finish, tokens, error]))
    yield Happened(turn.ended_at, f"turn {number} ended", detail)
    for call in turn.calls:
        state = "answered" if call.output is not None else "unanswered"
        yield Happened(call.sent_at or turn.ended_at, f"call {call.id}", f"{call.type} {call.name}, {state}")
    if turn.answered_at:
        yield Happened(turn.answered_at, f"turn {number} answered")
