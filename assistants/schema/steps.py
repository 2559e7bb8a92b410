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
    """The message of a step."""

    message_id: str


class MessageCreationDetails(Object):
    """The details of a step that created a message."""

    type: Literal["message_creation"] = "message_creation"
    message_creation: MessageCreation


class AnsweredFunction(FunctionCall):
    """A function call and its output, null until it is submitted."""

    output: str | None = None


class FunctionStepCall(Object):
    """A call of a client's function."""

    id: str
    type: Literal["function"] = "function"
    function: AnsweredFunction


class LogOutput(Object):
    """The text that code printed."""

    type: Literal["logs"] = "logs"
    logs: str


class ImageOutput(Object):
    """An image that code made."""

    type: Literal["image"] = "image"
    image: FileReference


CodeOutput = Annotated[LogOutput | ImageOutput, Field(discriminator="type")]


class CodeInterpreter(Object):
    """Code and its outputs."""

    input: str
    outputs: list[CodeOutput] = Field(default_factory=list[CodeOutput])


class CodeInterpreterStepCall(Object):
    """A call of the code interpreter."""

    id: str
    type: Literal["code_interpreter"] = "code_interpreter"
    code_interpreter: CodeInterpreter


class ResultContent(TypedDict):
    """A passage of a file."""

    type: Literal["text"]
    text: str


class FileSearchResult(TypedDict):
    """A result of a search; `content` is shown only if requested with `include[]`."""

    file_id: str
    file_name: str
    score: Annotated[float, Field(ge=0, le=1)]
    content: NotRequired[list[ResultContent]]


class FileSearch(TypedDict):
    """The ranking options of a search, and its results."""

    ranking_options: NotRequired[RankingOptions]
    results: NotRequired[list[FileSearchResult]]


class FileSearchStepCall(Object):
    """A call of file search."""

    id: str
    type: Literal["file_search"] = "file_search"
    file_search: FileSearch


class Retrieval(TypedDict):
    """An empty object."""


class RetrievalStepCall(Object):
    """A call of this service's own tool, in v1's format (contract, 13)."""

    id: str
    type: Literal["retrieval"] = "retrieval"
    retrieval: Retrieval = Field(default_factory=Retrieval)


StepToolCall = Annotated[
    CodeInterpreterStepCall | FunctionStepCall | RetrievalStepCall | FileSearchStepCall, Field(discriminator="type")
]


class ToolCallsDetails(Object):
    """The details of a step that called tools, of any types together."""

    type: Literal["tool_calls"] = "tool_calls"
    tool_calls: list[StepToolCall] = Field(default_factory=list[StepToolCall])


StepDetails = Annotated[MessageCreationDetails | ToolCallsDetails, Field(discriminator="type")]


class RunStep(Resource):
    """A step; `expires_at` is a field of OpenAI's answers, `expired_at` and `metadata` are the SDK's (contract, 5)."""

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
