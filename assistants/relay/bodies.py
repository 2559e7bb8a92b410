"""The bodies of other services' answers: decoded in small pieces, with asterisks in place of the operator's keys."""

import re
import zlib
from collections.abc import AsyncGenerator, AsyncIterable, AsyncIterator, Iterable

import httpx2

from assistants.model.errors import Mask

PIECE = 64 * 1024
"""The most bytes that are decoded at once."""

_IDENTITY = ("", "identity")
_ZIPPED = {"gzip": 31, "x-gzip": 31, "deflate": 15}
"""Encodings that are decoded, although none is requested, and the window bits of each in zlib."""


class Unusable(httpx2.RemoteProtocolError):
    """An answer cannot be passed on; the text gives the reason."""


def guarded(answer: httpx2.Response, secrets: Iterable[str]) -> httpx2.Response:
    """The same answer without keys in its headers and its body, which is no longer encoded.

    Its body may have been read or not; if it cannot be decoded, reading it raises `Unusable`.
    """
    masking = Masking(secrets)
    encoding = answer.headers.get("content-encoding", "").strip().lower()
    dropped = () if encoding in _IDENTITY else ("content-encoding", "content-length")
    headers = [(name, masking.whole(value)) for name, value in answer.headers.raw if name.decode() not in dropped]
    if answer.is_stream_consumed:
        content = masking.whole(answer.content)
        return httpx2.Response(answer.status_code, headers=headers, content=content, request=answer.request)
    assert isinstance(answer.stream, httpx2.AsyncByteStream)
    stream = _Guarded(answer.stream, encoding, masking)
    return httpx2.Response(answer.status_code, headers=headers, stream=stream, request=answer.request)


class Masking:
    """Replaces keys by as many asterisks as they have bytes, so that the length stays the same."""

    def __init__(self, secrets: Iterable[str]) -> None:
        self._forms = [form.encode() for form in Mask(secrets).forms]
        self._longest = max(map(len, self._forms), default=1)
        self._any = re.compile(b"|".join(map(re.escape, self._forms)) or b"(?!)")
        self._kept = b""

    def whole(self, content: bytes) -> bytes:
        """A whole body, masked."""
        return self._any.sub(lambda found: b"*" * len(found[0]), content)

    def take(self, piece: bytes) -> bytes:
        """The bytes that can be passed on after a further piece; a possible beginning of a key is kept back."""
        content = self.whole(self._kept + piece)
        start = max(len(content) - self._longest + 1, 0)
        begun = next((at for at in range(start, len(content)) if self._begins(content[at:])), len(content))
        self._kept = content[begun:]
        return content[:begun]

    def rest(self) -> bytes:
        """The bytes that are kept back at the end."""
        return self._kept

    def _begins(self, end: bytes) -> bool:
        return any(form.startswith(end) for form in self._forms)


class _Guarded(httpx2.AsyncByteStream):
    def __init__(self, stream: httpx2.AsyncByteStream, encoding: str, masking: Masking) -> None:
        self._stream, self._encoding, self._masking = stream, encoding, masking

    async def __aiter__(self) -> AsyncIterator[bytes]:
        pieces = self._stream if self._encoding in _IDENTITY else decoded(self._stream, self._encoding)
        async for piece in pieces:
            if content := self._masking.take(piece):
                yield content
        if rest := self._masking.rest():
            yield rest

    async def aclose(self) -> None:
        await self._stream.aclose()


async def decoded(pieces: AsyncIterable[bytes], encoding: str) -> AsyncGenerator[bytes]:
    """The decoded body, at most one piece at once, whatever the size of the whole.

    Raises
    ------
    Unusable
        The body is not encoded as declared, or its encoding is unknown.
    """
    if encoding not in _ZIPPED:
        raise Unusable(f"its encoding is {encoding[:32]!r}")
    decoder = zlib.decompressobj(_ZIPPED[encoding])
    try:
        async for piece in pieces:
            rest = piece
            while rest and not decoder.eof:
                content = decoder.decompress(rest, PIECE)
                rest = decoder.unconsumed_tail
                if content:
                    yield content
        while content := decoder.decompress(b"", PIECE):
            yield content
    except zlib.error as error:
        raise Unusable(f"it is not encoded as {encoding}") from error
    if not decoder.eof:
        raise httpx2.RemoteProtocolError("the encoded body broke off")
