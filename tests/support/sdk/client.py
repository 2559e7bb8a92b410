"""The official SDK as a strict client: every answer is validated by the SDK's own types."""

import json
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from typing import Any, Literal, TypeVar, cast

import httpx2
import openai
import pytest
from openai import OpenAI, types
from openai.types import beta, uploads, vector_stores
from openai.types.beta import threads
from openai.types.beta.threads import runs
from pydantic import BaseModel, ConfigDict, ValidationError

from tests.support.sdk.blocking import Blocking

Model = TypeVar("Model", bound=BaseModel)


class Retrieval(BaseModel):
    """This service's own tool, which the SDK does not know."""

    type: Literal["retrieval"]


class RetrievalCall(BaseModel):
    """A call of the tool, in a step."""

    model_config = ConfigDict(extra="forbid")

    id: str
    type: Literal["retrieval"]
    retrieval: dict[str, Any]


class Assistant(beta.Assistant):
    """The SDK's type, extended by this service's tool."""

    tools: list[beta.AssistantTool | Retrieval]  # type: ignore[reportIncompatibleVariableOverride]


class Run(threads.Run):
    """The SDK's type, extended by this service's tool."""

    tools: list[beta.AssistantTool | Retrieval]  # type: ignore[reportIncompatibleVariableOverride]


class ToolCalls(runs.ToolCallsStepDetails):
    """The SDK's type, extended by this service's tool."""

    tool_calls: list[runs.ToolCall | RetrievalCall]  # type: ignore[reportIncompatibleVariableOverride]


class RunStep(runs.RunStep):
    """The SDK's type, extended by this service's tool."""

    step_details: runs.MessageCreationStepDetails | ToolCalls  # type: ignore[reportIncompatibleVariableOverride]


class RetrievalCallDelta(RetrievalCall):
    """A call of the tool, in a delta."""

    index: int


class ToolCallsDelta(runs.ToolCallDeltaObject):
    """The SDK's type, extended by this service's tool."""

    tool_calls: list[runs.ToolCallDelta | RetrievalCallDelta] | None = None  # type: ignore[reportIncompatibleVariableOverride]


class RunStepDelta(runs.RunStepDelta):
    """The SDK's type, extended by this service's tool."""

    step_details: runs.RunStepDeltaMessageDelta | ToolCallsDelta | None = None  # type: ignore[reportIncompatibleVariableOverride]


class RunStepDeltaEvent(runs.RunStepDeltaEvent):
    """The SDK's type, extended by this service's tool."""

    delta: RunStepDelta  # type: ignore[reportIncompatibleVariableOverride]


class AssistantFile(BaseModel):
    """v1's type, which the SDK no longer has."""

    model_config = ConfigDict(extra="forbid")

    id: str
    object: Literal["assistant.file"]
    created_at: int
    assistant_id: str


class AssistantFileDeleted(BaseModel):
    """v1's type, which the SDK no longer has."""

    model_config = ConfigDict(extra="forbid")

    id: str
    object: Literal["assistant.file.deleted"]
    deleted: Literal[True]


class MessageFile(BaseModel):
    """v1's type, which the SDK no longer has."""

    model_config = ConfigDict(extra="forbid")

    id: str
    object: Literal["thread.message.file"]
    created_at: int
    message_id: str


class VectorStore(types.VectorStore):
    """The SDK's type, with a name that may be null, as in OpenAI's API."""

    name: str | None  # type: ignore[reportIncompatibleVariableOverride]


class Pieces(BaseModel):
    """The text of a file in a vector store."""

    model_config = ConfigDict(extra="forbid")

    object: Literal["vector_store.file_content.page"]
    data: list[vector_stores.FileContentResponse]
    has_more: bool
    next_page: str | None


class Results(BaseModel):
    """The results of a search."""

    model_config = ConfigDict(extra="forbid")

    object: Literal["vector_store.search_results.page"]
    search_query: list[str]
    data: list[types.VectorStoreSearchResponse]
    has_more: bool
    next_page: str | None


class Page(BaseModel):
    """A list; the SDK has no validating model of it."""

    model_config = ConfigDict(extra="forbid")

    object: Literal["list"]
    data: list[dict[str, Any]]
    first_id: str | None
    last_id: str | None
    has_more: bool


class ErrorDetails(BaseModel):
    """The fields of every error: these four, and no others."""

    model_config = ConfigDict(extra="forbid")

    message: str
    type: str
    param: str | None
    code: str | None


class Error(BaseModel):
    """The body of every error."""

    model_config = ConfigDict(extra="forbid")

    error: ErrorDetails


CLIENTS = ("OpenAI", "AsyncOpenAI", "AzureOpenAI", "AsyncAzureOpenAI")
"""The kinds of clients that the service serves."""

MODELS: Mapping[str, type[BaseModel]] = {
    "assistant": Assistant,
    "assistant.deleted": beta.AssistantDeleted,
    "assistant.file": AssistantFile,
    "assistant.file.deleted": AssistantFileDeleted,
    "file": types.FileObject,
    "file.deleted": types.FileDeleted,
    "list": Page,
    "thread": beta.Thread,
    "thread.deleted": beta.ThreadDeleted,
    "thread.message": threads.Message,
    "thread.message.deleted": threads.MessageDeleted,
    "thread.message.delta": threads.MessageDeltaEvent,
    "thread.message.file": MessageFile,
    "thread.run": Run,
    "thread.run.step": RunStep,
    "thread.run.step.delta": RunStepDeltaEvent,
    "upload": types.Upload,
    "upload.part": uploads.UploadPart,
    "vector_store": VectorStore,
    "vector_store.deleted": types.VectorStoreDeleted,
    "vector_store.file": vector_stores.VectorStoreFile,
    "vector_store.file.deleted": vector_stores.VectorStoreFileDeleted,
    "vector_store.file_content.page": Pieces,
    "vector_store.files_batch": vector_stores.VectorStoreFileBatch,
    "vector_store.search_results.page": Results,
}
"""The type that validates each kind of object."""


def strict(model: type[Model], payload: Any) -> Model:
    """The payload as the SDK's model, validated strictly: the SDK itself does not validate.

    Fields that the SDK does not have are allowed; missing fields, nulls and loose types are not, unless its type allows
    them.
    """
    return model.model_validate_json(json.dumps(payload), strict=True)


def strict_object(payload: dict[str, Any]) -> None:
    """Validate an object or a page of objects, each by the type that its `object` names."""
    kind = payload["object"]
    found = strict(MODELS["file.deleted" if kind == "file" and "deleted" in payload else kind], payload)
    if isinstance(found, Page):
        ids = [each["id"] for each in found.data]
        assert (found.first_id, found.last_id) == ((ids[0], ids[-1]) if ids else (None, None))
        for each in found.data:
            strict_object(each)


def connect(url: str, key: str = "unused", kind: str = "OpenAI") -> OpenAI:
    """The SDK for a service. Every JSON answer is validated; no request is retried, which would hide failures.

    An answer of another shape fails the test with an exception that the SDK does not translate into one of its own.
    `kind` is one of `CLIENTS`; all of them have the same interface.
    """
    options: dict[str, Any] = {"api_key": key, "max_retries": 0}
    if "Azure" in kind:
        options |= {"azure_endpoint": url.removesuffix("/v1"), "api_version": "2024-05-01-preview"}
    else:
        options |= {"base_url": url}
    if kind.startswith("Async"):
        http = openai.DefaultAsyncHttpxClient(event_hooks={"response": [_validate_read]})
        return cast("OpenAI", Blocking(getattr(openai, kind)(http_client=http, **options)))
    return getattr(openai, kind)(
        http_client=openai.DefaultHttpxClient(event_hooks={"response": [_validate]}), **options
    )


@contextmanager
def refused(
    status: int, message: str, param: str | None = None, code: str | None = None, kind: str = "invalid_request_error"
) -> Iterator[None]:
    """Expect exactly this error in the `with` block."""
    with pytest.raises(openai.APIStatusError) as caught:
        yield
    body = caught.value.response.json()
    assert body == {"error": {"message": message, "type": kind, "param": param, "code": code}}
    assert caught.value.status_code == status


async def _validate_read(response: httpx2.Response) -> None:
    await response.aread()
    _validate(response)


def _validate(response: httpx2.Response) -> None:
    if not response.headers.get("content-type", "").startswith("application/json"):
        return
    payload = json.loads(response.read())
    try:
        strict_object(payload) if response.is_success else strict(Error, payload)
    except (AssertionError, KeyError, ValidationError) as error:
        pytest.fail(f"{response.request.method} {response.request.url} answered {payload}: {error!r}")
