"""The implementation behind the routes: blob storage and the engine, or, with BACKEND=proxy, another endpoint.

No other module depends on the choice. Both have the same routers, and the same models of requests and answers.
"""

from collections.abc import Mapping, Sequence
from contextlib import suppress
from typing import Protocol

import httpx2
from azure.core.exceptions import ResourceNotFoundError
from fastapi import APIRouter, Request

from assistants.api import notifications
from assistants.api.health import Check
from assistants.api.models import ask_endpoint
from assistants.engine.items import WORK
from assistants.service import close_service, endpoint, service
from assistants.settings import Settings


class Backend(Protocol):
    """An implementation of the API; the application keeps it as `state.backend`."""

    @property
    def pages(self) -> Sequence[APIRouter]:
        """The pages that it serves besides the API's."""
        ...

    def routers(self, routers: Sequence[APIRouter]) -> Sequence[APIRouter]:
        """The API's routers, with the endpoints of this implementation."""
        ...

    async def ask_model(self, request: Request) -> httpx2.Response:
        """The upstream of the rest of OpenAI's API; raises `ApiError` if it does not answer (502, 504)."""
        ...

    @property
    def checks(self) -> Mapping[str, Check]:
        """The parts that it depends on, each with a check that the part can be reached."""
        ...

    async def close(self) -> None:
        """Close all connections."""
        ...


class Blob:
    """Blob storage and the engine."""

    pages = (notifications.router,)

    def __init__(self, settings: Settings) -> None:
        model = {"model": _model} if settings.has_model else {}
        self.checks: Mapping[str, Check] = {"storage": _storage, **model}

    def routers(self, routers: Sequence[APIRouter]) -> Sequence[APIRouter]:
        return routers

    async def ask_model(self, request: Request) -> httpx2.Response:
        return await ask_endpoint(request)

    async def close(self) -> None:
        await close_service()


def chosen(settings: Settings) -> Backend:
    """The implementation that the settings name."""
    if settings.backend == "blob":
        return Blob(settings)
    from assistants.api.forwarding import Forwarding

    return Forwarding(settings)


async def _storage() -> None:
    """Read a document that does not exist, and the properties of the queue `work`."""
    store = service().store
    await store.runs.read("health")
    with suppress(ResourceNotFoundError):  # the first item creates the queue
        await store.services[1].client.get_queue_client(WORK).peek_messages()


async def _model() -> None:
    """List the endpoint's models. Some have none: accepted is any answer but a failure or a refused key."""
    answer = await endpoint().send("GET", "/models", {}, None)
    await answer.aclose()
    if answer.status_code in (401, 403) or answer.status_code >= 500:
        raise ConnectionError(answer.status_code)
