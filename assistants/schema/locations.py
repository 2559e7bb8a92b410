"""The location of one of pydantic's errors in a payload: a pure function."""

from collections.abc import Sequence
from typing import Any, cast


def fields(location: Sequence[str | int], payload: Any, last_is_field: bool) -> list[str | int]:
    """The path without the union members that pydantic adds to it: `tools, 0, function, function, name`.

    A member is named right after the object it describes, by the object's `type` or by a tag that is no key of it.

    Parameters
    ----------
    location
        The location of the error, below the payload.
    last_is_field
        The last step names a field that is missing or forbidden.
    """
    path, value = list[str | int](), payload
    for position, step in enumerate(location, 1):
        last = position == len(location)
        if isinstance(step, str) and not (last and last_is_field):
            keys = cast("dict[str, Any]", value) if isinstance(value, dict) else {}
            if not last and keys.get("type") == step:
                value = {**keys, "type": None}
                continue
            if step not in keys:
                continue
        path.append(step)
        value = cast("Any", value)[step] if isinstance(value, dict | list) and not last else None
    return path
