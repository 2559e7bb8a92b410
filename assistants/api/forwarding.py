"""The API's routes in a proxy: the upstream's answer is checked, deviations are reported, the answer is passed on."""

import asyncio
import inspect
import json
import re
from collections import defaultdict
from collections.abc import AsyncIterator, Callable, Coroutine, Mapping, Sequence
from functools import partial, update_wrapper
from typing import Any, NamedTuple, TypeVar, cast

import httpx2
from fastapi import APIRouter, Request, Response
from fastapi.exceptions import RequestValidationError
from fastapi.responses import HTMLResponse, JSONResponse
from fastapi.routing import APIRoute
from starlette.background import BackgroundTask
from starlette.datastructures import MutableHeaders
from starlette.exceptions import HTTPException

from assistants.api import policy
from assistants.api.bodies import streamed
from assistants.api.files import file_form
from assistants.api.health import Check as Probe
from assistants.api.models import ask_endpoint
from assistants.api.multipart import Form
from assistants.api.parameters import Service, Store
from assistants.api.uploads import part_form
from assistants.api.v1 import VersionedRoute, run_is_modifiable
from assistants.api.validation import translate
from assistants.proxy.deviations import Deviation, deviations, excerpt, loaded
from assistants.proxy.order import Begin
from assistants.proxy.report import Report
from assistants.proxy.upstream import NAME, Upstream
from assistants.proxy.watch import Add, Watch
from assistants.relay.answers import EVENTS, Relayed, events, failure, headers_of, media_type, read
from assistants.schema import v1
from assistants.schema.errors import ApiError, ErrorResponse, GatewayErrorResponse, malformed_json
from assistants.service import close_service
from assistants.settings import Settings

Check = Callable[[Request], Coroutine[Any, Any, Response]]
"""The handler of a route whose endpoint does nothing: it only checks the request."""

_BEGINS: Mapping[str, Begin] = {
    "threads_create_and_run": "thread",
    "runs_create": "run",
    "runs_submit_tool_outputs": "outputs",
}

_FORMS: Mapping[str, Callable[[Mapping[str, str]], Form[Any]]] = {
    "files_create": file_form,
    "uploads_add_part": part_form,
}
"""The forms of requests, by the names of the routes. The requests of other routes are JSON."""


class Call(NamedTuple):
    """The data of a route that forwarding needs."""

    name: str
    operation: str
    model: Any
    check: Check


class ForwardingRoute(VersionedRoute):
    """A route of the API whose requests go to the application's `Forwarding`."""

    def get_route_handler(self) -> Callable[[Request], Coroutine[Any, Any, Response]]:
        operation = f"{' '.join(sorted(self.methods or ()))} {self.path}"
        call = Call(self.name, operation, self.response_model, super().get_route_handler())

        async def forward(request: Request) -> Response:
            return await request.app.state.backend.forward(call, request)

        return forward


T = TypeVar("T")

MAX_CHECKED = 8 * 1024 * 1024
"""Bytes up to which a body or an event is checked; a longer one is a deviation by itself."""

_AT_ONCE = 64 * 1024

_COMMENTS = re.compile(rb"([\r\n]*(?::[^\r\n]*(?:\r\n|\r|\n))+)(?:\r\n|\r|\n)")
"""Server-sent comments, and the blank line behind them."""

router = APIRouter(include_in_schema=False)


class Forwarding:
    """The backend that forwards to another Assistants endpoint."""

    pages = (router,)

    def __init__(self, settings: Settings) -> None:
        self._settings = settings
        self._upstream = Upstream(settings)
        self._reports: defaultdict[str, Report] = defaultdict(partial(Report, self._upstream.address))

    def routers(self, routers: Sequence[APIRouter]) -> Sequence[APIRouter]:
        return [_forwarding(router) for router in routers]

    @property
    def checks(self) -> Mapping[str, Probe]:
        return {"upstream": self._upstream.reached}

    def report(self, project: str) -> Report:
        """The deviations in the calls of a project."""
        return self._reports[project]

    async def ask_model(self, request: Request) -> httpx2.Response:
        """The answer of the model's endpoint, or of the upstream if none is configured."""
        if self._settings.has_model:
            return await ask_endpoint(request)
        return await self._send(request, await request.body())

    async def close(self) -> None:
        await self._upstream.close()
        await close_service()

    async def forward(self, call: Call, request: Request) -> Response:
        """The upstream's answer to any request.

        A request that this service would refuse is a deviation only if the upstream accepts it.
        """
        report = self.report(request.state.project)
        report.calls += 1
        add: Add = partial(report.add, call.operation, request.scope["path"])
        form = _FORMS[call.name](request.headers) if call.name in _FORMS else None
        content = _seen(streamed(request, 0), form) if form else await request.body()
        try:
            answer = await self._send(request, content)
            if answer.is_success:
                await _check_request(call, request, form, add)
                if call.name in _BEGINS:
                    _check_kind(await request.body(), answer, add)
            if media_type(answer) == "application/json" and (call.model is not None or not answer.is_success):
                body = await read(answer, NAME)
                verification = self._verification(call, request, answer, body, add)
                return Response(body, answer.status_code, headers_of(answer), background=verification)
        except ApiError as error:
            if error.status >= 500:
                add(Deviation("response", "no answer", "", excerpt(error.message)))
            raise
        if media_type(answer) == EVENTS and answer.is_success and call.name in _BEGINS:
            found = list[Deviation]()
            watch = Watch(_BEGINS[call.name], request.state.version, found.append)
            return Relayed(answer, _reported(_events(answer, watch, report), found, add))
        if call.model is not None:
            add(Deviation(_part(answer), "not JSON", "content-type", excerpt(answer.headers.get("content-type"))))
        return Relayed(answer, _bytes(answer, add))

    async def _send(self, request: Request, content: bytes | AsyncIterator[bytes]) -> httpx2.Response:
        headers = MutableHeaders(request.headers)
        if request.state.azure:  # Azure has the version in the query
            headers["openai-beta"] = f"assistants={request.state.version}"
        path, query = request.scope["path"].removeprefix("/v1"), request.scope["query_string"]
        return await self._upstream.send(request.method, path, query, headers, content)

    def _verification(
        self, call: Call, request: Request, answer: httpx2.Response, body: bytes, add: Add
    ) -> BackgroundTask:
        """The checks of an answer, to be run once it has been read and sent."""

        def found() -> list[Deviation]:
            if answer.is_success:
                content = _restored(body) if request.state.version == "v1" else body
                return deviations("response", call.model, content)
            if self._upstream.is_azure and not deviations("error", GatewayErrorResponse, body):
                return []
            return deviations("error", ErrorResponse, body)

        async def verify() -> None:
            if answer.is_success and answer.status_code != 200:
                add(Deviation("response", "unknown value", "status", excerpt(answer.status_code)))
            if len(body) > MAX_CHECKED:
                add(Deviation(_part(answer), "too long", "the body", excerpt(len(body))))
                return
            for deviation in await _done(found, len(body)):
                add(deviation)

        return BackgroundTask(verify)


@router.get("/proxy/report")
async def proxy_report(request: Request) -> Response:
    """The deviations in the caller's project: JSON, or a page for clients that ask for HTML."""
    report: Report = request.app.state.backend.report(request.state.project)
    if "text/html" in request.headers.get("accept", ""):
        page = report.page()
        return HTMLResponse(page, headers=policy.headers(page))
    return JSONResponse(report.body(), headers=policy.headers())


def _forwarding(router: APIRouter) -> APIRouter:
    """A router with the same routes, which are described and check requests in the same way."""
    twin = APIRouter(route_class=ForwardingRoute)
    for route in router.routes:
        assert isinstance(route, APIRoute)
        twin.add_api_route(
            route.path,
            _idle(route.endpoint),
            methods=sorted(route.methods or ()),
            name=route.name,
            description=route.description,
            tags=route.tags,
            responses=route.responses,
            response_model=route.response_model,
            response_class=route.response_class,
            openapi_extra=route.openapi_extra,
            include_in_schema=route.include_in_schema,
            dependencies=[each for each in route.dependencies if each.dependency is not run_is_modifiable],
        )
    return twin


def _idle(endpoint: Callable[..., Any]) -> Callable[..., Any]:
    """An endpoint with the same request parameters that does nothing. A proxy has no service and no store."""

    async def accept(**_: Any) -> Response:
        return Response(b"{}")

    signature = inspect.signature(endpoint)
    asked = [each for each in signature.parameters.values() if each.annotation not in (Service, Store)]
    update_wrapper(accept, endpoint).__signature__ = signature.replace(parameters=asked)  # pyright: ignore[reportAttributeAccessIssue]
    return accept


async def _check_request(call: Call, request: Request, form: Form[Any] | None, add: Add) -> None:
    try:
        await call.check(request)
        if form:
            await form.result()
        return
    except RequestValidationError as error:
        refusal = translate(error.errors(), error.body)
    except ApiError as error:
        refusal = error
    except HTTPException:
        refusal = malformed_json()
    add(Deviation("request", refusal.code or "refused here", refusal.param or "", excerpt(refusal.message)))


def _check_kind(content: bytes, answer: httpx2.Response, add: Add) -> None:
    """Report a stream that was not requested, or a missing stream that was."""
    body = loaded(content)
    asked = isinstance(body, dict) and cast("dict[str, Any]", body).get("stream") is True
    if media_type(answer) in ("application/json", EVENTS) and asked != (media_type(answer) == EVENTS):
        add(Deviation("response", "wrong value", "content-type", excerpt(answer.headers["content-type"])))


async def _seen(chunks: AsyncIterator[bytes], form: Form[Any]) -> AsyncIterator[bytes]:
    """The chunks of a form, which is validated as they pass and not kept."""
    async for chunk in chunks:
        await form.feed(chunk)
        yield chunk


async def _events(answer: httpx2.Response, watch: Watch, report: Report) -> AsyncIterator[bytes]:
    """The events of a stream; one that breaks off gets an error and `done` at its end (contract, 7.5)."""
    flowing = _Comments()
    try:
        async for blocks in events(answer):
            yield b"".join(map(flowing, blocks))
            for block in blocks:
                if len(block) > MAX_CHECKED:
                    watch.skip(len(block))
                else:
                    report.events += await _done(partial(watch.see, block), len(block))
    except httpx2.TransportError as error:
        watch.cut(error)
        shown_error = json.dumps(failure(error, NAME).body()["error"])
        yield f"event: error\ndata: {shown_error}\n\nevent: done\ndata: [DONE]\n\n".encode()
    else:
        watch.end()


class _Comments:
    """Passes events on as they are, and comments without the blank lines that end them.

    Clients of Azure AI Agents take any text before a blank line for an event. For other clients the stream is the same.
    """

    def __init__(self) -> None:
        self._after_comments = False

    def __call__(self, block: bytes) -> bytes:
        if self._after_comments:
            block = block.lstrip(b"\r\n")
        comments = _COMMENTS.fullmatch(block)
        self._after_comments = comments is not None or (self._after_comments and not block)
        return comments[1] if comments else block


async def _reported(chunks: AsyncIterator[bytes], found: list[Deviation], add: Add) -> AsyncIterator[bytes]:
    """The chunks, and after each the report of deviations found meanwhile; one thread alone writes the report."""
    async for chunk in chunks:
        yield chunk
        while found:
            add(found.pop(0))
    for deviation in found:
        add(deviation)


async def _done(check: Callable[[], T], size: int) -> T:
    """The result of a check, run in a thread if the bytes are many, so that it does not hold up other streams."""
    return check() if size <= _AT_ONCE else await asyncio.to_thread(check)


async def _bytes(answer: httpx2.Response, add: Add) -> AsyncIterator[bytes]:
    """The bytes of an answer; if it breaks off, it breaks off for the client, too."""
    try:
        async for chunk in answer.aiter_bytes():
            yield chunk
    except httpx2.TransportError as error:
        add(Deviation(_part(answer), "cut", "the body broke off", excerpt(type(error).__name__)))
        raise


def _part(answer: httpx2.Response) -> str:
    return "response" if answer.is_success else "error"


def _restored(content: bytes) -> bytes:
    try:
        return json.dumps(v1.restored(json.loads(content))).encode()
    except (ValueError, RecursionError):
        return content
