"""Decodes the bytes of a text: by its byte order mark, as Unicode, by its declaration, or by detection."""

import codecs
import re
import unicodedata
from collections.abc import Iterator
from contextlib import suppress
from itertools import pairwise

import chardet

from assistants.ingestion.readers.errors import Invalid

_SAMPLE = 64 * 1024

_MARKS = (
    (codecs.BOM_UTF8, "utf-8-sig"),
    (codecs.BOM_UTF32_LE, "utf-32"),
    (codecs.BOM_UTF32_BE, "utf-32"),
    (codecs.BOM_UTF16_LE, "utf-16"),
    (codecs.BOM_UTF16_BE, "utf-16"),
)
_LABELS = {
    "iso-8859-1": "cp1252", "latin-1": "cp1252", "latin1": "cp1252", "us-ascii": "cp1252", "ascii": "cp1252",
    "shift_jis": "cp932", "shift-jis": "cp932", "sjis": "cp932", "x-sjis": "cp932", "gb2312": "gb18030",
    "gbk": "gb18030", "x-gbk": "gb18030", "euc-kr": "cp949", "ks_c_5601-1987": "cp949",
}  # fmt: skip
"""Names of encodings that stand for another encoding in practice (WHATWG, Encoding)."""

_LIKELY = (
    "windows-1250", "windows-1251", "windows-1252", "windows-1253", "windows-1254", "windows-1255", "windows-1256",
    "windows-1257", "iso8859-1", "iso8859-2", "iso8859-5", "iso8859-7", "iso8859-9", "koi8-r", "koi8-u", "cp866",
    "cp932", "shift_jis", "euc-jp", "iso-2022-jp", "gb18030", "big5", "cp949", "euc-kr",
)  # fmt: skip
_WESTERN = ("Windows-1252", "ISO-8859-1")
_LEAST, _AHEAD, _BEHIND = 0.02, 1.1, 0.9
"""The least confidence of the detector, and how it must compare with that in another and in a Western reading."""

_WORDS = re.compile(r"[^\W\d_]+")
_SIGN_IN_WORD = re.compile(r"[A-Za-zÀ-ۿ][^\w\s\x00-\x7f\xad·–—‘’]+[A-Za-zÀ-ۿ]")  # noqa: RUF001
_TYPOGRAPHY = frozenset("“”‘’„‚–—…•·«»©®™°±§€£µ×²³¼½¾\xa0\xad")  # noqa: RUF001
_COMMON = re.compile("[\n\r -~\u3000-\u30ff]")
_EAST_ASIAN = re.compile("[\n\r -~\u3000-\u30ff\u4e00-\u9fff\uac00-\ud7a3\uff00-\uffef]")
_ALPHABETS = frozenset(("LATIN", "CYRILLIC", "GREEK", "HEBREW", "ARABIC"))


def decoded(content: bytes, declared: str | None = None) -> str:
    """The text of some bytes.

    Parameters
    ----------
    declared
        The encoding that the text declares. If that is UTF-8, it is tried first.

    Raises
    ------
    Invalid
        The encoding is uncertain.
    """
    marked = next((encoding for mark, encoding in _MARKS if content.startswith(mark)), None)
    for encoding in [marked] if marked else _tried(content, declared):
        with suppress(LookupError, ValueError):
            return content.decode(encoding)
    if not marked and (encoding := _detected(content)):
        return content.decode(encoding, errors="replace")
    raise Invalid("The file is neither UTF-8 nor UTF-16 text, nor in another encoding that is sure.")


def _tried(content: bytes, declared: str | None) -> Iterator[str]:
    """Encodings that fail if they are wrong, and the declared one."""
    sample = content[:_SAMPLE]
    if b"\0" in sample and len(content) % 4 == 0:
        yield from ("utf-32-le", "utf-32-be")
    if len(content) % 2 == 0 and (encoding := _utf_16(sample)):
        yield encoding
    name = (declared or "").strip().lower()
    if b"\x1b$" in content and (name or "iso-2022-jp").startswith("iso-2022"):
        yield name or "iso-2022-jp"
    yield "utf-8"
    if name and not name.startswith("utf"):
        yield _LABELS.get(name, name)


def _utf_16(sample: bytes) -> str | None:
    """UTF-16 without a mark: one byte of most characters is a control character, except in East Asia."""
    controls, first, second = _controls(sample), sample[::2].count(0), sample[1::2].count(0)
    if controls * 50 < len(sample):
        return None
    if not _is_utf_8(sample):
        found: list[tuple[int, str]] = []
        for encoding in ("utf-16-be", "utf-16-le"):
            text = sample.decode(encoding, errors="replace")
            if len(_EAST_ASIAN.findall(text)) * 10 >= len(text) * 9:
                found.append((len(_COMMON.findall(text)), encoding))
        if found:
            return max(found)[1]
    if controls * 8 < len(sample) or bool(first) == bool(second):
        return None
    return "utf-16-be" if first else "utf-16-le"


def _is_utf_8(sample: bytes) -> bool:
    """Whether it is UTF-8, apart from a character that is cut off at the end."""
    try:
        codecs.getincrementaldecoder("utf-8")().decode(sample)
    except UnicodeDecodeError:
        return False
    return True


def _controls(sample: bytes) -> int:
    return sum(sample.count(code) for code in range(32) if code not in b"\t\n\f\r\x1a")


def _detected(content: bytes) -> str | None:
    """An encoding in which the text is plausible; None if that is uncertain."""
    sample = content[:_SAMPLE]
    if _controls(sample):
        return None  # no text, or a damaged one
    readable = sample.decode(errors="ignore").encode()
    high = sum(byte > 127 for byte in sample)
    if sum(byte > 127 for byte in readable) > high // 2:
        return None  # damaged UTF-8
    readings: list[tuple[str, float, str]] = []
    for found in chardet.detect_all(sample, ignore_threshold=True, include_encodings=_LIKELY):
        try:
            text = sample.decode(str(found["encoding"]), errors="replace")
        except LookupError:
            continue
        if _reads_well(text):
            readings.append((text, found["confidence"], str(found["encoding"])))
    if not readings:
        return None
    best, confidence, encoding = readings[0]
    if confidence < _LEAST:
        return None
    for _, other, name in readings:
        if name in _WESTERN and other >= _BEHIND * confidence:
            return "cp1252"
    others = [other for text, other, _ in readings if text != best]
    return encoding if not others or confidence >= _AHEAD * others[0] else None


def _reads_well(text: str) -> bool:
    """Whether words have one alphabet and regular case, without signs among their letters."""
    if "\ufffd" in text[:-1] or any("\x80" <= character <= "\x9f" for character in text):
        return False
    words = [word for word in _WORDS.findall(text) if not word.isascii()]
    if any(len(_alphabets(word)) > 1 for word in words):
        return False
    if sum(map(_is_mixed, words)) * 3 > len(words) or len(_SIGN_IN_WORD.findall(text)) > max(1, len(words) // 10):
        return False
    return any(len(word) > 1 for word in words) or _TYPOGRAPHY.issuperset(c for c in text if not c.isascii())


def _alphabets(word: str) -> set[str]:
    return {unicodedata.name(character, "").partition(" ")[0] for character in word} & _ALPHABETS


def _is_mixed(word: str) -> bool:
    return any(before.islower() and after.isupper() for before, after in pairwise(word))
