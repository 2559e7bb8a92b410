"""`python -m tests.support.service.badchild BYTES`: a child process whose readers misbehave."""

import os
import socket
import subprocess
import sys
import threading
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

from assistants.ingestion import child
from assistants.ingestion.readers import registry


def spin(content: bytes) -> str:
    while True:
        pass


def sleep(content: bytes) -> str:
    time.sleep(600)
    return ""


def grow(content: bytes) -> str:
    return "x" * int(content)


def crash(content: bytes) -> str:
    os.abort()


def die_once(content: bytes) -> str:
    """Die while the file at that path exists; a test removes it meanwhile."""
    if Path(content.decode()).exists():
        os._exit(1)
    return "risen"


def talk(content: bytes) -> str:
    print("out")
    print("err", file=sys.stderr)
    os.write(1, b"out")
    return "talked"


def tried(act: Callable[[], Any]) -> str:
    try:
        act()
    except OSError as error:
        return type(error).__name__
    return "done"


def attempts(content: bytes) -> str:
    """The results of all forbidden actions of a reader, in Python and by system calls."""
    import ctypes

    libc = ctypes.CDLL(None, use_errno=True)
    named = {
        "socket": lambda: socket.socket(),
        "program": lambda: subprocess.run(["true"]),
        "fork": lambda: os.fork(),
        "write": lambda: Path(content.decode()).write_text("written"),
        "read": lambda: Path(registry.__file__).read_bytes(),
        "thread": lambda: threading.Thread(target=int).start(),
    }
    calls = {
        "socket": lambda: libc.socket(socket.AF_INET, socket.SOCK_STREAM, 0),
        "fork": lambda: libc.fork(),
        "program": lambda: libc.execl(b"/bin/true", b"true", None),
        "kill": lambda: libc.kill(os.getppid(), 0),
    }
    found = [f"{name}: {tried(act)}" for name, act in named.items()]
    found += [f"C {name}: {call()}" for name, call in calls.items()]
    found.append(f"descriptors: {len(list(Path('/proc/self/fd').iterdir()))}")
    found.append(f"environment: {sorted(os.environ)}")
    return "\n".join(found)


READERS = {f".{each.__name__}": each for each in (spin, sleep, grow, crash, die_once, talk, attempts)}

if __name__ == "__main__":
    registry.READERS = {**registry.READERS, **READERS}
    child.main()
