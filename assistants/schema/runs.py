"""Runs (contract, 4 and 4.1)."""

from enum import StrEnum
from typing import Annotated, Literal

from pydantic import Field

from assistants.schema.base import (
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
from assistants.schema.messages import CreateMessage
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
    """It waits for a driver, at first or after its outputs have come."""
    IN_PROGRESS = "in_progress"
    """The model or a server tool is at work."""
    REQUIRES_ACTION = "requires_action"
    """The client owes the outputs of its functions."""
    CANCELLING = "cancelling"
    """It has been asked to stop."""
    CANCELLED = "cancelled"
    """It was stopped by the client."""
    FAILED = "failed"
    """It was ended by `last_error`."""
    COMPLETED = "completed"
    """The model has said its last word."""
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
    """A run to be made on a thread; what is given overrides the assistant."""

    reasoning_effort: ReasoningEffort | None = None
    additional_instructions: Instructions | None = None
    additional_messages: Items[CreateMessage] | None = None


class CreateThreadAndRun(_RunFields):
    """A thread to be made, and a run on it; what is given overrides the assistant."""

    thread: NotNull[CreateThread] = None
    tool_resources: OptionalNulls[ToolResources] | None = None


class ModifyRun(Request):
    """New metadata of a run."""

    metadata: Metadata | None = None


class ToolOutput(Request):
    """A missing output is the empty string."""

    tool_call_id: str
    output: Annotated[str, Field(max_length=MAX_OUTPUT)] = ""


class SubmitToolOutputs(Request):
    """The outputs of all calls that a run waits for."""

    tool_outputs: Items[ToolOutput]
    stream: bool | None = None


class FunctionCall(Object):
    """`arguments` is the model's own text, which need not be JSON (contract, 12)."""

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
    """What the client has to do before the run can go on."""

    type: Literal["submit_tool_outputs"] = "submit_tool_outputs"
    submit_tool_outputs: SubmitToolOutputsAction


class LastError(Object):
    """Why a run or a step failed."""

    code: ErrorCode
    message: str


class IncompleteDetails(Object):
    """Why a run ended early; of a content filter the SDK's type knows nothing, so that is null."""

    reason: Literal["max_completion_tokens", "max_prompt_tokens"] | None


class Usage(Object):
    """Tokens, summed over all turns."""

    prompt_tokens: int
    completion_tokens: int
    total_tokens: int


class Run(Resource):
    """A run; which times are set in which state is the table of the contract, 4.1."""

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
