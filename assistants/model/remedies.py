"""Remedies: changes to a request after an endpoint has refused it: pure functions.

Only values that the client did not set are left out: those that the service added, and the API's defaults.
"""

import re
from collections.abc import Iterator, Mapping
from typing import Any, NamedTuple, cast

from assistants.model.errors import Refused

Json = dict[str, Any]


class Remedy(NamedTuple):
    """A change to requests that would be refused without it."""

    name: str
    """A parameter, or a place in the messages or tools."""
    instead: str | None = None
    """The replacement; None: it is left out."""


ADDED = ("stream_options", "dimensions", "encoding_format")
"""Parameters that the service adds and can omit."""

DEFAULTS: Mapping[str, object] = {
    "temperature": 1, "top_p": 1, "parallel_tool_calls": True, "tool_choice": "auto",
    "response_format": {"type": "text"}, "reasoning_effort": "medium",
}  # fmt: skip
"""Values that are equal to a missing parameter."""

ROLE, ADJACENT, CONTENT, STRICT = "messages.role", "messages.adjacent", "messages.content", "tools.strict"
"""Places: the role of instructions, successive messages of one role, a null content, a function's `strict: false`."""

THOUGHTS = "messages.reasoning_content"
"""Left out if it is refused; empty if it is missing, as in messages of earlier runs."""

_BUDGET, _OLD_BUDGET = "max_completion_tokens", "max_tokens"
_FIELDS = {"role", "content", "name", "tool_calls", "tool_call_id", "refusal", "id", "type", "function", "arguments"}

_ALTERNATE = re.compile(
    r"alternat\w*.{0,60}(user|assistant|role)|(role|user|assistant)s?\b.{0,60}\balternat|same role"
    r"|(consecutive|multiple).{0,40}(user|assistant|role)|(first|initial) message.{0,40}\buser",
    re.I | re.S,
)
_SYSTEM = re.compile(
    r"(system|developer).{0,60}\brole|\brole.{0,60}(system|developer)|(system|developer) (message|prompt|instruction)",
    re.I | re.S,
)
_NO = re.compile(r"\bnot\b|n't\b|unsupport|invalid|unexpected|unknown|only|disabled", re.I)
_DEVELOPER = re.compile(r"\b(use|with|instead|try).{0,40}developer", re.I)
_NULL = re.compile(
    r"content.{0,80}(\bnull\b|\bnil\b|\bNone|NoneType|(must|should) be a? ?(valid )?string)", re.I | re.S
)
_MISSING = re.compile(r"missing|required|must be (passed|provided|included|returned|sent)|pass(ed)? back", re.I)
_VALUE = re.compile(
    r"too (large|big|high|small|low)|at (most|least)|(less|greater) than|between|\brange\b|exceed", re.I
)
_STREAM = re.compile(
    r"['\"`]stream['\"`]|stream(ing|ed)?( mode| responses?)? (is|are) (not|un)"
    r"|(not|n't) (support|use|allow)[^.]{0,40}\bstream(ing)?\b",
    re.I,
)


def remedies(error: Refused, sent: Json) -> list[Remedy]:
    """The changes after which the request may be accepted; empty if there are none."""
    if error.status not in (400, 404, 415, 422, 500, 501):
        return []
    found = list(_of_messages(str(error), sent))
    if not found and error.status != 500:
        found = list(dict.fromkeys(_of_parameters(error, sent)))
    if not found and "stream" in sent and ("stream" in error.params or _STREAM.search(str(error))):
        found = [Remedy("stream")]
    return found


def adapted(body: Json, changes: Mapping[str, str | None]) -> Json:
    """The request in the form that its endpoint accepts."""
    for name, instead in sorted(changes.items(), key=lambda each: each[0] == ADJACENT):
        place = name.partition(".")[0]
        if place == "messages" and "messages" in body:
            body = {**body, "messages": _changed(body["messages"], name, instead)}
        elif name == STRICT and "tools" in body:
            body = {**body, "tools": [_lax(tool) for tool in body["tools"]]}
        elif name in body and _spare(name, body[name]):
            body = {
                instead if instead and key == name else key: value
                for key, value in body.items()
                if key != name or instead
            }
    return body if "stream" in body else {key: value for key, value in body.items() if key != "stream_options"}


def _of_messages(text: str, sent: Json) -> Iterator[Remedy]:
    messages: list[Json] = sent.get("messages", [])
    if _ALTERNATE.search(text) and alternating(messages) != messages:
        yield Remedy(ADJACENT, "merged")
        return
    roles = {message["role"] for message in messages}
    if roles & {"system", "developer"} and _SYSTEM.search(text) and _NO.search(text):
        yield Remedy(ROLE, "developer" if "system" in roles and _DEVELOPER.search(text) else "user")
    elif any(message.get("content", "") is None for message in messages) and _NULL.search(text):
        yield Remedy(CONTENT, "")


def _of_parameters(error: Refused, sent: Json) -> Iterator[Remedy]:
    """The optional ones of the refused parameters: first by `param` or `loc`, then by the message's text."""
    text = str(error)
    spare = [name for name, value in sent.items() if name in (*ADDED, *DEFAULTS) and _spare(name, value)]
    yield from (Remedy(name) for name in spare if name in error.params)
    if _names(error, _BUDGET):
        if _BUDGET in sent and not _VALUE.search(text):
            yield Remedy(_BUDGET, _OLD_BUDGET)
        elif _OLD_BUDGET in sent and _names(error, _OLD_BUDGET):
            yield Remedy(_BUDGET, _BUDGET)
    yield from (Remedy(name) for name in spare if _names(error, name))
    if _MISSING.search(text):
        if (
            _names(error, "reasoning_content")
            and _changed(messages := sent.get("messages", []), THOUGHTS, "") != messages
        ):
            yield Remedy(THOUGHTS, "")
    else:
        yield from (Remedy(f"messages.{name}") for name in sorted(_returned(sent)) if _names(error, name))
    if _names(error, "strict") and any(_lax(tool) != tool for tool in sent.get("tools", ())):
        yield Remedy(STRICT)


def _names(error: Refused, name: str) -> bool:
    return name in error.params or bool(re.search(rf"(?<!\w){re.escape(name)}(?!\w)", str(error)))


def _spare(name: str, value: object) -> bool:
    return name in (*ADDED, "stream", _BUDGET) or (name in DEFAULTS and DEFAULTS[name] == value)


def _returned(sent: Json) -> set[str]:
    """The endpoint's own fields of messages and calls, which are sent back to it."""
    messages: list[Json] = sent.get("messages", [])
    calls: list[Json] = [call for message in messages for call in message.get("tool_calls", ())]
    functions: list[Json] = [call["function"] for call in calls]
    return {name for each in (*messages, *calls, *functions) for name in each} - _FIELDS


def _changed(messages: list[Json], place: str, instead: str | None) -> list[Json]:
    if place == ADJACENT:
        return alternating(messages)
    if place == ROLE:
        return [{**each, "role": instead} if each["role"] == "system" else each for each in messages]
    if place == CONTENT:
        return [{**each, "content": instead} if each.get("content", "") is None else each for each in messages]
    name = place.partition(".")[2]
    if instead is not None:
        return [{name: instead, **each} if each["role"] == "assistant" else each for each in messages]
    return [cast("Json", _without(each, name)) for each in messages]


def _without(value: Any, name: str) -> Any:
    """A message without a field, also in its calls and their functions."""
    calls = {"tool_calls": [_without(call, name) for call in value["tool_calls"]]} if "tool_calls" in value else {}
    function = {"function": _without(value["function"], name)} if isinstance(value.get("function"), dict) else {}
    return {key: each for key, each in {**value, **calls, **function}.items() if key != name}


def _lax(tool: Json) -> Json:
    function: Json = tool.get("function", {})
    if function.get("strict") is not False:
        return tool
    return {**tool, "function": {key: value for key, value in function.items() if key != "strict"}}


def alternating(messages: list[Json]) -> list[Json]:
    """The messages with successive ones of one role joined, and a user's message first."""
    merged: list[Json] = []
    for message in messages:
        last = merged[-1] if merged else {}
        if last.get("role") == message["role"] != "tool" and not last.get("tool_calls"):
            merged[-1] = {**last, **message, "content": _together(last.get("content"), message.get("content"))}
        else:
            merged.append(message)
    first = next((at for at, each in enumerate(merged) if each["role"] not in ("system", "developer")), len(merged))
    if first < len(merged) and merged[first]["role"] == "assistant":
        merged.insert(first, {"role": "user", "content": "..."})
    return merged


def _together(first: Any, second: Any) -> Any:
    if not first or not second:
        return first or second
    if isinstance(first, str) and isinstance(second, str):
        return f"{first}\n\n{second}"
    return [part for each in (first, second) for part in _parts(each)]


def _parts(content: Any) -> list[Any]:
    return [{"type": "text", "text": content}] if isinstance(content, str) else content
