"""PDF: the visible text of the pages, with notes and the values of fields."""

import ctypes
import math
import re
from collections.abc import Callable, Iterator
from contextlib import suppress
from itertools import chain, groupby
from typing import Any

import pypdfium2  # pyright: ignore[reportMissingTypeStubs]
import pypdfium2.raw  # pyright: ignore[reportMissingTypeStubs]

from assistants.ingestion.readers.columns import GAP, LINES, Line, Piece, in_order
from assistants.ingestion.readers.errors import Invalid
from assistants.ingestion.readers.repair import repaired

pdfium: Any = pypdfium2.raw
PdfDocument: Any = pypdfium2.PdfDocument
PdfiumError: Any = pypdfium2.PdfiumError

_NOTES = frozenset(
    (
        pdfium.FPDF_ANNOT_TEXT, pdfium.FPDF_ANNOT_FREETEXT, pdfium.FPDF_ANNOT_LINE, pdfium.FPDF_ANNOT_SQUARE,
        pdfium.FPDF_ANNOT_CIRCLE, pdfium.FPDF_ANNOT_POLYGON, pdfium.FPDF_ANNOT_POLYLINE, pdfium.FPDF_ANNOT_HIGHLIGHT,
        pdfium.FPDF_ANNOT_UNDERLINE, pdfium.FPDF_ANNOT_SQUIGGLY, pdfium.FPDF_ANNOT_STRIKEOUT, pdfium.FPDF_ANNOT_STAMP,
        pdfium.FPDF_ANNOT_CARET, pdfium.FPDF_ANNOT_INK,
    )
)  # fmt: skip
"""Annotations with a text of their own; links, films and others have none."""

_FIELDS = frozenset((pdfium.FPDF_FORMFIELD_TEXTFIELD, pdfium.FPDF_FORMFIELD_COMBOBOX, pdfium.FPDF_FORMFIELD_LISTBOX))
_HIDDEN = pdfium.FPDF_ANNOT_FLAG_HIDDEN | pdfium.FPDF_ANNOT_FLAG_NOVIEW

_HYPHEN = 2
"""The library's character for a hyphen at the end of a line; it does not report the end of that line."""

_ENDS = frozenset(map(ord, "\0 \r\n\xa0")) | {_HYPHEN}
"""Characters that end a word."""

_LEVEL = 0.01
"""Radians clockwise up to which a line counts as level."""

_BROKEN = re.compile("([^\\W\\d_])[-\u2010\u00ad]\n(?=([^\\W\\d_]))")
_LIGATURES = dict(zip(range(0xFB00, 0xFB07), ("ff", "fi", "fl", "ffi", "ffl", "st", "st"), strict=True))


def read(content: bytes) -> str:
    """The texts of the pages; a broken page is left out."""
    document = _opened(content)
    try:
        document.init_forms()
        text = "\n\n".join(_pages(document))
    finally:
        document.close()
    if not text.strip():
        raise Invalid("The file has no text in it: its pages are pictures only, or empty.")
    return text


def _opened(content: bytes) -> Any:
    """The file, repaired if that is necessary and possible.

    Raises
    ------
    Invalid
        The file is encrypted, or no PDF.
    """
    for each in chain([content], repaired(content) if b"%PDF-" in content[:1024] else ()):
        with suppress(PdfiumError):
            return _nonempty(each)
    raise Invalid("The file is no PDF, or too much of it is missing.")


def _nonempty(content: bytes) -> Any:
    try:
        document = PdfDocument(content)
    except PdfiumError as error:
        if error.err_code == pdfium.FPDF_ERR_PASSWORD:
            raise Invalid("The file is encrypted.") from None
        raise
    if not len(document):
        document.close()
        raise PdfiumError("There are no pages.")
    return document


def _pages(document: Any) -> Iterator[str]:
    for number in range(len(document)):
        try:
            page = document[number]
            page.set_rotation(0)  # the library returns the lines of a rotated page in another order
            text = "\n".join([_whole_words(_text(page.get_textpage())), *_annotations(page)])
        except PdfiumError:
            continue
        page.close()
        yield text


def _text(page: Any) -> str:
    """The text in lines, in the order of drawing, which nearly all programs use as the reading order."""
    text: str = page.get_text_range()
    if _gaps(page) < LINES and not _has_slanted_lines(page, text):
        return text.replace("\r\n", "\n").replace("\ufffe", "-\n")
    ordered: list[str] = []
    for slant, lines in groupby(_lines(page), key=lambda line: line[0].slant):
        if slant:  # the library returns these lines in any order
            sorted_lines = sorted(lines, key=lambda line: -line[0].bottom)
            ordered += [" ".join(piece.text for piece in line) for line in sorted_lines]
        else:
            ordered += in_order(list(lines))
    return "\n".join(ordered)


def _whole_words(text: str) -> str:
    """The text with words joined that are hyphenated at the ends of lines, and without ligatures."""
    whole = _BROKEN.sub(lambda found: found[1] if found[2].islower() else found[0], text)
    return whole.translate(_LIGATURES)


def _gaps(page: Any) -> int:
    """The number of gaps between two pieces of a line that may separate columns."""
    found, box = 0, [ctypes.c_double() for _ in range(4)]
    right = bottom = top = math.inf
    for number in range(page.count_rects()):
        pdfium.FPDFText_GetRect(page, number, *map(ctypes.byref, box))
        left, high, far, low = (each.value for each in box)
        found += left - right > GAP * (high - low) and low < top and high > bottom
        right, bottom, top = far, low, high
    return found


def _has_slanted_lines(page: Any, text: str) -> bool:
    at = 0
    for line in text.split("\r\n"):
        if pdfium.FPDFText_GetCharAngle(page, at) > _LEVEL:
            return True
        at += len(line) + 2
    return False


def _lines(page: Any) -> list[Line]:
    """The lines, cut at their gaps."""
    lines: list[Line] = []
    line: list[Piece] = []
    word: list[int] = []
    start, count = 0, pdfium.FPDFText_CountChars(page)
    for at in range(count + 1):
        code = pdfium.FPDFText_GetUnicode(page, at) if at < count else 0
        if code not in _ENDS:
            start = at if not word else start
            word.append(code)
            continue
        if code == _HYPHEN:
            word.append(ord("-"))
        if word:
            _add(line, _piece(page, start, at - (code != _HYPHEN), "".join(map(chr, word))))
            word.clear()
        if line and (code in (0x0A, 0x0D, _HYPHEN) or at == count):
            lines.append(line)
            line = []
    return lines


def _add(line: list[Piece], word: Piece) -> None:
    """Add a word to a line."""
    last = line[-1] if line else None
    if last is None or (word.left - last.right > GAP * word.height and not word.slant):
        line.append(word)
    else:
        line[-1] = last._replace(text=f"{last.text} {word.text}", right=word.right)


def _piece(page: Any, first: int, last: int, text: str) -> Piece:
    angle = pdfium.FPDFText_GetCharAngle(page, first)
    if angle > _LEVEL:
        x, y = ctypes.c_double(), ctypes.c_double()
        pdfium.FPDFText_GetCharOrigin(page, first, x, y)
        across, up = math.cos(angle), -math.sin(angle)
        left = x.value * across + y.value * up
        return Piece(text, left, left, y.value * across - x.value * up, 0, round(angle, 2))
    box = pdfium.FS_RECTF()
    pdfium.FPDFText_GetLooseCharBox(page, last, box)
    right = box.right
    pdfium.FPDFText_GetLooseCharBox(page, first, box)
    return Piece(text, box.left, right, box.bottom, box.top - box.bottom)


def _annotations(page: Any) -> Iterator[str]:
    """The texts of notes, and the values of fields."""
    for number in range(pdfium.FPDFPage_GetAnnotCount(page)):
        annotation = pdfium.FPDFPage_GetAnnot(page, number)
        if not annotation:
            continue
        try:
            yield _said(page, annotation)
        finally:
            pdfium.FPDFPage_CloseAnnot(annotation)


def _said(page: Any, annotation: Any) -> str:
    if pdfium.FPDFAnnot_GetFlags(annotation) & _HIDDEN:
        return ""
    kind, form = pdfium.FPDFAnnot_GetSubtype(annotation), page.formenv
    if kind in _NOTES:
        return _string(lambda buffer, size: pdfium.FPDFAnnot_GetStringValue(annotation, b"Contents", buffer, size))
    if kind == pdfium.FPDF_ANNOT_WIDGET and form and pdfium.FPDFAnnot_GetFormFieldType(form, annotation) in _FIELDS:
        return _string(lambda buffer, size: pdfium.FPDFAnnot_GetFormFieldValue(form, annotation, buffer, size))
    return ""


def _string(fill: Callable[[Any, int], int]) -> str:
    """A text that the library writes into a buffer; its first call returns the size in bytes."""
    size = fill(None, 0)
    buffer = (ctypes.c_ushort * (size // 2 + 1))()
    fill(buffer, size)
    return bytes(buffer)[: max(size - 2, 0)].decode("utf-16-le", errors="replace").replace("\r", "\n")
