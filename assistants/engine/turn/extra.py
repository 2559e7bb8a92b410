"""Fields of an endpoint's answer that are not in OpenAI's API, kept unchanged to be sent back with the turn."""

import json
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, cast

Json = dict[str, Any]

MAX_EXTRA = 256 * 1024
"""Characters of a turn's fields, as JSON: a run's document holds them. If there are more, none is kept."""

_DEEPEST = 16
_TEXTS = {"text", "summary", "thinking", "content", "reasoning", "reasoning_content"}
"""Fields of an object whose deltas are appended; the deltas of other fields replace them."""

_LABELS = {"id", "type", "format", "index", "name", "role", "model"}


@dataclass
class _Text:
    """A text that arrives in pieces."""

    pieces: list[str]


class Extra:
    """Fields put together from the deltas of a stream.

    Texts are appended and objects merged. An object of a list continues the last one unless the type, a number or an id
    differs: endpoints number them alike.
    """

    def __init__(self) -> None:
        self._fields: Json = {}
        self._size = 0
        self._dropped = False

    def add(self, fields: Mapping[str, Any]) -> None:
        """Add the fields of the next delta."""
        for name, value in fields.items():
            if value is not None and not self._dropped:
                grows = name not in _LABELS and "signature" not in name
                self._fields[name] = self._merged(self._fields.get(name), value, grows, 0)
        if self._size > MAX_EXTRA or self._dropped:
            self._dropped = True
            self._fields.clear()

    def value(self) -> Json | None:
        """The fields, in a form that can be stored; None if there are none, or too many."""
        if not self._fields:
            return None
        text = json.dumps(_plain(self._fields), ensure_ascii=False)
        storable = text.encode("utf-16", "surrogatepass").decode("utf-16", "replace")
        return json.loads(storable, parse_constant=lambda _: None)

    @property
    def dropped(self) -> bool:
        """Whether the fields were dropped because there were too many."""
        return self._dropped

    def _merged(self, old: Any, new: Any, grows: bool, depth: int) -> Any:
        self._size += 8
        if depth > _DEEPEST or self._size > MAX_EXTRA:
            self._dropped = True
            return None
        if isinstance(new, str):
            self._size += len(new)
            if grows and isinstance(old, _Text):
                old.pieces.append(new)
                return old
            return _Text([new])
        if isinstance(new, dict):
            return self._object(cast("Json", old) if isinstance(old, dict) else {}, cast("Json", new), depth)
        if isinstance(new, list):
            return self._list(cast("list[Any]", old) if isinstance(old, list) else [], cast("list[Any]", new), depth)
        return new

    def _object(self, old: Json, new: Json, depth: int) -> Json:
        for name, value in new.items():
            self._size += len(name)
            if value is not None or name not in old:
                old[name] = self._merged(old.get(name), value, name in _TEXTS, depth + 1)
        return old

    def _list(self, old: list[Any], new: list[Any], depth: int) -> list[Any]:
        for item in new:
            if self._dropped:
                break
            last: Any = old[-1] if old else None
            if isinstance(item, dict) and isinstance(last, dict) and _continues(cast("Json", last), cast("Json", item)):
                self._merged(last, item, False, depth + 1)
            else:
                old.append(self._merged(None, item, False, depth + 1))
        return old


def _continues(last: Json, item: Json) -> bool:
    """Whether an object of a list continues the one before it."""
    grows = any(isinstance(item.get(name), str) for name in _TEXTS) or "signature" in item
    same = all(
        _plain(last.get(name)) == item.get(name)
        or (name != "type" and (last.get(name) is None or item.get(name) is None))
        for name in ("type", "index", "id")
    )
    return grows and same


def _plain(value: Any) -> Any:
    if isinstance(value, _Text):
        return "".join(value.pieces)
    if isinstance(value, dict):
        return {name: _plain(each) for name, each in cast("Json", value).items()}
    return [_plain(each) for each in cast("list[Any]", value)] if isinstance(value, list) else value
