"""The Azure surface: each route of the API is an HTTP function, each queue a queue function."""

# ruff: noqa: E402
import gc

gc.disable()  # until all modules are imported: a collection would find no garbage, and takes a quarter of a cold start

import importlib
import threading
from collections.abc import Awaitable, Callable

import azure.functions as func
import fastapi
from azurefunctions.extensions.http.fastapi import Request, Response, web
from fastapi.routing import APIRoute

from assistants.api import invocations
from assistants.api.app import PREFIX, ROUTERS, STORED, UNDESCRIBED, create_api
from assistants.api.models import router as models
from assistants.engine.retention import SCHEDULE, begin_retention
from assistants.schema.base import Deferred
from assistants.service import queues, service
from assistants.settings import settings
from assistants.telemetry import record

STORAGE = "AzureWebJobsStorage"
PAUSE = 0.2
"""Seconds of a start in which no other module is imported: the host asks for the functions, or the port is opened."""
METHODS = ["GET", "POST", "PUT", "PATCH", "DELETE", "HEAD", "OPTIONS"]

invocations.configure()
record.begin(settings())
api = create_api()
app = func.FunctionApp(http_auth_level=func.AuthLevel.ANONYMOUS)


class _Server(fastapi.FastAPI):
    """The application that the worker serves: without FastAPI's own pages, which would hide this service's."""

    def __init__(self) -> None:
        super().__init__(openapi_url=None)


web.FastAPI = _Server


async def delegate(req: Request) -> Response:
    """The handler of every HTTP function: it returns when the answer begins."""
    answer = invocations.Invoked(api, req)
    await answer.begun()
    return answer


def _publish(name: str, route: str, methods: list[str] | None = None) -> None:
    app.function_name(name)(app.route(route=route, methods=methods)(delegate))


_routers = (*ROUTERS, *UNDESCRIBED, *STORED, *((models,) if settings().pass_through else ()))
for _route in (route for router in _routers for route in router.routes):
    assert isinstance(_route, APIRoute)
    _publish(_route.name, f"{PREFIX}{_route.path}".lstrip("/"), sorted(_route.methods or ()))

# The Azure flavours: the gate rewrites their paths.
_publish("azure_agents", "api/projects/{*path}", METHODS)
_publish("azure_openai", "openai/{*path}", METHODS)
# The host takes the first match in the order of function names, and answers paths without a match with an empty 404.
# This last function serves the pages, too.
_publish("zz_unmatched", "{*path}", METHODS)


def _publish_queue(name: str, queue: str, handle: Callable[[bytes], Awaitable[None]]) -> None:
    @app.function_name(name)
    @app.queue_trigger(arg_name="item", queue_name=queue, connection=STORAGE)
    async def attend(item: func.QueueMessage) -> None:
        with invocations.invocation():
            await handle(item.get_body())


def _handle(queue: str) -> Callable[[bytes], Awaitable[None]]:
    return lambda content: service().queues[queue].handle(content)


def _give_up(queue: str) -> Callable[[bytes], Awaitable[None]]:
    return lambda content: service().queues[queue].give_up(content)


# A proxy has no storage, which the host needs to listen to queues.
if settings().backend == "blob":
    for _queue in queues(settings()):
        _publish_queue(_queue, _queue, _handle(_queue))
        _publish_queue(f"{_queue}_poison", f"{_queue}-poison", _give_up(_queue))

    @app.function_name("retention")
    @app.timer_trigger(arg_name="timer", schedule=SCHEDULE)
    async def _begin_retention(timer: func.TimerRequest) -> None:  # noqa: ARG001
        with invocations.invocation():
            await begin_retention(service().store)


def _prepare() -> None:
    """Import and build the parts that the first run needs and the first request does not."""
    try:
        importlib.import_module("assistants.model.client")
        Deferred.build()
    finally:
        # These objects stay until the end; a garbage collection that visited them would stop every stream meanwhile.
        gc.freeze()
        gc.enable()


_preparation = threading.Timer(PAUSE, _prepare)
_preparation.daemon = True
_preparation.start()
