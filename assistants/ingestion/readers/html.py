"""HTML: the text that a browser shows, in its lines."""

import re
from collections.abc import Mapping

from selectolax.lexbor import LexborHTMLParser, LexborNode

from assistants.ingestion.readers.encodings import decoded

_CHARSET = re.compile(
    rb"""<meta[^>]{0,1000}?charset\s*=\s*["']?\s*([-\w.:]+)|<\?xml[^>]{0,100}?encoding=["']([-\w.]+)""", re.IGNORECASE
)
"""The declaration of a page's encoding."""

_BLOCKS = frozenset(
    (
        "address", "article", "aside", "blockquote", "body", "br", "button", "caption", "center", "dd", "details",
        "dialog", "dir", "div", "dl", "dt", "fieldset", "figcaption", "figure", "footer", "form", "frame", "frameset",
        "h1", "h2", "h3", "h4", "h5", "h6", "head", "header", "hgroup", "hr", "html", "input", "legend", "li", "main",
        "menu", "nav", "ol", "optgroup", "option", "p", "pre", "search", "section", "select", "summary", "table",
        "tbody", "td", "textarea", "tfoot", "th", "thead", "title", "tr", "ul",
    )
)  # fmt: skip
"""Elements that begin and end a line."""

_PARAGRAPHS = frozenset(
    (
        "article", "blockquote", "dl", "figure", "form", "h1", "h2", "h3", "h4", "h5", "h6", "ol", "p", "pre",
        "section", "table", "title", "ul",
    )
)  # fmt: skip
"""Elements with an empty line before and after them."""

_UNSEEN = frozenset(("script", "style", "template", "noscript", "rp", "rt", "iframe", "noembed", "noframes"))
"""Elements whose text is not shown. The annotation of ruby is left out, as it would split the word."""

_KEPT_LINES = frozenset(("pre", "textarea", "listing", "xmp", "plaintext"))
_ENDED = _UNSEEN | frozenset(
    (
        "area", "base", "br", "button", "col", "dd", "dt", "embed", "hr", "img", "input", "li", "link", "meta",
        "option", "p", "param", "source", "tbody", "td", "textarea", "tfoot", "th", "thead", "title", "tr",
        "track", "wbr",
    )
)  # fmt: skip
"""Elements that do not nest: the next element of the same kind, or of another, ends them."""

_SIBLINGS = frozenset(("rt", "rp", "optgroup"))
"""Elements that end with their `ruby` or `select`."""

_DEEPEST = 256
_TAG = re.compile(r"<(/?)([a-z][a-z0-9-]*)", re.IGNORECASE)

_SPEAKING = frozenset(("img", "area", "input"))
_INPUTS_UNSEEN = frozenset(("hidden", "password", "checkbox", "radio", "file", "color", "range"))


def read(content: bytes) -> str:
    """The visible text."""
    found = _CHARSET.search(content[:4096])
    declared = (found[1] or found[2]).decode("ascii", errors="replace") if found else None
    page = decoded(content, declared)
    shown = _Page()
    _walk(LexborHTMLParser(_shallow(page.replace("\0", ""))).root, shown)
    return shown.text


def _shallow(page: str) -> str:
    """The page without elements nested too deeply: parsers take more than linear time for those.

    The replacements of their tags separate words exactly as the tags did.
    """
    depth = siblings = 0

    def limited(found: re.Match[str]) -> str:
        nonlocal depth, siblings
        tag = found[2].lower()
        if tag in _SIBLINGS:
            siblings += 1
            return found[0] if siblings <= _DEEPEST else "<wbr"
        if tag in _ENDED:
            return found[0]
        if tag in ("ruby", "select"):
            siblings = 0
        depth = max(depth - 1, 0) if found[1] else depth + 1
        return found[0] if found[1] or depth <= _DEEPEST else "<hr" if tag in _BLOCKS else "<wbr"

    return _TAG.sub(limited, page)


def _walk(root: LexborNode | None, page: "_Page") -> None:
    """Visit the nodes of a tree in document order, at any depth."""
    node = root
    while node is not None:
        page.start(node)
        if (child := node.child) is not None:
            node = child
            continue
        while node is not None:
            page.end(node.tag or "")
            if node.next is not None:
                node = node.next
                break
            node = node.parent


class _Page:
    """Collects the visible lines."""

    def __init__(self) -> None:
        self._lines: list[str] = []
        self._line: list[str] = []
        self._unseen = self._kept = 0
        self._gap = False

    @property
    def text(self) -> str:
        """All lines, once the page has ended."""
        self._end_line()
        return "\n".join(self._lines)

    def start(self, node: LexborNode) -> None:
        tag = node.tag or ""
        if tag == "-text":
            self._add(node.text_content or "")
            return
        self._break(tag)
        self._unseen += tag in _UNSEEN
        self._kept += tag in _KEPT_LINES
        if tag in _SPEAKING:
            self._add(_alternative(tag, node.attributes))

    def end(self, tag: str) -> None:
        self._break(tag)
        self._unseen -= tag in _UNSEEN
        self._kept -= tag in _KEPT_LINES

    def _add(self, text: str) -> None:
        if self._unseen:
            return
        first, *others = text.split("\n") if self._kept else [text]
        self._line.append(first)
        for line in others:
            self._end_line()
            self._line.append(line)

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


def _alternative(tag: str, attributes: Mapping[str, str | None]) -> str:
    """The text that is shown for an element without a text of its own."""
    if tag != "input":
        return f" {attributes.get('alt') or ''} "
    if (attributes.get("type") or "text").lower() in _INPUTS_UNSEEN:
        return ""
    return attributes.get("value") or attributes.get("alt") or attributes.get("placeholder") or ""
