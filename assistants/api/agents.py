"""The flavour of Azure AI Agents: translates its requests for the application, and the application's errors for it
(contract, 10.1).
"""

import json
from typing import Any, cast

from starlette.requests import ClientDisconnect
from starlette.types import Message, Receive, Scope, Send

from assistants.api.bodies import BodyRefused
from assistants.schema.agents import as_openai

Json = dict[str, Any]


async def translated(scope: Scope, receive: Receive) -> tuple[Scope, Receive]:
    """The request in OpenAI's form; a request without a JSON body is returned unchanged.

    Raises
    ------
    ApiError
        It uses a feature of Azure's alone, or its body is refused (400 or 413), or memory for bodies is short (503).
    """
    if scope["method"] != "POST" or (b"content-type", b"application/json") not in scope["headers"]:
        return scope, receive
    content = _translated(await _read(receive))
    headers = [
        (name, value) for name, value in scope["headers"] if name not in (b"content-length", b"transfer-encoding")
    ]
    messages: list[Message] = [{"type": "http.request", "body": content, "more_body": False}]

    async def receive_translated() -> Message:
        return messages.pop() if messages else await receive()

    return {**scope, "headers": [*headers, (b"content-length", str(len(content)).encode())]}, receive_translated


def with_codes(send: Send) -> Send:
    """A `send` that sets the `code` of every JSON error to a string: Azure's clients take it for the error's name."""
    start: Message = {}
    content = bytearray()

    async def send_with_code(message: Message) -> None:
        nonlocal start
        if message["type"] == "http.response.start" and message["status"] >= 400:
            start = message
        elif not start:
            await send(message)
        else:
            content.extend(message.get("body", b""))
            if not message.get("more_body", False):
                body = _coded(bytes(content))
                others = [(name, value) for name, value in start["headers"] if name.lower() != b"content-length"]
                await send({**start, "headers": [*others, (b"content-length", str(len(body)).encode())]})
                await send({**message, "body": body})

    return send_with_code


async def _read(receive: Receive) -> bytes:
    content = bytearray()
    while True:
        try:
            message = await receive()
        except BodyRefused as refused:
            raise refused.error from None
        if message["type"] == "http.disconnect":
            raise ClientDisconnect
        content.extend(message.get("body", b""))
        if not message.get("more_body", False):
            return bytes(content)


def _translated(content: bytes) -> bytes:
    try:
        body: object = json.loads(content)
    except (ValueError, RecursionError):
        return content
    return json.dumps(as_openai(cast("Json", body))).encode() if isinstance(body, dict) else content


def _coded(content: bytes) -> bytes:
    """The error with its type as the code if it has none."""
    try:
        body: object = json.loads(content)
    except (ValueError, RecursionError):
        return content
    match body:
        case {"error": {"code": None, "type": str(kind)}}:
            error = {**cast("Json", body)["error"], "code": kind}
            return json.dumps({"error": error}, indent=2, ensure_ascii=False).encode()
        case _:
            return content
