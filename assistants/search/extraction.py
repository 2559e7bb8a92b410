"""The text of a file, by what its name says it is (contract, 12)."""

import codecs
from pathlib import PurePath

TEXT = frozenset(
    (
        ".c", ".cpp", ".cs", ".css", ".go", ".java", ".js", ".json", ".md", ".php", ".py", ".rb", ".sh", ".tex",
        ".ts", ".txt",
    )
)  # fmt: skip
"""Names of files that are text as they are, in UTF-8 or UTF-16."""

_MARKS = ((codecs.BOM_UTF8, "utf-8-sig"), (codecs.BOM_UTF16_LE, "utf-16"), (codecs.BOM_UTF16_BE, "utf-16"))


class Unsupported(Exception):
    """A file of a type that nobody reads."""


class Invalid(Exception):
    """A file that is not what its name says."""


async def extract(name: str, content: bytes) -> str:
    """
    Raises
    ------
    Unsupported
        Its type is not supported.
    Invalid
        It cannot be read, or there is no text in it.
    """
    suffix = PurePath(name).suffix.lower()
    if suffix not in TEXT:
        raise Unsupported("The file type is not supported.")
    encoding = next((encoding for mark, encoding in _MARKS if content.startswith(mark)), "utf-8")
    try:
        text = content.decode(encoding)
    except UnicodeDecodeError:
        raise Invalid("The file is neither UTF-8 nor UTF-16 text.") from None
    if "\0" in text or not text.strip():
        raise Invalid("The file has no text in it.")
    return text
