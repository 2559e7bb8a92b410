"""The variables of a session, between two processes.

Pickled data is loaded only inside a confined process, never here; the list of names beside it is parsed here.
"""

import json
import struct
from dataclasses import dataclass
from typing import Any, cast

from assistants.tools.code_interpreter.local.kernel import MOST_NAMED

_MAGIC = b"session1"
_LENGTH = struct.Struct("!I")
_NAME = 100


@dataclass(frozen=True)
class Snapshot:
    """Pickled variables, and the names of those that could not be pickled."""

    content: bytes
    lost: list[str]


def written(content: bytes, lost: object) -> bytes:
    """A snapshot in bytes; `lost` comes from the process, so it may be any JSON value."""
    names = cast("list[Any]", lost) if isinstance(lost, list) else []
    kept = [name for name in names[:MOST_NAMED] if isinstance(name, str) and name.isidentifier() and len(name) <= _NAME]
    head = json.dumps(kept).encode()
    return _MAGIC + _LENGTH.pack(len(head)) + head + content


def read(snapshot: bytes | None) -> Snapshot | None:
    """The snapshot; None if there is none, or its format is another one."""
    start = len(_MAGIC) + _LENGTH.size
    if snapshot is None or len(snapshot) < start or not snapshot.startswith(_MAGIC):
        return None
    (size,) = _LENGTH.unpack(snapshot[len(_MAGIC) : start])
    try:
        return Snapshot(snapshot[start + size :], json.loads(snapshot[start : start + size]))
    except ValueError:
        return None
