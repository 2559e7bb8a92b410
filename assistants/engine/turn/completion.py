"""The completion: the model's answer, accumulated from its stream, and the error that ended it."""

from collections.abc import AsyncIterator, Callable, Mapping
from dataclasses import dataclass, field
from typing import Any, cast

from assistants.engine.machine import MAX_TOOL_CALLS
from assistants.engine.turn.calls import CallDelta, Calls, PartialCall
from assistants.engine.turn.extra import Extra
from assistants.model.answers import Chunk
from assistants.model.errors import EndpointError, TooMuch, Unreadable
from assistants.schema.runs import LastError, Usage
from assistants.state.runs import Finish
from assistants.storage.slices import Pace, Slices

MAX_TEXT = 600_000
"""Characters of one turn's text and arguments; a longer answer is cut off. They fit into one record of a log."""

MAX_PIECES = 1_000
"""Pieces of calls in one chunk."""

MOST_TOKENS = 1_000_000_000
"""The most tokens of a usage report; a greater number is lowered to it."""

_OPENAIS = {"role", "content", "refusal", "tool_calls", "function_call", "audio", "annotations"}
"""Fields of a message that are sent back to the model in another form, or not at all."""


@dataclass
class Completion:
    """The answer to a call of the model, as much as has arrived."""

    texts: list[str] = field(default_factory=list[str])
    refusals: list[str] = field(default_factory=list[str])
    calls: Calls = field(default_factory=Calls)
    extra: Extra = field(default_factory=Extra, compare=False)
    """Fields of its message that are not in OpenAI's API."""
    finish: Finish | None = None
    usage: Usage | None = None
    trouble: Exception | None = None
    length: int = 0

    @property
    def begun(self) -> bool:
        """Whether any of the answer has arrived; clients may have seen it already."""
        return bool(self.length or self.calls)

    @property
    def error(self) -> LastError | None:
        return last_error(self.trouble) if self.trouble else None

    async def take(
        self,
        chunks: AsyncIterator[Chunk],
        on_chunk: "Callable[[Completion], None]" = lambda _: None,
        slices: Slices | None = None,
    ) -> None:
        """Consume a stream, with a call of `on_chunk` after each chunk. An error becomes `trouble`.

        `slices` are those of the streams that share the event loop.

        The stream is not read to the end if the answer is too long, or calls more tools than a run may.
        """
        try:
            pace = Pace(slices or Slices())
            async for chunk in chunks:
                pace.came()
                self.add(chunk)
                on_chunk(self)
                if self.length > MAX_TEXT or len(self.calls) > MAX_TOOL_CALLS:
                    self.finish = "length"
                    return
                await pace.done()
            self._check()
        except TooMuch:
            self.finish = "length"
        except Exception as error:
            self.finish, self.trouble = "failed", error

    def add(self, chunk: Chunk) -> None:
        """Add one chunk, or a completion that was not streamed.

        Raises
        ------
        Unreadable
            A part has a type that is not allowed, or the call that it belongs to cannot be determined.
        """
        self.usage = reported(chunk.get("usage")) or self.usage
        choices: Any = chunk.get("choices")
        first: Any = cast("list[Any]", choices)[0] if isinstance(choices, list) and choices else None
        choice = cast("dict[str, Any]", first) if isinstance(first, dict) else {}
        reason: Any = choice.get("finish_reason")
        self.finish = (_FINISHES.get(reason.lower()) if isinstance(reason, str) else None) or self.finish
        delta: Any = choice.get("delta")
        message: Any = choice.get("message")
        if isinstance(delta, dict) and delta:
            self._add_message(cast("dict[str, Any]", delta))
        elif isinstance(message, dict) and not self.begun:
            self._add_message(cast("dict[str, Any]", message), whole=True)

    def _add_message(self, said: Mapping[str, Any], whole: bool = False) -> None:
        self._grow(self.texts, _text(said.get("content")))
        self._grow(self.refusals, _text(said.get("refusal")))
        self.extra.add({name: value for name, value in said.items() if name not in _OPENAIS})
        calls: Any = said.get("tool_calls") or []
        if not isinstance(calls, list):
            raise Unreadable(f"The model's endpoint sent tool calls of the type {type(calls).__name__}.")
        for call in cast("list[Any]", calls)[:MAX_PIECES]:
            self._add_call(call, whole)
        if len(cast("list[Any]", calls)) > MAX_PIECES and len(self.calls) <= MAX_TOOL_CALLS:
            raise Unreadable(f"The model's endpoint sent more than {MAX_PIECES:,} pieces of tool calls at once.")
        if said.get("function_call"):
            self._add_call({"function": said["function_call"]}, whole)

    def _add_call(self, value: Any, whole: bool) -> None:
        if not isinstance(value, dict) or len(self.calls) > MAX_TOOL_CALLS:
            return
        piece = CallDelta.of(cast("dict[str, Any]", value))
        if not piece.empty:
            call: PartialCall = self.calls.add(piece, new=whole)
            self._grow(call.arguments, piece.arguments)

    def _grow(self, parts: list[str], more: str) -> None:
        if more:
            parts.append(more[: max(MAX_TEXT - self.length, 0)])
            self.length += len(more)

    def _check(self) -> None:
        """
        Raises
        ------
        Unreadable
            The calls cannot be given out.
        """
        if self.finish in (None, "stop", "tool_calls") and any(not call.name for call in self.calls):
            raise Unreadable("The model's endpoint sent a tool call without a name.")


def reported(usage: Any) -> Usage | None:
    """The usage in a report; None if the report is malformed, so that the usage is estimated."""
    if not isinstance(usage, dict):
        return None
    found: dict[str, Any] = cast("dict[str, Any]", usage)
    prompt, completion, total = (_count(found.get(f"{name}_tokens")) for name in ("prompt", "completion", "total"))
    if prompt is None or completion is None or not prompt + completion:
        return None
    return Usage(prompt_tokens=prompt, completion_tokens=completion, total_tokens=max(total or 0, prompt + completion))


def _count(tokens: Any) -> int | None:
    """A number of tokens, 0 if it is missing; None if it is not such a number."""
    if tokens is None:
        return 0
    if isinstance(tokens, bool) or not isinstance(tokens, int | float) or not tokens >= 0:
        return None
    return int(min(tokens, MOST_TOKENS))


def last_error(error: Exception) -> LastError:
    """The upstream's own message, with the code that a run's `last_error` has for it (contract, 11.10)."""
    if not isinstance(error, EndpointError):
        return _error("server_error", f"The model's answer broke off: {str(error) or type(error).__name__}")
    code = {429: "rate_limit_exceeded", 400: "invalid_prompt", 413: "invalid_prompt", 422: "invalid_prompt"}
    return _error(code.get(error.status or 0, "server_error"), str(error))


def _error(code: str, message: str) -> LastError:
    storable = message[:4096].encode(errors="replace").decode()
    return LastError.model_validate({"code": code, "message": storable})


def _text(content: Any) -> str:
    """A text, or the joined texts of a list of parts, without the parts of reasoning.

    Raises
    ------
    Unreadable
        It is neither a text nor a list.
    """
    if content is None or isinstance(content, str):
        return content or ""
    if not isinstance(content, list):
        raise Unreadable(f"The model's endpoint sent a text of the type {type(content).__name__}.")
    return "".join(_of_part(part) for part in cast("list[Any]", content))


def _of_part(part: Any) -> str:
    if isinstance(part, str):
        return part
    found = cast("dict[str, Any]", part) if isinstance(part, dict) else {}
    text = found.get("text") if found.get("type", "text") in ("text", "output_text") else None
    return text if isinstance(text, str) else ""


_FINISHES: dict[str, Finish] = {
    "stop": "stop", "eos": "stop", "eos_token": "stop", "end_turn": "stop", "stop_sequence": "stop",
    "length": "length", "max_tokens": "length", "model_length": "length", "max_output_tokens": "length",
    "content_filter": "content_filter", "safety": "content_filter", "recitation": "content_filter",
    "prohibited_content": "content_filter", "blocklist": "content_filter", "sensitive": "content_filter",
    "tool_calls": "tool_calls", "function_call": "tool_calls", "tool_use": "tool_calls",
}  # fmt: skip
"""The finish reasons of endpoints, and those of turns."""
