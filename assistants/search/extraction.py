"""The text of a file, by what its name says it is (contract, 12). Libraries are imported for files that need them."""

import codecs
import re
import zipfile
from collections.abc import Callable, Iterator, Mapping, Sequence
from io import BytesIO
from pathlib import PurePath
from typing import Any

PLAIN = frozenset(
    (
        ".c", ".cpp", ".cs", ".css", ".go", ".java", ".js", ".json", ".md", ".php", ".py", ".rb", ".sh", ".tex",
        ".ts", ".txt",
    )
)  # fmt: skip
"""Names of files that are text as they are, in UTF-8 or UTF-16."""

_MARKS = ((codecs.BOM_UTF8, "utf-8-sig"), (codecs.BOM_UTF16_LE, "utf-16"), (codecs.BOM_UTF16_BE, "utf-16"))
_SAMPLE = 4096
_MAX_UNPACKED = 1024**3
"""Bytes that a packed document may have unpacked."""

_CONTROLS = re.compile("[\x00-\x08\x0e-\x1f\ud800-\udfff]")


class Unsupported(Exception):
    """A file of a type that nobody reads."""


class Invalid(Exception):
    """A file that is not what its name says."""


def extract(name: str, content: bytes) -> str:
    """The text of a file.

    Raises
    ------
    Unsupported
        Its type is not supported.
    Invalid
        It cannot be read, or there is no text in it.
    """
    suffix = PurePath(name).suffix.lower()
    if suffix not in PLAIN and suffix not in _DOCUMENTS:
        raise Unsupported("The file type is not supported.")
    try:
        text = _DOCUMENTS[suffix](content) if suffix in _DOCUMENTS else _plain(content)
    except (Invalid, MemoryError):
        raise
    except Exception as error:  # what parsers raise for what is broken, nobody lists
        raise Invalid(f"The file could not be read as {suffix[1:]}: {type(error).__name__}.") from error
    text = _CONTROLS.sub("", text)
    if not text.strip():
        raise Invalid("The file has no text in it.")
    return text


def _plain(content: bytes) -> str:
    try:
        text = content.decode(_encoding(content))
    except UnicodeDecodeError:
        raise Invalid("The file is neither UTF-8 nor UTF-16 text.") from None
    if "\0" in text:
        raise Invalid("The file is no text.")
    return text


def _encoding(content: bytes) -> str:
    """By its mark; without one, UTF-16 has a zero in every other byte where a text is mostly Latin."""
    for mark, encoding in _MARKS:
        if content.startswith(mark):
            return encoding
    even, odd = content[:_SAMPLE:2].count(0), content[1:_SAMPLE:2].count(0)
    if len(content) % 2 == 0 and max(even, odd) * 4 > min(len(content), _SAMPLE) // 2 and min(even, odd) == 0:
        return "utf-16-be" if even else "utf-16-le"
    return "utf-8"


def _pdf(content: bytes) -> str:
    from pypdf import PasswordType, PdfReader

    reader = PdfReader(BytesIO(content))
    if reader.is_encrypted and reader.decrypt("") == PasswordType.NOT_DECRYPTED:
        raise Invalid("The file is encrypted.")
    return "\n\n".join(page.extract_text().strip() for page in reader.pages)


def _docx(content: bytes) -> str:
    from docx import Document

    return "\n".join(_blocks(Document(_unpackable(content))))


def _blocks(parent: Any) -> Iterator[str]:
    """Paragraphs and tables in their order; a cell that spans several columns is read once."""
    from docx.table import Table

    for block in parent.iter_inner_content():
        if not isinstance(block, Table):
            yield block.text
            continue
        for row in block.rows:
            yield " | ".join(" ".join(_blocks(cell)).strip() for cell in _cells(row.cells))
        yield ""


def _cells(cells: Sequence[Any]) -> Iterator[Any]:
    at = 0
    while at < len(cells):
        yield cells[at]
        at += cells[at].grid_span


def _pptx(content: bytes) -> str:
    from pptx import Presentation

    return "\n\n".join("\n".join(_slide(slide)) for slide in Presentation(_unpackable(content)).slides)


def _slide(slide: Any) -> Iterator[str]:
    yield from _shapes(slide.shapes)
    if slide.has_notes_slide and slide.notes_slide.notes_text_frame is not None:
        yield slide.notes_slide.notes_text_frame.text


def _shapes(shapes: Any) -> Iterator[str]:
    for shape in shapes:
        if hasattr(shape, "shapes"):
            yield from _shapes(shape.shapes)
        elif shape.has_text_frame:
            yield shape.text_frame.text
        elif getattr(shape, "has_table", False):
            for row in shape.table.rows:
                yield " | ".join(cell.text for cell in row.cells)


def _html(content: bytes) -> str:
    from bs4 import BeautifulSoup
    from bs4.element import NavigableString

    page = BeautifulSoup(content, "html.parser")
    for hidden in page(["script", "style", "template", "noscript"]):
        hidden.decompose()
    for text in [text for block in page("pre") for text in block.find_all(string=True)]:
        if type(text) is NavigableString and text.parent:
            text.replace_with(text.replace("\n", _LINE))
    for block in page(_BLOCKS):
        block.append(_LINE)
    lines = (" ".join(line.split()) for line in page.get_text().split(_LINE))
    return re.sub("\n{3,}", "\n\n", "\n".join(lines))


def _unpackable(content: bytes) -> BytesIO:
    with zipfile.ZipFile(BytesIO(content)) as archive:
        if sum(each.file_size for each in archive.infolist()) > _MAX_UNPACKED:
            raise Invalid("The file is too large when it is unpacked.")
    return BytesIO(content)


_LINE = "\x1e"
"""Where a line ends that a reader sees, whatever lines the source has."""

_BLOCKS = (
    "address", "article", "aside", "blockquote", "br", "dd", "div", "dt", "figcaption", "footer", "form", "h1", "h2",
    "h3", "h4", "h5", "h6", "header", "hr", "li", "main", "nav", "p", "pre", "section", "td", "th", "title", "tr",
)  # fmt: skip

_DOCUMENTS: Mapping[str, Callable[[bytes], str]] = {".docx": _docx, ".html": _html, ".pdf": _pdf, ".pptx": _pptx}
