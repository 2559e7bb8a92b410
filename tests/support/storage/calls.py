"""The requests to storage as they leave the process, for tests that count or disturb them."""

from collections.abc import Awaitable, Callable
from typing import Any
from urllib.parse import parse_qs, urlsplit

from azure.core.pipeline.transport import AsyncHttpResponse, HttpRequest

from assistants.storage.clock import Clock
from assistants.storage.connection import MakeTransport
from assistants.storage.transport import Transport

Send = Callable[[], Awaitable[AsyncHttpResponse]]
Around = Callable[[HttpRequest, Send], Awaitable[AsyncHttpResponse]]


class _Tapped(Transport):
    def __init__(self, clock: Clock, timeout: float, around: Around) -> None:
        super().__init__(clock, timeout)
        self._around = around

    async def send(self, request: HttpRequest, **kwargs: Any) -> AsyncHttpResponse:
        return await self._around(request, lambda: super(_Tapped, self).send(request, **kwargs))


def tapped(around: Around) -> MakeTransport:
    """A transport that passes each request, which may be a repetition, to `around`."""
    return lambda clock, timeout: _Tapped(clock, timeout, around)


def kind(request: HttpRequest) -> str:
    """The kind of a request, such as `GET runs` or `POST work`."""
    address = urlsplit(request.url)
    comp = parse_qs(address.query).get("comp", [""])[0]
    container = address.path.split("/")[2]
    return f"{request.method} {container} {comp}".strip()
