"""What a child that reads files takes away from itself before it reads one.

Linux holds all of it. Elsewhere there are the limits that the system has; connections, programs and files that are
written are refused to Python code only; the parent's limits of time and output hold everywhere.
"""

import os
import platform
import signal
import struct
import sys
from collections.abc import Iterator, Sequence
from contextlib import suppress
from pathlib import Path
from typing import Any

_OPEN_FILES = 64
_NICENESS = 5
"""Requests and streams of the service come before it."""

_PR_SET_PDEATHSIG, _PR_SET_SECCOMP, _PR_SET_NO_NEW_PRIVS = 1, 22, 38
_SECCOMP_MODE_FILTER = 2


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
    """The most bytes of memory that this process has ever had; 0 where nobody knows."""
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


# Numbers of system calls, of which any may be refused: connections, programs, other processes, and io_uring, which
# could do all of that past this filter.
_CALLS = {
    # socket, connect, fork, vfork, execve, execveat, kill, ptrace, process_vm_readv, process_vm_writev, io_uring_setup
    "x86_64": (0xC000003E, (41, 42, 57, 58, 59, 322, 62, 101, 310, 311, 425), 56),
    "aarch64": (0xC00000B7, (198, 203, 221, 281, 129, 117, 270, 271, 425), 220),
}
"""By machine: what the system calls it, the calls that are refused, and `clone`, which may only make threads."""

_CLONE3, _CLONE_THREAD = 435, 0x10000
_X32 = 0x40000000
_EPERM, _ENOSYS = 1, 38
_LOAD, _EQUAL, _AT_LEAST, _SET, _RETURN = 0x20, 0x15, 0x35, 0x45, 0x06
"""Instructions of the filter: load a word of the call, jump if it equals, is at least, has a bit, and return."""

_ALLOW, _KILL, _ERROR = 0x7FFF0000, 0x80000000, 0x00050000
_NUMBER, _ARCHITECTURE, _ARGUMENT = 0, 4, 16
"""Where the words of a call are (`struct seccomp_data`)."""


def _filter_system_calls() -> None:
    """Have the kernel refuse calls of this process for good, where it and the machine are known."""
    if platform.machine() not in _CALLS or sys.maxsize < 2**32:
        return
    import ctypes

    class Program(ctypes.Structure):
        """`struct sock_fprog`."""

        _fields_ = (("length", ctypes.c_ushort), ("instructions", ctypes.c_char_p))

    instructions = list(_instructions(*_CALLS[platform.machine()]))
    libc = ctypes.CDLL(None)
    libc.prctl(_PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0)
    program = Program(len(instructions), b"".join(instructions))
    libc.prctl(_PR_SET_SECCOMP, _SECCOMP_MODE_FILTER, ctypes.byref(program), 0, 0)


def _instructions(architecture: int, refused: Sequence[int], clone: int) -> Iterator[bytes]:
    def instruction(code: int, operand: int, jump: int = 0, otherwise: int = 0) -> bytes:
        return struct.pack("=HBBI", code, jump, otherwise, operand)

    yield instruction(_LOAD, _ARCHITECTURE)
    yield instruction(_EQUAL, architecture, 1, 0)
    yield instruction(_RETURN, _KILL)
    yield instruction(_LOAD, _NUMBER)
    for number in refused:
        yield instruction(_EQUAL, number, 0, 1)
        yield instruction(_RETURN, _ERROR | _EPERM)
    yield instruction(_AT_LEAST, _X32, 0, 1)
    yield instruction(_RETURN, _ERROR | _EPERM)
    yield instruction(_EQUAL, _CLONE3, 0, 1)  # whose flags a filter cannot see: the C library falls back to `clone`
    yield instruction(_RETURN, _ERROR | _ENOSYS)
    yield instruction(_EQUAL, clone, 0, 3)
    yield instruction(_LOAD, _ARGUMENT)
    yield instruction(_SET, _CLONE_THREAD, 1, 0)
    yield instruction(_RETURN, _ERROR | _EPERM)
    yield instruction(_RETURN, _ALLOW)
