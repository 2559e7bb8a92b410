"""The whole service in this process: the application over real storage, a scripted model, items delivered by tests."""

import asyncio
import base64
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import Generic, TypeVar

import httpx2
from fastapi import FastAPI
from openai import AsyncOpenAI

from assistants import service as services
from assistants.api.app import create_api
from assistants.engine.items import WORK
from assistants.local.azurite import Storage
from assistants.model.embedder import Embedder, NoEmbedder
from assistants.model.endpoint import Model
from assistants.service import Service
from assistants.storage.connection import MakeTransport
from assistants.storage.transport import Transport
from assistants.tools.code_interpreter.engine import Engine
from tests.support.service.attending import open_store

M = TypeVar("M", bound=Model)


class InProcess(Generic[M]):
    """The service and an SDK connected to it, both in the running event loop."""

    def __init__(self, service: Service, model: M, api: FastAPI, client: AsyncOpenAI) -> None:
        self.store, self.model, self.api, self.client = service.store, model, api, client
        self.worker, self.tool_calls = service.worker, service.tool_calls
        self.ingestion, self.searcher, self.queues = service.ingestion, service.searcher, service.queues

    async def attend(self, queue: str = WORK) -> None:
        """Receive the queue's next item, handle it, and delete it, as the Functions host does."""
        service = self.store.services[1]
        items = await service.receive(queue, 1, 600)
        assert items, f"the queue {queue} is empty"
        await self.queues[queue].handle(base64.b64decode(items[0].text))
        await service.delete(queue, items[0].receipt)


@asynccontextmanager
async def in_process(
    storage: Storage,
    model: M,
    embedder: Embedder | None = None,
    transport: MakeTransport = Transport,
    engine: Engine | None = None,
    /,
    **settings: str,
) -> AsyncIterator[InProcess[M]]:
    """The service with these settings, and no others; `transport` makes the transport of its requests to storage, and
    `engine` executes code instead of the configured engine.
    """
    store, api = open_store(storage, transport, **settings), create_api()
    api.state.loopback = True
    http = httpx2.AsyncClient(transport=httpx2.ASGITransport(app=api))
    client = AsyncOpenAI(base_url="http://localhost/v1", api_key="unused", max_retries=0, http_client=http)
    service = Service.over(store, model, embedder or NoEmbedder(), engine=engine)  # type: ignore[reportArgumentType]
    services._services[asyncio.get_running_loop()] = service
    try:
        yield InProcess(service, model, api, client)
    finally:
        await client.close()
        await services.close_service()
