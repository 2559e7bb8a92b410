"""The content security policy of pages: they run their own scripts only, and no other page may frame them."""

import base64
import hashlib
import re
from collections.abc import Iterator

_INLINE = re.compile(r"<(script|style)>(.*?)</\1>", re.DOTALL)
_NOTHING = ("default-src 'none'", "base-uri 'none'", "form-action 'none'", "frame-ancestors 'none'")


def headers(html: str = "", *more: str) -> dict[str, str]:
    """The headers of a page, which allow the scripts and styles that it has inline, by their hashes.

    Parameters
    ----------
    html
        The page; empty if the answer is no page.
    more
        Further directives, such as `img-src 'self'`; those of scripts and styles are extended.
    """
    found = {name: list(values) for name, *values in (directive.split() for directive in (*_NOTHING, *more))}
    for name, source in _sources(html):
        found.setdefault(name, []).append(source)
    policy = "; ".join(" ".join((name, *values)) for name, values in found.items())
    return {"content-security-policy": policy, "x-frame-options": "DENY", "referrer-policy": "no-referrer"}


def _sources(html: str) -> Iterator[tuple[str, str]]:
    for kind, content in _INLINE.findall(html):
        digest = base64.b64encode(hashlib.sha256(content.encode()).digest()).decode()
        yield f"{kind}-src", f"'sha256-{digest}'"
