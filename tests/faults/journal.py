"""The record of a try that survives a killed process: requests, answers, and whether the fault has occurred."""

import json
import os
from collections import Counter
from collections.abc import Awaitable, Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any


@dataclass(frozen=True)
class Answer:
    """The client's answer. Without a status it was lost with the process."""

    status: int = 0
    body: Any = None

    @property
    def lost(self) -> bool:
        return self.status == 0

    @property
    def refused(self) -> bool:
        """Whether the service failed, so that the client has to try again."""
        return self.status >= 500


LOST = (0, None)


class Journal:
    """A file of one JSON object per line, which the next process reads and continues."""

    def __init__(self, path: Path) -> None:
        self._path = path
        self._file = os.open(path, os.O_APPEND | os.O_CREAT | os.O_WRONLY)
        self._counts: Counter[str] = Counter()
        entries = entries_of(path)
        self.is_new = not entries
        self.struck = any(entry["what"] == "struck" for entry in entries)
        self._begun = {entry["key"] for entry in entries if entry["what"] == "begun"}
        self._ended = {entry["key"]: entry["value"] for entry in entries if entry["what"] == "ended"}

    def write(self, what: str, **entry: Any) -> None:
        os.write(self._file, json.dumps({"what": what, **entry}).encode() + b"\n")

    def all(self, what: str) -> list[dict[str, Any]]:
        """The entries of a kind, including those of earlier processes."""
        return [entry for entry in entries_of(self._path) if entry["what"] == what]

    def close(self) -> None:
        os.close(self._file)

    async def once(self, name: str, act: Callable[[], Awaitable[Any]], lost: Any = None) -> Any:
        """The result of `act`, in this process or an earlier one; if that one died meanwhile, `lost`, if given."""
        self._counts[name] += 1
        key = f"{name} {self._counts[name]}"
        if key in self._ended:
            return self._ended[key]
        if key in self._begun and lost is not None:
            return lost
        self.write("begun", key=key)
        value = await act()
        self.write("ended", key=key, value=value)
        return value


def entries_of(path: Path) -> list[dict[str, Any]]:
    """All entries of a journal."""
    return [json.loads(line) for line in path.read_text().splitlines()]
