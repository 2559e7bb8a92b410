"""Requests and queue items as invocations of the Functions host, which drops log lines written after their answers."""

import asyncio
import logging
import sys
from collections.abc import Generator
from contextlib import contextmanager
from contextvars import ContextVar

from starlette.requests import Request
from starlette.responses import Response
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from assistants.telemetry import lines

_LIBRARIES = (
    "azure.core", "azure.identity", "azure.monitor", "azure.storage", "httpx2", "httpcore2", "openai", "opentelemetry",
)  # fmt: skip
_WORKERS = ("azure_functions_worker", "proxy_worker")
_INVOCATION_ID = "x-ms-invocation-id"

# The keys that the server puts into a scope. Other keys are of the routing of an outer application.
_SERVER_KEYS = (
    "type", "asgi", "http_version", "server", "client", "scheme", "method", "root_path", "path", "raw_path",
    "query_string", "headers", "extensions",
)  # fmt: skip


class _Invocation:
    """The state of an invocation, shared by all tasks that were started in it."""

    answered = False


_current: ContextVar[_Invocation | None] = ContextVar("invocation", default=None)


@contextmanager
def invocation() -> Generator[None]:
    """The invocation of a queue item, which is answered at the end of the block."""
    current = _Invocation()
    token = _current.set(current)
    try:
        yield
    finally:
        current.answered = True
        _current.reset(token)


class Invoked(Response):
    """The answer of an application that is called inside an invocation, and continues after it.

    The worker sends an answer when its invocation has ended. So the application runs in a task of the invocation, by
    which the worker assigns log lines, and holds back the first part of a stream until that can be sent.
    """

    def __init__(self, application: ASGIApp, request: Request) -> None:
        super().__init__()
        self._application, self._request = application, request
        self._invocation = _Invocation()
        self._held: list[Message] = []
        self._begun = asyncio.Event()
        self._send: asyncio.Future[Send] = asyncio.get_running_loop().create_future()
        self._task = asyncio.create_task(self._run())

    async def begun(self) -> None:
        """Wait for the first part of the body, or the application's end; raises the application's exception."""
        begun = asyncio.create_task(self._begun.wait())
        try:
            await asyncio.wait({begun, self._task}, return_when=asyncio.FIRST_COMPLETED)
        except asyncio.CancelledError:
            self._task.cancel()
            raise
        finally:
            begun.cancel()
            self._invocation.answered = True
        if self._task.done() and not self._held:
            self._task.result()

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:  # noqa: ARG002
        try:
            for message in self._held:
                await send(message)
            self._send.set_result(send)
            await self._task
        finally:
            self._task.cancel()

    async def _run(self) -> None:
        _current.set(self._invocation)
        _name_for_worker(self._request.headers.get(_INVOCATION_ID))
        ours = {key: self._request.scope[key] for key in _SERVER_KEYS if key in self._request.scope}
        await self._application({**ours, "state": {}}, self._request.receive, self._pass_on)

    async def _pass_on(self, message: Message) -> None:
        if not self._begun.is_set():
            self._held.append(message)
            if message["type"] != "http.response.body":
                return
            self._begun.set()
            if message.get("more_body"):
                await asyncio.shield(self._send)
            return
        await (await asyncio.shield(self._send))(message)


class _Late(logging.Handler):
    """Writes the lines that the host drops to standard error, which it keeps line by line."""

    def emit(self, record: logging.LogRecord) -> None:
        current = _current.get()
        if current is None or current.answered:
            sys.stderr.write(self.format(record).replace("\n", "\\n") + "\n")
            sys.stderr.flush()


def configure() -> None:
    """Configure logging for the worker; in any other process, only silence libraries.

    The worker sets the root logger to INFO, at which the libraries log each of their requests, with keys in addresses.
    """
    for name in _LIBRARIES:
        logging.getLogger(name).setLevel(logging.WARNING)
    if any(name in sys.modules for name in _WORKERS):
        keep_late_lines()
        for handler in logging.getLogger().handlers:
            handler.addFilter(lines.Ids())


def keep_late_lines() -> logging.Handler:
    """Add the handler of log lines that are written after their invocation, and return it."""
    handler = _Late()
    handler.addFilter(lines.Ids())
    handler.setFormatter(logging.Formatter("%(levelname)s %(name)s %(message)s"))
    logging.getLogger("assistants").addHandler(handler)
    return handler


def _name_for_worker(invocation_id: str | None) -> None:
    """Give the worker of Python 3.13 and later the invocation of log lines from callbacks and threads.

    It would assign them to the latest request; a variable of its runtime takes precedence.
    """
    runtime = sys.modules.get("azure_functions_runtime")
    variable: ContextVar[str | None] | None = getattr(runtime, "invocation_id_cv", None)
    if invocation_id and variable is not None:
        variable.set(invocation_id)
