"""What a process needs to answer requests and attend to queue items, opened on first use."""

import asyncio
import weakref
from collections.abc import Coroutine
from dataclasses import dataclass, field
from typing import Any

from assistants.engine.attendance import Attendance
from assistants.ingestion.cutting import Cutter
from assistants.ingestion.ingestion import Ingestion
from assistants.ingestion.reading import Child, Reading, Start
from assistants.model.embedder import Embedder
from assistants.model.embedding import EndpointEmbedder
from assistants.model.endpoint import Endpoint
from assistants.search.searcher import Searcher
from assistants.settings import settings
from assistants.state.store import Store


@dataclass(frozen=True)
class Service:
    """The store and the engine, as the settings have them, and the runs that streams of this process drive."""

    store: Store
    endpoint: Endpoint
    attendance: Attendance
    ingestion: Ingestion
    searcher: Searcher
    cutter: Cutter
    _streams: set["asyncio.Task[None]"] = field(default_factory=set["asyncio.Task[None]"])

    @classmethod
    def open(cls) -> "Service":
        """
        Raises
        ------
        NotConfigured
            The settings name no storage account.
        pydantic.ValidationError
            A setting is out of its range.
        """
        store, model = Store.open(settings()), endpoint()
        return cls.over(store, model, EndpointEmbedder(settings(), model))

    @classmethod
    def over(cls, store: Store, endpoint: Endpoint, embedder: Embedder, start: Start = Child.start) -> "Service":
        """What serves from this store, with this model; `start` is how children that read files begin."""
        searcher = Searcher(store, embedder)
        attendance, cutter = Attendance(store, endpoint, searcher), Cutter(embedder, Reading(store.settings, start))
        return cls(store, endpoint, attendance, Ingestion(store, cutter.cut), searcher, cutter)

    def begin(self, work: Coroutine[Any, Any, None]) -> None:
        """Do something that outlives the request which began it."""
        task = asyncio.create_task(work)
        self._streams.add(task)
        task.add_done_callback(self._streams.discard)

    async def close(self) -> None:
        """Let go of the runs in progress, end the children, and close all connections."""
        for task in self._streams:
            task.cancel()
        await asyncio.gather(*self._streams, return_exceptions=True)
        await self.cutter.close()
        await self.store.close()


_endpoints: "weakref.WeakKeyDictionary[asyncio.AbstractEventLoop, Endpoint]" = weakref.WeakKeyDictionary()
_services: "weakref.WeakKeyDictionary[asyncio.AbstractEventLoop, Service]" = weakref.WeakKeyDictionary()


def service() -> Service:
    """The service of the running event loop; its connections belong to that loop."""
    loop = asyncio.get_running_loop()
    if loop not in _services:
        _services[loop] = Service.open()
    return _services[loop]


async def store_on_time() -> Store:
    """The store, for a route that makes something before it has read anything.

    The first thing that a process makes would otherwise have the time of the machine's own clock, and an id by it.
    """
    store = service().store
    await store.hear_time()
    return store


def endpoint() -> Endpoint:
    """The model's endpoint, for the running event loop; it needs no storage."""
    loop = asyncio.get_running_loop()
    if loop not in _endpoints:
        _endpoints[loop] = Endpoint(settings())
    return _endpoints[loop]


async def close_service() -> None:
    """Close the running event loop's service and endpoint, if they were ever used."""
    loop = asyncio.get_running_loop()
    if service := _services.pop(loop, None):
        await service.close()
    if endpoint := _endpoints.pop(loop, None):
        await endpoint.close()
