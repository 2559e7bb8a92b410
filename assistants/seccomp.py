"""Filters with which the Linux kernel refuses system calls of a process irrevocably (seccomp).

No library is used: the existing ones bind libseccomp, a library of the system that few machines have.
"""

import platform
import struct
import sys
from collections.abc import Collection, Iterator, Mapping, Sequence
from dataclasses import dataclass

# Names, and numbers on x86-64 and ARM64 (asm/unistd_64.h, asm-generic/unistd.h); a dash: the call does not exist.
_TABLE = """
socket 41 198; socketpair 53 199; connect 42 203; bind 49 200; listen 50 201; accept 43 202; accept4 288 242;
sendto 44 206; sendmsg 46 211; sendmmsg 307 269; recvfrom 45 207; recvmsg 47 212; recvmmsg 299 243;
fork 57 -; vfork 58 -; clone 56 220; clone3 435 435; execve 59 221; execveat 322 281;
ptrace 101 117; process_vm_readv 310 270; process_vm_writev 311 271; kcmp 312 272; process_madvise 440 440;
process_mrelease 448 448; pidfd_open 434 434; pidfd_send_signal 424 424; pidfd_getfd 438 438; kill 62 129;
tkill 200 130; tgkill 234 131; rt_sigqueueinfo 129 138; rt_tgsigqueueinfo 297 240; fcntl 72 25; ioctl 16 29;
mount 165 40; umount2 166 39; pivot_root 155 41; chroot 161 51; move_mount 429 429; open_tree 428 428; fsopen 430 430;
fsconfig 431 431; fsmount 432 432; fspick 433 433; mount_setattr 442 442; unshare 272 97; setns 308 268;
io_uring_setup 425 425; io_uring_enter 426 426; io_uring_register 427 427; bpf 321 280; perf_event_open 298 241;
userfaultfd 323 282; add_key 248 217; request_key 249 218; keyctl 250 219; init_module 175 105; finit_module 313 273;
delete_module 176 106; kexec_load 246 104; kexec_file_load 320 294; reboot 169 142; swapon 167 224; swapoff 168 225;
settimeofday 164 170; clock_settime 227 112; clock_adjtime 305 266; adjtimex 159 171; sethostname 170 161;
setdomainname 171 162; acct 163 89; syslog 103 116; quotactl 179 60; quotactl_fd 443 443; iopl 172 -; ioperm 173 -;
modify_ldt 154 -; uselib 134 -; personality 135 92; vhangup 153 58; fanotify_init 300 262; fanotify_mark 301 263;
name_to_handle_at 303 264; open_by_handle_at 304 265; shmget 29 194; shmat 30 196; shmctl 31 195; semget 64 190;
semop 65 193; semctl 66 191; semtimedop 220 192; msgget 68 186; msgsnd 69 189; msgrcv 70 188; msgctl 71 187;
mq_open 240 180; mq_unlink 241 181; memfd_create 319 279; memfd_secret 447 447; mbind 237 235; migrate_pages 256 238;
move_pages 279 239; set_mempolicy 238 237; setpriority 141 140; ioprio_set 251 30; sched_setscheduler 144 119;
sched_setparam 142 118; sched_setattr 314 274; sched_setaffinity 203 122; prlimit64 302 261;
link 86 -; linkat 265 37; symlink 88 -; symlinkat 266 36; mknod 133 -; mknodat 259 33;
chmod 90 -; fchmod 91 52; fchmodat 268 53; chown 92 -; fchown 93 55; lchown 94 -; fchownat 260 54; utime 132 -;
utimes 235 -; utimensat 280 88; futimesat 261 -; setxattr 188 5; lsetxattr 189 6; fsetxattr 190 7; getxattr 191 8;
lgetxattr 192 9; fgetxattr 193 10; listxattr 194 11; llistxattr 195 12; flistxattr 196 13; removexattr 197 14;
lremovexattr 198 15; fremovexattr 199 16
"""
_ROWS = [entry.split() for entry in _TABLE.split(";")]
NUMBERS: Mapping[str, Mapping[str, int]] = {
    "x86_64": {name: int(number) for name, number, _ in _ROWS if number != "-"},
    "aarch64": {name: int(number) for name, _, number in _ROWS if number != "-"},
}
"""By architecture: the numbers of its calls."""

EPERM, ENOSYS, ENOTSUP = 1, 38, 95
CLONE_THREAD = 0x10000

_AUDIT = {"x86_64": 0xC000003E, "aarch64": 0xC00000B7}
_X32 = 0x40000000
_NEWEST = 450
"""The first number outside this table; a C library treats a refused call as missing in an old kernel."""

_LOAD, _EQUAL, _AT_LEAST, _SET, _RETURN = 0x20, 0x15, 0x35, 0x45, 0x06
"""Instructions of the filter: load a word of the call, jump if it equals, is at least, has a bit, and return."""

_ALLOW, _KILL, _ERROR = 0x7FFF0000, 0x80000000, 0x00050000
_NUMBER, _ARCHITECTURE, _ARGUMENTS = 0, 4, 16
"""The offsets of the words of a call (`struct seccomp_data`)."""

_PR_SET_SECCOMP, _PR_SET_NO_NEW_PRIVS = 22, 38
_SECCOMP_MODE_FILTER = 2


@dataclass(frozen=True)
class Check:
    """A call that is checked by the lower 32 bits of one argument."""

    call: str
    argument: int
    values: Collection[int]
    refused: bool = False
    """Whether these values are refused, instead of all others."""
    bits: bool = False
    """Whether a value is a bit of the argument, instead of all of it."""


def machine() -> str | None:
    """The architecture of this machine; None if its calls are not in the table."""
    name = platform.machine()
    return name if sys.platform == "linux" and sys.maxsize > 2**32 and name in NUMBERS else None


def program(machine: str, refused: Mapping[str, int], checks: Sequence[Check], unknown: bool = True) -> bytes:
    """A filter.

    Parameters
    ----------
    machine
        The architecture, as `machine()` names it.
    refused
        The refused calls, by name, with the error of each; 0: the call succeeds without an effect.
    unknown
        Whether calls newer than this table are allowed.
    """
    return b"".join(_instructions(machine, refused, checks, unknown))


def install(program: bytes) -> None:
    """Have the kernel refuse calls of this thread, and of those that it starts.

    Raises
    ------
    OSError
        The kernel does not support such a filter.
    """
    import ctypes

    class Program(ctypes.Structure):
        """`struct sock_fprog`."""

        _fields_ = (("length", ctypes.c_ushort), ("instructions", ctypes.c_char_p))

    libc = ctypes.CDLL(None, use_errno=True)
    libc.prctl(_PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0)
    filled = Program(len(program) // 8, program)
    if libc.prctl(_PR_SET_SECCOMP, _SECCOMP_MODE_FILTER, ctypes.byref(filled), 0, 0):
        raise OSError(ctypes.get_errno(), "seccomp")


def _instruction(code: int, operand: int, jump: int = 0, otherwise: int = 0) -> bytes:
    return struct.pack("=HBBI", code, jump, otherwise, operand)


def _instructions(machine: str, refused: Mapping[str, int], checks: Sequence[Check], unknown: bool) -> Iterator[bytes]:
    numbers = NUMBERS[machine]
    yield _instruction(_LOAD, _ARCHITECTURE)
    yield _instruction(_EQUAL, _AUDIT[machine], 1, 0)
    yield _instruction(_RETURN, _KILL)
    yield _instruction(_LOAD, _NUMBER)
    yield _instruction(_AT_LEAST, _X32, 0, 1)
    yield _instruction(_RETURN, _ERROR | EPERM)
    for call, error in refused.items():
        if call in numbers:
            yield _instruction(_EQUAL, numbers[call], 0, 1)
            yield _instruction(_RETURN, _ERROR | error)
    if not unknown:
        yield _instruction(_AT_LEAST, _NEWEST, 0, 1)
        yield _instruction(_RETURN, _ERROR | ENOSYS)
    for check in checks:
        yield from _check(check, numbers[check.call])
    yield _instruction(_RETURN, _ALLOW)


def _check(check: Check, number: int) -> Iterator[bytes]:
    found, other = (_ERROR | EPERM, _ALLOW) if check.refused else (_ALLOW, _ERROR | EPERM)
    yield _instruction(_EQUAL, number, 0, 2 + 2 * len(check.values))
    yield _instruction(_LOAD, _ARGUMENTS + 8 * check.argument)
    for value in check.values:
        yield _instruction(_SET if check.bits else _EQUAL, value, 0, 1)
        yield _instruction(_RETURN, found)
    yield _instruction(_RETURN, other)
