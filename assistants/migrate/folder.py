"""The folder of an export: NDJSON files, the contents of files, and the progress of the export."""

import json
import os
import re
from collections.abc import Callable, Iterable
from pathlib import Path

from pydantic import BaseModel, Field

from assistants.migrate.lines import CONTENTS

KINDS = ("assistants", "files", "vector_stores", "threads")
"""The kinds of objects; each has a file `KIND.ndjson`."""

_STATE, _MISSING = "export.state", "missing.txt"
_SAFE = re.compile(r"[A-Za-z0-9_-]{1,200}")


class Done(BaseModel):
    """The progress of the export of one kind."""

    after: str | None = None
    """The last object that the file contains completely."""
    bytes: int = 0
    objects: int = 0
    complete: bool = False


class _State(BaseModel):
    source: str
    kinds: dict[str, Done] = Field(default_factory=dict[str, Done])


class Folder:
    """The folder that an export is written to. A stopped export continues after the last object that is complete.

    Parameters
    ----------
    source
        The server, the project and the filter of the export.

    Raises
    ------
    ValueError
        The folder has the export of another source.
    """

    def __init__(self, path: Path, source: str) -> None:
        self._path = path
        (path / CONTENTS).mkdir(parents=True, exist_ok=True)
        state = path / _STATE
        self._state = _State.model_validate_json(state.read_bytes()) if state.exists() else _State(source=source)
        if self._state.source != source:
            raise ValueError(f"{path} has an export of {self._state.source}: name another folder")
        left = [each for each in self.missing if " *: " not in each]
        (path / _MISSING).write_text("".join(f"{each}\n" for each in left))
        for kind in KINDS:
            done = self._state.kinds.setdefault(kind, Done())
            with (path / f"{kind}.ndjson").open("ab") as file:
                file.truncate(done.bytes)

    def done(self, kind: str) -> Done:
        """The progress of the kind."""
        return self._state.kinds[kind]

    def write(self, kind: str, lines: Iterable[bytes], after: str) -> None:
        """Add the lines of objects, which end with the object `after`."""
        content, done = b"".join(lines), self.done(kind)
        with (self._path / f"{kind}.ndjson").open("ab") as file:
            file.write(content)
            file.flush()
            os.fsync(file.fileno())
        done.after, done.bytes, done.objects = after, done.bytes + len(content), done.objects + content.count(b"\n")
        self._save()

    def restart(self, kind: str) -> None:
        """Begin the kind again."""
        self._state.kinds[kind] = Done()
        (self._path / f"{kind}.ndjson").write_bytes(b"")

    def complete(self, kind: str) -> None:
        """The kind has no more objects."""
        self.done(kind).complete = True
        self._save()

    def miss(self, kind: str, identifier: str, why: str) -> None:
        """Note an object that could not be had."""
        with (self._path / _MISSING).open("a") as file:
            file.write(f"{kind} {identifier}: {why}\n")

    @property
    def missing(self) -> list[str]:
        """The objects that could not be had, each once."""
        path = self._path / _MISSING
        return list(dict.fromkeys(path.read_text().splitlines())) if path.exists() else []

    def content(self, file_id: str) -> Path | None:
        """The path of the content of a file; None if its id is no valid file name."""
        return self._path / CONTENTS / file_id if _SAFE.fullmatch(file_id) else None

    def _save(self) -> None:
        state = self._path / _STATE
        part = state.with_suffix(".part")
        part.write_text(self._state.model_dump_json(indent=1))
        part.replace(state)


def raw_line(raw: dict[str, object]) -> bytes:
    """An object as another server answered it, as a line."""
    return json.dumps(raw, ensure_ascii=False, separators=(",", ":")).encode(errors="backslashreplace") + b"\n"


Tell = Callable[[str], None]
"""Tells the progress."""
