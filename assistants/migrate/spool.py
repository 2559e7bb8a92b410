"""Objects in a temporary file, until those that belong to them are read; only their positions are in memory."""

import tempfile
from array import array
from collections.abc import Iterator
from typing import Any, NamedTuple, Self

from pydantic_core import from_json, to_json


class Spooled(NamedTuple):
    """An object, and its position in the import."""

    at: str
    raw: dict[str, Any]


class Spool:
    """Objects by groups, each in the order of arrival. A context manager that deletes the file."""

    def __init__(self) -> None:
        self._file = tempfile.TemporaryFile()  # noqa: SIM115 - closed by __exit__
        self._groups: dict[str, dict[str, array[int]]] = {}
        self._end = 0

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self._file.close()

    def add(self, kind: str, group: str, at: str, raw: dict[str, Any]) -> None:
        """Store an object until its group is read."""
        self._file.seek(self._end)
        content = to_json((at, raw))
        self._file.write(content)
        self._groups.setdefault(kind, {}).setdefault(group, array("Q")).extend((self._end, len(content)))
        self._end += len(content)

    def groups(self, kind: str) -> list[str]:
        """The groups of a kind, in the order of their first objects."""
        return list(self._groups.get(kind, ()))

    def has(self, kind: str, group: str) -> bool:
        """Whether the group has objects."""
        return group in self._groups.get(kind, {})

    def size(self, kind: str, group: str) -> int:
        """The number of objects of a group."""
        return len(self._groups.get(kind, {}).get(group, ())) // 2

    def read(self, kind: str, group: str) -> Iterator[Spooled]:
        """The objects of a group."""
        places = self._groups.get(kind, {}).get(group, array("Q"))
        for start, length in zip(places[::2], places[1::2], strict=True):
            self._file.seek(start)
            yield Spooled(*from_json(self._file.read(length)))
