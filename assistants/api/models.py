"""Other routes of OpenAI's API: models, chat completions, embeddings and responses go to the model's endpoint.

Their requests are not checked, and /openapi.json does not describe them: the endpoint's own description holds.
"""

import json
from collections.abc import AsyncIterator, Mapping
from typing import Any, cast

import httpx2
from fastapi import APIRouter, Request, Response

from assistants.relay.answers import EVENTS, Relayed, answered, events, failure, media_type, target
from assistants.schema.errors import malformed_json, stored_responses, unusable
from assistants.service import endpoint
from assistants.settings import settings

NAME = "The model's endpoint"

_ROUTES = {
    "chat_create": "POST /chat/completions",
    "embeddings_create": "POST /embeddings",
    "models_list": "GET /models",
    "models_retrieve": "GET /models/{model}",
    "responses_cancel": "POST /responses/{response_id}/cancel",
    "responses_create": "POST /responses",
    "responses_delete": "DELETE /responses/{response_id}",
    "responses_input_items": "GET /responses/{response_id}/input_items",
    "responses_retrieve": "GET /responses/{response_id}",
}

router = APIRouter(include_in_schema=False)


async def pass_on(request: Request) -> Response:
    """The endpoint's answer, unchanged: an error, a stream, or any other."""
    answer: httpx2.Response = await request.app.state.backend.ask_model(request)
    return Relayed(answer, _events(answer) if media_type(answer) == EVENTS else answer.aiter_bytes())


for _name, _operation in _ROUTES.items():
    _method, _, _path = _operation.partition(" ")
    router.add_api_route(_path, pass_on, methods=[_method], name=_name)


async def ask_endpoint(request: Request) -> httpx2.Response:
    """Ask the configured endpoint, which has names of its own for models.

    Raises
    ------
    ApiError
        The body cannot be sent on as JSON (400); the endpoint does not answer (502), or not in time (504), or its
        answer cannot be passed on (502); or the request uses stored responses while projects share the endpoint (403).
    """
    path, body = request.scope["path"].removeprefix("/v1"), await _body(request)
    if len(settings().projects) > 1 and path.startswith("/responses"):
        refuse_stored(request.path_params, body)
    if model := request.path_params.get("model"):
        path = path.removesuffix(model) + settings().endpoint_model(model)
    sent = endpoint().send(request.method, target(request.method, path), _query(request), body)
    try:
        answer = await answered(sent, NAME, settings().secrets)
    except (ValueError, RecursionError):  # a lone surrogate, an infinite number: Python reads more than JSON allows
        raise malformed_json() from None
    if answer.is_redirect:
        await answer.aclose()
        raise unusable(NAME, "it is a redirect, which is not followed")
    return answer


def refuse_stored(path_params: Mapping[str, str], body: object) -> None:
    """Check that a request for a response uses no stored response.

    Raises
    ------
    ApiError
        It uses one, which may be another project's (403).
    """
    if "response_id" in path_params:
        raise stored_responses(None)
    fields = cast("dict[str, Any]", body) if isinstance(body, dict) else {}
    for name in ("previous_response_id", "conversation"):
        if fields.get(name) is not None:
            raise stored_responses(name)
    items = cast("list[Any]", fields["input"]) if isinstance(fields.get("input"), list) else []
    for number, item in enumerate(items):
        match item:
            case {"id": _, "type": None | "item_reference"}:
                raise stored_responses(f"input[{number}]")
            case {"id": _} if "type" not in item and "content" not in item:
                raise stored_responses(f"input[{number}]")
            case _:
                pass


async def _body(request: Request) -> object | None:
    content = await request.body()
    if not content:
        return None
    try:
        body: object = json.loads(content)
    except (ValueError, RecursionError):
        raise malformed_json() from None
    if not isinstance(body, dict):
        return body
    fields = cast("dict[str, Any]", body)
    model: object = fields.get("model", request.state.deployment)
    return {**fields, "model": settings().endpoint_model(model)} if isinstance(model, str) else fields


def _query(request: Request) -> dict[str, object]:
    """The query in the form of the endpoint's client: lists without the brackets that the client adds."""
    found: dict[str, object] = {}
    for name in request.query_params:
        values = request.query_params.getlist(name)
        found[name.removesuffix("[]")] = values if name.endswith("[]") else values[-1]
    return found


async def _events(answer: httpx2.Response) -> AsyncIterator[bytes]:
    """The events of a stream; one that breaks off gets an error at its end that the SDK raises."""
    try:
        async for blocks in events(answer):
            yield b"".join(blocks)
    except httpx2.TransportError as error:
        yield f"data: {json.dumps(failure(error, NAME).body())}\n\n".encode()
