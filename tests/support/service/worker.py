"""The app in the Functions host and Microsoft's Python worker."""

import asyncio
import importlib.util
import logging
from collections.abc import Mapping
from itertools import count
from types import ModuleType
from typing import Any

import fastapi
import httpx2
from azurefunctions.extensions.http.fastapi import RequestSynchronizer, WebApp

from tests.support.imports import ROOT


def load_function_app() -> ModuleType:
    """A function app for the caller alone: `get_functions()` may be called only once on each."""
    spec = importlib.util.spec_from_file_location("function_app", ROOT / "function_app.py")
    assert spec is not None
    assert spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


class Task(asyncio.Task[Any]):
    """The worker's tasks: each has the invocation of the task that started it (`ContextEnabledTask`)."""

    def __init__(self, coroutine: Any, **options: Any) -> None:
        super().__init__(coroutine, **options)
        self.invocation: str | None = getattr(asyncio.current_task(self.get_loop()), "invocation", None)


class Host(logging.Handler):
    """The host's log. It keeps log lines of an invocation only until the invocation has answered."""

    def __init__(self) -> None:
        super().__init__()
        self.kept: list[tuple[str, str]] = []
        self.dropped: list[tuple[str | None, str]] = []
        self.invoked: set[str] = set()

    def emit(self, record: logging.LogRecord) -> None:
        invocation = getattr(asyncio.current_task(), "invocation", None)
        line = record.getMessage()
        if invocation in self.invoked:
            self.kept.append((invocation, line))
        else:
            self.dropped.append((invocation, line))


def worker(
    function_app: ModuleType, route_params: Mapping[str, str] | None = None, host: Host | None = None
) -> httpx2.AsyncClient:
    """A client of the worker's own application, which passes every request to the handler and sends its result.

    The handler is called in a separate task, the invocation's, as by the worker.
    """
    asyncio.get_running_loop().set_task_factory(
        lambda loop, coroutine, **options: Task(coroutine, loop=loop, **options)
    )
    web, ids, invoked = WebApp(), count(1), host.invoked if host else set[str]()

    @web.route
    async def catch_all(request: fastapi.Request) -> fastapi.Response:
        RequestSynchronizer().sync_route_params(request, route_params or {})
        name = f"invocation {next(ids)}"

        async def invocation() -> fastapi.Response:
            asyncio.current_task().invocation = name  # type: ignore[reportOptionalMemberAccess, reportAttributeAccessIssue]
            invoked.add(name)
            try:
                return await function_app.delegate(request)
            finally:
                invoked.discard(name)

        # The worker starts an invocation from its own loop, not from the request.
        return await asyncio.create_task(invocation())

    return httpx2.AsyncClient(transport=httpx2.ASGITransport(app=web.get_app()), base_url="http://localhost")
