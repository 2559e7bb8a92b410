"""A scripted answer of the demo model, and its form as a chat completion."""

import json
import math
import re
import secrets
import time
from typing import Any

from pydantic import BaseModel, ConfigDict

Json = dict[str, Any]

_FRAGMENTS = 4


class Call(BaseModel):
    """A tool call of a scripted reply; arguments that are no string are sent as JSON."""

    model_config = ConfigDict(extra="forbid")

    id: str | None = None
    name: str
    arguments: Any = "{}"


class Reply(BaseModel):
    """One scripted answer."""

    model_config = ConfigDict(extra="forbid")

    match: str | None = None
    """Must occur in the JSON of the request's messages."""
    times: int = 1
    """The number of requests that it answers; -1: all."""
    chance: float = 1
    """The fraction of the matching requests that it answers, chosen at random."""
    text: str | None = None
    chunks: list[str] | None = None
    """The pieces of the text; by default one per word."""
    tool_calls: list[Call] = []
    refusal: str | None = None
    finish_reason: str | None = None
    usage: Json | None = None
    """The usage; by default an estimate, an explicit null reports none."""
    delay: float = 0
    """Seconds before the first byte."""
    chunk_delay: float = 0
    """Seconds between chunks."""
    status: int = 200
    error: Json | str = "scripted error"
    """The `error` object of an answer other than 200; a string becomes its message."""
    headers: dict[str, str] = {}
    cut_after: int | None = None
    """The number of chunks after which the connection is dropped."""
    raw: str | None = None
    """A body, sent unchanged."""


class Completion:
    """A reply as a chat completion, whole or in chunks."""

    def __init__(self, reply: Reply, body: Json) -> None:
        self._reply = reply
        self._body = body
        self._head: Json = {
            "id": f"chatcmpl-{secrets.token_hex(12)}",
            "created": int(time.time()),
            "model": body.get("model", "demo"),
        }
        self._calls: list[Json] = [
            {
                "id": call.id or f"call_{secrets.token_hex(12)}",
                "type": "function",
                "function": {
                    "name": call.name,
                    "arguments": call.arguments if isinstance(call.arguments, str) else json.dumps(call.arguments),
                },
            }
            for call in reply.tool_calls
        ]
        self._text = "".join(reply.chunks) if reply.chunks is not None else reply.text
        self._finish = reply.finish_reason or ("tool_calls" if self._calls else "stop")

    def whole(self) -> Json:
        """The body of an answer that is not streamed."""
        message: Json = {"role": "assistant", "content": self._text, "refusal": self._reply.refusal}
        if self._calls:
            message["tool_calls"] = self._calls
        choice = {"index": 0, "message": message, "finish_reason": self._finish, "logprobs": None}
        usage = self._usage()
        return {**self._head, "object": "chat.completion", "choices": [choice]} | ({"usage": usage} if usage else {})

    def events(self) -> list[str]:
        """The server-sent events of a streamed answer."""
        options: Json = self._body.get("stream_options") or {}
        with_usage = bool(options.get("include_usage"))
        head = {**self._head, "object": "chat.completion.chunk"} | ({"usage": None} if with_usage else {})

        def choices(delta: Json, finish: str | None = None) -> Json:
            return {**head, "choices": [{"index": 0, "delta": delta, "finish_reason": finish, "logprobs": None}]}

        chunks = [choices({"role": "assistant", "content": None if self._text is None else ""})]
        pieces = self._reply.chunks if self._reply.chunks is not None else re.findall(r"\s*\S+|\s+$", self._text or "")
        chunks += [choices({"content": piece}) for piece in pieces]
        chunks += [choices({"refusal": piece}) for piece in re.findall(r"\s*\S+", self._reply.refusal or "")]
        for index, call in enumerate(self._calls):
            function = call["function"]
            opening = {**call, "index": index, "function": {"name": function["name"], "arguments": ""}}
            chunks.append(choices({"tool_calls": [opening]}))
            for fragment in _fragments(function["arguments"]):
                chunks.append(choices({"tool_calls": [{"index": index, "function": {"arguments": fragment}}]}))
        chunks.append(choices({}, self._finish))
        if with_usage and (usage := self._usage()):
            chunks.append({**head, "choices": [], "usage": usage})
        return [f"data: {json.dumps(chunk)}\n\n" for chunk in chunks] + ["data: [DONE]\n\n"]

    def _usage(self) -> Json | None:
        if "usage" in self._reply.model_fields_set:
            return self._reply.usage
        said = (self._text or "") + (self._reply.refusal or "") + (json.dumps(self._calls) if self._calls else "")
        prompt, completion = _tokens(messages_json(self._body)), _tokens(said)
        return {"prompt_tokens": prompt, "completion_tokens": completion, "total_tokens": prompt + completion}


def _tokens(text: str) -> int:
    return math.ceil(len(text) / 4)


def _fragments(text: str) -> list[str]:
    size = math.ceil(len(text) / _FRAGMENTS) or 1
    return [text[start : start + size] for start in range(0, len(text), size)]


def messages_json(body: Json) -> str:
    """A request's messages as the text that `Reply.match` is searched in."""
    return json.dumps(body.get("messages", []), ensure_ascii=False)
