"""The implementation behind the routes: blob storage and the engine, or, with BACKEND=proxy, another endpoint.

No other module depends on the choice. The routers and the models of requests and answers are the same.
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
        """Its pages besides the API's."""
        ...

    def routers(self, routers: Sequence[APIRouter]) -> Sequence[APIRouter]:
        """The API's routers, as this implementation answers them."""
        ...

    async def ask_model(self, request: Request) -> httpx2.Response:
        """The upstream of the rest of OpenAI's API; raises `ApiError` if it does not answer (502, 504)."""
        ...

    @property
    def checks(self) -> Mapping[str, Check]:
        """What it needs, and how that is tried."""
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
    """Read a document that is not there, and look at the queue of the work."""
    store = service().store
    await store.runs.read("health")
    with suppress(ResourceNotFoundError):  # the queue is made by the first item
        await store.services[1].client.get_queue_client(WORK).peek_messages()


async def _model() -> None:
    """List the endpoint's models. Some have no such list: any answer but a failure or a refused key will do."""
    answer = await endpoint().send("GET", "/models", {}, None)
    await answer.aclose()
    if answer.status_code in (401, 403) or answer.status_code >= 500:
        raise ConnectionError(answer.status_code)
