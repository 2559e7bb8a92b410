"""Translates pydantic's errors to OpenAI's by one table, which follows the catalogue of errors (contract, 8).

Of several errors one is returned: the first in the order of path, query, header and body, and there of the fields of
the schema, unknown fields last. The member of a union is chosen before it is validated, so no error is a guess.
"""

import re
from collections.abc import Callable, Mapping, Sequence
from typing import Any, NamedTuple, cast

from assistants.schema.errors import (
    ApiError,
    enumerated,
    exclusive_parameters,
    helper_without_files,
    invalid,
    invalid_id,
    invalid_type,
    malformed_json,
    missing_parameter,
    unknown_parameter,
    unsupported_value,
)
from assistants.schema.locations import fields

MAX_SHOWN = 12
"""Longer names are shortened in messages that list types or property names (`'all...ols'`)."""


class _Problem(NamedTuple):
    """One of pydantic's errors, with the path of its field in OpenAI's notation."""

    param: str
    input: Any
    message: str
    context: Mapping[str, Any]


def translate(errors: Sequence[Mapping[str, Any]], body: object = None) -> ApiError:
    """The error to return.

    Parameters
    ----------
    errors:
        The result of `RequestValidationError.errors()`; each `loc` begins with body, path, query or header.
    body:
        The parsed body, which distinguishes the names of fields from those that pydantic gives to union members.
        A body that is absent, or that was not declared to be JSON, counts as JSON that could not be parsed.
    """
    error = errors[0]
    source, *path = cast("Sequence[str | int]", error["loc"])
    kind = cast("str", error["type"])
    if kind in ("json_invalid", "finite_number") or (source == "body" and not path and _is_no_json(error["input"])):
        return malformed_json()
    if source == "body":
        names = fields(path, body, kind in ("missing", "extra_forbidden"))
    else:
        names = [step.removesuffix("[]") if isinstance(step, str) else step for step in path]
    problem = _Problem(_param(names), error["input"], error["msg"], error.get("ctx") or {})
    if kind == "string_too_long" and path[-2:] == [problem.input, "[key]"]:
        return _property_name(problem)
    return _TABLE.get(kind, _other)(problem)


def _is_no_json(value: object) -> bool:
    """Whether the body is no JSON: FastAPI gives None for a missing body, bytes for one not declared to be JSON."""
    return value is None or isinstance(value, bytes)


def _param(path: Sequence[str | int]) -> str:
    text = ""
    for field in path:
        text += f"[{field}]" if isinstance(field, int) else f".{field}"
    return text.removeprefix(".")


def _key(problem: _Problem, name: str) -> str:
    """The key of the invalid object, which the problem's context has under this name."""
    return _param([step for step in (problem.param, problem.context[name]) if step])


def _described(value: object) -> str:
    """The value, described in terms of JSON."""
    kinds: Mapping[type, str] = {
        bool: "a boolean",
        int: "an integer",
        float: "a decimal number",
        str: "a string",
        list: "an array",
        dict: "an object",
        type(None): "null",
    }
    return kinds.get(type(value), "an object")


def _sized(value: Any) -> str:
    kind = "string" if isinstance(value, str) else "array"
    article = "a" if isinstance(value, str) else "an"
    return f"{article} {kind} with length {len(value)}" if value else f"an empty {kind}"


def _shortened(name: str) -> str:
    return name if len(name) <= MAX_SHOWN else f"{name[:3]}...{name[-3:]}"


def _quoted(listed: str) -> list[str]:
    return re.findall("'([^']*)'", listed)


def _expected(described: str) -> Callable[[_Problem], ApiError]:
    return lambda problem: invalid_type(problem.param, described, _described(problem.input))


def _array_expected(problem: _Problem) -> ApiError:
    """The error of a value that is no array: arrays of ids and `include` hold strings, all others hold objects."""
    name = problem.param.rpartition(".")[2]
    items = "strings" if name.endswith("_ids") or name == "include" else "objects"
    return invalid_type(problem.param, f"an array of {items}", _described(problem.input))


def _not_listed(param: str, value: Any, supported: Sequence[str]) -> ApiError:
    if isinstance(value, str):
        return unsupported_value(param, value, supported)
    names = [_shortened(name) for name in supported]
    return invalid_type(param, f"one of {enumerated(names, 'or')}", _described(value))


def _string_size(problem: _Problem) -> ApiError:
    if longest := problem.context.get("max_length"):
        return invalid(
            problem.param,
            "string too long",
            f"a string with maximum length {longest}, but got {_sized(problem.input)} instead",
            "string_above_max_length",
        )
    return invalid(
        problem.param,
        "string too short",
        f"a string with minimum length {problem.context['min_length']}, but got {_sized(problem.input)} instead",
        "string_below_min_length" if problem.input else "empty_string",
    )


def _too_many(problem: _Problem) -> ApiError:
    most, length = problem.context["max_length"], len(problem.input)
    if isinstance(problem.input, dict):
        return invalid(
            problem.param,
            "too many properties",
            f"an object with at most {most} properties, but got an object with {length} properties instead",
            "object_above_max_properties",
        )
    return invalid(
        problem.param,
        "array too long",
        f"an array with maximum length {most}, but got {_sized(problem.input)} instead",
        "array_above_max_length",
    )


def _too_few(problem: _Problem) -> ApiError:
    return invalid(
        problem.param,
        "array too short" if problem.input else "empty array",
        f"an array with minimum length {problem.context['min_length']}, but got {_sized(problem.input)} instead",
        "array_below_min_length" if problem.input else "empty_array",
    )


def _out_of_range(key: str, side: str, sign: str) -> Callable[[_Problem], ApiError]:
    def build(problem: _Problem) -> ApiError:
        bound = problem.context[key]
        kind, shown = ("decimal", f"{bound:g}") if isinstance(bound, float) else ("integer", str(bound))
        return invalid(
            problem.param,
            f"{kind} {side} value",
            f"a value {sign} {shown}, but got {problem.input} instead",
            f"{kind}_{side.replace(' ', '_').replace('imum', '')}_value",
        )

    return build


def _pattern(problem: _Problem) -> ApiError:
    return invalid(
        problem.param,
        "string does not match pattern",
        f"a string that matches the pattern '{problem.context['pattern']}'",
    )


def _unicode(problem: _Problem) -> ApiError:
    """The error of a text that is not Unicode; a field whose name is not Unicode cannot be named."""
    if not problem.param:
        return malformed_json()
    return invalid(problem.param, "string is not valid Unicode", "a string without lone surrogates")


def _property_name(problem: _Problem) -> ApiError:
    owner = problem.param.removesuffix(f".{problem.input}")
    longest, got = problem.context["max_length"], _sized(problem.input)
    return ApiError(
        400,
        f"Invalid property name in '{owner}': '{_shortened(problem.input)}' is too long. "
        f"Expected a string with maximum length {longest}, but got {got} instead.",
        param=owner,
        code="property_name_above_max_length",
    )


def _other(problem: _Problem) -> ApiError:
    return invalid(problem.param, "invalid value", "a value of this parameter's form")


_TABLE: Mapping[str, Callable[[_Problem], ApiError]] = {
    "missing": lambda p: missing_parameter(p.param),
    "extra_forbidden": lambda p: unknown_parameter(p.param),
    "string_type": _expected("a string"),
    "bool_type": _expected("a boolean"),
    "bool_parsing": _expected("a boolean"),
    "int_type": _expected("an integer"),
    "int_parsing": _expected("an integer"),
    "int_from_float": _expected("an integer"),
    "float_type": _expected("a decimal"),
    "dict_type": _expected("an object"),
    "model_type": _expected("an object"),
    "model_attributes_type": _expected("an object"),
    "list_type": _array_expected,
    "one_of": lambda p: invalid_type(p.param, p.message, _described(p.input)),
    "literal_error": lambda p: _not_listed(p.param, p.input, _quoted(p.context["expected"])),
    "enum": lambda p: _not_listed(p.param, p.input, _quoted(p.context["expected"])),
    "union_tag_not_found": lambda p: missing_parameter(f"{p.param}.type"),
    "union_tag_invalid": lambda p: _not_listed(f"{p.param}.type", p.input["type"], _quoted(p.context["expected_tags"])),
    "string_too_long": _string_size,
    "string_too_short": _string_size,
    "string_pattern_mismatch": _pattern,
    "string_unicode": _unicode,
    "too_long": _too_many,
    "too_short": _too_few,
    "less_than_equal": _out_of_range("le", "above maximum", "<="),
    "greater_than_equal": _out_of_range("ge", "below minimum", ">="),
    "id_prefix": lambda p: invalid_id(p.param, p.input, f"begins with '{p.context['prefix']}'."),
    "id_characters": lambda p: invalid_id(
        p.param,
        p.input,
        "contains letters, numbers, underscores, or dashes, but this value contained additional characters.",
    ),
    "url": lambda p: invalid(p.param, "invalid URL", "a valid URL that begins with 'http://' or 'https://'"),
    "json_text": lambda p: invalid(p.param, "invalid JSON", "text without lone surrogates and finite numbers"),
    "json_depth": lambda p: invalid(p.param, "object too deep", f"at most {p.context['limit']} levels of nesting"),
    "json_nodes": lambda p: invalid(p.param, "object too large", f"at most {p.context['limit']} values"),
    "missing_key": lambda p: missing_parameter(_key(p, "key")),
    "exclusive_keys": lambda p: exclusive_parameters(_key(p, "first"), _key(p, "second")),
    "helper_without_files": lambda _: helper_without_files(),
    "chunk_overlap": lambda p: invalid(
        f"{p.param}.chunk_overlap_tokens", "overlap too large", "at most half of 'max_chunk_size_tokens'"
    ),
}
