"""The reader of each type of file, by the extension of the name (contract, 12).

A reader, and with it the library of its format, is imported at the first file that needs it.
"""

import re
from collections.abc import Callable, Mapping
from pathlib import PurePath

from assistants.ingestion.readers.errors import Invalid, Unsupported

PLAIN = frozenset(
    (
        ".c", ".cpp", ".cs", ".css", ".go", ".java", ".js", ".json", ".md", ".php", ".py", ".rb", ".sh", ".tex",
        ".ts", ".txt",
    )
)  # fmt: skip
"""Extensions of files that are plain text."""

_READ_ELSEWHERE = frozenset((".doc",))
"""Extensions of files that OpenAI reads and this service does not."""

_LEFT_OUT = re.compile("[\x00-\x08\x0e-\x1f\x7f\xad\u2060\ufeff\ud800-\udfff]")
"""Control characters, invisible characters inside words, and surrogates, which cannot be stored."""


def suffix_of(name: str) -> str:
    """The extension of a file name, with its dot, in lower case; empty if there is none."""
    return PurePath(name).suffix.lower()


def supported(name: str) -> bool:
    """Whether files of such a name can be read."""
    return suffix_of(name) in READERS


def attachable(name: str) -> bool:
    """Whether a file of this name may be added to a vector store. If it cannot be read, that file alone fails."""
    return supported(name) or suffix_of(name) in _READ_ELSEWHERE


def read(name: str, content: bytes) -> str:
    """The text of a file.

    Raises
    ------
    Unsupported
        There is no reader for its type.
    Invalid
        It cannot be read, or has no text.
    """
    suffix = suffix_of(name)
    if not supported(name):
        raise Unsupported("The file type is not supported.")
    try:
        text = READERS[suffix](content)
    except (Invalid, MemoryError):
        raise
    except Exception as error:  # parsers raise undocumented errors for broken files
        raise Invalid(f"The file could not be read as {suffix[1:]}: {type(error).__name__}.") from error
    text = _LEFT_OUT.sub("", text)
    if not text.strip():
        raise Invalid("The file has no text in it.")
    return text


def _text(content: bytes) -> str:
    from assistants.ingestion.readers.text import read

    return read(content)


def _python(content: bytes) -> str:
    from assistants.ingestion.readers.text import read_python

    return read_python(content)


def _css(content: bytes) -> str:
    from assistants.ingestion.readers.text import read_css

    return read_css(content)


def _docx(content: bytes) -> str:
    from assistants.ingestion.readers.docx import read

    return read(content)


def _html(content: bytes) -> str:
    from assistants.ingestion.readers.html import read

    return read(content)


def _pdf(content: bytes) -> str:
    from assistants.ingestion.readers.pdf import read

    return read(content)


def _pptx(content: bytes) -> str:
    from assistants.ingestion.readers.pptx import read

    return read(content)


def _rtf(content: bytes) -> str:
    from assistants.ingestion.readers.rtf import read

    return read(content)


def _eml(content: bytes) -> str:
    from assistants.ingestion.readers.eml import read

    return read(content)


def _odt(content: bytes) -> str:
    from assistants.ingestion.readers.odt import read

    return read(content)


def _epub(content: bytes) -> str:
    from assistants.ingestion.readers.epub import read

    return read(content)


READERS: Mapping[str, Callable[[bytes], str]] = {
    **dict.fromkeys(PLAIN, _text),
    ".css": _css,
    ".py": _python,
    ".docx": _docx,
    ".eml": _eml,
    ".epub": _epub,
    ".htm": _html,
    ".html": _html,
    ".odt": _odt,
    ".pdf": _pdf,
    ".pptx": _pptx,
    ".rtf": _rtf,
}
"""The readers, by extension."""
