"""An Assistants endpoint with answers set by tests, over real sockets."""

import asyncio
import threading
from collections import deque
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from typing import Any, Self

import uvicorn
from starlette.types import Receive, Scope, Send

from assistants.local.server import Server, base_url, bind

JSON, EVENTS = "application/json", "text/event-stream; charset=utf-8"


@dataclass
class Answer:
    """The answer to a request.

    Parameters
    ----------
    chunks
        The chunks of the body; `before_each` is awaited before all but the first.
    cut
        Whether the connection is dropped after them.
    silence
        Seconds before the first byte.
    """

    chunks: Iterable[bytes]
    status: int = 200
    media_type: str = JSON
    headers: Mapping[str, str] = field(default_factory=dict)
    cut: bool = False
    silence: float = 0
    before_each: threading.Event | None = None


@dataclass
class Asked:
    """A request with its body so far, and whether its client has disconnected."""

    method: str
    path: str
    query: str
    headers: Mapping[str, str]
    body: bytearray = field(default_factory=bytearray)
    abandoned: bool = False


class Upstream:
    """Answers the next requests with those of `first`, and all others with `answer`. A context manager that serves."""

    def __init__(self) -> None:
        self.answer = Answer([b"{}"])
        self.first: deque[Answer] = deque()
        self.asked: list[Asked] = []
        self._listener = bind("127.0.0.1", 0)
        config = uvicorn.Config(self._serve, interface="asgi3", access_log=False, log_config=None, lifespan="off")
        self._server = Server(config)
        self._thread = threading.Thread(target=lambda: asyncio.run(self._server.serve([self._listener])))
        self.url = base_url(self._listener)

    def __enter__(self) -> Self:
        self._thread.start()
        return self

    def __exit__(self, *_: object) -> None:
        self._server.should_exit = self._server.force_exit = True
        self._thread.join()

    def choose(self, asked: Asked) -> Answer:
        """The answer to this request."""
        return self.first.popleft() if self.first else self.answer

    async def _serve(self, scope: Scope, receive: Receive, send: Send) -> None:
        headers = {name.decode("latin-1"): value.decode("latin-1") for name, value in scope["headers"]}
        asked = Asked(scope["method"], scope["path"], scope["query_string"].decode("latin-1"), headers)
        self.asked.append(asked)
        message: Any = {"more_body": True}
        while message.get("more_body"):
            message = await receive()
            asked.body.extend(message.get("body", b""))
        answer = self.choose(asked)
        watch = asyncio.create_task(_watch(asked, receive))
        await asyncio.sleep(answer.silence)
        fields = {"content-type": answer.media_type, **answer.headers}
        encoded = [(name.encode(), value.encode()) for name, value in fields.items()]
        await send({"type": "http.response.start", "status": answer.status, "headers": encoded})
        for number, chunk in enumerate(answer.chunks):
            if number and answer.before_each:
                await asyncio.to_thread(answer.before_each.wait, 30)
            await send({"type": "http.response.body", "body": chunk, "more_body": True})
            await asyncio.sleep(0)
            if asked.abandoned:
                break
        if not answer.cut:
            await send({"type": "http.response.body", "body": b"", "more_body": False})
        watch.cancel()


async def _watch(asked: Asked, receive: Receive) -> None:
    while (await receive())["type"] != "http.disconnect":
        pass
    asked.abandoned = True
