"""Runs as they are stored: one document holds all that a run is, and one write moves all of it."""

from typing import Any, Literal

from pydantic import BaseModel, Field

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
from assistants.schema.tools import AssistantTool, ResponseFormat, ToolChoice, ToolResources
from assistants.state.resources import store_ids, view_resources

FUNCTION = "function"
"""The type of the tools whose outputs come from the client; every other type is a server tool."""

ACTIVE = frozenset({RunStatus.QUEUED, RunStatus.IN_PROGRESS, RunStatus.REQUIRES_ACTION, RunStatus.CANCELLING})
"""The states that lock the thread (contract, 4.1)."""

Finish = Literal["stop", "length", "content_filter", "tool_calls", "cancelled", "expired", "failed"]
"""Why a model turn ended: the model's own reasons, and those of a turn that was cut off."""


class Found(BaseModel):
    """A piece of a file that a search found. Its text is the part of the call's output from `start` to `end`."""

    file_id: str
    file_name: str
    score: float
    start: int
    end: int


class ToolCall(BaseModel):
    """A call the model made, and the output it got: the rendezvous of the client's and the server's tools."""

    id: str
    type: str = FUNCTION
    name: str
    arguments: str
    output: str | None = None
    sent_at: float | None = None
    """When the item of a server tool's call was last sent."""
    number: int = 0
    """Of a server tool's call: what the marks of its results begin with."""
    found: list[Found] | None = None
    """The results of a search, in the order of its output."""
    extra: dict[str, Any] | None = None
    """Fields that are not OpenAI's, which the endpoint wants back with the call. No client sees them."""


class Turn(BaseModel):
    """The outcome of one call of the model."""

    started_at: float
    ended_at: float
    finish: Finish
    text: str | None = None
    """What the assistant said; None: nothing, and no message."""
    refusal: str | None = None
    error: LastError | None = None
    """Why the turn failed."""
    calls: list[ToolCall] = Field(default_factory=list[ToolCall])
    usage: Usage | None = None
    estimate: int | None = None
    """Tokens that the prompt was thought to have, where the upstream reported the number."""
    dropped: int = 0
    """The oldest messages that were left out of the prompt."""
    parked: bool = False
    """The calls have been given out. A turn that is not parked has yet to be published."""
    answered_at: float | None = None
    """When the last of the outputs arrived."""
    extra: dict[str, Any] | None = None
    """Fields of the message that are not OpenAI's, which the endpoint wants back with it. No client sees them."""

    @property
    def silent(self) -> bool:
        """Whether the model said nothing, and there is no message."""
        return self.text is None and self.refusal is None


class Claim(BaseModel):
    """The right of one process to drive the run, until a time."""

    token: str
    until: float


class Look(BaseModel):
    """What it takes to delete the look-again item of a run."""

    id: str
    pop_receipt: str


class RunRecord(BaseModel):
    """A run as it is stored. A parameter that is None was never set: it is not sent to the model."""

    id: str
    thread_id: str
    assistant_id: str
    created_at: float
    expires_at: float
    touched_at: float
    """The time of the last write."""
    entered_at: float
    """When the run came into its present state."""
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
    """The run was asked for by v1, so that its file search is what v1 called retrieval."""
    committed: bool = False
    """The thread is known to name this run. A run that is not committed may never have been created."""
    thread_stores: list[str] = Field(default_factory=list[str])
    """Vector stores of the thread, when the run was created."""
    segments: int = 1
    """Segments of the thread's log, as this run knows them."""
    prompt_lengths: list[int] | None = Field(default=None, validation_alias="prompt", serialization_alias="prompt")
    """Bytes of each segment of the log that belong to the prompt; fixed by the first claim. Stored as `prompt`."""
    additional_messages: list[Message] = Field(default_factory=list[Message])
    turns: list[Turn] = Field(default_factory=list[Turn])
    claim: Claim | None = None
    takeovers: int = 0
    """Claims since the last progress."""
    look: Look | None = None
    trouble: str | None = None
    """The error that the last driver in vain met."""

    @property
    def active(self) -> bool:
        return self.status in ACTIVE

    @property
    def stores(self) -> list[str]:
        """The vector stores that its tools may search, each once: the assistant's and the thread's."""
        return list(dict.fromkeys([*store_ids(self.tool_resources), *self.thread_stores]))

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
        """Those of them whose outputs the client owes."""
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
    """What all turns together used."""
    used = [turn.usage for turn in record.turns if turn.usage]
    prompt, completion = sum(u.prompt_tokens for u in used), sum(u.completion_tokens for u in used)
    return Usage(prompt_tokens=prompt, completion_tokens=completion, total_tokens=prompt + completion)


def view(record: RunRecord) -> Run:
    """The run as the wire shows it (contract, 4 and 4.1)."""
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
        shown["incomplete_details"] = {"reason": _shown_reason(record.incomplete_reason)}
    if not record.active and (record.turns or record.status in (RunStatus.COMPLETED, RunStatus.INCOMPLETE)):
        shown["usage"] = usage(record)
    return Run.model_validate(shown)


def _shown_reason(reason: str) -> str | None:
    """The SDK's type knows token budgets only; of a content filter the message's own details tell."""
    return None if reason == "content_filter" else reason


def required_action(record: RunRecord) -> RequiredAction:
    """What the client owes: the outputs of its functions, never those of server tools (contract, 4.1)."""
    calls = [
        FunctionToolCall.model_validate({"id": call.id, "function": {"name": call.name, "arguments": call.arguments}})
        for call in record.awaited
    ]
    return RequiredAction(submit_tool_outputs=SubmitToolOutputsAction(tool_calls=calls))
