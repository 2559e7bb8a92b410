"""What is wrong with a payload, by this project's own models, held strictly: pure functions."""

import json
from collections.abc import Iterator, Mapping, Sequence
from functools import cache
from typing import Any, NamedTuple, cast

from pydantic import BaseModel, TypeAdapter, ValidationError

from assistants.schema.base import KEEP_NULLS
from assistants.schema.locations import fields

MAX_EXAMPLE = 300
"""Characters that are kept of an example."""

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
    """Something that these models do not say.

    Parameters
    ----------
    part
        request, response, error or stream.
    problem
        In two words or three, such as "unknown field".
    place
        The field, such as `data[].status`, the event, or nothing.
    example
        What was there, as JSON, shortened.
    """

    part: str
    problem: str
    place: str
    example: str


def deviations(part: str, model: Any, content: bytes, around: str = "") -> list[Deviation]:
    """What a JSON payload has that the model has not, and what it has not that the model has always.

    Parameters
    ----------
    model
        Anything of which pydantic can make a validator.
    around
        Put before each place.
    """
    adapter, found = _adapter(model), list[Deviation]()
    try:
        value = adapter.validate_json(content, strict=True, extra="forbid", context=KEEP_NULLS)
    except ValidationError as error:
        payload = loaded(content)
        found = [_deviation(part, around, payload, each) for each in error.errors(include_url=False)]
        try:
            value = adapter.validate_json(content, extra="ignore")
        except ValidationError:
            return found
    return found + [
        Deviation(part, "missing field", placed(around, place), shown(inside)) for place, inside in _missing(value, ())
    ]


def loaded(content: str | bytes) -> object:
    """What JSON says; None where it cannot be read."""
    try:
        return json.loads(content)
    except (ValueError, RecursionError):
        return None


def placed(around: str, path: Sequence[str | int]) -> str:
    """A path in one word: `data[].status`."""
    text = around
    for step in path:
        if isinstance(step, int):
            text += "[]"
        else:
            text += f".{step}" if text else step
    return text[:MAX_EXAMPLE]


def shown(value: object) -> str:
    """A value as an example."""
    text = json.dumps(value, ensure_ascii=False, default=lambda each: each.model_dump(mode="json"))
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
    return Deviation(part, problem, placed(around, path), shown(value))


def _missing(value: object, path: tuple[str | int, ...]) -> Iterator[tuple[tuple[str | int, ...], object]]:
    """Fields that have a default here, and that the wire always has."""
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
