"""What the model says, accumulated from its stream, and what went wrong with it."""

from collections.abc import AsyncIterator, Callable
from dataclasses import dataclass, field
from typing import Any, cast

import openai
from openai.types.chat import ChatCompletionChunk

from assistants.engine.machine import MAX_TOOL_CALLS
from assistants.schema.runs import LastError, Usage
from assistants.state.runs import Finish

MAX_TEXT = 600_000
"""Characters of one turn's text and arguments; a model that goes on is cut off. So many fit one record of a log."""


@dataclass
class PartialCall:
    """A tool call as far as the model has spelled it out."""

    index: int | None = None
    id: str = ""
    name: str = ""
    arguments: list[str] = field(default_factory=list[str])


@dataclass
class Completion:
    """What a call of the model has brought so far."""

    texts: list[str] = field(default_factory=list[str])
    refusals: list[str] = field(default_factory=list[str])
    calls: list[PartialCall] = field(default_factory=list[PartialCall])
    finish: Finish | None = None
    usage: Usage | None = None
    trouble: Exception | None = None
    length: int = 0

    @property
    def begun(self) -> bool:
        """Whether the model has said anything, which may have been told already."""
        return bool(self.length or self.calls)

    @property
    def error(self) -> LastError | None:
        return last_error(self.trouble) if self.trouble else None

    async def take(
        self, chunks: AsyncIterator[ChatCompletionChunk], heard: "Callable[[Completion], None]" = lambda _: None
    ) -> None:
        """Take in a stream, with a call of `heard` after each chunk. What goes wrong becomes its trouble.

        A model that says too much, or calls more tools than a run may, is not heard to the end.
        """
        try:
            async for chunk in chunks:
                self.add(chunk)
                heard(self)
                if self.length > MAX_TEXT or len(self.calls) > MAX_TOOL_CALLS:
                    self.finish = "length"
                    return
        except Exception as error:
            self.finish, self.trouble = "failed", error

    def add(self, chunk: ChatCompletionChunk) -> None:
        """Take in one chunk, of which any part may be missing, whatever its type says."""
        if chunk.usage:
            self.usage = Usage(
                prompt_tokens=chunk.usage.prompt_tokens or 0,
                completion_tokens=chunk.usage.completion_tokens or 0,
                total_tokens=chunk.usage.total_tokens or 0,
            )
        choices: list[Any] = list(chunk.choices or ())
        choice = choices[0] if choices else None
        if choice is None:
            return
        self.finish = _FINISHES.get(choice.finish_reason) or self.finish
        delta: Any = choice.delta
        if delta is None:
            return
        self._grow(self.texts, delta.content)
        self._grow(self.refusals, delta.refusal)
        parts: list[Any] = list(delta.tool_calls or ())
        for part in parts:
            self._add_call(part)

    def _add_call(self, part: Any) -> None:
        call = self._call(part)
        if not call.arguments:  # later it may have been told under another one
            call.id = call.id or part.id or ""
        if part.function:
            call.name += part.function.name or ""
            self._grow(call.arguments, part.function.arguments)

    def _call(self, part: Any) -> PartialCall:
        """The call that a part goes on with: the last one of its index, or the last of all where it has none."""
        begun = [call for call in self.calls if part.index is None or call.index == part.index]
        if not begun or _begins_another(part, begun[-1]):
            begun = [PartialCall(part.index)]
            self.calls += begun
        return begun[-1]

    def _grow(self, parts: list[str], more: Any) -> None:
        if not more:
            return
        if not isinstance(more, str):
            raise TypeError(f"text expected, but got {type(more).__name__}")
        parts.append(more[: max(MAX_TEXT - self.length, 0)])
        self.length += len(more)


def _begins_another(part: Any, call: PartialCall) -> bool:
    """Some models count all their calls 0, or none of them: then a new name under a new id, or none, tells."""
    named_anew = bool(call.name and part.function and part.function.name)
    return named_anew and (part.id != call.id if part.id else part.index is None)


def last_error(error: Exception) -> LastError:
    """The upstream's own text under the code that a run's `last_error` has for it (contract, 11.10)."""
    if not isinstance(error, openai.APIError):
        return _error("server_error", f"The model's answer broke off: {str(error) or type(error).__name__}")
    body: Any = error.body
    message: Any = cast("dict[str, Any]", body).get("message") if isinstance(body, dict) else None
    status = getattr(error, "status_code", None)
    code = {429: "rate_limit_exceeded", 400: "invalid_prompt", 413: "invalid_prompt", 422: "invalid_prompt"}
    return _error(code.get(status or 0, "server_error"), str(message or error.message))


def _error(code: str, message: str) -> LastError:
    storable = message[:4096].encode(errors="replace").decode()
    return LastError.model_validate({"code": code, "message": storable})


_FINISHES: dict[str | None, Finish] = {
    "stop": "stop",
    "length": "length",
    "content_filter": "content_filter",
    "tool_calls": "tool_calls",
    "function_call": "tool_calls",
}
