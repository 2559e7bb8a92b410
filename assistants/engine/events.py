"""A run told as events (contract, 7): from what its document says, and from what the model is saying just now.

Everything is told once, in the order of the contract, however the run is watched: live by its driver, or from outside
by reading the document again and again.
"""

import codecs
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Any, Protocol

from assistants.engine.turn import outcome
from assistants.engine.turn.completion import Completion
from assistants.schema.base import Object
from assistants.schema.messages import FileCitation
from assistants.schema.runs import RunStatus
from assistants.schema.steps import StepType
from assistants.state.citations import pieces, settled
from assistants.state.runs import FUNCTION, RunRecord, ToolCall, Turn, view
from assistants.state.turns import begun_message, begun_step, message, message_id, step_id, steps_of_turn

Emit = Callable[[str, Object | dict[str, Any]], None]
"""Takes the name of an event and its data."""


class Listener(Protocol):
    """Who is told how a run goes on. Neither method may block or fail."""

    def see(self, run: RunRecord) -> None:
        """The run as it was written or read just now."""
        ...

    def hear(self, run: RunRecord, completion: Completion, started: float) -> None:
        """What the model has said so far in the turn that is not recorded yet."""
        ...


class Nobody:
    """The listener of a run that nobody streams."""

    def see(self, run: RunRecord) -> None:
        """Nothing."""

    def hear(self, run: RunRecord, completion: Completion, started: float) -> None:
        """Nothing."""


NOBODY = Nobody()


@dataclass
class _Text:
    """A text part of a message, as far as it has been told."""

    told: list[str] = field(default_factory=list[str])
    cited: int = 0
    """The citations in it."""
    heard: int = 0
    kept: str = ""
    """The beginning of what may become a mark."""
    joiner: codecs.IncrementalDecoder = field(
        default_factory=lambda: codecs.getincrementaldecoder("utf-16-le")("replace")
    )

    def take(self, pieces: list[str]) -> str:
        """What is new among the pieces. Half a character waits for its other half."""
        new, self.heard = "".join(pieces[self.heard :]), len(pieces)
        return self.joiner.decode(new.encode("utf-16-le", "surrogatepass"))

    def take_settled(self, pieces: list[str]) -> str:
        """The same, where a mark that is begun waits for its end as well."""
        new = self.kept + self.take(pieces)
        end = settled(new)
        self.kept = new[end:]
        return new[:end]

    def release(self) -> str:
        """What was kept, where no end of it is to be waited for."""
        kept, self.kept = self.kept, ""
        return kept

    def rest(self, whole: str) -> str:
        """What is left to be told of the whole text; nothing where another text was told before."""
        told = "".join(self.told)
        return whole[len(told) :] if whole.startswith(told) else ""


@dataclass
class _Telling:
    """How far the telling of one turn has come."""

    text: _Text = field(default_factory=_Text)
    refusal: _Text = field(default_factory=_Text)
    message_begun: bool = False
    message_ended: bool = False
    calls_begun: bool = False
    calls_told: bool = False
    calls_ended: bool = False
    arguments: dict[str, _Text] = field(default_factory=dict[str, _Text])


class Narrator:
    """The listener that makes events of what it sees and hears.

    With `content`, steps show the texts that searches found.
    """

    def __init__(self, emit: Emit, content: bool = False) -> None:
        self._emit = emit
        self._content = content
        self._status: RunStatus | None = None
        self._tellings: list[_Telling] = []

    def begin(self, run: RunRecord) -> None:
        """Tell that a run was created."""
        created = view(run.model_copy(update={"status": RunStatus.QUEUED, "started_at": None}))
        self._emit("thread.run.created", created)
        self._emit("thread.run.queued", created)
        self._status = RunStatus.QUEUED

    def take_up(self, run: RunRecord) -> None:
        """Go on with a run whose past has been told."""
        self._status = run.status
        self._tellings = [
            _Telling(
                message_begun=True,
                message_ended=True,
                calls_begun=True,
                calls_told=True,
                calls_ended=turn.answered_at is not None,
            )
            for turn in run.turns
        ]

    def see(self, run: RunRecord) -> None:
        for number, turn in enumerate(run.turns):
            if number == len(self._tellings):
                self._start(run)
            self._see_turn(run, number, turn)
        if run.status is RunStatus.IN_PROGRESS:
            self._start(run)
        if run.status is not self._status:
            self._status = run.status
            self._emit(f"thread.run.{run.status.value}", view(run))

    def hear(self, run: RunRecord, completion: Completion, started: float) -> None:
        number = len(run.turns)
        telling = self._telling(number)
        text = telling.text.take_settled(completion.texts)
        refusal = telling.refusal.take(completion.refusals)
        if refusal:
            text += telling.text.release()
        if text or refusal or telling.text.kept:
            self._begin_message(run, number, started)
            self._tell_text(run, number, text)
            self._tell_refusal(run, number, refusal)
        # After a message the calls wait until they are recorded: its end is told first, and that is not known before.
        if completion.calls and not telling.message_begun:
            self._begin_calls(run, number, started)
            for index, (call, part) in enumerate(zip(outcome.calls(run, completion), completion.calls, strict=False)):
                if part.arguments or index + 1 < len(completion.calls):  # its name is whole
                    self._tell_call(run, number, index, call, part.arguments)

    def _start(self, run: RunRecord) -> None:
        """The run has left the queue, even if that was not seen."""
        if self._status is RunStatus.QUEUED:
            self._status = RunStatus.IN_PROGRESS
            started = {"status": RunStatus.IN_PROGRESS, "started_at": run.started_at or run.touched_at}
            self._emit("thread.run.in_progress", view(_open(run).model_copy(update=started)))

    def _see_turn(self, run: RunRecord, number: int, turn: Turn) -> None:
        telling = self._telling(number)
        if not telling.message_ended and (said := message(run, number)):
            telling.message_ended = True
            self._begin_message(run, number, turn.started_at)
            self._tell_text(run, number, telling.text.rest(turn.text or ""), first=turn.text == "")
            self._tell_refusal(run, number, telling.refusal.rest(turn.refusal or ""))
            if turn.finish == "failed":
                self._end_step(run, number, "message_creation")
            self._emit(f"thread.message.{said.status}", said)
            if turn.finish != "failed":
                self._end_step(run, number, "message_creation")
        if turn.calls and not telling.calls_ended:
            self._begin_calls(run, number, turn.started_at)
            if not telling.calls_told:
                telling.calls_told = True
                for index, call in enumerate(turn.calls):
                    self._tell_call(run, number, index, call, None)
            telling.calls_ended = self._end_step(run, number, "tool_calls")

    def _begin_message(self, run: RunRecord, number: int, started: float) -> None:
        telling = self._telling(number)
        if telling.message_begun:
            return
        telling.message_begun = True
        self._begin_step(run, number, "message_creation", started)
        begun = begun_message(run, number, started)
        self._emit("thread.message.created", begun)
        self._emit("thread.message.in_progress", begun)

    def _begin_calls(self, run: RunRecord, number: int, started: float) -> None:
        telling = self._telling(number)
        if telling.calls_begun:
            return
        telling.calls_begun = True
        self._begin_step(run, number, "tool_calls", started)

    def _begin_step(self, run: RunRecord, number: int, kind: StepType, started: float) -> None:
        begun = begun_step(run, number, kind, started)
        self._emit("thread.run.step.created", begun)
        self._emit("thread.run.step.in_progress", begun)

    def _end_step(self, run: RunRecord, number: int, kind: str) -> bool:
        for step in steps_of_turn(run, number, self._content):
            if step.type == kind and step.status != "in_progress":
                self._emit(f"thread.run.step.{step.status}", step)
                return True
        return False

    def _tell_text(self, run: RunRecord, number: int, text: str, first: bool = False) -> None:
        said = self._telling(number).text
        if first and not said.told:
            self._tell_piece(run, number, "", None)
        for piece, citation in list(pieces(run.turns[:number], text, said.told, said.cited)):
            self._tell_piece(run, number, piece, citation)

    def _tell_piece(self, run: RunRecord, number: int, text: str, citation: FileCitation | None) -> None:
        said = self._telling(number).text
        part: dict[str, Any] = {"value": text}
        if citation or not said.told:
            part["annotations"] = [{"index": said.cited, **citation}] if citation else []
        said.told.append(text)
        said.cited += citation is not None
        self._tell_content(run, number, {"index": 0, "type": "text", "text": part})

    def _tell_refusal(self, run: RunRecord, number: int, refusal: str) -> None:
        telling = self._telling(number)
        if refusal:
            telling.refusal.told.append(refusal)
            index = 1 if telling.text.told else 0
            self._tell_content(run, number, {"index": index, "type": "refusal", "refusal": refusal})

    def _tell_content(self, run: RunRecord, number: int, part: dict[str, Any]) -> None:
        delta = {"content": [part]}
        told = {"id": message_id(run.id, number), "object": "thread.message.delta", "delta": delta}
        self._emit("thread.message.delta", told)

    def _tell_call(self, run: RunRecord, number: int, index: int, call: ToolCall, heard: list[str] | None) -> None:
        """A call is introduced by its id and name; its arguments follow as they come, or, recorded, all at once."""
        arguments = self._telling(number).arguments
        if call.id not in arguments:
            arguments[call.id] = _Text()
            if call.type == FUNCTION:
                function = {"name": call.name, "arguments": "", "output": None}
                self._tell_calls(run, number, {"index": index, "id": call.id, "type": FUNCTION, "function": function})
            else:
                self._tell_calls(run, number, {"index": index, "id": call.id, "type": call.type, call.type: {}})
        text = arguments[call.id]
        new = text.rest(call.arguments) if heard is None else text.take(heard)
        if new and call.type == FUNCTION:
            text.told.append(new)
            self._tell_calls(run, number, {"index": index, "type": FUNCTION, "function": {"arguments": new}})

    def _tell_calls(self, run: RunRecord, number: int, call: dict[str, Any]) -> None:
        delta = {"step_details": {"type": "tool_calls", "tool_calls": [call]}}
        told = {"id": step_id(run.id, number, "tool_calls"), "object": "thread.run.step.delta", "delta": delta}
        self._emit("thread.run.step.delta", told)

    def _telling(self, number: int) -> _Telling:
        while len(self._tellings) <= number:
            self._tellings.append(_Telling())
        return self._tellings[number]


def _open(run: RunRecord) -> RunRecord:
    """The run without what its end left in it."""
    names = ("cancelled_at", "failed_at", "completed_at", "last_error", "incomplete_reason")
    return run.model_copy(update=dict.fromkeys(names))
