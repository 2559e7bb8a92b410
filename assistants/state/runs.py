"""Runs in their stored form: one document holds the whole run, and one write changes it."""

from typing import Any, Literal

from pydantic import Field

from assistants.schema.base import Deferred
from assistants.schema.messages import Message
from assistants.schema.runs import (
    FunctionToolCall,
    LastError,
    RequiredAction,
    Run,
    RunStatus,
    SubmitToolOutputsAction,
    TruncationStrategy,
    Usage,
)
from assistants.schema.steps import RunStep
from assistants.schema.tools import AssistantTool, ResponseFormat, ToolChoice, ToolResources
from assistants.state.resources import code_files, store_ids, view_resources

FUNCTION = "function"
"""The type of the tools whose outputs come from the client; every other type is a server tool."""

ACTIVE = frozenset({RunStatus.QUEUED, RunStatus.IN_PROGRESS, RunStatus.REQUIRES_ACTION, RunStatus.CANCELLING})
"""The states that lock the thread (contract, 4.1)."""

Finish = Literal["stop", "length", "content_filter", "tool_calls", "cancelled", "expired", "failed"]
"""Why a turn ended: the model's finish reason, or the reason why the turn was cut off."""


class Found(Deferred):
    """A piece of a file that a search found. Its text is the part of the call's output from `start` to `end`."""

    file_id: str
    file_name: str
    score: float
    start: int
    end: int


class LogOutput(Deferred):
    """The text that code printed."""

    type: Literal["logs"] = "logs"
    logs: str


class ImageOutput(Deferred):
    """A figure that code made, stored as a file."""

    type: Literal["image"] = "image"
    file_id: str


class Ran(Deferred):
    """The result of code that was executed."""

    outputs: list[LogOutput | ImageOutput] = Field(default_factory=list[LogOutput | ImageOutput])
    files: dict[str, str] = Field(default_factory=dict[str, str])
    """The files that code has made, by their paths below `/mnt/data`; in the first call also earlier ones."""


class ToolCall(Deferred):
    """A call that the model made, and its output, from the client or a server tool."""

    id: str
    type: str = FUNCTION
    name: str
    arguments: str
    output: str | None = None
    sent_at: float | None = None
    """When the item of a server tool's call was last sent."""
    number: int = 0
    """The number with which the marks of the results of a server tool's call begin."""
    found: list[Found] | None = None
    """The results of a search, in the order of its output."""
    ran: Ran | None = None
    """The result of the code of a code interpreter call."""
    extra: dict[str, Any] | None = None
    """Fields outside OpenAI's API, which are sent back to the endpoint with the call. No client sees them."""


class Turn(Deferred):
    """The outcome of one call of the model."""

    started_at: float
    ended_at: float
    finish: Finish
    text: str | None = None
    """The text of the answer; None: no text."""
    refusal: str | None = None
    error: LastError | None = None
    """Why the turn failed."""
    calls: list[ToolCall] = Field(default_factory=list[ToolCall])
    usage: Usage | None = None
    estimate: int | None = None
    """The estimated tokens of the prompt, if the endpoint reported the real number."""
    dropped: int = 0
    """The number of the oldest records of the thread that were left out of the prompt."""
    parked: bool = False
    """The calls have been given out. A turn that is not parked is not published yet."""
    answered_at: float | None = None
    """When the last of the outputs arrived."""
    extra: dict[str, Any] | None = None
    """Fields of the message outside OpenAI's API, which are sent back to the endpoint with it. No client sees them."""

    @property
    def silent(self) -> bool:
        """Whether the turn has no text and no refusal, so that it has no message."""
        return self.text is None and self.refusal is None


class Notice(Deferred):
    """An event of a run that the project's webhook is notified of."""

    type: str
    """The name of the event, such as `thread.run.completed`."""
    at: float
    message: str | None = None
    """The id of the message, if the event is one of a message."""
    told: bool = False
    """An item of the queue `webhooks` has been sent. If not set, it may have been sent nevertheless."""


class Claim(Deferred):
    """The right of one process to drive the run, until a time."""

    token: str
    until: float


class Look(Deferred):
    """The ids that delete the look-again item of a run."""

    id: str
    pop_receipt: str


class Imported(Deferred):
    """The data of an imported run, which ended elsewhere: its steps, oldest first, in the API's form."""

    run: Run
    steps: list[RunStep]


class RunRecord(Deferred):
    """A run in its stored form. A parameter that is None was never set: it is not sent to the model."""

    id: str
    thread_id: str
    assistant_id: str
    created_at: float
    expires_at: float
    touched_at: float
    """The time of the last write."""
    entered_at: float
    """When the run entered its present state."""
    status: RunStatus = RunStatus.QUEUED
    started_at: float | None = None
    cancelled_at: float | None = None
    failed_at: float | None = None
    completed_at: float | None = None
    last_error: LastError | None = None
    incomplete_reason: str | None = None

    model: str
    instructions: str = ""
    tools: list[AssistantTool] = Field(default_factory=list[AssistantTool])
    tool_resources: ToolResources | None = None
    metadata: dict[str, str] = Field(default_factory=dict[str, str])
    temperature: float | None = None
    top_p: float | None = None
    response_format: ResponseFormat | None = None
    reasoning_effort: str | None = None
    tool_choice: ToolChoice | None = None
    parallel_tool_calls: bool | None = None
    max_prompt_tokens: int | None = None
    max_completion_tokens: int | None = None
    truncation_strategy: TruncationStrategy | None = None

    v1: bool = False
    """The run was created by v1, so its file search is v1's retrieval."""
    committed: bool = False
    """The creation is known to be committed. If not set, the creation may have failed."""
    thread_stores: list[str] = Field(default_factory=list[str])
    """The thread's vector stores at the creation of the run."""
    thread_files: list[str] = Field(default_factory=list[str])
    """The files of the thread's code interpreter at the creation of the run."""
    segments: int = 1
    """The number of segments of the thread's log, as this run knows it."""
    prompt_lengths: list[int] | None = Field(default=None, validation_alias="prompt", serialization_alias="prompt")
    """Bytes of each segment of the log that belong to the prompt; set by the first claim. Stored as `prompt`."""
    additional_messages: list[Message] = Field(default_factory=list[Message])
    turns: list[Turn] = Field(default_factory=list[Turn])
    claim: Claim | None = None
    takeovers: int = 0
    """Claims since the last progress."""
    look: Look | None = None
    trouble: str | None = None
    """The error of the last driver that failed."""
    notices: list[Notice] | None = None
    """The events in their order; None while the project has no webhook."""
    imported: Imported | None = None
    """The run was imported, and is shown unchanged."""
    trace: str | None = None
    """The `traceparent` of its creation, where spans are recorded; those of later requests for the run join it."""

    @property
    def active(self) -> bool:
        return self.status in ACTIVE

    @property
    def stores(self) -> list[str]:
        """The vector stores that its tools may search, each once: the assistant's and the thread's."""
        return list(dict.fromkeys([*store_ids(self.tool_resources), *self.thread_stores]))

    @property
    def files(self) -> list[str]:
        """The files that its code interpreter has, each once: the assistant's and the thread's."""
        return list(dict.fromkeys([*code_files(self.tool_resources), *self.thread_files]))

    @property
    def turn(self) -> Turn | None:
        """The last recorded turn."""
        return self.turns[-1] if self.turns else None

    @property
    def unanswered(self) -> list[ToolCall]:
        """The calls given out that have no output yet."""
        return [call for call in self.turn.calls if call.output is None] if self.turn and self.turn.parked else []

    @property
    def awaited(self) -> list[ToolCall]:
        """The unanswered calls whose outputs the client owes."""
        return [call for call in self.unanswered if call.type == FUNCTION]

    @property
    def unpublished(self) -> Turn | None:
        """The turn that is recorded and may not have reached the thread yet."""
        return self.turn if self.turn and not self.turn.parked else None


_SHOWN = (
    "id", "thread_id", "assistant_id", "model", "instructions", "tools", "tool_resources", "metadata", "temperature",
    "top_p", "response_format", "reasoning_effort", "tool_choice", "parallel_tool_calls", "max_prompt_tokens",
    "max_completion_tokens", "status", "last_error",
)  # fmt: skip


def usage(record: RunRecord) -> Usage:
    """The tokens of all turns together."""
    used = [turn.usage for turn in record.turns if turn.usage]
    prompt, completion = sum(u.prompt_tokens for u in used), sum(u.completion_tokens for u in used)
    return Usage(prompt_tokens=prompt, completion_tokens=completion, total_tokens=prompt + completion)


def view(record: RunRecord) -> Run:
    """The run in the API's form (contract, 4 and 4.1)."""
    if record.imported:
        return record.imported.run.model_copy(update={"metadata": record.metadata})
    shown: dict[str, Any] = {name: value for name in _SHOWN if (value := getattr(record, name)) is not None}
    times = {
        name: int(time)
        for name in ("created_at", "started_at", "cancelled_at", "failed_at", "completed_at")
        if (time := getattr(record, name)) is not None
    }
    shown |= times | {"tool_resources": view_resources(record.tool_resources, record.tools)}
    if record.active or record.status is RunStatus.EXPIRED:
        shown["expires_at"] = int(record.expires_at)
    if record.status is RunStatus.REQUIRES_ACTION:
        shown["required_action"] = required_action(record)
    if record.truncation_strategy:
        shown["truncation_strategy"] = {"last_messages": None, **record.truncation_strategy}
    if record.incomplete_reason:
        shown["incomplete_details"] = {"reason": _view_reason(record.incomplete_reason)}
    if not record.active and (record.turns or record.status in (RunStatus.COMPLETED, RunStatus.INCOMPLETE)):
        shown["usage"] = usage(record)
    return Run.model_validate(shown)


def _view_reason(reason: str) -> str | None:
    """The reason if the SDK's type has it: token budgets only. For a content filter the message has its own details."""
    return None if reason == "content_filter" else reason


def created_view(record: RunRecord) -> Run:
    """The run as the response to its creation shows it: queued, even if its creator has claimed it already."""
    return view(record.model_copy(update={"status": RunStatus.QUEUED, "started_at": None}))


def required_action(record: RunRecord) -> RequiredAction:
    """The outputs that the client owes: those of its functions, never those of server tools (contract, 4.1)."""
    calls = [
        FunctionToolCall.model_validate({"id": call.id, "function": {"name": call.name, "arguments": call.arguments}})
        for call in record.awaited
    ]
    return RequiredAction(submit_tool_outputs=SubmitToolOutputsAction(tool_calls=calls))
