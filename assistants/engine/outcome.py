"""What a call of the model comes to: a pure function from its completion to the turn that is recorded."""

from assistants.engine.completion import Completion
from assistants.engine.prompt import tool_type
from assistants.state.runs import Finish, RunRecord, ToolCall, Turn
from assistants.storage.ids import derived

_WHOLE = ("stop", "tool_calls")


def turn(run: RunRecord, completion: Completion, started: float, ended: float, cut_off: Finish | None) -> Turn:
    """The turn; one that was cut off keeps its text, but its calls are not made.

    An answer with nothing in it is an empty message, not silence.
    """
    finish: Finish = cut_off or completion.finish or "stop"
    calls = _calls(run, completion) if finish in _WHOLE else []
    text = "".join(completion.texts) or None
    refusal = "".join(completion.refusals) or None
    if finish in _WHOLE:
        finish = "tool_calls" if calls else "stop"
        if not calls and not text and not refusal:
            text = ""
    return Turn(
        started_at=started,
        ended_at=ended,
        finish=finish,
        text=text,
        refusal=refusal,
        error=completion.error if finish == "failed" else None,
        calls=calls,
        usage=completion.usage,
    )


def _calls(run: RunRecord, completion: Completion) -> list[ToolCall]:
    calls: dict[str, ToolCall] = {}
    for index, part in sorted(completion.calls.items()):
        # Some models send no ids, or the same id twice.
        call_id = part.id if part.id and part.id not in calls else derived("call_", run.id, len(run.turns), index)
        kind = tool_type(run, part.name)
        calls[call_id] = ToolCall(id=call_id, type=kind, name=part.name, arguments="".join(part.arguments))
    return list(calls.values())
