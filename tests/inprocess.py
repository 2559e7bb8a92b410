"""The whole service in this process: the application over real storage, a scripted model, items attended by hand."""

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import Any, Generic, TypeVar

import httpx2
from azure.storage.queue import BinaryBase64DecodePolicy
from fastapi import FastAPI
from openai import AsyncOpenAI

from assistants.api import service as services
from assistants.api.app import create_api
from assistants.engine.attendance import Attendance
from assistants.engine.endpoint import Model
from assistants.engine.items import WORK
from assistants.ingestion.cutting import Cutter
from assistants.ingestion.ingestion import Ingestion
from assistants.ingestion.items import INGEST
from assistants.local.azurite import Storage
from assistants.search.embedder import Embedder, NoEmbedder
from assistants.search.searcher import Searcher
from assistants.state.store import Store
from tests.attending import open_store

M = TypeVar("M", bound=Model)


class InProcess(Generic[M]):
    """The service and the SDK that talks to it, both in the running event loop."""

    def __init__(self, store: Store, model: M, api: FastAPI, client: AsyncOpenAI, embedder: Embedder) -> None:
        self.store, self.model, self.api, self.client = store, model, api, client
        self.searcher, self.ingestion = Searcher(store, embedder), Ingestion(store, Cutter(embedder).cut)
        self.attendance = Attendance(store, model, self.searcher)

    async def attend(self, queue: str = WORK) -> None:
        """Receive the queue's next item, attend to it, and delete it, as the Functions host does."""
        client = self.store.services[1].get_queue_client(queue, message_decode_policy=BinaryBase64DecodePolicy())
        item: Any = await client.receive_message(visibility_timeout=600)
        assert item is not None, f"the queue {queue} is empty"
        handlers = {WORK: self.attendance.work, INGEST: self.ingestion.ingest}
        await handlers.get(queue, self.attendance.tool)(item.content)
        await client.delete_message(item.id, item.pop_receipt)


@asynccontextmanager
async def in_process(
    storage: Storage, model: M, embedder: Embedder | None = None, **settings: str
) -> AsyncIterator[InProcess[M]]:
    """The service with these settings, and no others."""
    store, api = open_store(storage, **settings), create_api()
    api.state.loopback = True
    http = httpx2.AsyncClient(transport=httpx2.ASGITransport(app=api))
    client = AsyncOpenAI(base_url="http://localhost/v1", api_key="unused", max_retries=0, http_client=http)
    running = InProcess(store, model, api, client, embedder or NoEmbedder())
    opened = services.Service(
        store,
        _NoEndpoint(),  # type: ignore[reportArgumentType]
        running.attendance,
        running.ingestion,
        running.searcher,
    )
    services._services[asyncio.get_running_loop()] = opened
    try:
        yield running
    finally:
        await client.close()
        await services.close_service()


class _NoEndpoint:
    async def close(self) -> None:
        """Nothing is open."""
