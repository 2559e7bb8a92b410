"""The app as the Functions host and Microsoft's Python worker see and serve it."""

import importlib.util
from collections.abc import Mapping
from types import ModuleType

import fastapi
import httpx2
from azurefunctions.extensions.http.fastapi import RequestSynchronizer, WebApp

from tests.support.imports import ROOT


def load_function_app() -> ModuleType:
    """A function app of the caller's own: `get_functions()` may be called on each only once."""
    spec = importlib.util.spec_from_file_location("function_app", ROOT / "function_app.py")
    assert spec is not None
    assert spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


def worker(function_app: ModuleType, route_params: Mapping[str, str] | None = None) -> httpx2.AsyncClient:
    """A client of the worker's own application: it takes every request to the handler, and sends what that returns."""
    web = WebApp()

    @web.route
    async def catch_all(request: fastapi.Request) -> fastapi.Response:
        RequestSynchronizer().sync_route_params(request, route_params or {})
        return await function_app.delegate(request)

    return httpx2.AsyncClient(transport=httpx2.ASGITransport(app=web.get_app()), base_url="http://localhost")
