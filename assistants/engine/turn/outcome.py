"""The outcome of a call of the model: a pure function from its completion to the turn that is recorded."""

import json
import logging
from collections.abc import Iterable, Sequence
from typing import Any

from assistants.engine.turn import tokens
from assistants.engine.turn.calls import PartialCall
from assistants.engine.turn.completion import Completion
from assistants.engine.turn.extra import MAX_EXTRA
from assistants.engine.turn.prompt import Prompt, tool_type
from assistants.schema.messages import Message
from assistants.state import citations
from assistants.state.runs import Finish, RunRecord, ToolCall, Turn
from assistants.storage.ids import derived

log = logging.getLogger("assistants.engine")

Json = dict[str, Any]

_WHOLE = ("stop", "tool_calls")


def turn(run: RunRecord, completion: Completion, started: float, ended: float, cut_off: Finish | None) -> Turn:
    """The turn. If it was cut off, it keeps its text, but its calls are never given out.

    An empty answer becomes an empty message.
    """
    finish: Finish = cut_off or completion.finish or "stop"
    extra, *extras = _extra(run, completion)
    made = [
        call.model_copy(update={"arguments": _arguments(part, finish in _WHOLE), "extra": each})
        for call, part, each in zip(calls(run, completion), completion.calls, extras, strict=True)
    ]
    text = _joined(completion.texts) or None
    refusal = _joined(completion.refusals) or None
    if finish in _WHOLE:
        finish = "tool_calls" if made else "stop"
        if not made and not text and not refusal:
            text = ""
    return Turn(
        started_at=started,
        ended_at=ended,
        finish=finish,
        text=text,
        refusal=refusal,
        error=completion.error if finish == "failed" else None,
        calls=made,
        usage=completion.usage,
        extra=extra,
    )


def numbered(run: RunRecord, turn: Turn, thread: Sequence[Message]) -> Turn:
    """The turn with numbers for its searches; the marks of their results begin with these."""
    parts = (part for message in thread for part in message.content)
    said = (part["text"]["value"] for part in parts if part["type"] == "text")
    return turn.model_copy(update={"calls": citations.numbered(run.turns, said, turn.calls)})


def measured(turn: Turn, completion: Completion, prompt: Prompt, skipped: int = 0) -> Turn:
    """The turn with its usage, estimated if the endpoint did not report it and sent any text or call.

    `skipped` is the number of the thread's records before the messages of the prompt.
    """
    used = completion.usage
    if used is None and (completion.length or turn.finish in _WHOLE):
        arguments = [call.arguments for call in turn.calls]
        used = tokens.estimated_usage(prompt.tokens, [turn.text or "", turn.refusal or "", *arguments])
    estimate = prompt.estimate if completion.usage else None
    return turn.model_copy(update={"usage": used, "estimate": estimate, "dropped": skipped + prompt.dropped})


def calls(run: RunRecord, completion: Completion) -> list[ToolCall]:
    """The calls as far as they are known, without their arguments."""
    found: dict[str, ToolCall] = {}
    for number, part in enumerate(completion.calls):
        # Some models send no ids, or the same id twice.
        call_id, name = _joined([part.id]), _joined([part.name])
        if not call_id or call_id in found:
            call_id = derived("call_", run.id, len(run.turns), number)
        found[call_id] = ToolCall(id=call_id, type=tool_type(run, name), name=name, arguments="")
    return list(found.values())


def _arguments(part: PartialCall, whole: bool) -> str:
    """The arguments as text; missing ones become an empty object if the call is given out."""
    arguments = _joined(part.arguments)
    return "{}" if whole and not arguments.strip() else arguments


def _extra(run: RunRecord, completion: Completion) -> Sequence[Json | None]:
    """The fields to be sent back, of the turn and then of each call: all of them, or none if they are too many.

    Without calls the run has no further turn that would send them back.
    """
    extras = [completion.extra, *(part.extra for part in completion.calls)]
    if not completion.calls:
        return [None]
    values = [each.value() for each in extras]
    if any(each.dropped for each in extras) or len(json.dumps(values)) > MAX_EXTRA:
        log.warning("run %s: the endpoint's own fields of a turn are too many, and are not given back to it", run.id)
        return [None] * len(values)
    return values


def _joined(parts: Iterable[str]) -> str:
    """The parts as one text. Some models split a surrogate pair between parts; half a pair cannot be stored."""
    return "".join(parts).encode("utf-16", "surrogatepass").decode("utf-16", "replace")
