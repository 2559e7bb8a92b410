"""Run steps (contract, 5)."""

from typing import Annotated, Literal, NotRequired

from pydantic import Field
from typing_extensions import TypedDict

from assistants.schema.base import Object, ObjectMetadata, Resource, Timestamp
from assistants.schema.messages import FileReference
from assistants.schema.runs import FunctionCall, LastError, Usage
from assistants.schema.tools import RankingOptions

StepType = Literal["message_creation", "tool_calls"]
StepStatus = Literal["in_progress", "cancelled", "failed", "completed", "expired"]


class MessageCreation(Object):
    """The message that a step made."""

    message_id: str


class MessageCreationDetails(Object):
    """A step that made a message."""

    type: Literal["message_creation"] = "message_creation"
    message_creation: MessageCreation


class AnsweredFunction(FunctionCall):
    """A function call and its output, null until that was submitted."""

    output: str | None = None


class FunctionStepCall(Object):
    """A call of a client's function."""

    id: str
    type: Literal["function"] = "function"
    function: AnsweredFunction


class LogOutput(Object):
    """What code printed."""

    type: Literal["logs"] = "logs"
    logs: str


class ImageOutput(Object):
    """An image that code made."""

    type: Literal["image"] = "image"
    image: FileReference


CodeOutput = Annotated[LogOutput | ImageOutput, Field(discriminator="type")]


class CodeInterpreter(Object):
    """Code and what came of it."""

    input: str
    outputs: list[CodeOutput] = Field(default_factory=list[CodeOutput])


class CodeInterpreterStepCall(Object):
    """A call of the code interpreter."""

    id: str
    type: Literal["code_interpreter"] = "code_interpreter"
    code_interpreter: CodeInterpreter


class ResultContent(TypedDict):
    """A piece of a file."""

    type: Literal["text"]
    text: str


class FileSearchResult(TypedDict):
    """`content` is shown only when it is asked for with `include[]`."""

    file_id: str
    file_name: str
    score: Annotated[float, Field(ge=0, le=1)]
    content: NotRequired[list[ResultContent]]


class FileSearch(TypedDict):
    """How a search was ranked, and what it found."""

    ranking_options: NotRequired[RankingOptions]
    results: NotRequired[list[FileSearchResult]]


class FileSearchStepCall(Object):
    """A call of file search."""

    id: str
    type: Literal["file_search"] = "file_search"
    file_search: FileSearch


class Retrieval(TypedDict):
    """Always empty."""


class RetrievalStepCall(Object):
    """A call of this service's own tool, in v1's shape (contract, 13)."""

    id: str
    type: Literal["retrieval"] = "retrieval"
    retrieval: Retrieval = Field(default_factory=Retrieval)


StepToolCall = Annotated[
    CodeInterpreterStepCall | FunctionStepCall | RetrievalStepCall | FileSearchStepCall, Field(discriminator="type")
]


class ToolCallsDetails(Object):
    """A step that called tools, of any types together."""

    type: Literal["tool_calls"] = "tool_calls"
    tool_calls: list[StepToolCall] = Field(default_factory=list[StepToolCall])


StepDetails = Annotated[MessageCreationDetails | ToolCallsDetails, Field(discriminator="type")]


class RunStep(Resource):
    """A step; `expires_at` is the wire's, `expired_at` and `metadata` are the SDK's (contract, 5)."""

    object: Literal["thread.run.step"] = "thread.run.step"
    created_at: Timestamp
    run_id: str
    assistant_id: str
    thread_id: str
    type: StepType
    status: StepStatus
    cancelled_at: Timestamp | None = None
    completed_at: Timestamp | None = None
    expires_at: Timestamp | None = None
    expired_at: Timestamp | None = None
    failed_at: Timestamp | None = None
    last_error: LastError | None = None
    step_details: StepDetails
    usage: Usage | None = None
    metadata: ObjectMetadata = Field(default_factory=dict[str, str])
