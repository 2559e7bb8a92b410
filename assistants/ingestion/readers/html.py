"""HTML: what a browser shows, in its lines."""

import re

from bs4 import BeautifulSoup
from bs4.element import NavigableString

_LINE = "\x1e"
"""Where a line ends that a reader sees, whatever lines the source has."""

_BLOCKS = (
    "address", "article", "aside", "blockquote", "br", "dd", "div", "dt", "figcaption", "footer", "form", "h1", "h2",
    "h3", "h4", "h5", "h6", "header", "hr", "li", "main", "nav", "p", "pre", "section", "td", "th", "title", "tr",
)  # fmt: skip


def read(content: bytes) -> str:
    """The text that is shown."""
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
