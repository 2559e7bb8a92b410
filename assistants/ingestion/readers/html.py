"""HTML: what a browser shows, in its lines."""

import re
from collections.abc import Mapping
from typing import Any

from lxml import etree as untyped  # pyright: ignore

from assistants.ingestion.readers.encodings import decoded

etree: Any = untyped  # pyright: ignore[reportUnknownVariableType]

_CHARSET = re.compile(
    rb"""<meta[^>]{0,1000}?charset\s*=\s*["']?\s*([-\w.:]+)|<\?xml[^>]{0,100}?encoding=["']([-\w.]+)""", re.IGNORECASE
)
"""Where a page says in which encoding it is."""

_BLOCKS = frozenset(
    (
        "address", "article", "aside", "blockquote", "body", "br", "button", "caption", "center", "dd", "details",
        "dialog", "dir", "div", "dl", "dt", "fieldset", "figcaption", "figure", "footer", "form", "frame", "frameset",
        "h1", "h2", "h3", "h4", "h5", "h6", "head", "header", "hgroup", "hr", "html", "input", "legend", "li", "main",
        "menu", "nav", "ol", "optgroup", "option", "p", "pre", "search", "section", "select", "summary", "table",
        "tbody", "td", "textarea", "tfoot", "th", "thead", "title", "tr", "ul",
    )
)  # fmt: skip
"""What a line ends before and after."""

_PARAGRAPHS = frozenset(
    (
        "article", "blockquote", "dl", "figure", "form", "h1", "h2", "h3", "h4", "h5", "h6", "ol", "p", "pre",
        "section", "table", "title", "ul",
    )
)  # fmt: skip
"""What an empty line comes before and after."""

_UNSEEN = frozenset(("script", "style", "template", "noscript", "rp", "rt", "iframe", "noembed", "noframes"))
"""What is not shown; of ruby the text that it is about is."""

_KEPT_LINES = frozenset(("pre", "textarea", "listing", "xmp", "plaintext"))
_INPUTS_UNSEEN = frozenset(("hidden", "password", "checkbox", "radio", "file", "color", "range"))


def read(content: bytes) -> str:
    """The text that is shown."""
    found = _CHARSET.search(content[:4096])
    declared = (found[1] or found[2]).decode("ascii", errors="replace") if found else None
    page = decoded(content, declared)
    parser = etree.HTMLParser(target=_Page(), encoding="utf-8", huge_tree=True)
    return etree.fromstring(page.replace("\0", "").encode(errors="replace"), parser)


class _Page:
    """Takes a page as it is parsed, so that neither depth nor missing ends of elements matter."""

    def __init__(self) -> None:
        self._lines: list[str] = []
        self._line: list[str] = []
        self._unseen = self._kept = 0
        self._gap = False

    def start(self, tag: str, attributes: Mapping[str, str]) -> None:
        self._break(tag)
        self._unseen += tag in _UNSEEN
        self._kept += tag in _KEPT_LINES
        self.data(_alternative(tag, attributes))

    def end(self, tag: str) -> None:
        self._break(tag)
        self._unseen -= tag in _UNSEEN
        self._kept -= tag in _KEPT_LINES

    def data(self, text: str) -> None:
        if self._unseen:
            return
        first, *others = text.split("\n") if self._kept else [text]
        self._line.append(first)
        for line in others:
            self._end_line()
            self._line.append(line)

    def close(self) -> str:
        self._end_line()
        return "\n".join(self._lines)

    def _break(self, tag: str) -> None:
        if tag in _BLOCKS and not self._unseen:
            self._end_line()
            self._gap = self._gap or tag in _PARAGRAPHS

    def _end_line(self) -> None:
        line = " ".join("".join(self._line).split())
        self._line.clear()
        if line:
            self._lines += ["", line] if self._gap and self._lines else [line]
            self._gap = False


def _alternative(tag: str, attributes: Mapping[str, str]) -> str:
    """What stands for an element that has no text of its own."""
    if tag in ("img", "area"):
        return f" {attributes.get('alt') or ''} "
    if tag == "input" and attributes.get("type", "text").lower() not in _INPUTS_UNSEEN:
        return f"{attributes.get('value') or attributes.get('alt') or attributes.get('placeholder') or ''}"
    return ""
