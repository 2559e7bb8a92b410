"""The text of a part of an office document: of paragraphs, tables and shapes, in document order."""

from collections.abc import Callable, Collection

from assistants.ingestion.readers.errors import Invalid
from assistants.ingestion.readers.markup import Handler

MAX_CHARACTERS = 20_000_000
"""The most characters of a document: a longer one certainly has too many tokens."""

MAX_BLOCKS = 1_000_000
"""The most paragraphs, cells and boxes of a document, empty ones included."""

_TEXTS = frozenset(("w:t", "a:t", "m:t", "p:text"))
_PARAGRAPHS = frozenset(("w:p", "a:p", "p:text"))
_CELLS, _ROWS = frozenset(("w:tc", "a:tc")), frozenset(("w:tr", "a:tr"))
_BOXES = frozenset(("w:txbxContent", "a:txBody"))
"""Shapes within a paragraph; their text follows it."""

_STANDS_FOR = {
    "w:tab": "\t", "w:ptab": "\t", "w:br": "\n", "w:cr": "\n", "a:br": "\n", "w:noBreakHyphen": "-", "m:sub": "_",
    "m:sup": "^", "m:den": "/",
}  # fmt: skip
_UNSEEN = frozenset(
    ("w:pPr", "w:tblPr", "w:tblPrEx", "w:sectPr", "w:sdtPr", "w:del", "w:moveFrom", "w:rt", "m:sSubPr", "m:sSupPr")
)
"""Elements without visible text: deleted or moved text, and pronunciations of words."""

_REFERENCES = {"c:chart": "r:id", "cx:chart": "r:id", "dgm:relIds": "r:dm"}
"""Elements that show a separate part, and the attribute that refers to it."""

_DEEPEST = 100
"""The deepest nesting of tables and boxes."""

_OFF = ("0", "false", "off")


class TextLimit:
    """The limit of a document's text, and how much is left of it."""

    def __init__(self) -> None:
        self._left, self._blocks = MAX_CHARACTERS, 0

    def take(self, text: str) -> str:
        """Count the text, and return it.

        Raises
        ------
        Invalid
            The document has too much text.
        """
        self._left -= len(text)
        if self._left < 0:
            raise Invalid("The file has more than 5,000,000 tokens.")
        return text

    def take_block(self) -> None:
        """Count a paragraph, a cell or a box."""
        self._blocks += 1
        if self._blocks > MAX_BLOCKS:
            raise Invalid(f"The file has more than {MAX_BLOCKS:,} paragraphs and cells.")


class _Frame:
    """The lines of a cell, a box or the whole part, its unfinished line, and the lines of boxes in that."""

    def __init__(self) -> None:
        self.lines, self.boxes, self.line = list[str](), list[str](), list[str]()

    def end_line(self) -> None:
        self.lines.append("".join(self.line))
        self.lines += self.boxes
        self.line, self.boxes = [], []

    def ended(self) -> list[str]:
        if self.line or self.boxes:
            self.end_line()
        return self.lines


class Story(Handler):
    """Collects lines; a row of a table is one line, with ` | ` between its cells.

    Parameters
    ----------
    limit
        The limit of the document's text.
    refer
        Reads the part that is shown in the place of a relation's id.
    without
        The kinds of a slide's placeholders that are left out.
    """

    def __init__(
        self, limit: TextLimit, refer: Callable[[str], list[str]] | None = None, without: Collection[str] = ()
    ) -> None:
        self._limit, self._refer, self._without = limit, refer, without
        self._frames, self._rows = [_Frame()], list[list[str]]()
        self._taken: list[bool] = []
        self._in_text = self._hidden = self._in_row_properties = self._deleted = False
        self.root = ""

    @property
    def lines(self) -> list[str]:
        """All lines, once the part has ended."""
        return self._frames[0].ended()

    def start(self, name: str, attributes: dict[str, str]) -> bool:
        self.root = self.root or name
        if name in _TEXTS:
            self._in_text = not self._hidden
        elif name in _STANDS_FOR:
            if not self._hidden:
                self._frames[-1].line.append(self._limit.take(_STANDS_FOR[name]))
        elif name in _UNSEEN:
            self._deleted |= self._in_row_properties and name == "w:del"
            return False
        elif name in _CELLS or name in _BOXES:
            if attributes.get("hMerge") in ("1", "true"):
                return False
            if len(self._frames) > _DEEPEST:
                raise Invalid("The file has tables in tables beyond measure.")
            self._limit.take_block()
            self._frames.append(_Frame())
        elif name in _ROWS:
            self._rows.append([])
            self._deleted = False
        elif name in _REFERENCES:
            if self._refer is not None:
                # On a slide a chart is not part of a paragraph.
                here = self._frames[-1].boxes if self.root.startswith("w:") else self._frames[-1].lines
                here += self._refer(attributes.get(_REFERENCES[name], ""))
        else:
            return self._begin(name, attributes)
        return True

    def _begin(self, name: str, attributes: dict[str, str]) -> bool:
        """Handle the beginning of a rarer element."""
        if name == "mc:AlternateContent":
            self._taken.append(False)
        elif name in ("mc:Choice", "mc:Fallback") and self._taken:
            # The first choice is read, whatever it requires: the alternative has the same text.
            if self._taken[-1]:
                return False
            self._taken[-1] = True
        elif name == "w:trPr":
            self._in_row_properties = True
        elif name == "w:vanish":
            self._hidden = attributes.get("w:val") not in _OFF
        elif name == "p:ph":
            self._hidden = attributes.get("type") in self._without
        return True

    def end(self, name: str) -> None:
        if name in _TEXTS:
            self._in_text = False
        if name in _PARAGRAPHS:
            if not self._hidden:
                self._limit.take_block()
                self._frames[-1].end_line()
        elif name in ("w:r", "m:r", "p:sp"):
            self._hidden = False
        elif name == "w:trPr":
            self._in_row_properties = False
        elif name == "mc:AlternateContent" and self._taken:
            self._taken.pop()
        elif name in _CELLS and len(self._frames) > 1:
            cell = " ".join(" ".join(self._frames.pop().ended()).split("\n")).strip()
            self._rows[-1].append(cell) if self._rows else self._frames[-1].lines.append(cell)
        elif name in _BOXES and len(self._frames) > 1:
            box = self._frames.pop().ended()
            self._frames[-1].boxes += box
        elif name in _ROWS:
            row = self._rows.pop()
            if not self._deleted:
                self._frames[-1].lines.append(" | ".join(row))
            self._deleted = False
        elif name == "w:tbl":
            self._frames[-1].lines.append("")

    def text(self, text: str) -> None:
        if self._in_text:
            self._frames[-1].line.append(self._limit.take(text))
