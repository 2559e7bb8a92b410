"""The hub `/notificationhub` for clients of ASP.NET Core SignalR.

https://github.com/dotnet/aspnetcore/blob/main/src/SignalR/docs/specs/TransportProtocols.md

A client negotiates with its key and is redirected: to Azure SignalR Service, or with a token to the hub's own
connections. Such a connection is a stream of server-sent events, which any process can serve, as no state is kept
between its requests. Long polling is offered if there is only one process.
"""

import os
import secrets
import time
from collections.abc import AsyncIterator
from typing import Annotated, Any

from fastapi import APIRouter, Query, Request, Response
from starlette.responses import StreamingResponse

from assistants import service as services
from assistants.api.parameters import Project, Service
from assistants.notify.feed import POLL, Feed
from assistants.notify.hub import Hub, Listener, listener_of, token_for
from assistants.notify.polling import Connection
from assistants.notify.protocol import CLOSE, HANDSHAKE, HUB, PING, invocation
from assistants.schema.base import ThreadId
from assistants.schema.errors import ApiError

PATH = f"/{HUB}"
CONNECTION = f"{PATH}/client"

KEEP_ALIVE = 15.0
"""Seconds without a message after which a ping is sent; clients wait for twice as long."""

LONGEST = 300.0
"""Seconds after which a Function App ends a stream, as its host ends functions that take longer than ten minutes."""

router = APIRouter(include_in_schema=False)


def is_connection(path: str) -> bool:
    """Whether a path is one of the hub's own connections, which need a token instead of a key."""
    return path == CONNECTION or path.startswith(f"{CONNECTION}/")


@router.post(f"{PATH}/negotiate")
async def negotiate(
    request: Request, service: Service, project: Project, thread_id: Annotated[ThreadId | None, Query()] = None
) -> dict[str, str]:
    """Redirects a client, with a token for its project or for one of its threads."""
    if service.hub.azure is not None:
        return await service.hub.azure.negotiated(project, thread_id)
    _feed(service.hub)
    token = token_for(service.store.settings, Listener(project, thread_id))
    return {"url": f"{_base(request)}{CONNECTION}", "accessToken": token}


@router.post(f"{CONNECTION}/negotiate")
async def negotiate_connection(request: Request, service: Service) -> dict[str, Any]:
    """Names the transports that are available."""
    listener, token = _listener(request, service), secrets.token_hex(16)
    transports = ["ServerSentEvents"]
    if not _in_azure():
        transports.append("LongPolling")
        service.hub.polling.add(token, Connection(*listener))
    return {
        "negotiateVersion": 1,
        "connectionId": secrets.token_hex(8),
        "connectionToken": token,
        "availableTransports": [{"transport": each, "transferFormats": ["Text"]} for each in transports],
    }


@router.get(CONNECTION)
async def connect(
    request: Request, service: Service, token: Annotated[str, Query(alias="id", max_length=64)] = ""
) -> Response:
    """The stream of a connection, or one of its polls. Any handshake is accepted, as only one protocol exists."""
    feed = _feed(service.hub)
    headers = {"cache-control": "no-cache", "x-accel-buffering": "no"}
    if "text/event-stream" in request.headers.get("accept", ""):
        events = _events(feed, _listener(request, service))
        return StreamingResponse(events, media_type="text/event-stream", headers=headers)
    connection = service.hub.polling.get(token)
    if connection is None or _listener(request, service, late=True) != (connection.project, connection.thread):
        raise ApiError(404, "There is no such connection, or no longer.")
    return Response(await connection.poll(feed), media_type="text/plain", headers=headers)


@router.post(CONNECTION)
async def take(request: Request, service: Service) -> Response:
    """Accepts a client's handshake and pings, which need no answer."""
    _listener(request, service, late=True)
    return Response()


@router.delete(CONNECTION)
async def disconnect(
    request: Request, service: Service, token: Annotated[str, Query(alias="id", max_length=64)] = ""
) -> Response:
    """Ends a connection that uses long polling."""
    _listener(request, service, late=True)
    service.hub.polling.remove(token)
    return Response(status_code=202)


async def _events(feed: Feed, listener: Listener) -> AsyncIterator[bytes]:
    said = time.monotonic()
    ends = said + LONGEST
    cursor = await feed.end(listener.project)
    yield _framed(HANDSHAKE)
    while not _in_azure() or time.monotonic() < ends:
        states, after = await feed.after(listener.project, cursor)
        told = [state for state in states if listener.thread in (None, state["thread_id"])]
        if told:
            yield _framed("".join(map(invocation, told)))
        elif time.monotonic() - said >= KEEP_ALIVE:
            yield _framed(PING)
        if told or time.monotonic() - said >= KEEP_ALIVE:
            said = time.monotonic()
        if after == cursor:
            await feed.news(POLL)
        cursor = after
    yield _framed(CLOSE)


def _framed(records: str) -> bytes:
    return f"data: {records}\n\n".encode()


def _feed(hub: Hub) -> Feed:
    if hub.feed is None:
        raise ApiError(404, "Notifications are off. They need NOTIFICATIONS=true or SIGNALR_CONNECTION.")
    return hub.feed


def _in_azure() -> bool:
    return "WEBSITE_INSTANCE_ID" in os.environ


def _listener(request: Request, service: services.Service, late: bool = False) -> Listener:
    """The listener of the token in the header or, as browsers send it with a stream, in the query."""
    sent = request.headers.get("authorization", "").removeprefix("Bearer ")
    token = request.query_params.get("access_token") or sent
    listener = listener_of(service.store.settings, token, late)
    if listener is None:
        raise ApiError(401, "The connection's token is not valid, or no longer. Negotiate again.")
    return listener


def _base(request: Request) -> str:
    """The address by which the client has reached the service, in front of all proxies."""
    scheme = request.headers.get("x-forwarded-proto", request.url.scheme).partition(",")[0].strip()
    host = request.headers.get("x-forwarded-host", request.url.netloc).partition(",")[0].strip()
    if "WEBSITE_HOSTNAME" in os.environ and host.partition(":")[0] in ("localhost", "127.0.0.1"):
        return f"https://{os.environ['WEBSITE_HOSTNAME']}"  # behind the Functions host
    return f"{scheme}://{host}"
