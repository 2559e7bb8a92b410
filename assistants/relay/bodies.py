"""The bodies of other services' answers: decoded in small pieces, with asterisks where the operator's keys were."""

import re
import zlib
from collections.abc import AsyncGenerator, AsyncIterable, AsyncIterator, Iterable

import httpx2

from assistants.model.errors import Mask

PIECE = 64 * 1024
"""Bytes that are decoded at once."""

_IDENTITY = ("", "identity")
_ZIPPED = {"gzip": 31, "x-gzip": 31, "deflate": 15}
"""Encodings that are understood, though none is asked for, and the window bits that zlib knows them by."""


class Unusable(httpx2.RemoteProtocolError):
    """An answer cannot be passed on; as text, why."""


def guarded(answer: httpx2.Response, secrets: Iterable[str]) -> httpx2.Response:
    """The same answer without keys in its headers and its body, which is not encoded any more.

    Its body may have been read or not; where it cannot be decoded, reading it raises `Unusable`.
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
    """Puts asterisks in the place of keys, as many as they have bytes: what is passed on is as long as it was."""

    def __init__(self, secrets: Iterable[str]) -> None:
        self._forms = [form.encode() for form in Mask(secrets).forms]
        self._longest = max(map(len, self._forms), default=1)
        self._any = re.compile(b"|".join(map(re.escape, self._forms)) or b"(?!)")
        self._kept = b""

    def whole(self, content: bytes) -> bytes:
        """What came at once."""
        return self._any.sub(lambda found: b"*" * len(found[0]), content)

    def take(self, piece: bytes) -> bytes:
        """What can be passed on after one more piece: what may be the beginning of a key waits for the next."""
        content = self.whole(self._kept + piece)
        start = max(len(content) - self._longest + 1, 0)
        begun = next((at for at in range(start, len(content)) if self._begins(content[at:])), len(content))
        self._kept = content[begun:]
        return content[:begun]

    def rest(self) -> bytes:
        """What still waits at the end."""
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
    """What was encoded, never more than a piece at once, however much it becomes.

    Raises
    ------
    Unusable
        It is not encoded as it says, or in a way that is not understood.
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
