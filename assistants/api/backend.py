"""The implementation behind the routes: blob storage and the engine, or, with BACKEND=proxy, another endpoint.

No other module depends on the choice. The routers and the models of requests and answers are the same.
"""

from collections.abc import Sequence
from typing import Protocol

import httpx2
from fastapi import APIRouter, Request

from assistants.api import notifications
from assistants.api.models import ask_endpoint
from assistants.service import close_service
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

    async def close(self) -> None:
        """Close all connections."""
        ...


class Blob:
    """Blob storage and the engine."""

    pages = (notifications.router,)

    def routers(self, routers: Sequence[APIRouter]) -> Sequence[APIRouter]:
        return routers

    async def ask_model(self, request: Request) -> httpx2.Response:
        return await ask_endpoint(request)

    async def close(self) -> None:
        await close_service()


def chosen(settings: Settings) -> Backend:
    """The implementation that the settings name."""
    if settings.backend == "blob":
        return Blob()
    from assistants.api.forwarding import Forwarding

    return Forwarding(settings)
