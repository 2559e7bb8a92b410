"""Version 1 of the API on v2's routes: requests and answers are translated around them (contract, 13)."""

import json
from collections.abc import AsyncIterable, AsyncIterator, Callable, Coroutine, Mapping
from typing import Any, cast

from fastapi import Request, Response
from fastapi.exceptions import RequestValidationError
from fastapi.routing import APIRoute
from pydantic import ValidationError
from starlette.responses import StreamingResponse
from starlette.types import Message

from assistants.api.parameters import Project, Store
from assistants.engine.requests import find_run
from assistants.schema import v1
from assistants.schema.base import RunId, ThreadId
from assistants.schema.errors import cannot_update
from assistants.state.store import RunKey

_REQUESTS: Mapping[str, type[v1.V1Request]] = {
    "assistants_create": v1.CreateAssistant,
    "assistants_modify": v1.ModifyAssistant,
    "threads_create": v1.CreateThread,
    "threads_create_and_run": v1.CreateThreadAndRun,
    "threads_modify": v1.ModifyThread,
    "messages_create": v1.CreateMessage,
    "runs_create": v1.CreateRun,
}
"""The models of requests, by the names of the routes. The requests of other routes are those of v2."""


class VersionedRoute(APIRoute):
    """A route of v2 that translates requests and answers of v1."""

    def get_route_handler(self) -> Callable[[Request], Coroutine[Any, Any, Response]]:
        handle, model = super().get_route_handler(), _REQUESTS.get(self.name)

        async def versioned(request: Request) -> Response:
            if request.state.version == "v2":
                return await handle(request)
            if model:
                request = _with_body(request, _translated(model, await request.body()))
            return response_as_v1(await handle(request))

        return versioned


def is_v1(request: Request) -> bool:
    """Whether the request is one of v1."""
    return request.state.version == "v1"


async def run_is_modifiable(
    request: Request, store: Store, project: Project, thread_id: ThreadId, run_id: RunId
) -> None:
    """
    Raises
    ------
    ApiError
        The request is v1's and the run is active (400), or there is no such run (404).
    """
    if is_v1(request):
        run = (await find_run(store, RunKey(project, thread_id, run_id))).value
        if run.active:
            raise cannot_update(run.status.value)


def response_as_v1(response: Response) -> Response:
    """A successful answer of v2, streamed or not, in the format of v1."""
    if isinstance(response, StreamingResponse):
        response.body_iterator = _events(response.body_iterator)
        return response
    content = json.dumps(v1.as_v1(json.loads(bytes(response.body))), ensure_ascii=False, separators=(",", ":"))
    headers = {name: value for name, value in response.headers.items() if name != "content-length"}
    return Response(content, response.status_code, headers, background=response.background)


def _translated(model: type[v1.V1Request], content: bytes) -> bytes:
    """The request's body in v2's form; v2 refuses a body that is no JSON object, or nested too deeply."""
    try:
        body: object = json.loads(content)
        if not isinstance(body, dict):
            return content
        try:
            return json.dumps(model.model_validate(body).v2()).encode()
        except ValidationError as error:
            found = [{**problem, "loc": ("body", *problem["loc"])} for problem in error.errors()]
            raise RequestValidationError(found, body=cast("dict[str, Any]", body)) from None
    except (ValueError, RecursionError):
        return content


def _with_body(request: Request, content: bytes) -> Request:
    messages: list[Message] = [{"type": "http.request", "body": content, "more_body": False}]

    async def receive() -> Message:
        return messages.pop() if messages else await request.receive()

    return Request(request.scope, receive)


async def _events(chunks: AsyncIterable[str | bytes | memoryview]) -> AsyncIterator[str]:
    """The events of a stream, translated; each chunk holds whole events (contract, 7)."""
    async for chunk in chunks:
        text = chunk if isinstance(chunk, str) else bytes(chunk).decode()
        yield "\n".join(_line(line) for line in text.split("\n"))


def _line(line: str) -> str:
    head, data, payload = line.partition("data: {")
    if head or not data:
        return line
    return "data: " + json.dumps(v1.as_v1(json.loads("{" + payload)), ensure_ascii=False, separators=(",", ":"))
