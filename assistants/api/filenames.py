"""Names of files: as clients send them in forms, and as downloads send them."""

import email.errors
import email.header
import email.message
import re
from typing import cast
from urllib.parse import quote, unquote_to_bytes

_Parameter = tuple[str, str | tuple[str | None, str | None, str]]
"""A parameter of a header, as the standard library gives it: an extended one has its charset and language."""

_MAX_PARSED = 8 * 1024
"""Bytes of a header that the standard library parses; its parser takes more than linear time."""

_WORDS = re.compile(r"=\?[^\s?]+\?[bBqQ]\?[^\s?]*\?=(\s+=\?[^\s?]+\?[bBqQ]\?[^\s?]*\?=)*")
_PERCENT_SIGN = re.compile("%(?![0-9A-Fa-f]{2})")
_FORM_ESCAPE = re.compile("%(22|0[DdAa])")
_CONTROLS = re.compile("[\x00-\x1f\x7f-\x9f\ud800-\udfff]+")
_NOT_PLAIN = re.compile(r'[^ -~]|["%\\]')


def of_part(disposition: bytes, plain: bytes) -> str:
    """The name of the file in a part of a form; empty if it has none.

    Parameters
    ----------
    disposition
        The part's header `Content-Disposition`. RFC 7578 forbids `filename*`, but clients send it.
    plain
        The header's parameter `filename`.
    """
    return base_name(_extended(disposition) or _decoded(plain))


def base_name(name: str) -> str:
    """A name without the folders of a path, of any system, and without control characters."""
    last = re.split(r"[/\\]", _CONTROLS.sub("", name))[-1].strip()
    return "" if last in (".", "..") else last


def attachment(name: str) -> str:
    """The `Content-Disposition` of a download: the name in ASCII for old clients, and in full (RFC 6266)."""
    return f"attachment; filename=\"{_NOT_PLAIN.sub('_', name)}\"; filename*=UTF-8''{quote(name, safe='')}"


def _extended(disposition: bytes) -> str | None:
    """The parameter `filename*` (RFC 5987), if it can be decoded."""
    if b"filename*" not in disposition.lower() or len(disposition) > _MAX_PARSED:
        return None
    header = email.message.Message()
    header["Content-Disposition"] = disposition.decode("latin-1")
    for name, value in cast("list[_Parameter]", header.get_params([], "Content-Disposition")):
        if name.lower() == "filename" and isinstance(value, tuple):
            charset, _, encoded = value
            try:
                return encoded.encode("latin-1").decode(charset or "ascii")
            except (LookupError, ValueError):
                return None
    return None


def _decoded(name: bytes) -> str:
    """The parameter `filename`: raw UTF-8, encoded words (RFC 2047), or percent-encoded (RFC 7578, 4.2)."""
    try:
        text = name.decode()
    except UnicodeDecodeError:
        return name.decode("cp1252", errors="replace")
    if _WORDS.fullmatch(text):
        try:
            return str(email.header.make_header(email.header.decode_header(text))) or text
        except (LookupError, ValueError, email.errors.HeaderParseError):
            return text
    return _unescaped(text)


def _unescaped(text: str) -> str:
    """Decode percent signs only if all non-ASCII characters are encoded: then the client encodes with them.

    Browsers and the SDKs encode only the quotation mark and line ends, not the percent sign.
    """
    if text.isascii() and not _PERCENT_SIGN.search(text):
        try:
            decoded = unquote_to_bytes(text).decode()
        except UnicodeDecodeError:
            decoded = text
        if not decoded.isascii():
            return decoded
    return _FORM_ESCAPE.sub(lambda found: '"' if found[1] == "22" else "", text)
