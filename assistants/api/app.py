"""The application: every route, and every error in OpenAI's format."""

import warnings
from collections.abc import AsyncGenerator
from contextlib import asynccontextmanager

from fastapi import FastAPI, Request
from fastapi.exceptions import RequestValidationError
from pydantic.warnings import UnsupportedFieldAttributeWarning
from starlette.exceptions import HTTPException
from starlette.middleware.cors import CORSMiddleware
from starlette.responses import Response

from assistants.api import (
    assistants,
    backend,
    file_batches,
    files,
    health,
    messages,
    migration,
    models,
    pages,
    playground,
    runs,
    steps,
    threadruns,
    threads,
    uploads,
    v1files,
    vector_store_files,
    vector_stores,
)
from assistants.api.bodies import BodyRefused
from assistants.api.cors import cors
from assistants.api.gate import Gate, error_response
from assistants.api.validation import translate
from assistants.schema.errors import (
    ApiError,
    ErrorResponse,
    malformed_json,
    resource_not_found,
    unknown_url,
    wrong_method,
)
from assistants.settings import settings

# FastAPI ignores it while it makes a route; the validators of bodies are built later.
warnings.filterwarnings("ignore", category=UnsupportedFieldAttributeWarning)

PREFIX = "/v1"
_RESOURCES = (
    assistants, threadruns, threads, messages, runs, steps, files, uploads, vector_stores, vector_store_files,
    file_batches,
)  # fmt: skip
ROUTERS = tuple(resource.router for resource in _RESOURCES)
UNDESCRIBED = (v1files.router,)
"""Routes that are not in /openapi.json, which describes v2."""
STORED = (migration.router,)
"""Routes of this service's own state, which a proxy does not have."""


def create_api() -> FastAPI:
    """The application. With `api.state.loopback` set it accepts requests without a key if no key is configured."""
    api = FastAPI(
        title="Assistants API",
        version="2",
        redirect_slashes=False,
        openapi_url=None,
        docs_url=None,
        redoc_url=None,
        lifespan=_lifespan,
        generate_unique_id_function=lambda route: route.name,
        responses={"4XX": {"model": ErrorResponse}, "5XX": {"model": ErrorResponse}},
    )
    api.add_middleware(Gate)
    if origins := settings().cors_origins:
        api.add_middleware(CORSMiddleware, **cors(origins))
    api.state.backend = backend.chosen(settings())
    api.state.readiness = health.Readiness(api.state.backend.checks)
    for router in api.state.backend.routers((*ROUTERS, *UNDESCRIBED)):
        api.include_router(router, prefix=PREFIX)
    for router in STORED if settings().backend == "blob" else ():
        api.include_router(router, prefix=PREFIX)
    if settings().pass_through:
        api.include_router(models.router, prefix=PREFIX)
    for router in (*api.state.backend.pages, pages.router, health.router):
        api.include_router(router)
    if settings().playground:
        api.include_router(playground.router)
    api.add_exception_handler(ApiError, _api_error)
    api.add_exception_handler(RequestValidationError, _invalid_request)
    api.add_exception_handler(HTTPException, _http_error)
    return api


@asynccontextmanager
async def _lifespan(api: FastAPI) -> AsyncGenerator[None]:
    yield
    await api.state.backend.close()


async def _api_error(_: Request, error: Exception) -> Response:
    assert isinstance(error, ApiError)
    return error_response(error)


async def _invalid_request(_: Request, error: Exception) -> Response:
    assert isinstance(error, RequestValidationError)
    return error_response(translate(error.errors(), error.body))


async def _http_error(request: Request, error: Exception) -> Response:
    assert isinstance(error, HTTPException)
    if isinstance(error, BodyRefused):
        return error_response(error.error)
    found = {404: unknown_url, 405: wrong_method}.get(error.status_code)
    if found and getattr(request.state, "azure", False):
        return error_response(resource_not_found())
    return error_response(found(request.method, request.url.path) if found else malformed_json())
