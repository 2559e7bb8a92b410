"""Removes the rights of a child process before it reads a file.

Linux enforces all of this. Other systems enforce their own limits; connections, programs and writes of files are
refused to Python code only; the parent's limits of time and output hold everywhere.
"""

import os
import signal
import sys
from collections.abc import Sequence
from contextlib import suppress
from pathlib import Path
from typing import Any

from assistants import seccomp

_OPEN_FILES = 64
_NICENESS = 5
"""Requests and streams of the service have priority."""

_PR_SET_PDEATHSIG = 1


class Confined(PermissionError):
    """A reader has tried an action that is not allowed."""


def confine(memory: int) -> None:
    """Give up all rights that reading a file does not need.

    Parameters
    ----------
    memory
        Bytes of address space that this process may have.
    """
    signal.signal(signal.SIGINT, signal.SIG_IGN)  # sent by the terminal; the parent handles it
    with suppress(OSError, AttributeError):
        os.nice(_NICENESS)
    if sys.platform == "linux":
        with suppress(OSError):
            # If memory runs out, the system kills this process before its parent.
            Path("/proc/self/oom_score_adj").write_text("1000", encoding="ascii")
        _leave_with_parent()
        _filter_system_calls()
    _limit(memory)
    sys.addaudithook(_audit)


def limit_processor(seconds: int) -> None:
    """Let the system end this process after `seconds` more seconds of processor time."""
    if sys.platform != "win32":
        import resource

        used = resource.getrusage(resource.RUSAGE_SELF)
        soft = int(used.ru_utime + used.ru_stime) + seconds + 1
        _, hard = resource.getrlimit(resource.RLIMIT_CPU)
        with suppress(ValueError, OSError):  # if the limit of this process is lower already
            resource.setrlimit(resource.RLIMIT_CPU, (soft, hard))


def peak_memory() -> int:
    """The peak memory of this process in bytes; 0 if it is unknown."""
    if sys.platform == "linux":  # there `ru_maxrss` includes the parent's memory
        status = Path("/proc/self/status").read_text(encoding="ascii", errors="replace")
        return int(status.split("VmHWM:")[1].split()[0]) * 1024
    if sys.platform == "darwin":
        import resource

        return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    return 0


def _limit(memory: int) -> None:
    if sys.platform == "win32":
        return
    import resource

    wanted = {
        resource.RLIMIT_AS: memory,
        resource.RLIMIT_FSIZE: 0,
        resource.RLIMIT_NOFILE: _OPEN_FILES,
        resource.RLIMIT_CORE: 0,
    }
    for kind, most in wanted.items():
        with suppress(ValueError, OSError):  # macOS has no limit of address space
            resource.setrlimit(kind, (most, most))


_REFUSED = ("socket.", "subprocess.", "os.system", "os.exec", "os.fork", "os.posix_spawn", "os.spawn", "os.startfile")
_WRITING = os.O_WRONLY | os.O_RDWR | os.O_CREAT | os.O_TRUNC | os.O_APPEND


def _audit(event: str, arguments: Sequence[Any]) -> None:
    if event.startswith(_REFUSED) or (event == "open" and (arguments[2] or 0) & _WRITING):
        raise Confined(f"a reader may not: {event}")


def _leave_with_parent() -> None:
    """Be killed when the parent dies. If it is dead already, its pipe is closed."""
    import ctypes

    ctypes.CDLL(None).prctl(_PR_SET_PDEATHSIG, signal.SIGKILL, 0, 0, 0)


_REFUSED_CALLS = (
    "socket", "connect", "fork", "vfork", "execve", "execveat", "kill", "ptrace", "process_vm_readv",
    "process_vm_writev", "io_uring_setup",
)  # fmt: skip
"""Connections, programs, other processes, and io_uring, which could do all of these without passing the filter."""


def _filter_system_calls() -> None:
    """Have the kernel refuse system calls of this process irrevocably, on known systems and architectures."""
    if machine := seccomp.machine():
        # A filter cannot read the flags of `clone3`: the C library falls back to `clone`.
        refused = {**dict.fromkeys(_REFUSED_CALLS, seccomp.EPERM), "clone3": seccomp.ENOSYS}
        threads = seccomp.Check("clone", 0, [seccomp.CLONE_THREAD], bits=True)
        with suppress(OSError):  # the kernel may lack it
            seccomp.install(seccomp.program(machine, refused, [threads]))
