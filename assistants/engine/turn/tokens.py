"""Estimated tokens of requests and runs; the upstream's reports correct the estimate."""

import json
from collections.abc import Sequence
from typing import Any

from assistants.schema.runs import Usage
from assistants.state.runs import RunRecord, usage
from assistants.tokens import of_text

_PER_MESSAGE = 4
_PER_IMAGE = {"low": 85, "high": 765, "auto": 765}
_CORRECTION = (0.25, 4.0)


def of_request(body: dict[str, Any]) -> int:
    """The tokens of a chat-completions request: of its messages and the tools it offers."""
    offered = of_text(json.dumps(body["tools"])) if "tools" in body else 0
    return offered + sum(of_message(message) for message in body["messages"])


def of_message(message: dict[str, Any]) -> int:
    """The tokens of a message of the prompt, with its calls."""
    content: Any = message.get("content") or ""
    calls = of_text(json.dumps(message["tool_calls"])) if "tool_calls" in message else 0
    parts: list[Any] = [{"type": "text", "text": content}] if isinstance(content, str) else content
    return _PER_MESSAGE + calls + sum(_of_part(part) for part in parts)


def correction(run: RunRecord) -> float:
    """The factor by which the upstream's counts differed from the estimates so far."""
    known = [(turn.usage.prompt_tokens, turn.estimate) for turn in run.turns if turn.usage and turn.estimate]
    estimated = sum(estimate for _, estimate in known)
    if not estimated:
        return 1.0
    low, high = _CORRECTION
    return min(max(sum(reported for reported, _ in known) / estimated, low), high)


def left(budget: int | None, used: int) -> int | None:
    """The remaining tokens of a budget over all turns; None: there is no budget."""
    return None if budget is None else max(budget - used, 0)


def used_up(run: RunRecord) -> str | None:
    """The budget that is used up, as the reason for which the run is incomplete."""
    so_far = usage(run)
    if left(run.max_completion_tokens, so_far.completion_tokens) == 0:
        return "max_completion_tokens"
    if left(run.max_prompt_tokens, so_far.prompt_tokens) == 0:
        return "max_prompt_tokens"
    return None


def estimated_usage(prompt: int, said: Sequence[str]) -> Usage:
    """The estimated usage of a call whose upstream reported none."""
    completion = sum(of_text(text) for text in said)
    return Usage(prompt_tokens=prompt, completion_tokens=completion, total_tokens=prompt + completion)


def _of_part(part: dict[str, Any]) -> int:
    if part["type"] == "text":
        return of_text(part["text"])
    return _PER_IMAGE[part[part["type"]].get("detail", "auto")]
