"""The HTTP connections of the SDK's client to the model's endpoint: no redirects, bounded error bodies."""

from typing import Any

import httpx2
from openai import DefaultAsyncHttpxClient

MAX_ERROR = 256 * 1024
"""Bytes of an error's body that are read."""


class Connection(DefaultAsyncHttpxClient):
    """Follows no redirect, which would send the prompt to another host, and reads only the beginning of an error.

    Parameters
    ----------
    transport
        Sends the requests, instead of connections to the endpoint.
    """

    def __init__(self, transport: httpx2.AsyncBaseTransport | None = None) -> None:
        super().__init__(transport=transport, follow_redirects=False)

    async def send(self, request: httpx2.Request, *, stream: bool = False, **others: Any) -> httpx2.Response:
        answer = await super().send(request, stream=True, **others)
        if answer.is_success:
            if not stream:
                await answer.aread()
            return answer
        return httpx2.Response(
            answer.status_code,
            headers={name: value for name, value in answer.headers.items() if name not in _OF_THE_BODY},
            content=await _beginning(answer),
            request=request,
        )


_OF_THE_BODY = ("content-encoding", "content-length", "transfer-encoding")


async def _beginning(answer: httpx2.Response) -> bytes:
    """The readable part of an error's body, up to a limit: the error is reported even without it."""
    body = b""
    try:
        async for piece in answer.aiter_bytes():
            body += piece[: MAX_ERROR - len(body)]
            if len(body) == MAX_ERROR:
                break
    except httpx2.HTTPError:
        pass
    finally:
        await answer.aclose()
    return body
