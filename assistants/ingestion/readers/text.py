"""Plain text, which may declare its encoding."""

import re

from assistants.ingestion.readers.encodings import decoded
from assistants.ingestion.readers.errors import Invalid

_PYTHON = re.compile(rb"(?:[^\n]*\n)?[ \t\f]*#[^\n]*?coding[:=][ \t]*([-\w.]+)")
_CONTROLS = re.compile("[\x00-\x08\x0e-\x1f]")
_CSS = re.compile(rb'@charset "([^"]+)";')


def read(content: bytes) -> str:
    """The text, decoded."""
    return _read(content, None)


def read_python(content: bytes) -> str:
    """A Python source, whose encoding is in one of the first two lines (PEP 263)."""
    return _read(content, _declared(_PYTHON, content))


def read_css(content: bytes) -> str:
    """A style sheet, which begins with its encoding."""
    return _read(content, _declared(_CSS, content))


def _read(content: bytes, declared: str | None) -> str:
    text = decoded(content, declared)
    if len(_CONTROLS.findall(text)) * 10 > len(text):
        raise Invalid("The file is no text.")
    return text


def _declared(pattern: re.Pattern[bytes], content: bytes) -> str | None:
    found = pattern.match(content[:1024])
    return found[1].decode("ascii", errors="replace") if found else None
