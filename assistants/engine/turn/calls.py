"""Tool calls, assembled from the deltas of a stream by their content: endpoints number the deltas differently."""

import json
import re
from collections.abc import Set as AbstractSet
from dataclasses import dataclass, field
from typing import Any, cast

from assistants.engine.turn.extra import Extra
from assistants.model.errors import Unreadable

Json = dict[str, Any]

_MARKS = re.compile(r'\\.|\\|["{}\[\]]', re.S)


class Scan:
    """An incremental scan of a JSON text, which reads no character twice."""

    def __init__(self) -> None:
        self.complete = False
        """The text is a complete object, list or string."""
        self.followed = False
        """Another value follows the complete one."""
        self.length = 0
        self._depth = 0
        self._quoted = False
        self._escaped = False

    @property
    def open(self) -> bool:
        """Whether a value has begun and not ended."""
        return self._depth > 0 or self._quoted

    def take(self, piece: str) -> None:
        """Scan the next piece."""
        self.length += len(piece)
        start = 1 if self._escaped and piece else 0
        self._escaped = self._escaped and not piece
        for found in _MARKS.finditer(piece, start):
            mark = found.group()
            if mark[0] == "\\":
                self._escaped = len(mark) == 1
            elif self._quoted:
                self._quoted = mark != '"'
                self.complete = not self._quoted and not self._depth
            elif mark in "}]":
                self.complete = self.complete or self._depth == 1
                self._depth = max(self._depth - 1, 0)
            else:
                self.followed = self.followed or self.complete
                self._quoted = mark == '"'
                self._depth += mark != '"'


@dataclass
class CallDelta:
    """A delta of a call; each of its parts may be missing."""

    index: object
    id: str
    name: str
    arguments: str
    extra: Json

    @property
    def empty(self) -> bool:
        return not (self.id or self.name or self.arguments or self.extra)

    @classmethod
    def of(cls, value: Json) -> "CallDelta":
        """
        Raises
        ------
        Unreadable
            A part has a type that is not allowed.
        """
        index, given = value.get("index"), value.get("function")
        if given is not None and not isinstance(given, dict):
            raise Unreadable(_ODD.format("function", type(given).__name__))
        function = cast("Json", given or {})
        in_function = {name: each for name, each in function.items() if name not in ("name", "arguments")}
        extra = {name: each for name, each in value.items() if name not in ("index", "id", "type", "function")}
        return cls(
            index if isinstance(index, int | str) else None,
            _text("id", value.get("id")),
            _text("name", function.get("name")),
            _arguments(function.get("arguments")),
            extra | ({"function": in_function} if in_function else {}),
        )


@dataclass
class PartialCall:
    """A tool call, as much as has arrived."""

    index: object = None
    id: str = ""
    name: str = ""
    arguments: list[str] = field(default_factory=list[str])
    scan: Scan = field(default_factory=Scan, compare=False)
    extra: Extra = field(default_factory=Extra, compare=False)
    """Its fields that are not in OpenAI's API."""
    following: CallDelta | None = None
    """A name that followed the arguments: of this call or of the next one, which later arguments decide."""

    def is_repeated_by(self, piece: CallDelta) -> bool:
        """Whether the delta is the whole call again, as some endpoints send it at the end."""
        same = piece.id == self.id != "" or not (piece.id or piece.name or self.following)
        whole = self.scan.complete and len(piece.arguments) == self.scan.length
        return same and whole and piece.arguments == "".join(self.arguments)


class Calls(list[PartialCall]):
    """The calls of a turn, in the order in which they begin.

    Parameters
    ----------
    offered
        The names of the functions that the model may call.
    """

    def __init__(self, offered: AbstractSet[str] = frozenset()) -> None:
        super().__init__()
        self._offered = offered

    def add(self, piece: CallDelta, new: bool = False) -> PartialCall:
        """The call that a delta belongs to, with its name and id updated; the caller adds the arguments.

        Raises
        ------
        Unreadable
            The call that it belongs to cannot be determined.
        """
        call = None if new else self._continued(piece)
        if call is None:
            last = self[-1] if self and not piece.name else None
            call = PartialCall(piece.index)
            self.append(call)
            if last and last.following:
                call.id, call.name = last.following.id, last.following.name
        if not call.arguments:  # later it may have been reported under another one
            call.id = call.id or piece.id
            call.name = _named(call.name, piece.name)
        if not call.arguments and piece.arguments.strip() in ("null", "None"):
            piece.arguments = ""
        if call.is_repeated_by(piece):
            piece.arguments = ""
        call.scan.take(piece.arguments)
        if call.scan.followed:
            raise Unreadable("The model's tool calls cannot be told apart: one's arguments follow another's.")
        call.extra.add(piece.extra)
        return call

    def _continued(self, piece: CallDelta) -> PartialCall | None:
        """The call that a delta continues: the last one of its index, or the last of all if it has none."""
        begun = [call for call in self if piece.index is None or call.index == piece.index]
        if not begun and self and not piece.name and self[-1].index is None:
            begun = [self[-1]]
        if not begun or self._begins_another(piece, begun[-1]):
            return None
        return begun[-1]

    def _begins_another(self, piece: CallDelta, call: PartialCall) -> bool:
        more = bool(piece.arguments.strip(" \t\r\n}]")) and not call.is_repeated_by(piece)
        if not piece.name or not call.name:
            return bool(call.scan.complete and call.following and more)
        another_id = bool(piece.id and call.id and piece.id != call.id)
        if call.scan.complete:
            call.following = piece
            return another_id or piece.name != call.name or more
        if call.scan.open:  # unfinished arguments: either another function, or the same one, named in each delta
            return piece.name != call.name
        if another_id or piece.name == call.name or call.arguments:
            return another_id or piece.name != call.name
        # A name may be split if the delta says that it is of this call.
        return piece.index is None or {piece.name, call.name} <= self._offered


def _text(name: str, value: Any) -> str:
    if value is None or isinstance(value, str):
        return value or ""
    if isinstance(value, int | float):
        return str(value)
    raise Unreadable(_ODD.format(name, type(value).__name__))


def _arguments(value: Any) -> str:
    """The arguments as JSON text; some endpoints send them as an object."""
    return json.dumps(value, ensure_ascii=False) if isinstance(value, dict | list) else _text("arguments", value)


def _named(name: str, piece: str) -> str:
    """The name continued by its next piece, which may also repeat the whole name."""
    return piece if piece.startswith(name) else name + piece


_ODD = "The model's endpoint sent a tool call that cannot be understood: its {} is of the type {}."
