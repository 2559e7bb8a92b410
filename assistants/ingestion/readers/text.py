"""Plain text, in UTF-8 or UTF-16."""

import codecs

from assistants.ingestion.readers.errors import Invalid

_MARKS = ((codecs.BOM_UTF8, "utf-8-sig"), (codecs.BOM_UTF16_LE, "utf-16"), (codecs.BOM_UTF16_BE, "utf-16"))
_SAMPLE = 4096


def read(content: bytes) -> str:
    """The text, decoded."""
    try:
        text = content.decode(_encoding(content))
    except UnicodeDecodeError:
        raise Invalid("The file is neither UTF-8 nor UTF-16 text.") from None
    if "\0" in text:
        raise Invalid("The file is no text.")
    return text


def _encoding(content: bytes) -> str:
    """By its mark; without one, UTF-16 has a zero in every other byte where a text is mostly Latin."""
    for mark, encoding in _MARKS:
        if content.startswith(mark):
            return encoding
    even, odd = content[:_SAMPLE:2].count(0), content[1:_SAMPLE:2].count(0)
    if len(content) % 2 == 0 and max(even, odd) * 4 > min(len(content), _SAMPLE) // 2 and min(even, odd) == 0:
        return "utf-16-be" if even else "utf-16-le"
    return "utf-8"
