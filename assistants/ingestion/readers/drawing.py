"""Charts and diagrams (SmartArt), which are separate parts."""

from assistants.ingestion.readers.markup import Handler
from assistants.ingestion.readers.package import Package, Relation
from assistants.ingestion.readers.story import Story, TextLimit


def drawn(package: Package, relations: dict[str, Relation], reference: str, limit: TextLimit) -> list[str]:
    """The lines of the chart or diagram that a relation's id refers to; none if the part does not exist."""
    relation = relations.get(reference)
    if relation is None:
        return []
    handler = _Diagram(limit) if relation.kind == "diagramData" else _Chart(limit)
    return handler.lines if package.read(relation.part, handler) else []


_COLUMNS = frozenset(("c:tx", "c:cat", "c:val", "c:xVal", "c:yVal", "c:bubbleSize"))
_CATEGORIES = ("c:cat", "c:xVal")


class _Chart(Handler):
    """Titles, then each series with its numbers, after its categories if they differ from the previous series'."""

    def __init__(self, limit: TextLimit) -> None:
        self._limit = limit
        self._columns: dict[str, list[str]] = {}
        self._column = ""
        self._text: list[str] = []
        self._in_series = False
        self._categories: list[str] = []
        self._values: list[str] = []
        self.lines: list[str] = []

    def start(self, name: str, attributes: dict[str, str]) -> bool:  # noqa: ARG002
        if name == "c:ser":
            self._in_series, self._columns = True, {}
        elif name in _COLUMNS:
            self._column = name
        elif name in ("a:p", "c:v", "cx:pt", "cx:v"):
            self._text = []
        return name != "c:extLst"

    def text(self, text: str) -> None:
        self._text.append(self._limit.take(text))

    def end(self, name: str) -> None:
        if name == "a:p":
            self._add_line("".join(self._text))
        elif name == "c:v":
            value = _number("".join(self._text))
            self._columns.setdefault(self._column, []).append(value) if self._in_series else self._add_line(value)
        elif name in ("cx:pt", "cx:v"):
            self._values.append(_number("".join(self._text)))
        elif name in ("cx:lvl", "cx:txData"):
            self._add_line(" | ".join(self._values))
            self._values = []
        elif name == "c:ser":
            self._end_series()

    def _end_series(self) -> None:
        self._in_series = False
        categories = [value for column in _CATEGORIES for value in self._columns.pop(column, ())]
        if categories != self._categories:
            self._add_line(" | ".join(categories))
            self._categories = categories
        named = self._columns.pop("c:tx", [])
        self._add_line(" | ".join([*named, *(value for column in self._columns.values() for value in column)]))

    def _add_line(self, line: str) -> None:
        if line.strip():
            self.lines.append(line.strip())


def _number(text: str) -> str:
    """The number as programs show it: 0.30000000000000004 is 0.3."""
    try:
        return f"{float(text):.12g}"
    except ValueError:
        return text.strip()


class _Diagram(Story):
    """The texts of the diagram's points, each after its parent, in the order of their connections."""

    def __init__(self, limit: TextLimit) -> None:
        super().__init__(limit)
        self._points: dict[str, list[str]] = {}
        self._children: dict[str, list[tuple[int, str]]] = {}
        self._point, self._before = "", 0

    def start(self, name: str, attributes: dict[str, str]) -> bool:
        if name == "dgm:pt":
            self._point, self._before = attributes.get("modelId", ""), len(super().lines)
        elif name == "dgm:cxn" and attributes.get("type", "parOf") == "parOf":
            order = attributes.get("srcOrd", "")
            child = (int(order) if order.isdecimal() else 0, attributes.get("destId", ""))
            self._children.setdefault(attributes.get("srcId", ""), []).append(child)
        return super().start(name, attributes)

    def end(self, name: str) -> None:
        super().end(name)
        if name == "dgm:pt":
            self._points[self._point] = super().lines[self._before :]

    @property
    def lines(self) -> list[str]:
        connected = {child for children in self._children.values() for _, child in children}
        waiting = [point for point in reversed(self._points) if point not in connected]
        lines: list[str] = []
        left = dict(self._points)
        while waiting:
            point = waiting.pop()
            lines += left.pop(point, ())
            waiting += (child for _, child in sorted(self._children.pop(point, ()), reverse=True))
        for each in left.values():
            lines += each
        return [line for line in lines if line.strip()]
