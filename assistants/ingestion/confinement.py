"""What a child that reads files takes away from itself before it reads one.

Linux holds all of it. Elsewhere there are the limits that the system has; connections, programs and files that are
written are refused to Python code only; the parent's limits of time and output hold everywhere.
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
"""Requests and streams of the service come before it."""

_PR_SET_PDEATHSIG = 1


class Confined(PermissionError):
    """A reader has tried what it may not."""


def confine(memory: int) -> None:
    """Give up all that reading a file does not need.

    Parameters
    ----------
    memory
        Bytes of address space that this process may have.
    """
    signal.signal(signal.SIGINT, signal.SIG_IGN)  # of the terminal, which its parent answers
    with suppress(OSError, AttributeError):
        os.nice(_NICENESS)
    if sys.platform == "linux":
        with suppress(OSError):
            # Where memory ends, the system ends this process before its parent.
            Path("/proc/self/oom_score_adj").write_text("1000", encoding="ascii")
        _leave_with_parent()
        _filter_system_calls()
    _limit(memory)
    sys.addaudithook(_audit)


def limit_processor(seconds: int) -> None:
    """Let the system end this process after so many seconds more of processor time."""
    if sys.platform != "win32":
        import resource

        used = resource.getrusage(resource.RUSAGE_SELF)
        soft = int(used.ru_utime + used.ru_stime) + seconds + 1
        _, hard = resource.getrlimit(resource.RLIMIT_CPU)
        with suppress(ValueError, OSError):  # where this whole process may have less
            resource.setrlimit(resource.RLIMIT_CPU, (soft, hard))


def peak_memory() -> int:
    """The most bytes of memory that this process has ever had; 0 where it is not known."""
    if sys.platform == "linux":  # whose `ru_maxrss` has the parent's memory in it
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
        with suppress(ValueError, OSError):  # macOS knows no limit of address space
            resource.setrlimit(kind, (most, most))


_REFUSED = ("socket.", "subprocess.", "os.system", "os.exec", "os.fork", "os.posix_spawn", "os.spawn", "os.startfile")
_WRITING = os.O_WRONLY | os.O_RDWR | os.O_CREAT | os.O_TRUNC | os.O_APPEND


def _audit(event: str, arguments: Sequence[Any]) -> None:
    if event.startswith(_REFUSED) or (event == "open" and (arguments[2] or 0) & _WRITING):
        raise Confined(f"a reader may not: {event}")


def _leave_with_parent() -> None:
    """Be killed when the parent dies. That it is gone already shows by the end of its pipe."""
    import ctypes

    ctypes.CDLL(None).prctl(_PR_SET_PDEATHSIG, signal.SIGKILL, 0, 0, 0)


_REFUSED_CALLS = (
    "socket", "connect", "fork", "vfork", "execve", "execveat", "kill", "ptrace", "process_vm_readv",
    "process_vm_writev", "io_uring_setup",
)  # fmt: skip
"""Connections, programs, other processes, and io_uring, which could do all of that past this filter."""


def _filter_system_calls() -> None:
    """Have the kernel refuse calls of this process for good, where it and the machine are known."""
    if machine := seccomp.machine():
        # A filter cannot see the flags of `clone3`: the C library falls back to `clone`.
        refused = {**dict.fromkeys(_REFUSED_CALLS, seccomp.EPERM), "clone3": seccomp.ENOSYS}
        threads = seccomp.Check("clone", 0, [seccomp.CLONE_THREAD], bits=True)
        with suppress(OSError):  # of a kernel without it
            seccomp.install(seccomp.program(machine, refused, [threads]))
