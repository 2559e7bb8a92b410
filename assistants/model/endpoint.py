"""The model's endpoint: OpenAI, Azure OpenAI, or anything that speaks chat completions."""

from collections.abc import AsyncIterator, Awaitable, Callable, Mapping
from typing import Any, Protocol

import httpx2
from azure.identity.aio import get_bearer_token_provider
from openai import (
    APIConnectionError,
    APIStatusError,
    AsyncAzureOpenAI,
    AsyncOpenAI,
    AsyncStream,
    DefaultAsyncHttpxClient,
)
from openai.resources.chat.completions import AsyncCompletions
from openai.types import CreateEmbeddingResponse
from openai.types.chat import ChatCompletionChunk

from assistants.identity import identity
from assistants.settings import Settings

_SCOPE = "https://cognitiveservices.azure.com/.default"

_ALTERNATIVES = {
    "stream_options": None, "max_completion_tokens": "max_tokens", "dimensions": None, "encoding_format": None,
}  # fmt: skip
"""What some endpoints refuse, and what they are sent instead."""


class Model(Protocol):
    """A stateless chat-completions endpoint."""

    def stream(self, body: dict[str, Any]) -> AsyncIterator[ChatCompletionChunk]:
        """The chunks of a streamed completion; closing the iterator ends the call."""
        ...


class Endpoint:
    """The endpoint that the settings name. It does not retry: a run does, for as long as it lives.

    Parameters
    ----------
    transport
        What sends the requests, in place of connections to the endpoint.
    """

    def __init__(self, settings: Settings, transport: httpx2.AsyncBaseTransport | None = None) -> None:
        self._client = _client(settings, transport)
        # The SDK imports it on first use, for which the first run of the process would have to wait.
        self._completions: AsyncCompletions = self._client.chat.completions
        self._refused: set[tuple[str, str]] = set()

    async def stream(self, body: dict[str, Any]) -> AsyncIterator[ChatCompletionChunk]:
        whole = {**body, "stream": True, "stream_options": {"include_usage": True}}
        chunks: AsyncStream[ChatCompletionChunk] = await self._ask(self._completions.create, whole)
        async with chunks:
            async for chunk in chunks:
                yield chunk

    async def embed(self, body: dict[str, Any]) -> CreateEmbeddingResponse:
        """
        Raises
        ------
        openai.APIError
            The endpoint refuses, does not answer, or has no embeddings.
        """

        # The SDK's own method asks for base64 again where that was refused.
        async def create(**sent: Any) -> CreateEmbeddingResponse:
            return await self._client.post("/embeddings", cast_to=CreateEmbeddingResponse, body=sent)

        return await self._ask(create, body)

    async def send(self, method: str, path: str, query: Mapping[str, object], body: object | None) -> httpx2.Response:
        """Any request of the endpoint's API, such as GET /models: its answer, an error or not, the body unread.

        Raises
        ------
        httpx2.TransportError
            There is no answer.
        """
        # The header is how the client is asked not to read what may be a stream.
        options: Any = {"params": query, "headers": {"X-Stainless-Raw-Response": "stream"}}
        ask: Any = getattr(self._client, method.lower())
        try:
            given = {} if body is None else {"body": body}
            answer = await ask(path, cast_to=object, options=options, **given)
        except APIStatusError as error:
            return error.response
        except APIConnectionError as error:
            if isinstance(error.__cause__, httpx2.TransportError):
                raise error.__cause__ from error
            raise
        return answer.http_response

    async def close(self) -> None:
        await self._client.close()

    async def _ask(self, create: Callable[..., Awaitable[Any]], body: dict[str, Any]) -> Any:
        """A parameter that the endpoint refuses is left out or renamed, then and from then on."""
        while True:
            sent = self._acceptable(body)
            try:
                return await create(**sent)
            except APIStatusError as error:
                parameter = refused_parameter(error, sent)
                if parameter is None:
                    raise
                self._refused.add((body["model"], parameter))

    def _acceptable(self, body: dict[str, Any]) -> dict[str, Any]:
        names = {name: _ALTERNATIVES[name] for model, name in self._refused if model == body["model"]}
        renamed = ((names.get(name, name), value) for name, value in body.items())
        return {name: value for name, value in renamed if name is not None}


def refused_parameter(error: APIStatusError, sent: dict[str, Any]) -> str | None:
    """The parameter without which the request may be accepted, if it is about one of those that can be spared."""
    if error.status_code not in (400, 404, 422):
        return None
    about = f"{error.param or ''} {error.message}"
    return next((name for name in _ALTERNATIVES if name in sent and name in about), None)


def _client(settings: Settings, transport: httpx2.AsyncBaseTransport | None) -> AsyncOpenAI:
    http = DefaultAsyncHttpxClient(transport=transport) if transport else None
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
            max_retries=0,
            http_client=http,
        )
    return AsyncOpenAI(
        api_key=key or "none",
        base_url=settings.openai_base_url,
        timeout=settings.model_timeout,
        max_retries=0,
        http_client=http,
    )
