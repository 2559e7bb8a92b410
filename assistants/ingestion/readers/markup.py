"""XML, parsed as events without a tree: memory does not grow with the document's size or depth.

Document type declarations are refused, and with them all entities: packages may not have any (ECMA-376, part 2).
"""

from collections.abc import Iterable
from pyexpat import ParserCreate

from assistants.ingestion.readers.errors import Invalid

_OFFICE = "http://schemas.openxmlformats.org/"
_STRICT = "http://purl.oclc.org/ooxml/"
_SHARED = {
    "w": "wordprocessingml/{}main",
    "m": "officeDocument/{}math",
    "r": "officeDocument/{}relationships",
    "a": "drawingml/{}main",
    "c": "drawingml/{}chart",
    "dgm": "drawingml/{}diagram",
    "p": "presentationml/{}main",
}
_PREFIXES = {
    **{_OFFICE + path.format("2006/"): prefix for prefix, path in _SHARED.items()},
    **{_STRICT + path.format(""): prefix for prefix, path in _SHARED.items()},
    _OFFICE + "package/2006/relationships": "rel",
    _OFFICE + "markup-compatibility/2006": "mc",
    "http://schemas.microsoft.com/office/drawing/2014/chartex": "cx",
    **{f"urn:oasis:names:tc:opendocument:xmlns:{name}:1.0": name for name in ("text", "table", "style")},
    "http://purl.org/dc/elements/1.1/": "dc",
}
"""The prefixes of namespaces in this code, whatever a document's own are. Strict documents have other namespaces."""


class Handler:
    """Receives the elements and their text, in document order."""

    def start(self, name: str, attributes: dict[str, str]) -> bool:  # noqa: ARG002
        """An element begins; return whether to parse its content. If not, its end is not reported."""
        return True

    def end(self, name: str) -> None:
        """An element has ended."""

    def text(self, text: str) -> None:
        """Receives a text."""


class _Names(dict[str, str]):
    """Names with the prefixes of this code; a name of another namespace gets a prefix that is used nowhere else."""

    def __missing__(self, full: str) -> str:
        namespace, _, local = full.rpartition(" ")
        short = self[full] = f"{_PREFIXES.get(namespace, '?')}:{local}" if namespace else local
        return short


def walk(pieces: Iterable[bytes], handler: Handler) -> None:
    """Call the handler for a document that is given in pieces.

    Raises
    ------
    Invalid
        The document declares a document type.
    pyexpat.ExpatError
        The document is no XML.
    """
    names, skipped = _Names(), 0

    def start(name: str, attributes: dict[str, str]) -> None:
        nonlocal skipped
        if skipped or not handler.start(names[name], {names[key]: value for key, value in attributes.items()}):
            skipped += 1

    def end(name: str) -> None:
        nonlocal skipped
        if skipped:
            skipped -= 1
        else:
            handler.end(names[name])

    def text(data: str) -> None:
        if not skipped:
            handler.text(data)

    parser = ParserCreate(namespace_separator=" ")
    parser.buffer_text = True
    parser.StartDoctypeDeclHandler = _refuse
    parser.StartElementHandler, parser.EndElementHandler, parser.CharacterDataHandler = start, end, text
    for piece in pieces:
        parser.Parse(piece, False)
    parser.Parse(b"", True)


def _refuse(*_: object) -> None:
    raise Invalid("The file declares a document type.")
