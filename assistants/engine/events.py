"""The events of a run (contract, 7), made from its document and from the model's answer as it arrives.

Every event is emitted once, in the order of the contract, whether the run's driver emits them or a stream that reads
the run's document again and again.
"""

import codecs
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from typing import Any, Protocol

from assistants.engine.turn import outcome
from assistants.engine.turn.completion import Completion
from assistants.schema.base import Object
from assistants.schema.messages import FileCitation, FilePath
from assistants.schema.runs import RunStatus
from assistants.schema.steps import StepType
from assistants.state.citations import pieces, settled
from assistants.state.code import Decoder, code_of
from assistants.state.runs import FUNCTION, RunRecord, ToolCall, Turn, created_view, view
from assistants.state.turns import (
    begun_message,
    begun_step,
    code_outputs,
    images,
    message,
    message_id,
    step_id,
    steps_of_turn,
)

Emit = Callable[[str, Object | dict[str, Any]], None]
"""A function that takes the name of an event and its data."""


class Listener(Protocol):
    """Receives a run's updates. Neither method may block or fail."""

    def updated(self, run: RunRecord) -> None:
        """The run was written or read just now."""
        ...

    def received(self, run: RunRecord, completion: Completion, started: float) -> None:
        """More of the model's answer has arrived; `completion` is the turn so far, not recorded yet."""
        ...


class NoListener:
    """The listener of a run that is not streamed."""

    def updated(self, run: RunRecord) -> None:
        """Do nothing."""

    def received(self, run: RunRecord, completion: Completion, started: float) -> None:
        """Do nothing."""


NO_LISTENER = NoListener()


@dataclass
class _Text:
    """The emitted prefix of a text part of a message."""

    emitted: list[str] = field(default_factory=list[str])
    cited: int = 0
    """The number of annotations in the prefix."""
    received: int = 0
    """The number of the completion's pieces that were taken."""
    kept: str = ""
    """The beginning of an unfinished mark or link."""
    code: Decoder = field(default_factory=Decoder)
    """The decoder of the arguments of a code interpreter call."""
    joiner: codecs.IncrementalDecoder = field(
        default_factory=lambda: codecs.getincrementaldecoder("utf-16-le")("replace")
    )

    def take(self, pieces: list[str]) -> str:
        """The new text among the pieces. Half of a surrogate pair waits for the other half."""
        new, self.received = "".join(pieces[self.received :]), len(pieces)
        return self.joiner.decode(new.encode("utf-16-le", "surrogatepass"))

    def take_settled(self, pieces: list[str], turns: Sequence[Turn]) -> str:
        """As `take`, but an unfinished mark or link is kept back until its end arrives."""
        new = self.kept + self.take(pieces)
        end = settled(new, turns)
        self.kept = new[end:]
        return new[:end]

    def release(self) -> str:
        """The text that was kept back; its end is no longer awaited."""
        kept, self.kept = self.kept, ""
        return kept

    def rest(self, whole: str) -> str:
        """The part of the whole text that is not emitted yet; empty if another text was emitted before."""
        emitted = "".join(self.emitted)
        return whole[len(emitted) :] if whole.startswith(emitted) else ""


@dataclass
class _Progress:
    """The progress of one turn's events."""

    text: _Text = field(default_factory=_Text)
    refusal: _Text = field(default_factory=_Text)
    message_begun: bool = False
    message_ended: bool = False
    calls_begun: bool = False
    calls_emitted: bool = False
    calls_ended: bool = False
    arguments: dict[str, _Text] = field(default_factory=dict[str, _Text])
    outputs: set[str] = field(default_factory=set[str])
    """The calls whose outputs are emitted."""


class RunEvents:
    """The listener that emits the events of a run.

    With `content`, steps show the texts that searches found.
    """

    def __init__(self, emit: Emit, content: bool = False) -> None:
        self._emit = emit
        self._content = content
        self._status: RunStatus | None = None
        self._turns: list[_Progress] = []

    def created(self, run: RunRecord) -> None:
        """Emit the first events of a run that this process created."""
        shown = created_view(run)
        self._emit("thread.run.created", shown)
        self._emit("thread.run.queued", shown)
        self._status = RunStatus.QUEUED
        self.updated(run)

    def resumed(self, run: RunRecord) -> None:
        """Continue a run whose previous events were emitted by an earlier stream."""
        self._status = run.status
        self._turns = [
            _Progress(
                message_begun=True,
                message_ended=True,
                calls_begun=True,
                calls_emitted=True,
                calls_ended=turn.answered_at is not None,
                # The client has not seen the beginning of this step; the step's end has the outputs.
                outputs={call.id for call in turn.calls},
            )
            for turn in run.turns
        ]

    def updated(self, run: RunRecord) -> None:
        for number, turn in enumerate(run.turns):
            if number == len(self._turns):
                self._start(run)
            self._emit_turn(run, number, turn)
        if run.status is RunStatus.IN_PROGRESS:
            self._start(run)
        if run.status is not self._status:
            self._status = run.status
            self._emit(f"thread.run.{run.status.value}", view(run))

    def received(self, run: RunRecord, completion: Completion, started: float) -> None:
        number = len(run.turns)
        progress = self._progress(number)
        text = progress.text.take_settled(completion.texts, run.turns)
        refusal = progress.refusal.take(completion.refusals)
        if refusal:
            text += progress.text.release()
        if text or refusal or progress.text.kept:
            self._begin_message(run, number, started)
            self._emit_text(run, number, text)
            self._emit_refusal(run, number, refusal)
        # Calls after a message wait until they are recorded: the end of the message precedes them.
        if completion.calls and not progress.message_begun:
            self._begin_calls(run, number, started)
            for index, (call, part) in enumerate(zip(outcome.calls(run, completion), completion.calls, strict=False)):
                if part.arguments or index + 1 < len(completion.calls):  # its name is complete
                    self._emit_call(run, number, index, call, part.arguments)

    def _start(self, run: RunRecord) -> None:
        """Emit that the run has left the queue, even if no read found it queued."""
        if self._status is RunStatus.QUEUED:
            self._status = RunStatus.IN_PROGRESS
            started = {"status": RunStatus.IN_PROGRESS, "started_at": run.started_at or run.touched_at}
            self._emit("thread.run.in_progress", view(_open(run).model_copy(update=started)))

    def _emit_turn(self, run: RunRecord, number: int, turn: Turn) -> None:
        progress = self._progress(number)
        if not progress.message_ended and (said := message(run, number)):
            progress.message_ended = True
            self._begin_message(run, number, turn.started_at)
            self._emit_text(run, number, progress.text.rest(turn.text or ""), first=turn.text == "")
            self._emit_refusal(run, number, progress.refusal.rest(turn.refusal or ""))
            if turn.finish == "failed":
                self._end_step(run, number, "message_creation")
            self._emit(f"thread.message.{said.status}", said)
            if turn.finish != "failed":
                self._end_step(run, number, "message_creation")
        if turn.calls and not progress.calls_ended:
            self._begin_calls(run, number, turn.started_at)
            if not progress.calls_emitted:
                progress.calls_emitted = True
                for index, call in enumerate(turn.calls):
                    self._emit_call(run, number, index, call, None)
            for index, call in enumerate(turn.calls):
                self._emit_outputs(run, number, index, call)
            progress.calls_ended = self._end_step(run, number, "tool_calls")

    def _begin_message(self, run: RunRecord, number: int, started: float) -> None:
        progress = self._progress(number)
        if progress.message_begun:
            return
        progress.message_begun = True
        self._begin_step(run, number, "message_creation", started)
        begun = begun_message(run, number, started)
        self._emit("thread.message.created", begun)
        self._emit("thread.message.in_progress", begun)
        for index, image in enumerate(images(run, number)):
            self._emit_content(run, number, {"index": index, **image})

    def _begin_calls(self, run: RunRecord, number: int, started: float) -> None:
        progress = self._progress(number)
        if progress.calls_begun:
            return
        progress.calls_begun = True
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

    def _emit_text(self, run: RunRecord, number: int, text: str, first: bool = False) -> None:
        said = self._progress(number).text
        if first and not said.emitted:
            self._emit_piece(run, number, "", None)
        for piece, annotation in list(pieces(run.turns[:number], text, said.emitted, said.cited)):
            self._emit_piece(run, number, piece, annotation)

    def _emit_piece(self, run: RunRecord, number: int, text: str, annotation: FileCitation | FilePath | None) -> None:
        said = self._progress(number).text
        part: dict[str, Any] = {"value": text}
        if annotation or not said.emitted:
            part["annotations"] = [{"index": said.cited, **annotation}] if annotation else []
        said.emitted.append(text)
        said.cited += annotation is not None
        self._emit_content(run, number, {"index": len(images(run, number)), "type": "text", "text": part})

    def _emit_refusal(self, run: RunRecord, number: int, refusal: str) -> None:
        progress = self._progress(number)
        if refusal:
            progress.refusal.emitted.append(refusal)
            index = len(images(run, number)) + (1 if progress.text.emitted else 0)
            self._emit_content(run, number, {"index": index, "type": "refusal", "refusal": refusal})

    def _emit_content(self, run: RunRecord, number: int, part: dict[str, Any]) -> None:
        delta = {"content": [part]}
        data = {"id": message_id(run.id, number), "object": "thread.message.delta", "delta": delta}
        self._emit("thread.message.delta", data)

    def _emit_call(self, run: RunRecord, number: int, index: int, call: ToolCall, received: list[str] | None) -> None:
        """Emit a call: first its id and name, then its arguments as they arrive, or at once if they are recorded."""
        arguments = self._progress(number).arguments
        if call.id not in arguments:
            arguments[call.id] = _Text()
            if call.type == FUNCTION:
                function = {"name": call.name, "arguments": "", "output": None}
                self._emit_calls(run, number, {"index": index, "id": call.id, "type": FUNCTION, "function": function})
            else:
                empty: dict[str, Any] = {"input": "", "outputs": []} if call.type == "code_interpreter" else {}
                self._emit_calls(run, number, {"index": index, "id": call.id, "type": call.type, call.type: empty})
        text, runs_code = arguments[call.id], call.type == "code_interpreter"
        if received is None:
            new = text.rest(code_of(call.arguments) if runs_code else call.arguments)
        else:
            new = text.code.feed(text.take(received)) if runs_code else text.take(received)
        if not new:
            return
        if call.type == FUNCTION:
            text.emitted.append(new)
            self._emit_calls(run, number, {"index": index, "type": FUNCTION, "function": {"arguments": new}})
        elif runs_code:
            text.emitted.append(new)
            self._emit_calls(run, number, {"index": index, "type": call.type, call.type: {"input": new}})

    def _emit_outputs(self, run: RunRecord, number: int, index: int, call: ToolCall) -> None:
        """Emit the outputs of code, once."""
        emitted = self._progress(number).outputs
        if call.output is None or call.id in emitted:
            return
        emitted.add(call.id)
        for place, output in enumerate(code_outputs(call)):
            shown = {"outputs": [{"index": place, **output}]}
            self._emit_calls(run, number, {"index": index, "type": call.type, call.type: shown})

    def _emit_calls(self, run: RunRecord, number: int, call: dict[str, Any]) -> None:
        delta = {"step_details": {"type": "tool_calls", "tool_calls": [call]}}
        data = {"id": step_id(run.id, number, "tool_calls"), "object": "thread.run.step.delta", "delta": delta}
        self._emit("thread.run.step.delta", data)

    def _progress(self, number: int) -> _Progress:
        while len(self._turns) <= number:
            self._turns.append(_Progress())
        return self._turns[number]


def _open(run: RunRecord) -> RunRecord:
    """The run without the fields that the end of the run sets."""
    names = ("cancelled_at", "failed_at", "completed_at", "last_error", "incomplete_reason")
    return run.model_copy(update=dict.fromkeys(names))
