"""OpenDocument texts."""

from assistants.ingestion.readers.errors import Invalid
from assistants.ingestion.readers.markup import Handler
from assistants.ingestion.readers.package import Package
from assistants.ingestion.readers.story import TextLimit

_UNSEEN = frozenset(
    ("text:tracked-changes", "text:ruby-text", "text:note-citation", "dc:creator", "dc:date", "text:sequence-decls")
)
"""Elements without visible text, such as deletions, which precede the text."""

_DEEPEST = 100


def read(content: bytes) -> str:
    """Headers and footers, then the text with its notes and comments."""
    package, limit = Package(content), TextLimit()
    margins, body = _Margins(limit), _Text(limit)
    package.read("styles.xml", margins)
    if not package.read("content.xml", body):
        raise Invalid("The file is no OpenDocument text.")
    return "\n".join([*margins.lines, *body.lines])


class _Text(Handler):
    """Collects paragraphs; a row of a table is one line, with ` | ` between its cells."""

    def __init__(self, limit: TextLimit) -> None:
        self._limit = limit
        self._paragraphs: list[list[str]] = []
        self._frames: list[list[str]] = [[]]
        self._rows: list[list[str]] = []

    @property
    def lines(self) -> list[str]:
        """All lines, once the document has ended."""
        return self._frames[0]

    def start(self, name: str, attributes: dict[str, str]) -> bool:  # noqa: ARG002
        if name in _UNSEEN:
            return False
        if name in ("text:p", "text:h"):
            self._limit.take_block()
            self._paragraphs.append([])
        elif name == "table:table-row":
            self._rows.append([])
        elif name == "table:table-cell":
            self._limit.take_block()
            self._frames.append([])
        elif name == "text:s":
            self.text(" ")
        elif name in ("text:tab", "text:line-break"):
            self.text("\t" if name == "text:tab" else "\n")
        if max(len(self._frames), len(self._paragraphs)) > _DEEPEST:
            raise Invalid("The file has tables in tables beyond measure.")
        return True

    def end(self, name: str) -> None:
        if name in ("text:p", "text:h"):
            self._frames[-1].append("".join(self._paragraphs.pop()))
        elif name == "table:table-cell":
            cell = " ".join(self._frames.pop()).strip()
            (self._rows[-1] if self._rows else self._frames[-1]).append(cell)
        elif name == "table:table-row":
            self._frames[-1].append(" | ".join(self._rows.pop()))

    def text(self, text: str) -> None:
        if self._paragraphs:
            self._paragraphs[-1].append(self._limit.take(text))


class _Margins(_Text):
    """Headers and footers, of which a file has one for each page style; repeated lines are read once."""

    def __init__(self, limit: TextLimit) -> None:
        super().__init__(limit)
        self._inside = False

    @property
    def lines(self) -> list[str]:
        return list(dict.fromkeys(line for line in super().lines if line.strip()))

    def start(self, name: str, attributes: dict[str, str]) -> bool:
        self._inside |= name in ("style:header", "style:footer")
        return super().start(name, attributes) if self._inside else True

    def end(self, name: str) -> None:
        if name in ("style:header", "style:footer"):
            self._inside = False
        elif self._inside:
            super().end(name)
