"""Version 1 of the API: its requests in the format of v2, and v2's objects in its own format (contract, 13).

One list of `file_ids` served all tools of v1. In v2's terms, an assistant's files are the code interpreter's and, with
`retrieval`, those of a vector store; a message's files are attachments for both tools. In answers, `file_ids` are
the code interpreter's files and the attachments'.

Which fields a request may have follows the SDK of that time (openai 1.20, 2024-04): v2's `tool_resources`,
`attachments`, `top_p`, `parallel_tool_calls`, `reasoning_effort`, and an assistant's `temperature` and
`response_format`, are unknown parameters. Objects keep v2's additions, as clients ignore them, except the fields that
`file_ids` stands for.
"""

from collections.abc import Callable, Mapping
from typing import Annotated, Any, Literal

from pydantic import BeforeValidator, Field, Tag

from assistants.schema.assistants import AssistantName, Description
from assistants.schema.base import (
    MAX_ITEMS,
    AssistantId,
    FileId,
    Items,
    Metadata,
    NotNull,
    Object,
    Request,
    Resource,
    Timestamp,
    by_json_type,
)
from assistants.schema.messages import MessageText, Role
from assistants.schema.runs import Budget
from assistants.schema.tools import (
    CodeInterpreterTool,
    FunctionChoice,
    FunctionTool,
    Instructions,
    Model,
    ResponseFormat,
    RetrievalTool,
    Temperature,
    TruncationStrategy,
    without_function,
)

Json = dict[str, Any]

Tool = Annotated[CodeInterpreterTool | RetrievalTool | FunctionTool, Field(discriminator="type")]
ToolChoice = Annotated[
    Annotated[Literal["none", "auto", "required"], Tag("<string>")]
    | Annotated[
        Annotated[FunctionChoice | CodeInterpreterTool | RetrievalTool, Field(discriminator="type")],
        BeforeValidator(without_function),
        Tag("<object>"),
    ],
    by_json_type("a string or object"),
]
AssistantTools = Annotated[Items[Tool], Field(max_length=128)]
AssistantFiles = Annotated[Items[FileId], Field(max_length=20)]
RunTools = Annotated[Items[Tool], Field(max_length=20)]
MessageFiles = Annotated[Items[FileId], Field(max_length=10)]


class V1Request(Request):
    """A request of v1."""

    def v2(self) -> Json:
        """The request in the format of v2, with only the fields that were sent."""
        return _request(self.model_dump(mode="json", exclude_unset=True))


class _AssistantFields(V1Request):
    name: AssistantName | None = None
    description: Description | None = None
    instructions: Instructions | None = None
    tools: NotNull[AssistantTools] = None
    file_ids: NotNull[AssistantFiles] = None
    metadata: Metadata | None = None


class CreateAssistant(_AssistantFields):
    """A request to create an assistant."""

    model: Model

    def v2(self) -> Json:
        body = super().v2()
        if self.file_ids and any(tool["type"] == "retrieval" for tool in self.tools or []):
            body["tool_resources"]["file_search"] = {"vector_stores": [{"file_ids": self.file_ids}]}
        return body


class ModifyAssistant(_AssistantFields):
    """A request to modify an assistant. Only the fields that were sent change."""

    model: NotNull[Model] = None


class CreateMessage(V1Request):
    """A request to add a message to a thread; its content is text."""

    role: Role
    content: MessageText
    file_ids: NotNull[MessageFiles] = None
    metadata: Metadata | None = None


CreateMessages = Annotated[Items[CreateMessage], Field(max_length=MAX_ITEMS)]


class CreateThread(V1Request):
    """A request to create a thread, with its first messages if there are any."""

    messages: NotNull[CreateMessages] = None
    metadata: Metadata | None = None


class ModifyThread(V1Request):
    """A request to replace a thread's metadata."""

    metadata: Metadata | None = None


class _RunFields(V1Request):
    assistant_id: AssistantId
    model: Model | None = None
    instructions: Instructions | None = None
    tools: RunTools | None = None
    metadata: Metadata | None = None
    temperature: Temperature | None = None
    stream: bool | None = None
    max_prompt_tokens: Budget | None = None
    max_completion_tokens: Budget | None = None
    truncation_strategy: TruncationStrategy | None = None
    tool_choice: ToolChoice | None = None
    response_format: ResponseFormat | None = None


class CreateRun(_RunFields):
    """A request to create a run on a thread."""

    additional_instructions: Instructions | None = None
    additional_messages: CreateMessages | None = None


class CreateThreadAndRun(_RunFields):
    """A request to create a thread, and a run on it."""

    thread: NotNull[CreateThread] = None


class CreateAssistantFile(Request):
    """A request to add a file to an assistant."""

    file_id: FileId


class AssistantFile(Resource):
    """A file of an assistant; its id is the file's own."""

    object: Literal["assistant.file"] = "assistant.file"
    created_at: Timestamp
    assistant_id: str


class AssistantFileDeleted(Object):
    """The removal of a file from an assistant."""

    id: str
    object: Literal["assistant.file.deleted"] = "assistant.file.deleted"
    deleted: Literal[True] = True


class MessageFile(Resource):
    """A file of a message; its id is the file's own."""

    object: Literal["thread.message.file"] = "thread.message.file"
    created_at: Timestamp
    message_id: str


def as_v1(payload: Json) -> Json:
    """An object, a page of objects, or an event's data of v2 in the format of v1."""
    show = _OBJECTS.get(payload.get("object", ""))
    return show(payload) if show else payload


def restored(payload: Any) -> Any:
    """The reverse of `as_v1`: an object, a page or an event's data of v1 in the format of v2.

    Files lose their store, which v1 did not show; an object of neither version stays unchanged.
    """
    match payload:
        case {"object": "list", "data": list()}:
            return {**payload, "data": [restored(each) for each in payload["data"]]}
        case {"object": "assistant" | "thread.run", "file_ids": list()}:
            chosen: bool = payload.get("tool_choice") == {"type": "retrieval"}
            choice: Json = {"tool_choice": {"type": "file_search"}} if chosen else {}
            return _replaced(payload | choice, "file_ids", "tool_resources", _resources(payload["file_ids"]))
        case {"object": "thread"}:
            return {**payload, "tool_resources": {}}
        case {"object": "thread.message", "file_ids": list(), "content": list()}:
            return _replaced(payload, "file_ids", "attachments", _attachments(payload["file_ids"]))
        case _:
            return payload


def _request(body: Json) -> Json:
    if "file_ids" in body:
        files: list[str] = body.pop("file_ids")
        body |= {"attachments": _attachments(files)} if "role" in body else {"tool_resources": _resources(files)}
    if tools := body.get("tools"):
        body["tools"] = _renamed(tools, "retrieval", "file_search")
    if choice := body.get("tool_choice"):
        (body["tool_choice"],) = _renamed([choice], "retrieval", "file_search")
    if thread := body.get("thread"):
        body["thread"] = _request(thread)
    for name in ("messages", "additional_messages"):
        if messages := body.get(name):
            body[name] = [_request(message) for message in messages]
    return body


def _resources(files: list[str]) -> Json:
    return {"code_interpreter": {"file_ids": files}}


def _attachments(files: list[str]) -> list[Json]:
    return [{"file_id": file, "tools": [{"type": "code_interpreter"}, {"type": "file_search"}]} for file in files]


def _renamed(tools: list[Any], old: str, new: str) -> list[Any]:
    """Tools, or the choice of a tool, with the tool `old` renamed to `new`."""
    return [{"type": new} if _type(tool) == old else tool for tool in tools]


def _type(tool: str | Json) -> str | None:
    return None if isinstance(tool, str) else tool["type"]


def _replaced(payload: Json, old: str, new: str, content: object) -> Json:
    return {(new if name == old else name): (content if name == old else value) for name, value in payload.items()}


def _assistant_or_run(payload: Json) -> Json:
    files = payload["tool_resources"].get("code_interpreter", {}).get("file_ids", [])
    changed: Json = {"tools": _renamed(payload["tools"], "file_search", "retrieval")}
    if "tool_choice" in payload:
        (changed["tool_choice"],) = _renamed([payload["tool_choice"]], "file_search", "retrieval")
    return _replaced(payload | changed, "tool_resources", "file_ids", files)


def _thread(payload: Json) -> Json:
    return {name: value for name, value in payload.items() if name != "tool_resources"}


def _message(payload: Json) -> Json:
    files = list(dict.fromkeys(attachment["file_id"] for attachment in payload["attachments"]))
    return _replaced(
        payload | {"content": [_part(part) for part in payload["content"]]}, "attachments", "file_ids", files
    )


def _message_delta(payload: Json) -> Json:
    delta = payload["delta"]
    return {**payload, "delta": {**delta, "content": [_part(part) for part in delta.get("content", [])]}}


def _part(part: Json) -> Json:
    """A content part in v1's format, in which a citation has a quote."""
    annotations = part["text"].get("annotations") if part["type"] == "text" else None
    if not annotations:
        return part
    quoted = [
        {**each, "file_citation": {"quote": "", **each["file_citation"]}} if each["type"] == "file_citation" else each
        for each in annotations
    ]
    return {**part, "text": {**part["text"], "annotations": quoted}}


def _step(payload: Json) -> Json:
    return {**payload, "step_details": _details(payload["step_details"])}


def _step_delta(payload: Json) -> Json:
    return {**payload, "delta": {**payload["delta"], "step_details": _details(payload["delta"]["step_details"])}}


def _details(details: Json) -> Json:
    if details["type"] != "tool_calls":
        return details
    return {**details, "tool_calls": [_call(call) for call in details["tool_calls"]]}


def _call(call: Json) -> Json:
    """A call in v1's format, in which a search does not show its results."""
    if call["type"] != "file_search":
        return call
    kept = {name: value for name, value in call.items() if name in ("index", "id")}
    return {**kept, "type": "retrieval", "retrieval": {}}


def _page(payload: Json) -> Json:
    return {**payload, "data": [as_v1(each) for each in payload["data"]]}


_OBJECTS: Mapping[str, Callable[[Json], Json]] = {
    "assistant": _assistant_or_run,
    "list": _page,
    "thread": _thread,
    "thread.message": _message,
    "thread.message.delta": _message_delta,
    "thread.run": _assistant_or_run,
    "thread.run.step": _step,
    "thread.run.step.delta": _step_delta,
}
