"""EPUB: the chapters of a book, each of them a page of HTML."""

import posixpath
import re
from urllib.parse import unquote

from assistants.ingestion.readers import html
from assistants.ingestion.readers.errors import Invalid
from assistants.ingestion.readers.markup import Handler
from assistants.ingestion.readers.package import Package

_EMPTY = re.compile(rb"<(title|script|style|textarea|iframe|noscript|template)\b([^<>]*)/>", re.IGNORECASE)
"""Elements that are empty in XHTML; as HTML they would extend to the end of the page."""

_PAGES = ("application/xhtml+xml", "text/html")


def read(content: bytes) -> str:
    """The chapters in their order."""
    package, container = Package(content), _Container()
    package.read("META-INF/container.xml", container)
    contents = _Contents()
    if not package.read(container.path, contents):
        raise Invalid("The file is no EPUB.")
    folder = posixpath.dirname(container.path)
    paths = (posixpath.normpath(posixpath.join(folder, unquote(path.partition("#")[0]))) for path in contents.pages())
    pages = (package.content(path) for path in dict.fromkeys(paths))
    return "\n\n".join(html.read(_EMPTY.sub(rb"<\1\2></\1>", page)) for page in pages if page is not None)


class _Container(Handler):
    """Finds the place of the table of contents."""

    path = ""

    def start(self, name: str, attributes: dict[str, str]) -> bool:
        if name.endswith(":rootfile"):
            self.path = self.path or attributes.get("full-path", "")
        return True


class _Contents(Handler):
    """Collects the parts of a book, and the order of its chapters."""

    def __init__(self) -> None:
        self._parts: dict[str, str] = {}
        self._order: list[str] = []

    def start(self, name: str, attributes: dict[str, str]) -> bool:
        if name.endswith(":item") and attributes.get("media-type") in _PAGES:
            self._parts[attributes.get("id", "")] = attributes.get("href", "")
        elif name.endswith(":itemref"):
            self._order.append(attributes.get("idref", ""))
        return True

    def pages(self) -> list[str]:
        return [self._parts[each] for each in self._order if each in self._parts]
