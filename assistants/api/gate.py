"""The gate around the application: request ids, keys, the version, the Azure flavours' paths, common headers, and
every error in OpenAI's format.
"""

import json
import logging
import os
import secrets
from types import ModuleType
from typing import TYPE_CHECKING
from urllib.parse import quote

from starlette.datastructures import Headers, MutableHeaders
from starlette.requests import ClientDisconnect
from starlette.responses import Response
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from assistants.api import azure, beta
from assistants.api.bodies import Body, Held
from assistants.api.exchange import Exchange
from assistants.api.health import is_health
from assistants.api.keys import project, token_in
from assistants.api.notifications import is_connection
from assistants.api.pages import is_page
from assistants.schema.errors import ApiError, GatewayError, access_denied, server_error, unavailable
from assistants.settings import settings
from assistants.storage.errors import TRANSIENT

if TYPE_CHECKING:
    from assistants.api.tokens import Tokens

log = logging.getLogger("assistants.api")


class Gate:
    """ASGI middleware, which checks first the key, then the api version or the beta header.

    It sets in `request.state`: the caller's `project`, the `request_id`, the `version` ("v1" or "v2"), `azure` (whether
    the flavour is Azure's), `agents` (whether it is Azure AI Agents'), the `deployment` of an Azure path, and the
    `body`, which is bounded. The application receives OpenAI's own paths only.
    """

    def __init__(self, app: ASGIApp) -> None:
        self._app = app
        self._held = Held()
        self._tokens = _tokens()

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] != "http":
            return await self._app(scope, receive, send)
        request_id, answering = f"req_{secrets.token_hex(16)}", False
        state = scope.setdefault("state", {})
        state["request_id"] = request_id
        exchange = Exchange(scope, request_id)
        body = state["body"] = Body(receive, Headers(scope=scope), settings().max_json_bytes, self._held)

        async def send_with_headers(message: Message) -> None:
            nonlocal answering
            if message["type"] == "http.response.start":
                answering, exchange.status = True, message["status"]
                headers = MutableHeaders(scope=message)
                # A forwarded answer has them already.
                headers.setdefault("x-request-id", request_id)
                headers.setdefault("openai-version", "2020-10-01")
                headers.setdefault("openai-organization", state.get("project", ""))
                headers.setdefault("openai-processing-ms", str(exchange.milliseconds))
                headers.setdefault("x-content-type-options", "nosniff")
                if body.rest_is_long:
                    headers["connection"] = "close"
            await send(message)

        take, answer = body.receive, send_with_headers
        agents = _agents() if azure.is_agents(scope["path"]) else None
        if agents:
            answer = agents.with_codes(answer)
        with exchange:
            try:
                if not _is_public(scope["path"]):
                    scope = await self._admitted(scope)
                if agents:
                    scope, take = await agents.translated(scope, take)
                exchange.scope = scope
                await self._app(scope, take, answer)
            except ClientDisconnect:
                log.info("%s: the client disconnected before its request was complete", request_id)
            except Exception as error:
                if answering:
                    raise
                await error_response(_answerable(error, request_id))(scope, take, answer)
            finally:
                body.close()

    async def _admitted(self, scope: Scope) -> Scope:
        """The request in the form that the routes receive.

        Raises
        ------
        ApiError
            It has no key and no token, no api version, or no acceptable beta header.
        """
        headers, state, path = Headers(scope=scope), scope["state"], scope["path"]
        state["deployment"] = None
        state["azure"], state["agents"] = azure.is_azure(path), azure.is_agents(path)
        state["project"] = await self._project(headers, _local(scope), state["azure"])
        scope = _as_json(scope, headers)
        if state["azure"]:
            target = azure.target(path, scope["query_string"].decode("latin-1"))
            path, query, state["version"], state["deployment"] = target
            return {**scope, "path": path, "raw_path": quote(path).encode(), "query_string": query.encode()}
        listed = ",".join(headers.getlist("openai-beta"))
        state["version"] = beta.version(listed, path, settings().require_beta_header)
        return scope

    async def _project(self, headers: Headers, local: bool, is_azure: bool) -> str:
        keys, tokens = settings().api_keys, self._tokens
        try:
            return project(headers, keys, local, tokens is not None)
        except ApiError as error:
            if tokens is None or (token := token_in(headers)) is None:
                if is_azure:
                    raise access_denied() if keys or tokens else GatewayError(401, error.message) from None
                raise
        try:
            return await tokens.project(token)
        except ApiError as error:
            if is_azure and error.status < 500:
                raise GatewayError(error.status, error.message) from None
            raise


def error_response(error: ApiError) -> Response:
    """The error in OpenAI's form: JSON, printed with indents."""
    return Response(
        json.dumps(error.body(), indent=2, ensure_ascii=False),
        error.status,
        error.headers,
        media_type="application/json",
    )


def _answerable(error: Exception, request_id: str) -> ApiError:
    if isinstance(error, ApiError):
        return error
    log.error("%s failed", request_id, exc_info=error)
    return unavailable() if isinstance(error, TRANSIENT) else server_error(request_id)


def _is_public(path: str) -> bool:
    """Whether a path needs no key."""
    return is_page(path) or is_health(path) or is_connection(path)


def _agents() -> ModuleType:
    """The flavour of Azure AI Agents, imported at its first request."""
    from assistants.api import agents

    return agents


def _tokens() -> "Tokens | None":
    """The access tokens that are accepted besides keys, imported only if they are configured."""
    if not settings().entra_tenant:
        return None
    from assistants.api.tokens import Tokens

    return Tokens(settings())


def _local(scope: Scope) -> bool:
    return bool(getattr(scope["app"].state, "loopback", False)) and "WEBSITE_INSTANCE_ID" not in os.environ


def _as_json(scope: Scope, headers: Headers) -> Scope:
    """The headers with JSON as the content type, unless it is a form's."""
    if headers.get("content-type", "").startswith("multipart/form-data"):
        return scope
    others = [(name, value) for name, value in scope["headers"] if name != b"content-type"]
    return {**scope, "headers": [*others, (b"content-type", b"application/json")]}
