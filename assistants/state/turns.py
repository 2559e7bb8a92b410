"""The messages and steps of a run's turns, computed from the run's document alone."""

from collections.abc import Sequence

from assistants.schema.messages import ImageFileContent, Message
from assistants.schema.runs import LastError, RunStatus, Usage
from assistants.schema.steps import FileSearchStepCall, RunStep, StepStatus, StepType, ToolCallsDetails
from assistants.state import searches
from assistants.state.citations import annotations
from assistants.state.code import code_of
from assistants.state.runs import FUNCTION, ImageOutput, RunRecord, ToolCall, Turn
from assistants.storage.ids import derived

_INCOMPLETE = {
    "length": "max_tokens",
    "content_filter": "content_filter",
    "cancelled": "run_cancelled",
    "expired": "run_expired",
    "failed": "run_failed",
}
_OPEN_STEP_ENDS: dict[RunStatus, StepStatus] = {
    RunStatus.CANCELLED: "cancelled",
    RunStatus.EXPIRED: "expired",
    RunStatus.FAILED: "failed",
    RunStatus.INCOMPLETE: "failed",
}
_STAMPS = {"completed": "completed_at", "cancelled": "cancelled_at", "expired": "expired_at", "failed": "failed_at"}


def message_id(run_id: str, turn: int) -> str:
    """The id of a turn's message; each publication derives the same one."""
    return derived("msg_", run_id, turn)


def step_id(run_id: str, turn: int, kind: StepType) -> str:
    """The id of a turn's step, a function of the run, the turn and the type."""
    return derived("step_", run_id, turn, kind)


def message(run: RunRecord, number: int) -> Message | None:
    """The message of a recorded turn (contract, 3); None if the answer has no text."""
    turn = run.turns[number]
    if turn.silent:
        return None
    content: list[object] = [*images(run, number)]
    if turn.text is not None:
        found = annotations(run.turns[:number], turn.text)
        content.append({"type": "text", "text": {"value": turn.text, "annotations": found}})
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


def images(run: RunRecord, number: int) -> list[ImageFileContent]:
    """The figures of code since the preceding turn's message; they are the first parts of this turn's message."""
    last = max((before for before in range(number) if not run.turns[before].silent), default=0)
    return [
        {"type": "image_file", "image_file": {"file_id": output.file_id}}
        for turn in run.turns[last:number]
        for call in turn.calls
        for output in (call.ran.outputs if call.ran else ())
        if isinstance(output, ImageOutput)
    ]


def code_outputs(call: ToolCall) -> list[dict[str, object]]:
    """The outputs of code in the form of a step."""
    return [
        {"type": "image", "image": {"file_id": output.file_id}}
        if isinstance(output, ImageOutput)
        else {"type": "logs", "logs": output.logs}
        for output in (call.ran.outputs if call.ran else ())
    ]


def said(run: RunRecord, identifier: str) -> Message | None:
    """The message with this id, of a recorded turn or of the turn that the model is writing."""
    for number in range(len(run.turns)):
        if message_id(run.id, number) == identifier:
            return message(run, number)
    at_work = run.status in (RunStatus.IN_PROGRESS, RunStatus.CANCELLING)
    begun = at_work and identifier == message_id(run.id, len(run.turns))
    return begun_message(run, len(run.turns), run.touched_at) if begun else None


def begun_message(run: RunRecord, number: int, started: float) -> Message:
    """The message of a turn that the model has begun: `in_progress`, and still empty."""
    return Message(
        id=message_id(run.id, number),
        created_at=int(started),
        assistant_id=run.assistant_id,
        thread_id=run.thread_id,
        run_id=run.id,
        status="in_progress",
        role="assistant",
    )


def steps(run: RunRecord, content: bool = False) -> list[RunStep]:
    """The steps of a run, oldest first; with the texts of search results if these are requested (contract, 5)."""
    if run.imported:
        return run.imported.steps if content else [_without_texts(step) for step in run.imported.steps]
    return [step for number in range(len(run.turns)) for step in steps_of_turn(run, number, content)]


def steps_of_turn(run: RunRecord, number: int, content: bool = False) -> list[RunStep]:
    """The step of a recorded turn's message, if it has one, then the step of its tool calls, if it has any."""
    turn = run.turns[number]
    found: list[RunStep] = []
    if not turn.silent:
        status = turn.finish if turn.finish in ("cancelled", "expired", "failed") else "completed"
        used = Usage(prompt_tokens=0, completion_tokens=0, total_tokens=0) if turn.calls else turn.usage
        begun = begun_step(run, number, "message_creation", turn.started_at)
        found.append(_ended(run, turn, begun, status, turn.ended_at, used))
    if turn.calls:
        status, ended = _tool_step_state(run, turn)
        calls = [_view_call(run, call, content) for call in turn.calls]
        begun = begun_step(run, number, "tool_calls", turn.started_at, calls)
        used = None if status == "in_progress" else turn.usage
        found.append(_ended(run, turn, begun, status, ended, used))
    return found


def begun_step(
    run: RunRecord, number: int, kind: StepType, started: float, calls: Sequence[dict[str, object]] = ()
) -> RunStep:
    """The step of a turn, `in_progress`."""
    details: dict[str, object] = {"type": kind}
    if kind == "tool_calls":
        details["tool_calls"] = list(calls)
    else:
        details["message_creation"] = {"message_id": message_id(run.id, number)}
    return RunStep.model_validate(
        {
            "id": step_id(run.id, number, kind),
            "created_at": int(started),
            "run_id": run.id,
            "assistant_id": run.assistant_id,
            "thread_id": run.thread_id,
            "type": kind,
            "status": "in_progress",
            "expires_at": int(run.expires_at),
            "step_details": details,
        }
    )


def _without_texts(step: RunStep) -> RunStep:
    """The step without the texts of search results."""
    if not isinstance(step.step_details, ToolCallsDetails):
        return step
    step = step.model_copy(deep=True)
    for call in step.step_details.tool_calls if isinstance(step.step_details, ToolCallsDetails) else ():
        for result in call.file_search.get("results", ()) if isinstance(call, FileSearchStepCall) else ():
            result.pop("content", None)
    return step


def _tool_step_state(run: RunRecord, turn: Turn) -> tuple[StepStatus, float]:
    """The state of a step of tool calls: in progress until all are answered or the run ends."""
    if turn.answered_at is not None:
        return "completed", turn.answered_at
    return _OPEN_STEP_ENDS.get(run.status, "in_progress"), run.entered_at


def _ended(run: RunRecord, turn: Turn, begun: RunStep, status: StepStatus, ended: float, used: Usage | None) -> RunStep:
    changes: dict[str, object] = {"status": status, "usage": used}
    if status in _STAMPS:
        changes |= {_STAMPS[status]: int(ended), "expires_at": None}
    error = turn.error or run.last_error
    if status == "failed" and error:
        code = "server_error" if error.code == "invalid_prompt" else error.code  # the SDK's step has fewer codes
        changes["last_error"] = LastError(code=code, message=error.message)
    return begun.model_copy(update=changes)


def _view_call(run: RunRecord, call: ToolCall, content: bool) -> dict[str, object]:
    if call.type == "file_search":
        return {"id": call.id, "type": call.type, call.type: searches.view(run, call, content)}
    if call.type == "code_interpreter":
        shown = {"input": code_of(call.arguments), "outputs": code_outputs(call)}
        return {"id": call.id, "type": call.type, call.type: shown}
    if call.type != FUNCTION:
        return {"id": call.id, "type": call.type, call.type: {}}
    function = {"name": call.name, "arguments": call.arguments, "output": call.output}
    return {"id": call.id, "type": FUNCTION, "function": function}
