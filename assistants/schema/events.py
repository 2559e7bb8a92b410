"""The data of a stream's events (contract, 7): whole objects, and deltas, whose fields are mostly optional."""

from collections.abc import Mapping
from typing import Annotated, Any, Literal, NotRequired

from pydantic import Field
from typing_extensions import TypedDict

from assistants.schema.base import Object
from assistants.schema.errors import Error
from assistants.schema.messages import ImageFileContent, ImageUrlContent, Message, Role
from assistants.schema.runs import Run, RunStatus
from assistants.schema.steps import FileSearch, MessageCreationDetails, Retrieval, RunStep
from assistants.schema.threads import Thread


class FilePiece(TypedDict):
    """A file that is cited, and the quoted passage."""

    file_id: NotRequired[str]
    quote: NotRequired[str]


class _AnnotationDelta(TypedDict):
    index: int
    text: NotRequired[str]
    start_index: NotRequired[int]
    end_index: NotRequired[int]


class FileCitationDelta(_AnnotationDelta):
    """A citation."""

    type: Literal["file_citation"]
    file_citation: NotRequired[FilePiece]


class FilePathDelta(_AnnotationDelta):
    """A link to a file that the code interpreter made."""

    type: Literal["file_path"]
    file_path: NotRequired[FilePiece]


class TextPiece(TypedDict):
    """Further text and its annotations."""

    value: NotRequired[str]
    annotations: NotRequired[list[Annotated[FileCitationDelta | FilePathDelta, Field(discriminator="type")]]]


class TextDelta(TypedDict):
    """Further text of a text part."""

    index: int
    type: Literal["text"]
    text: NotRequired[TextPiece]


class RefusalDelta(TypedDict):
    """Further text of a refusal."""

    index: int
    type: Literal["refusal"]
    refusal: NotRequired[str]


class ImageFileDelta(ImageFileContent):
    """An image that the code interpreter made."""

    index: int


class ImageUrlDelta(ImageUrlContent):
    """An image at a URL."""

    index: int


class SaidDelta(TypedDict):
    """Further content of a message."""

    role: NotRequired[Role]
    content: NotRequired[
        list[Annotated[TextDelta | RefusalDelta | ImageFileDelta | ImageUrlDelta, Field(discriminator="type")]]
    ]


class MessageDelta(Object):
    """The change of a message."""

    id: str
    object: Literal["thread.message.delta"]
    delta: SaidDelta


class _CallDelta(TypedDict):
    index: int
    id: NotRequired[str]


class FunctionPiece(TypedDict):
    """Further text of a function call."""

    name: NotRequired[str]
    arguments: NotRequired[str]
    output: NotRequired[str | None]


class FunctionDelta(_CallDelta):
    """A function call."""

    type: Literal["function"]
    function: NotRequired[FunctionPiece]


class LogsDelta(TypedDict):
    """Further text that code printed."""

    index: int
    type: Literal["logs"]
    logs: NotRequired[str]


class ImageDelta(TypedDict):
    """An image that code made."""

    index: int
    type: Literal["image"]
    image: NotRequired[FilePiece]


class CodePiece(TypedDict):
    """Further code, and its outputs."""

    input: NotRequired[str]
    outputs: NotRequired[list[Annotated[LogsDelta | ImageDelta, Field(discriminator="type")]]]


class CodeInterpreterDelta(_CallDelta):
    """A call of the code interpreter."""

    type: Literal["code_interpreter"]
    code_interpreter: NotRequired[CodePiece]


class FileSearchDelta(_CallDelta):
    """A call of file search."""

    type: Literal["file_search"]
    file_search: FileSearch


class RetrievalDelta(_CallDelta):
    """A call of this service's own tool."""

    type: Literal["retrieval"]
    retrieval: Retrieval


class ToolCallsDelta(TypedDict):
    """Further data of a step's calls."""

    type: Literal["tool_calls"]
    tool_calls: NotRequired[
        list[
            Annotated[
                FunctionDelta | CodeInterpreterDelta | FileSearchDelta | RetrievalDelta, Field(discriminator="type")
            ]
        ]
    ]


class DoneDelta(TypedDict):
    """Further details of a step."""

    step_details: NotRequired[Annotated[MessageCreationDetails | ToolCallsDelta, Field(discriminator="type")]]


class StepDelta(Object):
    """The change of a step."""

    id: str
    object: Literal["thread.run.step.delta"]
    delta: DoneDelta


_STEP_ENDS = ("completed", "failed", "cancelled", "expired")
_MESSAGE_ENDS = ("completed", "incomplete")

EVENTS: Mapping[str, Any] = {
    "error": Error,
    "thread.created": Thread,
    "thread.run.created": Run,
    **{f"thread.run.{status}": Run for status in RunStatus},
    **{f"thread.run.step.{name}": RunStep for name in ("created", "in_progress", *_STEP_ENDS)},
    "thread.run.step.delta": StepDelta,
    **{f"thread.message.{name}": Message for name in ("created", "in_progress", *_MESSAGE_ENDS)},
    "thread.message.delta": MessageDelta,
}
"""The type of each event's data; that of `done`, the last one, is `[DONE]`."""

STATUSES: Mapping[str, str] = {
    "thread.run.created": "queued",
    "thread.run.step.created": "in_progress",
    "thread.message.created": "in_progress",
}
"""The status of an object when it is created; at every other event but a delta it is the event's own name."""
