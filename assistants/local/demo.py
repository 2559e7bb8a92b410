"""The demo model's answer without a script, as a function of the request alone."""

import re
from collections.abc import Iterable
from typing import Any

from assistants.local.reply import Call, Json, Reply

_INTERPRETER = "code_interpreter"
_FENCED = re.compile(r"```(?:python|py)\r?\n(.*?)```", re.DOTALL)


def respond(body: Json) -> Reply:
    """Calls of the offered functions that the user's text names, or a quote of the tool results, or an echo.

    Python in a fenced block of the text becomes a call of the code interpreter, if it is offered.
    """
    messages: list[Json] = body.get("messages", [])
    last_user = max((i for i, message in enumerate(messages) if message.get("role") == "user"), default=-1)
    text = _text(messages[last_user]) if last_user >= 0 else ""
    if results := _results(messages[last_user + 1 :]):
        return Reply(text=_joined(results))
    tools: list[Json] = body.get("tools") or []
    functions: dict[str, Json] = {tool["function"]["name"]: tool["function"] for tool in tools if "function" in tool}
    code = _FENCED.search(text)
    wanted = named(_FENCED.sub(" ", text), functions)
    if code and _INTERPRETER in functions and _INTERPRETER not in wanted:
        wanted.append(_INTERPRETER)
    names = _chosen(body.get("tool_choice", "auto"), list(functions), wanted)
    if body.get("parallel_tool_calls") is False:
        names = names[:1]
    if names:
        calls = [
            Call(name=name, arguments={"code": code[1]})
            if code and name == _INTERPRETER
            else Call(name=name, arguments=arguments(functions[name].get("parameters") or {}, text))
            for name in names
            if name in functions
        ]
        return Reply(tool_calls=calls)
    return Reply(text=f"You said: {text}")


def named(text: str, names: Iterable[str]) -> list[str]:
    """The names in a text, as words, in their order there; `get time` names `get_time`, not `get`."""
    spans: list[tuple[int, int, str]] = []
    for name in sorted(names, key=len, reverse=True):
        pattern = re.escape(name).replace("_", "[_ ]")
        for match in re.finditer(rf"(?<!\w){pattern}(?!\w)", text, re.IGNORECASE):
            if not any(start < match.end() and match.start() < end for start, end, _ in spans):
                spans.append((match.start(), match.end(), name))
    return list(dict.fromkeys(name for _, _, name in sorted(spans)))


def arguments(schema: Json, text: str) -> Json:
    """Arguments for a function's JSON schema: the required ones, and those in the text as `name=value`."""
    return _value(schema, None, text, schema) if schema else {}


def _value(schema: Json, given: str | None, text: str, root: Json) -> Any:
    if "$ref" in schema:
        target: Any = root
        for part in schema["$ref"].removeprefix("#/").split("/"):
            target = target.get(part, {})
        return _value(target, given, text, root)
    for union in ("anyOf", "oneOf"):
        if union in schema:
            options: list[Json] = [option for option in schema[union] if option.get("type") != "null"]
            return _value(options[0], given, text, root) if options else None
    if "const" in schema:
        return schema["const"]
    if choices := schema.get("enum"):
        said: str = given if given is not None else text
        return next((choice for choice in choices if named(said, [str(choice)])), choices[0])
    types: Any = schema.get("type", "object" if "properties" in schema else "string")
    kinds: list[str] = [types] if isinstance(types, str) else types
    kind = next((each for each in kinds if each != "null"), "null")
    number = re.search(r"-?\d+(?:\.\d+)?", given if given is not None else text)
    match kind:
        case "object":
            properties: dict[str, Json] = schema.get("properties", {})
            required: list[str] = schema.get("required", list(properties))
            values = {name: _given(name, text) for name in properties}
            return {
                name: _value(properties[name], values[name], text, root)
                for name in properties
                if name in required or values[name] is not None
            }
        case "array":
            return [_value(schema.get("items", {}), given, text, root)]
        case "integer":
            return int(float(number[0])) if number else 1
        case "number":
            return float(number[0]) if number else 1
        case "boolean":
            return (given or "").lower() not in {"false", "no", "0"}
        case "null":
            return None
        case _:
            return text if given is None else given


def _given(name: str, text: str) -> str | None:
    match = re.search(rf"(?<!\w){re.escape(name)}\s*[=:]\s*(?:\"([^\"]*)\"|'([^']*)'|([^\s,;]+))", text, re.IGNORECASE)
    if match is None:
        return None
    return match[3].rstrip(".?!)") if match[3] is not None else match[1] if match[1] is not None else match[2]


def _chosen(choice: Any, offered: list[str], wanted: list[str]) -> list[str]:
    match choice:
        case {"function": {"name": str(name)}}:
            return [name]
        case "none":
            return []
        case "required":
            return wanted or offered[:1]
        case _:
            return wanted


def _text(message: Json) -> str:
    content: Any = message.get("content") or ""
    if isinstance(content, str):
        return content
    parts: list[Json] = content
    return "\n".join(part["text"] for part in parts if part.get("type") == "text")


def _results(messages: list[Json]) -> list[str]:
    names: dict[str, str] = {}
    results: list[str] = []
    for message in messages:
        calls: list[Json] = message.get("tool_calls") or []
        for call in calls:
            names[call["id"]] = call["function"]["name"]
        if message.get("role") == "tool":
            results.append(f"{names.get(message['tool_call_id'], 'tool')}: {_gist(_text(message))}")
    return results


def _gist(result: str) -> str:
    """The result; of a search, the beginning of the best passage, with its mark."""
    found = re.search(r"^(【[^】]*】)\n(.{1,500})", result, re.MULTILINE)
    return f"{found[2]}{found[1]}" if found else result


def _joined(results: list[str]) -> str:
    return results[0] if len(results) == 1 else f"{', '.join(results[:-1])} and {results[-1]}"
