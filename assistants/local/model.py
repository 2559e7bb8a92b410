"""A demo model: an OpenAI-compatible endpoint without a language model, which tests can script.

Without a script it calls the offered functions that the user's text names, quotes the tool results it receives (of a
search, the best passage), or echoes the text. Python in a fenced block of the text goes to the code interpreter.

    POST /v1/chat/completions, POST /v1/embeddings, GET /v1/models    as OpenAI
    POST   /script      a JSON list of `Reply` objects, used in order by the requests that they match; embeddings use
                            those with a `match` and an error `status`
    DELETE /script      deletes replies and requests
    GET    /requests    the requests: [{"path", "headers", "body", "disconnected"}]; `?match=` filters by messages
"""

import argparse
import asyncio
import itertools
import json
import os
import random
from collections import deque
from collections.abc import Callable, Mapping
from contextlib import AsyncExitStack
from typing import Any, Final

import uvicorn
from pydantic import TypeAdapter, ValidationError
from starlette.applications import Starlette
from starlette.requests import Request
from starlette.responses import JSONResponse, Response
from starlette.routing import Route
from starlette.types import Receive, Scope, Send

from assistants.local import environment
from assistants.local.demo import respond
from assistants.local.embedding import embeddings
from assistants.local.reply import Completion, Json, Reply, messages_json
from assistants.local.server import base_url, bind, serving

MAX_REPLIES = 1000
MAX_REQUESTS = 500

_SECRET_HEADERS = {"authorization", "api-key"}


class _State:
    def __init__(self) -> None:
        self.replies: list[Reply] = []
        self.requests: deque[Json] = deque(maxlen=MAX_REQUESTS)

    def reply_to(self, body: Json) -> Reply:
        text = messages_json(body)
        return self._scripted(lambda reply: reply.match is None or reply.match in text) or respond(body)

    def refusal_of(self, body: Json) -> Reply | None:
        """The scripted error for a request of embeddings."""
        text = json.dumps(body)
        return self._scripted(lambda reply: reply.status != 200 and reply.match is not None and reply.match in text)

    def record(self, request: Request, body: Json) -> Json:
        headers = {name: value for name, value in request.headers.items() if name not in _SECRET_HEADERS}
        record: Json = {"path": request.url.path, "headers": headers, "body": body, "disconnected": False}
        self.requests.append(record)
        return record

    def _scripted(self, matches: Callable[[Reply], bool]) -> Reply | None:
        reply = next((reply for reply in self.replies if matches(reply) and random.random() < reply.chance), None)
        if reply is not None:
            reply.times -= 1
            if reply.times == 0:
                self.replies.remove(reply)
        return reply


async def model_or_demo(stack: AsyncExitStack) -> str | None:
    """Serve the demo model and set its URL in the environment, unless a model is configured; return a note on it."""
    if environment.has_model():
        return None
    os.environ["OPENAI_BASE_URL"] = await stack.enter_async_context(serving(demo_model()))
    os.environ["OPENAI_API_KEY"] = "demo"
    return (
        "Model: the demo model, which echoes and calls the functions you name. For a real one set OPENAI_API_KEY, "
        "OPENAI_BASE_URL or AZURE_OPENAI_ENDPOINT."
    )


def demo_model() -> Starlette:
    """The demo model as an ASGI application, with a script of its own."""
    state = _State()

    async def complete(request: Request) -> Response:
        body = await request.json()
        return _Answer(state.reply_to(body), body, state.record(request, body))

    async def embed(request: Request) -> Response:
        body = await request.json()
        record = state.record(request, body)
        if refusal := state.refusal_of(body):
            return _Answer(refusal, body, record)
        return JSONResponse(await asyncio.to_thread(embeddings, body))

    async def models(_: Request) -> Response:
        return JSONResponse(
            {"object": "list", "data": [{"id": "demo", "object": "model", "created": 0, "owned_by": "local"}]}
        )

    async def script(request: Request) -> Response:
        try:
            replies = TypeAdapter(list[Reply]).validate_json(await request.body())
        except ValidationError as error:
            return JSONResponse({"error": str(error)}, 400)
        if len(state.replies) + len(replies) > MAX_REPLIES:
            return JSONResponse({"error": f"more than {MAX_REPLIES} replies"}, 400)
        state.replies += replies
        return Response(status_code=204)

    async def forget(_: Request) -> Response:
        state.replies.clear()
        state.requests.clear()
        return Response(status_code=204)

    async def requests(request: Request) -> Response:
        match = request.query_params.get("match", "")
        return JSONResponse([record for record in state.requests if match in messages_json(record["body"])])

    return Starlette(
        routes=[
            Route("/v1/chat/completions", complete, methods=["POST"]),
            Route("/openai/v1/chat/completions", complete, methods=["POST"]),
            Route("/openai/deployments/{deployment}/chat/completions", complete, methods=["POST"]),
            Route("/v1/embeddings", embed, methods=["POST"]),
            Route("/openai/v1/embeddings", embed, methods=["POST"]),
            Route("/openai/deployments/{deployment}/embeddings", embed, methods=["POST"]),
            Route("/v1/models", models),
            Route("/script", script, methods=["POST"]),
            Route("/script", forget, methods=["DELETE"]),
            Route("/requests", requests),
        ]
    )


class _Disconnected(Exception):
    pass


class _Answer(Response):
    """Sends a reply, streamed or not, and records whether the client disconnects before its end."""

    def __init__(self, reply: Reply, body: Json, record: Json) -> None:
        super().__init__()
        self._reply: Final = reply
        self._record: Final = record
        self._completion: Final = Completion(reply, body)
        self._streamed: Final = bool(body.get("stream"))

    async def __call__(self, _: Scope, receive: Receive, send: Send) -> None:
        gone = asyncio.Event()
        watch = asyncio.create_task(_watch(receive, gone))
        try:
            await self._send(send, gone)
        except _Disconnected:
            self._record["disconnected"] = True
        finally:
            watch.cancel()

    async def _send(self, send: Send, gone: asyncio.Event) -> None:
        reply = self._reply
        await _pause(reply.delay, gone)
        if reply.status != 200:
            error: Any = (
                {"message": reply.error} if isinstance(reply.error, str) else reply.error or {"message": "error"}
            )
            await _start(send, reply.status, "application/json", reply.headers)
            await _chunk(send, json.dumps({"error": error} if "error" not in error else error), last=True)
            return
        if reply.raw is not None:
            chunks = [reply.raw]
        elif self._streamed:
            chunks = self._completion.events()
        else:
            chunks = [json.dumps(self._completion.whole())]
        await _start(send, 200, "text/event-stream" if self._streamed else "application/json", reply.headers)
        for chunk in itertools.islice(chunks, reply.cut_after):
            if gone.is_set():
                raise _Disconnected
            await _chunk(send, chunk)
            await _pause(reply.chunk_delay, gone)
        if reply.cut_after is None:  # otherwise the server drops the connection, as the body is incomplete
            await _chunk(send, "", last=True)


async def _watch(receive: Receive, gone: asyncio.Event) -> None:
    while (await receive())["type"] != "http.disconnect":
        pass
    gone.set()


async def _pause(delay: float, gone: asyncio.Event) -> None:
    if delay:
        try:
            await asyncio.wait_for(gone.wait(), delay)
        except TimeoutError:
            return
        raise _Disconnected


async def _start(send: Send, status: int, media_type: str, headers: Mapping[str, str]) -> None:
    fields = {"content-type": media_type} | {name.lower(): value for name, value in headers.items()}
    encoded = [(name.encode("latin-1"), value.encode("latin-1")) for name, value in fields.items()]
    await send({"type": "http.response.start", "status": status, "headers": encoded})


async def _chunk(send: Send, text: str, last: bool = False) -> None:
    await send({"type": "http.response.body", "body": text.encode(), "more_body": not last})
    await asyncio.sleep(0)


def main() -> None:
    """`python -m assistants.local.model --port N`."""
    parser = argparse.ArgumentParser(prog="python -m assistants.local.model", description="The demo model alone.")
    parser.add_argument("--port", type=int, default=0, help="default: any free one")
    config = uvicorn.Config(demo_model(), access_log=False, log_level="warning")
    listener = bind("127.0.0.1", parser.parse_args().port)
    print(f"Listening on {base_url(listener)}", flush=True)
    uvicorn.Server(config).run(sockets=[listener])


if __name__ == "__main__":
    main()
