"""Runs (contract, 4 and 4.1)."""

from enum import StrEnum
from typing import Annotated, Literal

from pydantic import Field

from assistants.schema.base import (
    MAX_ITEMS,
    AssistantId,
    Items,
    Metadata,
    NotNull,
    Object,
    ObjectMetadata,
    OptionalNulls,
    Request,
    Resource,
    Timestamp,
)
from assistants.schema.messages import CreateMessages
from assistants.schema.threads import CreateThread
from assistants.schema.tools import (
    AssistantTool,
    Instructions,
    Model,
    ReasoningEffort,
    ResponseFormat,
    RunTools,
    Temperature,
    ToolChoice,
    ToolResources,
    TopP,
    TruncationStrategy,
)

MAX_OUTPUT = 512 * 1024
"""The longest tool output, in characters (contract, 4)."""

Budget = Annotated[int, Field(ge=256)]
ErrorCode = Literal["server_error", "rate_limit_exceeded", "invalid_prompt"]


class RunStatus(StrEnum):
    """The states of a run; all but the last five lock the thread."""

    QUEUED = "queued"
    """It waits for a driver, initially or after its outputs were submitted."""
    IN_PROGRESS = "in_progress"
    """The model or a server tool is working."""
    REQUIRES_ACTION = "requires_action"
    """The client owes the outputs of its functions."""
    CANCELLING = "cancelling"
    """The client has cancelled it, and it has not stopped yet."""
    CANCELLED = "cancelled"
    """It has stopped after the client cancelled it."""
    FAILED = "failed"
    """It has ended with `last_error`."""
    COMPLETED = "completed"
    """The model has finished its answer."""
    INCOMPLETE = "incomplete"
    """The model was cut off by a token budget or a content filter."""
    EXPIRED = "expired"
    """It did not end before `expires_at`."""


class _RunFields(Request):
    assistant_id: AssistantId
    model: Model | None = None
    instructions: Instructions | None = None
    tools: RunTools | None = None
    metadata: Metadata | None = None
    temperature: Temperature | None = None
    top_p: TopP | None = None
    stream: bool | None = None
    max_prompt_tokens: Budget | None = None
    max_completion_tokens: Budget | None = None
    truncation_strategy: TruncationStrategy | None = None
    tool_choice: ToolChoice | None = None
    parallel_tool_calls: NotNull[bool] = None
    response_format: ResponseFormat | None = None


class CreateRun(_RunFields):
    """A request to create a run on a thread; its fields override the assistant's."""

    reasoning_effort: ReasoningEffort | None = None
    additional_instructions: Instructions | None = None
    additional_messages: CreateMessages | None = None


class CreateThreadAndRun(_RunFields):
    """A request to create a thread and a run on it; the run's fields override the assistant's."""

    thread: NotNull[CreateThread] = None
    tool_resources: OptionalNulls[ToolResources] | None = None


class ModifyRun(Request):
    """A request to replace a run's metadata."""

    metadata: Metadata | None = None


class ToolOutput(Request):
    """The output of a function call; a missing output is the empty string."""

    tool_call_id: str
    output: Annotated[str, Field(max_length=MAX_OUTPUT)] = ""


class SubmitToolOutputs(Request):
    """The outputs of all calls that a run awaits."""

    tool_outputs: Annotated[Items[ToolOutput], Field(max_length=MAX_ITEMS)]
    stream: bool | None = None


class FunctionCall(Object):
    """The name and arguments of a call; `arguments` is the model's own text, which need not be JSON (contract, 12)."""

    name: str
    arguments: str


class FunctionToolCall(Object):
    """A call whose output the client owes."""

    id: str
    type: Literal["function"] = "function"
    function: FunctionCall


class SubmitToolOutputsAction(Object):
    """The calls whose outputs are awaited."""

    tool_calls: list[FunctionToolCall]


class RequiredAction(Object):
    """The action of the client that the run waits for."""

    type: Literal["submit_tool_outputs"] = "submit_tool_outputs"
    submit_tool_outputs: SubmitToolOutputsAction


class LastError(Object):
    """Why a run or a step failed."""

    code: ErrorCode
    message: str


class IncompleteDetails(Object):
    """Why a run is incomplete; null for a content filter, which the SDK's type does not have."""

    reason: Literal["max_completion_tokens", "max_prompt_tokens"] | None


class Usage(Object):
    """Tokens, summed over all turns."""

    prompt_tokens: int
    completion_tokens: int
    total_tokens: int


class Run(Resource):
    """A run; the table of the contract, 4.1, says which times are set in which state."""

    object: Literal["thread.run"] = "thread.run"
    created_at: Timestamp
    assistant_id: str
    thread_id: str
    status: RunStatus
    started_at: Timestamp | None = None
    expires_at: Timestamp | None = None
    cancelled_at: Timestamp | None = None
    failed_at: Timestamp | None = None
    completed_at: Timestamp | None = None
    required_action: RequiredAction | None = None
    last_error: LastError | None = None
    model: str
    instructions: str = ""
    tools: list[AssistantTool] = Field(default_factory=list[AssistantTool])
    tool_resources: ToolResources = Field(default_factory=ToolResources)
    metadata: ObjectMetadata = Field(default_factory=dict[str, str])
    temperature: float | None = 1.0
    top_p: float | None = 1.0
    reasoning_effort: ReasoningEffort | None = None
    max_completion_tokens: int | None = None
    max_prompt_tokens: int | None = None
    truncation_strategy: TruncationStrategy = Field(
        default_factory=lambda: TruncationStrategy(type="auto", last_messages=None)
    )
    incomplete_details: IncompleteDetails | None = None
    usage: Usage | None = None
    response_format: ResponseFormat | None = "auto"
    tool_choice: ToolChoice | None = "auto"
    parallel_tool_calls: bool = True
