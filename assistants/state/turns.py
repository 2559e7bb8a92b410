"""What a run's turns show: their messages and steps, computed from the run's document and nothing else."""

from assistants.schema.messages import Message
from assistants.schema.runs import RunStatus, Usage
from assistants.schema.steps import RunStep
from assistants.state.runs import FUNCTION, RunRecord, ToolCall, Turn
from assistants.storage.ids import derived

_INCOMPLETE = {
    "length": "max_tokens",
    "content_filter": "content_filter",
    "cancelled": "run_cancelled",
    "expired": "run_expired",
    "failed": "run_failed",
}
_OPEN_STEP_ENDS = {
    RunStatus.CANCELLED: "cancelled",
    RunStatus.EXPIRED: "expired",
    RunStatus.FAILED: "failed",
    RunStatus.INCOMPLETE: "failed",
}
_STEP_ERRORS = {"invalid_prompt": "server_error"}
"""A step's error knows fewer codes than a run's, to the SDK."""

_STAMPS = {"completed": "completed_at", "cancelled": "cancelled_at", "expired": "expired_at", "failed": "failed_at"}


def message_id(run_id: str, turn: int) -> str:
    """The same however often the turn is published."""
    return derived("msg_", run_id, turn)


def message(run: RunRecord, number: int) -> Message | None:
    """The message of a recorded turn (contract, 3); None where the model said nothing."""
    turn = run.turns[number]
    if turn.text is None and turn.refusal is None:
        return None
    content: list[object] = []
    if turn.text is not None:
        content.append({"type": "text", "text": {"value": turn.text, "annotations": []}})
    if turn.refusal is not None:
        content.append({"type": "refusal", "refusal": turn.refusal})
    reason = _INCOMPLETE.get(turn.finish)
    ended = int(turn.ended_at)
    return Message.model_validate(
        {
            "id": message_id(run.id, number),
            "created_at": int(turn.started_at),
            "assistant_id": run.assistant_id,
            "thread_id": run.thread_id,
            "run_id": run.id,
            "status": "incomplete" if reason else "completed",
            "incomplete_details": {"reason": reason} if reason else None,
            "incomplete_at": ended if reason else None,
            "completed_at": None if reason else ended,
            "role": "assistant",
            "content": content,
        }
    )


def steps(run: RunRecord) -> list[RunStep]:
    """The steps of a run, oldest first (contract, 5)."""
    return [step for number in range(len(run.turns)) for step in _steps_of_turn(run, number)]


def _steps_of_turn(run: RunRecord, number: int) -> list[RunStep]:
    turn = run.turns[number]
    found: list[RunStep] = []
    said = message(run, number)
    if said:
        status = turn.finish if turn.finish in ("cancelled", "expired", "failed") else "completed"
        details = {"type": "message_creation", "message_creation": {"message_id": said.id}}
        used = Usage(prompt_tokens=0, completion_tokens=0, total_tokens=0) if turn.calls else turn.usage
        found.append(_step(run, number, turn, status, turn.started_at, turn.ended_at, details, used))
    if turn.calls:
        status, ended = _tool_step_state(run, turn)
        details = {"type": "tool_calls", "tool_calls": [_shown(call) for call in turn.calls]}
        used = None if status == "in_progress" else turn.usage
        found.append(_step(run, number, turn, status, turn.ended_at, ended, details, used))
    return found


def _tool_step_state(run: RunRecord, turn: Turn) -> tuple[str, float]:
    """Calls that were given out stay open until they are answered or their run ends."""
    if turn.answered_at is not None:
        return "completed", turn.answered_at
    return _OPEN_STEP_ENDS.get(run.status, "in_progress"), run.entered_at


def _step(
    run: RunRecord,
    number: int,
    turn: Turn,
    status: str,
    created: float,
    ended: float,
    details: object,
    used: Usage | None,
) -> RunStep:
    kind = "message_creation" if isinstance(details, dict) and "message_creation" in details else "tool_calls"
    stamp = {_STAMPS[status]: int(ended)} if status in _STAMPS else {}
    error = (turn.error or run.last_error) if status == "failed" else None
    return RunStep.model_validate(
        {
            "id": derived("step_", run.id, number, kind),
            "created_at": int(created),
            "run_id": run.id,
            "assistant_id": run.assistant_id,
            "thread_id": run.thread_id,
            "type": kind,
            "status": status,
            "expires_at": int(run.expires_at) if run.active else None,
            "last_error": error and {"code": _STEP_ERRORS.get(error.code, error.code), "message": error.message},
            "step_details": details,
            "usage": used,
            **stamp,
        }
    )


def _shown(call: ToolCall) -> dict[str, object]:
    if call.type != FUNCTION:
        return {"id": call.id, "type": call.type, call.type: {}}
    function = {"name": call.name, "arguments": call.arguments, "output": call.output}
    return {"id": call.id, "type": FUNCTION, "function": function}
