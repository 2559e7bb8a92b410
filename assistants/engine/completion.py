"""The call of the model: streamed, accumulated, and never ending in silence."""

from collections.abc import AsyncIterator
from dataclasses import dataclass, field
from typing import Any, Protocol, cast

import openai
from azure.identity.aio import get_bearer_token_provider
from openai import AsyncAzureOpenAI, AsyncOpenAI, AsyncStream
from openai.types.chat import ChatCompletionChunk

from assistants.schema.runs import LastError, Usage
from assistants.settings import Settings
from assistants.state.runs import Finish
from assistants.storage.connection import identity

MAX_TEXT = 600_000
"""Characters of one turn's text and arguments; a model that goes on is cut off. So many fit one record of a log."""

_SCOPE = "https://cognitiveservices.azure.com/.default"


class Model(Protocol):
    """A stateless chat-completions endpoint."""

    def stream(self, body: dict[str, Any]) -> AsyncIterator[ChatCompletionChunk]:
        """The chunks of a streamed completion; closing the iterator ends the call."""
        ...


class Endpoint:
    """The endpoint that the settings name: OpenAI, Azure OpenAI, or anything compatible."""

    def __init__(self, settings: Settings) -> None:
        self._client = _client(settings)

    async def stream(self, body: dict[str, Any]) -> AsyncIterator[ChatCompletionChunk]:
        options: dict[str, Any] = {"stream": True, "stream_options": {"include_usage": True}}
        create: Any = self._client.chat.completions.create
        chunks: AsyncStream[ChatCompletionChunk] = await create(**body, **options)
        async with chunks:
            async for chunk in chunks:
                yield chunk

    async def close(self) -> None:
        await self._client.close()


@dataclass
class PartialCall:
    """A tool call as far as the model has spelled it out."""

    index: int | None = None
    id: str = ""
    name: str = ""
    arguments: list[str] = field(default_factory=list[str])


@dataclass
class Completion:
    """What a call of the model has brought so far."""

    texts: list[str] = field(default_factory=list[str])
    refusals: list[str] = field(default_factory=list[str])
    calls: list[PartialCall] = field(default_factory=list[PartialCall])
    finish: Finish | None = None
    usage: Usage | None = None
    error: LastError | None = None
    length: int = 0

    async def take(self, chunks: AsyncIterator[ChatCompletionChunk]) -> None:
        """Take in a whole stream. Whatever goes wrong with it becomes the completion's own error."""
        try:
            async for chunk in chunks:
                self.add(chunk)
                if self.length > MAX_TEXT:
                    self.finish = "length"
                    return
        except Exception as error:
            self.finish, self.error = "failed", last_error(error)

    def add(self, chunk: ChatCompletionChunk) -> None:
        """Take in one chunk, of which any part may be missing, whatever its type says."""
        if chunk.usage:
            self.usage = Usage(
                prompt_tokens=chunk.usage.prompt_tokens or 0,
                completion_tokens=chunk.usage.completion_tokens or 0,
                total_tokens=chunk.usage.total_tokens or 0,
            )
        choices: list[Any] = list(chunk.choices or ())
        choice = choices[0] if choices else None
        if choice is None:
            return
        self.finish = _FINISHES.get(choice.finish_reason) or self.finish
        delta: Any = choice.delta
        if delta is None:
            return
        self._grow(self.texts, delta.content)
        self._grow(self.refusals, delta.refusal)
        parts: list[Any] = list(delta.tool_calls or ())
        for part in parts:
            self._add_call(part)

    def _add_call(self, part: Any) -> None:
        call = self._call(part)
        call.id = call.id or part.id or ""
        if part.function:
            call.name += part.function.name or ""
            self._grow(call.arguments, part.function.arguments)

    def _call(self, part: Any) -> PartialCall:
        """The call that a part goes on with: the last one of its index, or the last of all where it has none."""
        begun = [call for call in self.calls if part.index is None or call.index == part.index]
        if not begun or _begins_another(part, begun[-1]):
            begun = [PartialCall(part.index)]
            self.calls += begun
        return begun[-1]

    def _grow(self, parts: list[str], more: Any) -> None:
        if not more:
            return
        if not isinstance(more, str):
            raise TypeError(f"text expected, but got {type(more).__name__}")
        parts.append(more[: max(MAX_TEXT - self.length, 0)])
        self.length += len(more)


def _begins_another(part: Any, call: PartialCall) -> bool:
    """Some models count all their calls 0, or none of them: then a new name under a new id, or none, tells."""
    named_anew = bool(call.name and part.function and part.function.name)
    return named_anew and (part.id != call.id if part.id else part.index is None)


def last_error(error: Exception) -> LastError:
    """The upstream's own text under the code that a run's `last_error` has for it (contract, 11.10)."""
    if not isinstance(error, openai.APIError):
        return _error("server_error", f"The model's answer broke off: {str(error) or type(error).__name__}")
    body: Any = error.body
    message: Any = cast("dict[str, Any]", body).get("message") if isinstance(body, dict) else None
    status = getattr(error, "status_code", None)
    code = {429: "rate_limit_exceeded", 400: "invalid_prompt", 413: "invalid_prompt", 422: "invalid_prompt"}
    return _error(code.get(status or 0, "server_error"), str(message or error.message))


def _error(code: str, message: str) -> LastError:
    storable = message[:4096].encode(errors="replace").decode()
    return LastError.model_validate({"code": code, "message": storable})


def _client(settings: Settings) -> AsyncOpenAI:
    key = settings.openai_api_key.get_secret_value() if settings.openai_api_key else None
    if settings.azure_openai_endpoint:
        azure_key = settings.azure_openai_api_key.get_secret_value() if settings.azure_openai_api_key else key
        provider = None
        if azure_key is None:
            provider = get_bearer_token_provider(identity(settings.azure_client_id), _SCOPE)
        return AsyncAzureOpenAI(
            azure_endpoint=settings.azure_openai_endpoint,
            api_version=settings.azure_openai_api_version,
            api_key=azure_key,
            azure_ad_token_provider=provider,
            timeout=settings.model_timeout,
        )
    return AsyncOpenAI(api_key=key or "none", base_url=settings.openai_base_url, timeout=settings.model_timeout)


_FINISHES: dict[str | None, Finish] = {
    "stop": "stop",
    "length": "length",
    "content_filter": "content_filter",
    "tool_calls": "tool_calls",
    "function_call": "tool_calls",
}
