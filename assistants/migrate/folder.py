"""The folder of an export: NDJSON files, the contents of files, and the progress of the export."""

import json
import os
import re
from collections.abc import Callable, Iterable
from pathlib import Path
from typing import NamedTuple

from pydantic import BaseModel, Field

from assistants.migrate.lines import CONTENTS

KINDS = ("assistants", "files", "vector_stores", "threads")
"""The kinds of objects; each has a file `KIND.ndjson`."""

ALL = "*"
"""Instead of an id: all objects of a kind."""

_STATE, _MISSING = "export.state", "missing.txt"
_SAFE = re.compile(r"[A-Za-z0-9_-]{1,200}")
_OF_KIND = {kind: f'"object":"{kind[:-1]}"'.encode() for kind in KINDS}


class Done(BaseModel):
    """The progress of the export of one kind."""

    after: str | None = None
    """The last object that the file contains completely."""
    bytes: int = 0
    objects: int = 0
    read: int = 0
    """The number of objects of the kind itself that were read or failed, without those that belong to them."""
    complete: bool = False


class Missing(BaseModel):
    """An object that could not be exported."""

    kind: str
    parent: str
    """The id of the object of this kind that it is, or belongs to; or `ALL`."""
    what: str
    why: str


class _State(BaseModel):
    source: str
    kinds: dict[str, Done] = Field(default_factory=dict[str, Done])
    missing: list[Missing] = Field(default_factory=list[Missing])


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
        self._state.missing = [each for each in self._state.missing if each.parent != ALL]
        for kind in KINDS:
            done = self._state.kinds.setdefault(kind, Done())
            with (path / f"{kind}.ndjson").open("ab") as file:
                if file.tell() < done.bytes:  # another program has changed it
                    self._state.kinds[kind] = done = Done()
                file.truncate(done.bytes)
        self._save()

    def done(self, kind: str) -> Done:
        """The progress of the kind."""
        return self._state.kinds[kind]

    @property
    def complete(self) -> bool:
        """Whether all kinds are complete and no object is missing."""
        return not self._state.missing and all(self.done(kind).complete for kind in KINDS)

    def write(self, kind: str, lines: Iterable[bytes], objects: int, read: int, after: str | None = None) -> None:
        """Append lines of `objects` objects.

        Parameters
        ----------
        read
            The number of objects of the kind itself among them, exported or missing.
        after
            The last of the objects; None: they were read a second time.
        """
        content, done = b"".join(lines), self.done(kind)
        with (self._path / f"{kind}.ndjson").open("ab") as file:
            file.write(content)
            file.flush()
            os.fsync(file.fileno())
        done.bytes, done.objects, done.read = done.bytes + len(content), done.objects + objects, done.read + read
        done.after = after or done.after
        self._save()

    def restart(self, kind: str) -> None:
        """Begin the kind again."""
        self._state.kinds[kind] = Done()
        self.forget_missing(kind, self.missing_of(kind))
        self._save()
        (self._path / f"{kind}.ndjson").write_bytes(b"")

    def end(self, kind: str) -> None:
        """Record that the kind is complete."""
        self.done(kind).complete = True
        self._save()

    def ids(self, kind: str) -> set[str]:
        """The ids of the objects of the kind itself in its file."""
        with (self._path / f"{kind}.ndjson").open("rb") as file:
            found = [json.loads(line) for line in file if _OF_KIND[kind] in line]
        return {str(each["id"]) for each in found if each.get("object") == kind[:-1]}

    def miss(self, kind: str, parent: str, what: str, why: str) -> None:
        """Record an object that could not be exported. The next write stores this."""
        missing = Missing(kind=kind, parent=parent, what=what, why=why)
        if missing not in self._state.missing:
            self._state.missing.append(missing)

    def forget_missing(self, kind: str, parents: Iterable[str]) -> None:
        """Delete the records of missing objects that belong to these objects."""
        known = set(parents)
        self._state.missing = [each for each in self._state.missing if each.kind != kind or each.parent not in known]

    def missing_of(self, kind: str) -> list[str]:
        """The ids of the objects of a kind that are missing or incomplete."""
        return list(dict.fromkeys(each.parent for each in self._state.missing if each.kind == kind))

    @property
    def missing(self) -> list[str]:
        """The objects that could not be exported, each with the reason."""
        return [f"{each.what}: {each.why}" for each in self._state.missing]

    def content(self, file_id: str) -> Path | None:
        """The path of the content of a file; None if its id is no valid file name."""
        return self._path / CONTENTS / file_id if _SAFE.fullmatch(file_id) else None

    def _save(self) -> None:
        (self._path / _MISSING).write_text("".join(f"{each}\n" for each in self.missing), encoding="utf-8")
        state = self._path / _STATE
        part = state.with_suffix(".part")
        with part.open("w", encoding="utf-8") as file:
            file.write(self._state.model_dump_json(indent=1))
            file.flush()
            os.fsync(file.fileno())
        part.replace(state)


class Progress(NamedTuple):
    """The progress of the export of a kind."""

    kind: str
    read: int
    """The number of objects of the kind itself so far."""
    total: int | None
    """The number of all objects of the kind itself; None: not known yet."""
    objects: int
    """The number of objects so far, including those that belong to them."""


Tell = Callable[[Progress], None]
"""Reports the progress."""
