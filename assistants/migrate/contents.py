"""The contents of imported files: those in a folder, and those in lines."""

import base64
import binascii
from collections.abc import Iterator
from pathlib import Path

from assistants.migrate.lines import CONTENTS, PART
from assistants.migrate.mapping import CONTENT
from assistants.migrate.spool import Spool
from assistants.storage.contents import PIECE


class Contents:
    """The contents in a folder, `contents/{file id}` with any suffix, and those in lines.

    Parameters
    ----------
    folder
        The folder; None: contents are only in lines.
    """

    def __init__(self, folder: Path | None, spool: Spool) -> None:
        self._spool, self._files = spool, dict[str, Path]()
        places = (folder / CONTENTS, folder) if folder is not None and folder.is_dir() else ()
        for path in (path for place in reversed(places) if place.is_dir() for path in place.iterdir()):
            if path.is_file() and path.suffix != PART:
                self._files[path.stem] = self._files[path.name] = path

    def of(self, file_id: str) -> Iterator[bytes] | None:
        """The content in pieces, or None.

        Raises
        ------
        ValueError
            A line has no base64; raised while the pieces are read.
        """
        if self._spool.has(CONTENT, file_id):
            return self._decoded(file_id)
        path = self._files.get(file_id)
        return _pieces(path) if path is not None else None

    def _decoded(self, file_id: str) -> Iterator[bytes]:
        for line in self._spool.read(CONTENT, file_id):
            try:
                yield base64.b64decode(str(line.raw.get("data", "")), validate=True)
            except binascii.Error as error:
                raise ValueError(f"{line.at}: {error}") from None


def _pieces(path: Path) -> Iterator[bytes]:
    with path.open("rb") as file:
        while piece := file.read(PIECE):
            yield piece
