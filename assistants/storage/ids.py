"""Ids that look like OpenAI's and sort newest first, and the only mapping from an id to its blob's name."""

import hashlib
import re
import secrets
import threading
from functools import lru_cache
from typing import Annotated

from pydantic import Field

from assistants.settings import PROJECT
from assistants.storage.clock import Clock

_DIGITS = "0123456789ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz"
_UNSAFE = re.compile(r"[^A-Za-z0-9_-]")
_LENGTH = 24
_LONGEST = 64
_TIME_LENGTH = 9  # base62 digits of a time in microseconds; enough until the year 2398

Project = Annotated[str, Field(pattern=f"^{PROJECT}$")]
"""A project in an item: the names of blobs begin with it, unencoded."""


class IdSource:
    """Makes ids that sort newest first, even within one microsecond of one process."""

    def __init__(self, clock: Clock) -> None:
        self._clock = clock
        self._last = 0
        self._lock = threading.Lock()

    def new(self, prefix: str) -> str:
        """A new id such as `asst_` and 24 base62 characters, of which the first 9 are the inverted time."""
        with self._lock:
            self._last = max(int(self._clock.now() * 1_000_000), self._last + 1)
            newest = self._last
        return prefix + _inverted(newest) + "".join(secrets.choice(_DIGITS) for _ in range(_LENGTH - _TIME_LENGTH))


def beginning(prefix: str, time: float) -> str:
    """The beginning of ids that are made at that time: later ids sort before it, earlier ids after it."""
    return prefix + _inverted(int(time * 1_000_000))


def made_at(identifier: str, prefix: str) -> float | None:
    """When an id was made, if it has the form of this service's ids with that prefix; OpenAI's ids may have it, too."""
    if re.fullmatch(re.escape(prefix) + f"[0-9A-Za-z]{{{_LENGTH}}}", identifier) is None:
        return None
    inverted = 0
    for digit in identifier[len(prefix) :][:_TIME_LENGTH]:
        inverted = inverted * 62 + _DIGITS.index(digit)
    return (62**_TIME_LENGTH - 1 - inverted) / 1_000_000


@lru_cache(maxsize=4096, typed=True)  # each piece of a stream names its message
def derived(prefix: str, *parts: object) -> str:
    """An id that is a function of the parts, so that a repetition has the same id."""
    digest = hashlib.sha256("/".join(map(str, parts)).encode()).digest()
    return prefix + _base62(int.from_bytes(digest, "big") % 62**_LENGTH, _LENGTH)


def blob_name(project: str, *ids: str) -> str:
    """The name of the blob of the object with the last of these ids; the ids before it are those of its parents.

    Total: every text that a client sends as an id has a name of its own, and no name is outside its project.
    """
    return "/".join((project, *map(_segment, ids)))


def _segment(identifier: str) -> str:
    escaped = _UNSAFE.sub(lambda match: "".join(f"%{byte:02X}" for byte in _encoded(match[0])), identifier)
    return escaped if len(escaped) <= _LONGEST else "~" + hashlib.sha256(_encoded(identifier)).hexdigest()


def _encoded(text: str) -> bytes:
    return text.encode(errors="surrogatepass")


def _inverted(microseconds: int) -> str:
    return _base62(62**_TIME_LENGTH - 1 - microseconds, _TIME_LENGTH)


def _base62(number: int, length: int) -> str:
    digits: list[str] = []
    for _ in range(length):
        number, digit = divmod(number, 62)
        digits.append(_DIGITS[digit])
    return "".join(reversed(digits))
