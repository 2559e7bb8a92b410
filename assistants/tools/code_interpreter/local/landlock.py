"""Restricts the file access of a process irrevocably (Landlock).

No library is used: those on PyPI are younger than the interface, and bind three system calls.
"""

import ctypes
import os
import struct
from collections.abc import Mapping
from pathlib import Path

# linux/landlock.h: rights over files and folders.
EXECUTE, WRITE_FILE, READ_FILE, READ_DIR, REMOVE_DIR, REMOVE_FILE = 1, 2, 4, 8, 16, 32
MAKE_DIR, MAKE_REG, REFER, TRUNCATE = 1 << 7, 1 << 8, 1 << 13, 1 << 14
READ = READ_FILE | READ_DIR
CHANGE = READ | WRITE_FILE | REMOVE_DIR | REMOVE_FILE | MAKE_DIR | MAKE_REG | REFER | TRUNCATE

_OF_FILES = EXECUTE | WRITE_FILE | READ_FILE | TRUNCATE
_HANDLED = {1: 0x1FFF, 2: 0x3FFF, 3: 0x7FFF, 4: 0x7FFF, 5: 0xFFFF}
"""By version: all of its rights; later versions have those of 5."""

_BIND_AND_CONNECT, _ABSTRACT_SOCKETS_AND_SIGNALS = 3, 3
_CREATE, _ADD, _RESTRICT = 444, 445, 446  # on every architecture
_VERSION, _PATH_BENEATH = 1, 1


def version() -> int:
    """The version of Landlock in this kernel; 0: it has none, or Landlock is disabled."""
    return max(0, ctypes.CDLL(None).syscall(_CREATE, None, ctypes.c_size_t(0), _VERSION))


def restrict(allowed: Mapping[Path, int]) -> None:
    """Allow this thread only these rights, below these paths; `no_new_privs` must be set.

    Raises
    ------
    OSError
        The kernel has no Landlock, or a path is missing.
    """
    libc = ctypes.CDLL(None, use_errno=True)

    def call(number: int, *arguments: object) -> int:
        done: int = libc.syscall(number, *arguments)
        if done < 0:
            raise OSError(ctypes.get_errno(), "landlock")
        return done

    known = version()
    handled = _HANDLED.get(known, _HANDLED[5])
    rules = struct.pack("=QQQ", handled, _BIND_AND_CONNECT, _ABSTRACT_SOCKETS_AND_SIGNALS)
    size = 8 if known < 4 else 16 if known < 6 else 24
    ruleset = call(_CREATE, rules[:size], ctypes.c_size_t(size), 0)
    for path, rights in allowed.items():
        place = os.open(path, os.O_PATH | os.O_CLOEXEC)
        rights &= handled if path.is_dir() else handled & _OF_FILES
        call(_ADD, ruleset, _PATH_BENEATH, struct.pack("=Qi", rights, place), 0)
        os.close(place)
    call(_RESTRICT, ruleset, 0)
    os.close(ruleset)
