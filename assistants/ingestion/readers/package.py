"""Packages (ECMA-376, part 2): office documents as zip archives, with the relations between their parts."""

import posixpath
import zipfile
from collections.abc import Iterator
from io import BytesIO
from typing import NamedTuple
from urllib.parse import unquote

from assistants.ingestion.readers.errors import Invalid
from assistants.ingestion.readers.markup import Handler, walk

MAX_UNPACKED = 512 * 1024 * 1024
"""The most unpacked bytes of the parts that are read, regardless of the sizes that the archive declares."""

_MAX_PARTS = 65_535
_PIECE = 1024 * 1024
_COMPOUND = bytes.fromhex("d0cf11e0a1b11ae1")


class Relation(NamedTuple):
    """A relation of a part: the last word of its type, which Strict documents share, and the part that it refers to."""

    kind: str
    part: str


class Package:
    """Parts by their names. Each is read once: a second reference to it finds no part."""

    def __init__(self, content: bytes) -> None:
        """
        Raises
        ------
        Invalid
            The package is encrypted, or has too many parts.
        zipfile.BadZipFile
            The content is no archive.
        """
        if content.startswith(_COMPOUND):
            raise Invalid("The file is encrypted, or in a format of before 2007.")
        self._archive = zipfile.ZipFile(BytesIO(content))
        if len(self._archive.filelist) > _MAX_PARTS:
            raise Invalid(f"The file has more than {_MAX_PARTS:,} parts.")
        names = ((info.filename.replace("\\", "/").lstrip("/").lower(), info) for info in self._archive.filelist)
        self._unread = dict(names)
        self._unpacked = 0

    def main(self, otherwise: str) -> str:
        """The name of the document's main part; `otherwise` if the package names none that exists."""
        relations = self.relations("").values()
        named = (each.part for each in relations if each.kind == "officeDocument" and each.part.lower() in self._unread)
        return next(named, otherwise)

    def read(self, part: str, handler: Handler) -> bool:
        """Pass a part to the handler; return whether it exists and was not read before.

        Raises
        ------
        Invalid
            The part is encrypted, or too large.
        Exception
            The part is broken.
        """
        info = self._unread.pop(part.lower(), None)
        if info is None:
            return False
        walk(self._pieces(info), handler)
        return True

    def content(self, part: str) -> bytes | None:
        """The bytes of a part; None if it does not exist, or was read before.

        Raises
        ------
        Invalid
            The part is encrypted, or too large.
        Exception
            The part is broken.
        """
        info = self._unread.pop(part.lower(), None)
        return b"".join(self._pieces(info)) if info is not None else None

    def relations(self, part: str) -> dict[str, Relation]:
        """The relations of a part within the package, by their ids; the package itself has an empty name."""
        folder, name = posixpath.split(part)
        found = _Relations(folder)
        self.read(posixpath.join(folder, "_rels", f"{name}.rels"), found)
        return found.found

    def _pieces(self, info: zipfile.ZipInfo) -> Iterator[bytes]:
        if info.flag_bits & 1:
            raise Invalid("The file is encrypted.")
        with self._archive.open(info) as unpacked:
            while piece := unpacked.read(_PIECE):
                self._unpacked += len(piece)
                if self._unpacked > MAX_UNPACKED:
                    raise Invalid(f"The file has more than {MAX_UNPACKED // 1024**2} MB when it is unpacked.")
                yield piece


class _Relations(Handler):
    def __init__(self, folder: str) -> None:
        self._folder = folder
        self.found: dict[str, Relation] = {}

    def start(self, name: str, attributes: dict[str, str]) -> bool:
        if name == "rel:Relationship" and attributes.get("TargetMode") != "External":
            target = unquote(attributes.get("Target", ""))
            part = posixpath.normpath(posixpath.join("/", self._folder, target)).lstrip("/")
            kind = attributes.get("Type", "").rpartition("/")[2]
            self.found[attributes.get("Id", "")] = Relation(kind, part)
        return True
