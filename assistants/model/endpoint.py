"""The model's endpoint: OpenAI, Azure OpenAI, or any other with chat completions."""

import asyncio
from collections.abc import AsyncIterator, Mapping
from contextlib import aclosing, suppress
from functools import cached_property
from typing import TYPE_CHECKING, Any, Protocol

import httpx2

from assistants.model.answers import Chunk, chunks, whole
from assistants.model.errors import CutOff, EndpointError, Mask, Refused, Unreachable, Unreadable, Words, words
from assistants.model.learnt import Learnt
from assistants.model.remedies import Remedy, adapted, remedies
from assistants.model.retries import wait_of
from assistants.settings import Settings

if TYPE_CHECKING:
    from assistants.model.client import AsyncOpenAI

_END = 1.0
"""Seconds that an answer is given to end after its last event; a connection that is not used again costs less."""


class Model(Protocol):
    """A stateless chat-completions endpoint."""

    learnt: Learnt

    def stream(self, body: dict[str, Any]) -> AsyncIterator[Chunk]:
        """The chunks of a streamed completion, up to its end; closing the iterator ends the call.

        Raises
        ------
        EndpointError
            There is no answer, or it breaks off.
        """
        ...


class Endpoint:
    """The endpoint that the settings name. It does not retry; a run retries until it ends.

    Optional parameters that it refuses are left out or renamed, at once and in later requests.

    Parameters
    ----------
    transport
        Sends the requests, instead of connections to the endpoint.
    """

    def __init__(self, settings: Settings, transport: httpx2.AsyncBaseTransport | None = None) -> None:
        self._settings, self._transport = settings, transport
        self.mask = Mask(settings.secrets)
        self.learnt = Learnt()
        self._ending = set[asyncio.Task[None]]()

    async def stream(self, body: dict[str, Any]) -> AsyncIterator[Chunk]:
        whole_body = {**body, "stream": True, "stream_options": {"include_usage": True}}
        answer = await self._ask("/chat/completions", whole_body)
        content, ended = answer.aiter_bytes(), False
        try:
            async with aclosing(chunks(content)) as found:
                async for chunk in found:
                    yield chunk
            ended = True
        except httpx2.HTTPError as error:
            raise self._broken(error) from None
        except EndpointError as error:
            raise self.mask.error(error) from None
        finally:
            if ended:
                task = asyncio.create_task(_read_on(answer, content))
                self._ending.add(task)
                task.add_done_callback(self._ending.discard)
            else:
                await answer.aclose()

    async def embed(self, body: dict[str, Any]) -> Mapping[str, Any]:
        """The endpoint's answer, unchanged.

        Raises
        ------
        EndpointError
            The endpoint refuses, does not answer, or has no embeddings.
        """
        answer = await self._ask("/embeddings", body)
        try:
            return await whole(answer.aiter_bytes())
        except httpx2.HTTPError as error:
            raise self._broken(error) from None
        except EndpointError as error:
            raise self.mask.error(error) from None
        finally:
            await answer.aclose()

    async def send(self, method: str, path: str, query: Mapping[str, object], body: object | None) -> httpx2.Response:
        """The answer to any request of the endpoint's API, such as GET /models, successful or not, its body unread.

        Raises
        ------
        httpx2.TransportError
            There is no answer.
        """
        from assistants.model.client import APIConnectionError, APIStatusError

        # The header tells the client not to read the body, which may be a stream.
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
        for task in self._ending:
            task.cancel()
        await asyncio.gather(*self._ending, return_exceptions=True)
        if "_client" in self.__dict__:
            await self._client.close()

    @cached_property
    def _client(self) -> "AsyncOpenAI":
        from assistants.model.client import client
        from assistants.model.connection import Connection

        return client(self._settings, Connection(self._transport))

    async def _ask(self, path: str, body: dict[str, Any]) -> httpx2.Response:
        """The answer, its body unread, to the request in the form that the endpoint accepts."""
        learnt, tried, before = self.learnt.of(body["model"]), set[Remedy](), set[object]()
        changes: dict[str, str | None] = {}
        while True:
            sent = adapted(body, learnt.remedies | changes)
            try:
                answer = await self._post(path, sent)
            except Refused as error:
                found, said = set(remedies(error, sent)) - tried, (str(error), error.params)
                if not found or said in before:
                    raise
                tried |= found
                before.add(said)
                changes |= {each.name: each.instead for each in found}
                continue
            learnt.remedies.update(changes)
            return answer

    async def _post(self, path: str, body: dict[str, Any]) -> httpx2.Response:
        """The answer, its body unread.

        Raises
        ------
        EndpointError
            There is no answer, or it is an error.
        """
        from assistants.model.client import APIConnectionError, APIStatusError, APITimeoutError

        try:
            # The header tells the client not to read the body, which may be a stream.
            options: Any = {"headers": {"X-Stainless-Raw-Response": "stream"}}
            return await self._client.post(path, cast_to=httpx2.Response, body=body, options=options)
        except APIStatusError as error:
            raise self.mask.error(_refused(error.response)) from None
        except APITimeoutError as error:
            raise Unreachable(error.message) from error.__cause__
        except (APIConnectionError, httpx2.HTTPError) as error:
            raise Unreachable(self.mask(str(error))) from error.__cause__

    def _broken(self, error: httpx2.HTTPError) -> EndpointError:
        why = self.mask(str(error) or type(error).__name__)
        return Unreadable(why) if isinstance(error, httpx2.DecodingError) else CutOff(why)


async def _read_on(answer: httpx2.Response, content: AsyncIterator[bytes]) -> None:
    """Read the rest of an answer after its last event, mostly nothing, so that the connection can be used again."""
    try:
        with suppress(httpx2.HTTPError, TimeoutError):
            async with asyncio.timeout(_END):
                async for _ in content:
                    pass
    finally:
        await answer.aclose()


def _refused(answer: httpx2.Response) -> Refused:
    if answer.is_redirect:
        return Refused(Words(_REDIRECTS.format(answer.headers.get("location", "elsewhere"))), answer.status_code)
    return Refused(words(answer.content), answer.status_code, wait_of(answer.headers))


_REDIRECTS = "The model's endpoint redirects to {}, which is not followed: its address in the settings may be wrong."
