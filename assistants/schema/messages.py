"""Messages, their content parts, attachments and annotations (contract, 3)."""

import re
from typing import Annotated, Literal, NotRequired

from pydantic import AfterValidator, Field, Tag
from pydantic_core import PydanticCustomError
from typing_extensions import TypedDict

from assistants.schema.base import (
    MAX_ITEMS,
    MAX_TEXT,
    FileId,
    Items,
    Metadata,
    Object,
    ObjectMetadata,
    Request,
    Resource,
    Timestamp,
    by_json_type,
)
from assistants.schema.tools import AttachmentTool

Role = Literal["user", "assistant"]
MessageStatus = Literal["in_progress", "incomplete", "completed"]
MessageIncompleteReason = Literal["content_filter", "max_tokens", "run_cancelled", "run_expired", "run_failed"]
ImageDetail = Literal["auto", "low", "high"]
MessageText = Annotated[str, Field(min_length=1, max_length=MAX_TEXT)]


class ImageFile(TypedDict):
    """An image that was uploaded as a file."""

    file_id: FileId
    detail: NotRequired[ImageDetail]


class ImageFileContent(TypedDict):
    """An uploaded image in a message."""

    type: Literal["image_file"]
    image_file: ImageFile


def _web(url: str) -> str:
    if not re.match(r"https?://[^/\s]", url, re.IGNORECASE):
        raise PydanticCustomError("url", "Expected a URL of the web.")
    return url


class ImageUrl(TypedDict):
    """An image that the model fetches: http or https, jpeg, jpg, png, gif or webp."""

    url: Annotated[str, AfterValidator(_web), Field(json_schema_extra={"format": "uri"})]
    detail: NotRequired[ImageDetail]


class ImageUrlContent(TypedDict):
    """An image at a URL in a message."""

    type: Literal["image_url"]
    image_url: ImageUrl


class TextInput(TypedDict):
    """A text part of a request: a plain string, while the object has a `Text`."""

    type: Literal["text"]
    text: MessageText


InputPart = Annotated[TextInput | ImageFileContent | ImageUrlContent, Field(discriminator="type")]
InputContent = Annotated[
    Annotated[MessageText, Tag("<string>")]
    | Annotated[Items[InputPart], Field(min_length=1, max_length=500), Tag("<array>")],
    by_json_type("a string or array of objects"),
]


class FileReference(TypedDict):
    """A file, by its id."""

    file_id: str


class CitedFile(FileReference):
    """A file that is cited, and the quoted passage."""

    quote: NotRequired[str]


class FileCitation(TypedDict):
    """A citation; the indices are characters of the text's value, the end exclusive (contract, 12)."""

    type: Literal["file_citation"]
    text: str
    start_index: int
    end_index: int
    file_citation: CitedFile


class FilePath(TypedDict):
    """A link to a file that the code interpreter made; the indices are as in a citation."""

    type: Literal["file_path"]
    text: str
    start_index: int
    end_index: int
    file_path: FileReference


Annotation = Annotated[FileCitation | FilePath, Field(discriminator="type")]


class Text(TypedDict):
    """Text and its annotations."""

    value: str
    annotations: list[Annotation]


class TextContent(TypedDict):
    """Text in a message."""

    type: Literal["text"]
    text: Text


class RefusalContent(TypedDict):
    """The model's refusal to answer."""

    type: Literal["refusal"]
    refusal: str


ContentPart = Annotated[TextContent | ImageFileContent | ImageUrlContent | RefusalContent, Field(discriminator="type")]


class Attachment(TypedDict):
    """A file of a message, and the tools that may use it."""

    file_id: FileId
    tools: Items[AttachmentTool]


class CreateMessage(Request):
    """A request to add a message to a thread."""

    role: Role
    content: InputContent
    attachments: Annotated[Items[Attachment], Field(max_length=MAX_ITEMS)] | None = None
    metadata: Metadata | None = None


CreateMessages = Annotated[Items[CreateMessage], Field(max_length=MAX_ITEMS)]


class ModifyMessage(Request):
    """A request to replace a message's metadata."""

    metadata: Metadata | None = None


class MessageIncompleteDetails(Object):
    """Why a message is incomplete."""

    reason: MessageIncompleteReason


class Message(Resource):
    """A message; `completed_at` is set only if it is completed, `incomplete_at` only if it is incomplete."""

    object: Literal["thread.message"] = "thread.message"
    created_at: Timestamp
    assistant_id: str | None = None
    thread_id: str
    run_id: str | None = None
    status: MessageStatus = "completed"
    incomplete_details: MessageIncompleteDetails | None = None
    incomplete_at: Timestamp | None = None
    completed_at: Timestamp | None = None
    role: Role
    content: list[ContentPart] = Field(default_factory=list[ContentPart])
    attachments: list[Attachment] = Field(default_factory=list[Attachment])
    metadata: ObjectMetadata = Field(default_factory=dict[str, str])
