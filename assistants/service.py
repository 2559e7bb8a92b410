"""The composition root: the objects that answer requests and handle queue items, opened at the first use."""

import asyncio
import weakref
from collections.abc import Coroutine, Mapping
from dataclasses import dataclass, field
from typing import Any

import httpx2

from assistants.engine.items import WORK
from assistants.engine.toolcalls import ToolCalls
from assistants.engine.worker import Worker
from assistants.ingestion.cutting import Cutter
from assistants.ingestion.ingestion import Ingestion
from assistants.ingestion.items import INGEST
from assistants.ingestion.reading import Child, Reading, Start
from assistants.model.embedder import Embedder
from assistants.model.embedding import EndpointEmbedder
from assistants.model.endpoint import Endpoint
from assistants.notify.hub import Hub
from assistants.notify.items import WEBHOOKS
from assistants.notify.webhooks import Webhooks
from assistants.search.searcher import Searcher
from assistants.settings import Settings, settings
from assistants.state.store import Store
from assistants.telemetry.items import Handler, Traced
from assistants.tools.code_interpreter.engine import Engine
from assistants.tools.code_interpreter.interpreter import Interpreter
from assistants.tools.registry import QUEUES as TOOL_QUEUES

QUEUES = (WORK, *TOOL_QUEUES, INGEST)
"""All queues that the service listens to, whatever the settings."""


def queues(settings: Settings) -> tuple[str, ...]:
    """All queues that the service listens to; that of webhooks only if one is configured, as polling costs money."""
    return (*QUEUES, *((WEBHOOKS,) if settings.webhooks else ()))


@dataclass(frozen=True)
class Service:
    """The store, the model, the handlers of queue items, and the runs that this process drives in the background."""

    store: Store
    endpoint: Endpoint
    worker: Worker
    tool_calls: ToolCalls
    ingestion: Ingestion
    searcher: Searcher
    cutter: Cutter
    webhooks: Webhooks
    hub: Hub
    interpreter: Interpreter
    _tasks: set["asyncio.Task[None]"] = field(default_factory=set["asyncio.Task[None]"])

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
        # One for searches and one for ingestion: no search waits for the batches of a file.
        searching, ingesting = EndpointEmbedder(settings(), model), EndpointEmbedder(settings(), model)
        return cls.over(store, model, searching, ingesting)

    @classmethod
    def over(
        cls,
        store: Store,
        endpoint: Endpoint,
        embedder: Embedder,
        ingesting: Embedder | None = None,
        start: Start = Child.start,
        webhooks: httpx2.AsyncBaseTransport | None = None,
        engine: Engine | None = None,
    ) -> "Service":
        """The service over this store, with this model.

        Parameters
        ----------
        ingesting
            The embedder of files, if it differs from that of searches.
        start
            Starts a child that reads files.
        webhooks
            Sends requests to webhooks, instead of connections.
        engine
            Executes code, instead of the engine that the settings name.
        """
        interpreter = Interpreter(store.settings, engine)
        store.hosting.missing, store.hosting.end = interpreter.missing, interpreter.end
        searcher = Searcher(store, embedder)
        cutter = Cutter(ingesting or embedder, Reading(store.settings, start))
        return cls(
            store=store,
            endpoint=endpoint,
            worker=Worker(store, endpoint),
            tool_calls=ToolCalls(store, searcher, interpreter),
            ingestion=Ingestion(store, cutter.cut),
            searcher=searcher,
            cutter=cutter,
            webhooks=Webhooks(store, webhooks),
            hub=Hub(store),
            interpreter=interpreter,
        )

    @property
    def queues(self) -> Mapping[str, Handler]:
        """The handler of each queue."""
        tools = dict.fromkeys(TOOL_QUEUES, self.tool_calls)
        handlers = {WORK: self.worker, **tools, INGEST: self.ingestion, WEBHOOKS: self.webhooks}
        return {queue: Traced(queue, handler) for queue, handler in handlers.items()}

    def begin(self, work: Coroutine[Any, Any, None]) -> None:
        """Start a task that may outlast its request."""
        task = asyncio.create_task(work)
        self._tasks.add(task)
        task.add_done_callback(self._tasks.discard)

    async def close(self) -> None:
        """Release the runs in progress, end the child processes, and close all connections."""
        for task in self._tasks:
            task.cancel()
        await asyncio.gather(*self._tasks, return_exceptions=True)
        await self.interpreter.close()
        await self.cutter.close()
        await self.webhooks.close()
        await self.hub.close()
        await self.store.close()


_endpoints: "weakref.WeakKeyDictionary[asyncio.AbstractEventLoop, Endpoint]" = weakref.WeakKeyDictionary()
_services: "weakref.WeakKeyDictionary[asyncio.AbstractEventLoop, Service]" = weakref.WeakKeyDictionary()


def service() -> Service:
    """The service of the running event loop; its connections belong to that loop."""
    loop = asyncio.get_running_loop()
    if loop not in _services:
        _services[loop] = Service.open()
    return _services[loop]


def endpoint() -> Endpoint:
    """The model's endpoint, for the running event loop; it needs no storage."""
    loop = asyncio.get_running_loop()
    if loop not in _endpoints:
        _endpoints[loop] = Endpoint(settings())
    return _endpoints[loop]


async def close_service() -> None:
    """Close the running event loop's service and endpoint, if they were opened."""
    loop = asyncio.get_running_loop()
    if service := _services.pop(loop, None):
        await service.close()
    if endpoint := _endpoints.pop(loop, None):
        await endpoint.close()
