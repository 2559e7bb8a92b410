"""Mail: the main headers and the body."""

from collections.abc import Iterator
from email import message_from_bytes
from email.errors import HeaderParseError
from email.header import decode_header, make_header
from email.message import Message
from typing import cast

from assistants.ingestion.readers import html
from assistants.ingestion.readers.encodings import decoded
from assistants.ingestion.readers.errors import Invalid

_LONGEST = 10_000
"""The most characters of a header."""

_HEADERS = ("Subject", "From", "To", "Cc", "Date")


def read(content: bytes) -> str:
    """Some headers, the names of attachments, and the body: as plain text if there is one, else as HTML."""
    message = message_from_bytes(content)
    if not any(name in message for name in _HEADERS):
        raise Invalid("The file is no mail.")
    lines = [f"{name}: {_header(message[name])}" for name in _HEADERS if message[name]]
    parts = list(_parts(message))
    names = [_header(name) for part in parts if (name := part.get_filename())]
    written = [part for part in parts if not part.get_filename() and part.get_content_maintype() == "text"]
    plain = [part for part in written if part.get_content_subtype() == "plain"]
    lines += [f"Attachments: {', '.join(names)}"] if names else []
    return "\n".join([*lines, "", *map(_text, plain or written)])


def _parts(message: "Message[str, str]") -> Iterator["Message[str, str]"]:
    """The parts without parts of their own, except those of attached mails."""
    if message.get_content_type() == "message/rfc822" or not message.is_multipart():
        yield message
    else:
        for part in cast("list[Message[str, str]]", message.get_payload()):
            yield from _parts(part)


def _header(value: str) -> str:
    """A header as one line, with its encoded words decoded (RFC 2047)."""
    line = " ".join(str(value)[:_LONGEST].split())
    try:
        return str(make_header(decode_header(line)))
    except (LookupError, ValueError, HeaderParseError):
        return line


def _text(part: "Message[str, str]") -> str:
    payload = part.get_payload(decode=True)
    text = decoded(payload if isinstance(payload, bytes) else b"", part.get_content_charset())
    return html.read(text.encode()) if part.get_content_subtype() == "html" else text
