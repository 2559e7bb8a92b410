"""uvicorn, stopped by its caller instead of by signals."""

import asyncio
import contextlib
import socket
import sys
from collections.abc import AsyncGenerator, Generator
from typing import Any

import uvicorn

from assistants.local.protocol import Protocol


class Server(uvicorn.Server):
    """A uvicorn server that handles no signals."""

    @contextlib.contextmanager
    def capture_signals(self) -> Generator[None]:
        """Capture no signals."""
        yield


def bind(host: str, port: int) -> socket.socket:
    """A bound socket that does not listen yet; port 0 is any free one.

    Its protocol is given, as asyncio turns Nagle's algorithm off only for sockets that are declared TCP; uvicorn's own
    `bind_socket` does not declare it, and each answer's second packet then waits for 40 ms.

    Raises
    ------
    OSError
        The address is in use, or does not belong to this machine.
    """
    family, kind, proto, _, address = socket.getaddrinfo(host, port, type=socket.SOCK_STREAM)[0]
    listener = socket.socket(family, kind, proto)
    try:
        if sys.platform == "win32":
            listener.setsockopt(socket.SOL_SOCKET, socket.SO_EXCLUSIVEADDRUSE, 1)
        else:
            listener.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        listener.bind(address)
    except OSError as error:
        listener.close()
        raise OSError(f"Port {port} of {host} cannot be used: {error.strerror}") from error
    return listener


def base_url(listener: socket.socket) -> str:
    """The base URL for clients, with `/v1`."""
    host, port = listener.getsockname()[:2]
    return f"http://{f'[{host}]' if ':' in host else host}:{port}/v1"


async def started(server: Server, task: asyncio.Task[None]) -> bool:
    """Wait until the server answers; False if it has ended instead."""
    while not server.started and not task.done():
        await asyncio.sleep(0.01)
    return server.started


@contextlib.asynccontextmanager
async def serving(app: Any) -> AsyncGenerator[str]:
    """Serve an ASGI application on a free loopback port; yields its base URL, and disconnects clients at the end."""
    listener = bind("127.0.0.1", 0)
    server = Server(uvicorn.Config(app, access_log=False, log_config=None, lifespan="off", http=Protocol))
    task = asyncio.create_task(server.serve(sockets=[listener]))
    try:
        await started(server, task)
        yield base_url(listener)
    finally:
        server.should_exit = server.force_exit = True
        await task
