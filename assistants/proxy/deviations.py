"""The deviations of a payload from this project's own models, taken strictly: pure functions."""

import json
from collections.abc import Iterator, Mapping, Sequence
from functools import cache
from typing import Any, NamedTuple, cast

from pydantic import BaseModel, TypeAdapter, ValidationError

from assistants.schema.base import KEEP_NULLS
from assistants.schema.locations import fields

MAX_EXAMPLE = 300
"""The most characters of an example."""

_PROBLEMS: Mapping[str, str] = {
    "extra_forbidden": "unknown field",
    "missing": "missing field",
    "literal_error": "unknown value",
    "enum": "unknown value",
    "union_tag_invalid": "unknown value",
    "union_tag_not_found": "missing field",
    "json_invalid": "not JSON",
}


class Deviation(NamedTuple):
    """A difference between a payload and its model.

    Parameters
    ----------
    part
        request, response, error or stream.
    problem
        In two words or three, such as "unknown field".
    place
        The field, such as `data[].status`, or the event; may be empty.
    example
        The payload's value, as JSON, shortened.
    """

    part: str
    problem: str
    place: str
    example: str


def deviations(part: str, model: Any, content: bytes, around: str = "") -> list[Deviation]:
    """The differences between a JSON payload and the model; a missing field is one even if it has a default.

    Parameters
    ----------
    model
        Any type that pydantic can validate.
    around
        A prefix for each place.
    """
    adapter, found = _adapter(model), list[Deviation]()
    try:
        value = adapter.validate_json(content, strict=True, extra="forbid", context=KEEP_NULLS)
    except ValidationError as error:
        payload = loaded(content)
        found = [_deviation(part, around, payload, problem) for problem in error.errors(include_url=False)]
        try:
            value = adapter.validate_json(content, extra="ignore")
        except ValidationError:
            return found
    return found + [
        Deviation(part, "missing field", placed(around, place), excerpt(inside))
        for place, inside in _missing(value, ())
    ]


def loaded(content: str | bytes) -> object:
    """The value of a JSON text; None if it cannot be read."""
    try:
        return json.loads(content)
    except (ValueError, RecursionError):
        return None


def placed(around: str, path: Sequence[str | int]) -> str:
    """A path as one string: `data[].status`."""
    text = around
    for step in path:
        if isinstance(step, int):
            text += "[]"
        else:
            text += f".{step}" if text else step
    return text[:MAX_EXAMPLE]


def excerpt(value: object) -> str:
    """A value as JSON, shortened to `MAX_EXAMPLE` characters."""
    text = json.dumps(value, ensure_ascii=False, default=lambda model: model.model_dump(mode="json"))
    text = text.encode(errors="replace").decode()
    return text if len(text) <= MAX_EXAMPLE else f"{text[:MAX_EXAMPLE]}..."


def _deviation(part: str, around: str, payload: object, error: Mapping[str, Any]) -> Deviation:
    path, value = fields(error["loc"], payload, error["type"] in ("missing", "extra_forbidden")), error["input"]
    if error["type"].startswith("union_tag"):
        path.append("type")
        value = cast("dict[str, Any]", value).get("type") if isinstance(value, dict) else value
    if error["type"] == "json_invalid":
        value = value if isinstance(value, str) else bytes(value or b"").decode(errors="replace")
    problem = _PROBLEMS.get(error["type"], "wrong type" if error["type"].endswith("_type") else "wrong value")
    return Deviation(part, problem, placed(around, path), excerpt(value))


def _missing(value: object, path: tuple[str | int, ...]) -> Iterator[tuple[tuple[str | int, ...], object]]:
    """The fields that took their default, although the API always sends them."""
    if isinstance(value, BaseModel):
        for name in type(value).model_fields:
            if name not in value.model_fields_set:
                yield (*path, name), value
            yield from _missing(getattr(value, name), (*path, name))
    elif isinstance(value, dict):
        for name, each in cast("dict[str, object]", value).items():
            yield from _missing(each, (*path, name))
    elif isinstance(value, list):
        for index, each in enumerate(cast("list[object]", value)):
            yield from _missing(each, (*path, index))


@cache
def _adapter(model: Any) -> TypeAdapter[Any]:
    return TypeAdapter(model)
