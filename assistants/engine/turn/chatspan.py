"""The span of a call of the model for a turn."""

import json
from collections.abc import Callable, Mapping, Sequence
from typing import Any, Self

from assistants.engine.turn.completion import Completion
from assistants.model.operation import Operation
from assistants.settings import Settings
from assistants.telemetry import record
from assistants.telemetry.names import CHUNK_TIME, FINISH_REASONS, FIRST_CHUNK, INPUT, OUTPUT, STREAM


class ChatSpan:
    """The span `chat` around the block. `on_chunk` is called for each chunk, and calls the function that is given."""

    def __init__(
        self,
        settings: Settings,
        body: Mapping[str, Any],
        completion: Completion,
        on_chunk: Callable[[Completion], None],
    ) -> None:
        self._body, self._completion, self._on_chunk = body, completion, on_chunk
        self._operation = Operation("chat", settings, body["model"])
        self._begun = False

    def on_chunk(self, completion: Completion) -> None:
        if not self._begun and completion.begun:
            self._begun = True
            seconds = self._operation.seconds
            self._operation.span.set({FIRST_CHUNK: seconds})
            self._operation.add(CHUNK_TIME, seconds)
        self._on_chunk(completion)

    def __enter__(self) -> Self:
        self._operation.__enter__()
        return self

    def __exit__(self, *exception: Any) -> None:
        said, operation = self._completion, self._operation
        if record.is_on():
            operation.span.set({STREAM: True, FINISH_REASONS: [said.finish] if said.finish else None})
            if said.usage:
                operation.used(said.usage.prompt_tokens, said.usage.completion_tokens)
            if said.trouble is not None:
                operation.fail(type(said.trouble).__name__)
        if record.with_contents():
            operation.span.set({INPUT: _json(self._body["messages"]), OUTPUT: _json([_answer(said)])})
        operation.__exit__(*exception)


def _answer(said: Completion) -> dict[str, Any]:
    calls = [
        {"id": call.id, "function": {"name": call.name, "arguments": "".join(call.arguments)}} for call in said.calls
    ]
    return {"role": "assistant", "content": "".join(said.texts), "tool_calls": calls, "finish": said.finish}


def _json(messages: Sequence[Mapping[str, Any]]) -> str:
    """Messages of chat completions in the form of the semantic conventions; of an image only the type."""
    return json.dumps([_message(each) for each in messages], ensure_ascii=False)


def _message(message: Mapping[str, Any]) -> dict[str, Any]:
    content: Any = message.get("content") or []
    if message["role"] == "tool":
        parts = [{"type": "tool_call_response", "id": message.get("tool_call_id"), "response": content}]
    else:
        listed: list[Any] = [{"type": "text", "text": content}] if isinstance(content, str) else content
        parts = [
            {"type": "text", "content": part["text"]} if part["type"] == "text" else {"type": part["type"]}
            for part in listed
        ]
    for call in message.get("tool_calls") or ():
        parts.append({"type": "tool_call", "id": call.get("id"), **call["function"]})
    finish = {"finish_reason": message["finish"]} if message.get("finish") else {}
    return {"role": message["role"], "parts": parts, **finish}
