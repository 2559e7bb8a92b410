"""`python -m assistants.tools.code_interpreter.local.jail PLAN`: becomes the confined process of a session.

The order matters: later steps remove access that earlier ones need. The root of the process is a folder in memory with
the interpreter, its packages and the system's libraries, read-only; `/mnt/data` and `/tmp` are in memory, too, and are
bounded. A descriptor of `/mnt/data` goes to the host, which has no other access to it. Then the process has no access
left: to no other file, no network, no other process and no new one, so that one SIGKILL ends all of it.
"""

import ctypes
import json
import os
import resource
import signal
import socket
import struct
import sys
from collections.abc import Iterator
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

from assistants import seccomp
from assistants.tools.code_interpreter.local import landlock

DATA, TMP, KERNEL = Path("/mnt/data"), Path("/tmp"), Path("/kernel")  # noqa: S108
FAILED = 71
"""The exit code if a step failed; stderr names the step."""

TMP_BYTES, TMP_FILES = 64 * 1024 * 1024, 1000
_PROCESSOR_SECONDS = 3600
_OPEN_FILES, _THREADS = 256, 64

_LIBRARIES = ("/lib", "/lib64", "/usr/lib", "/usr/lib64", "/usr/local/lib", "/etc/ld.so.cache")
_SHARED = ("/usr/share/zoneinfo", "/usr/share/fonts", "/etc/localtime")
_DEVICES = ("/dev/null", "/dev/zero", "/dev/urandom", "/dev/random")

_ENVIRONMENT = {
    "PATH": "/usr/bin:/bin",
    "HOME": str(TMP),
    "TMPDIR": str(TMP),
    "LANG": "C.UTF-8",
    "TZ": "UTC",
    "MPLBACKEND": "module://figures",
    "MPLCONFIGDIR": str(TMP / "matplotlib"),
    "OPENBLAS_NUM_THREADS": "1",
    "OMP_NUM_THREADS": "1",
    "MALLOC_ARENA_MAX": "2",
}

_NEWNS, _NEWUTS, _NEWIPC, _NEWUSER, _NEWNET = 0x20000, 0x4000000, 0x8000000, 0x10000000, 0x40000000
_MS_BIND, _MS_REC, _MS_PRIVATE, _MS_NOSUID, _MS_NODEV = 0x1000, 0x4000, 0x40000, 2, 4
_MNT_DETACH, _AT_EMPTY_PATH, _AT_RECURSIVE = 2, 0x1000, 0x8000
_ATTR_RDONLY, _ATTR_NOSUID, _ATTR_NODEV = 1, 2, 4
_PR_SET_PDEATHSIG, _PR_SET_NO_NEW_PRIVS = 1, 38
_RLIMIT_NPROC_BY_NAMESPACE = (5, 14)

_REFUSED = (
    "socket", "socketpair", "connect", "bind", "listen", "accept", "accept4", "sendto", "sendmsg", "sendmmsg",
    "recvfrom", "recvmsg", "recvmmsg", "fork", "vfork", "execveat", "ptrace", "process_vm_readv", "process_vm_writev",
    "kcmp", "process_madvise", "process_mrelease", "pidfd_open", "pidfd_send_signal", "pidfd_getfd", "kill", "tkill",
    "rt_sigqueueinfo", "rt_tgsigqueueinfo", "mount", "umount2", "pivot_root", "chroot", "move_mount", "open_tree",
    "fsopen", "fsconfig", "fsmount", "fspick", "mount_setattr", "unshare", "setns", "io_uring_setup", "io_uring_enter",
    "io_uring_register", "bpf", "perf_event_open", "userfaultfd", "add_key", "request_key", "keyctl", "init_module",
    "finit_module", "delete_module", "kexec_load", "kexec_file_load", "reboot", "swapon", "swapoff", "settimeofday",
    "clock_settime", "clock_adjtime", "adjtimex", "sethostname", "setdomainname", "acct", "syslog", "quotactl",
    "quotactl_fd", "iopl", "ioperm", "modify_ldt", "uselib", "personality", "vhangup", "fanotify_init", "fanotify_mark",
    "name_to_handle_at", "open_by_handle_at", "shmget", "shmat", "shmctl", "semget", "semop", "semctl", "semtimedop",
    "msgget", "msgsnd", "msgrcv", "msgctl", "mq_open", "mq_unlink", "memfd_create", "memfd_secret", "mbind",
    "migrate_pages", "move_pages", "set_mempolicy", "setpriority", "ioprio_set", "sched_setscheduler", "sched_setparam",
    "sched_setattr", "link", "linkat", "symlink", "symlinkat", "mknod", "mknodat",
)  # fmt: skip
_WITHOUT_EFFECT = (
    "chmod", "fchmod", "fchmodat", "chown", "fchown", "lchown", "fchownat", "utime", "utimes", "utimensat", "futimesat",
)  # fmt: skip
"""Landlock does not control them; `shutil.copy` and `zipfile` use them."""

_ATTRIBUTES = (
    "setxattr", "lsetxattr", "fsetxattr", "getxattr", "lgetxattr", "fgetxattr", "listxattr", "llistxattr", "flistxattr",
    "removexattr", "lremovexattr", "fremovexattr",
)  # fmt: skip
_OWNED_SIGNALS, _OWNED_SIGNALS_OR_INPUT = (8, 10, 15), (0x5412, 0x8901, 0x8902)
"""F_SETOWN, F_SETSIG, F_SETOWN_EX; TIOCSTI, FIOSETOWN, SIOCSPGRP."""


@dataclass(frozen=True)
class Plan:
    """How a session's process is confined."""

    user: int | None
    """The user and the group that it becomes; None: this process's own, in a namespace of its own."""
    environment: str
    """The folder of the virtual environment with the packages."""
    base: str
    """The folder of the Python that the environment was made with."""
    memory: int
    """Bytes of address space."""
    disk: int
    """Bytes of the files in `/mnt/data`."""
    files: int
    """The number of files and folders in `/mnt/data`."""
    channel: int
    """The socket on which the descriptor of `/mnt/data` goes to the host."""

    def encoded(self) -> str:
        return json.dumps(asdict(self))


def main() -> None:
    """Become the confined process, or name the failed step on stderr."""
    plan = Plan(**json.loads(sys.argv[1]))
    step = "start"
    try:
        for step in _steps(plan):  # noqa: B007
            pass
    except OSError as error:
        sys.stderr.write(f"{step}: {error.strerror or error}\n")
        sys.stderr.flush()
        os._exit(FAILED)


def _steps(plan: Plan) -> Iterator[str]:
    yield "a session of its own"
    os.setsid()
    _leave_with_parent()
    Path("/proc/self/oom_score_adj").write_text("1000", encoding="ascii")
    sources = {name: (Path(__file__).parent / name).read_bytes() for name in ("kernel.py", "figures.py")}
    yield "namespaces"
    _unshare(plan)
    yield "a root of its own"
    _make_root(plan, sources)
    yield "another user"
    if plan.user is not None:
        os.setgroups([])
        os.setresgid(plan.user, plan.user, plan.user)
        os.setresuid(plan.user, plan.user, plan.user)
    _leave_with_parent()  # again, as a change of the user has cleared it
    yield "limits"
    _limit(plan)
    yield "no new privileges"
    _call("prctl", _PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0)
    yield "Landlock"
    landlock.restrict(dict(_allowed(plan)))
    yield "descriptors"
    os.closerange(3, 65536)
    yield "seccomp"
    machine = seccomp.machine()
    if machine is None:
        raise OSError("the numbers of this machine's system calls are not known")
    seccomp.install(_filter(machine))
    python = f"{plan.environment}/bin/python"
    more = seccomp.program(machine, dict.fromkeys(("execve", "execveat"), seccomp.EPERM), [])
    yield "the interpreter"
    command = [python, "-I", "-B", "-X", "utf8", str(KERNEL / "kernel.py"), more.hex()]
    os.execve(python, command, _ENVIRONMENT)  # noqa: S606


def _unshare(plan: Plan) -> None:
    user, group = os.geteuid(), os.getegid()
    spaces = _NEWNS | _NEWUTS | _NEWIPC | _NEWNET
    _call("unshare", spaces if plan.user is not None else spaces | _NEWUSER)
    if plan.user is None:
        own = Path("/proc/self")
        (own / "setgroups").write_text("deny", encoding="ascii")
        (own / "uid_map").write_text(f"{user} {user} 1", encoding="ascii")
        (own / "gid_map").write_text(f"{group} {group} 1", encoding="ascii")
    _mount("none", "/", None, _MS_REC | _MS_PRIVATE)


def _bound(plan: Plan) -> list[Path]:
    """The folders and files of this machine that the process sees, read-only."""
    base = Path(plan.base)
    interpreter = [base] if base != Path("/usr") else list(_links(Path(plan.environment, "bin/python")))
    paths = [*map(Path, _LIBRARIES), *interpreter, Path(plan.environment), *map(Path, _SHARED)]
    return [path for path in paths if path.exists()]


def _links(path: Path) -> Iterator[Path]:
    """The links that a link leads through, and the file at their end."""
    while path.is_symlink():
        path = path.parent / path.readlink()
        yield path


def _make_root(plan: Plan, sources: dict[str, bytes]) -> None:
    # Opened before the new root hides the paths below it.
    bound = {path: os.open(path, os.O_PATH | os.O_CLOEXEC) for path in [*_bound(plan), *map(Path, _DEVICES)]}
    root, owner = TMP, plan.user if plan.user is not None else os.geteuid()
    group = plan.user if plan.user is not None else os.getegid()
    os.umask(0o022)
    _mount("tmpfs", str(root), "tmpfs", _MS_NOSUID | _MS_NODEV, "size=1m,nr_inodes=1000,mode=755")
    ours = f"uid={owner},gid={group},mode=700"
    for path, size, files in ((DATA, plan.disk, plan.files), (TMP, TMP_BYTES, TMP_FILES)):
        target = root / path.relative_to("/")
        target.mkdir(parents=True)
        _mount("tmpfs", str(target), "tmpfs", _MS_NOSUID | _MS_NODEV, f"size={size},nr_inodes={files + 1},{ours}")
    for path, descriptor in bound.items():
        target = root / path.relative_to("/")
        if Path(f"/proc/self/fd/{descriptor}").is_dir():
            target.mkdir(parents=True, exist_ok=True)
        else:
            target.parent.mkdir(parents=True, exist_ok=True)
            target.touch()
        _mount(f"/proc/self/fd/{descriptor}", str(target), None, _MS_BIND | _MS_REC)
        device = str(path) in _DEVICES
        _set_attributes(target, _ATTR_RDONLY | _ATTR_NOSUID | (0 if device else _ATTR_NODEV), recursive=True)
    kernel = root / KERNEL.relative_to("/")
    kernel.mkdir()
    for name, source in sources.items():
        (kernel / name).write_bytes(source)
    _keep_fonts(plan, root / TMP.relative_to("/") / "matplotlib", owner, group)
    data = os.open(root / DATA.relative_to("/"), os.O_RDONLY | os.O_DIRECTORY | os.O_CLOEXEC)
    with socket.socket(fileno=plan.channel) as channel:
        socket.send_fds(channel, [b"data"], [data])
    _set_attributes(root, _ATTR_RDONLY)
    os.chdir(root)
    _call("pivot_root", b".", b".")
    _call("umount2", b".", _MNT_DETACH)
    os.chdir(DATA)


def _keep_fonts(plan: Plan, target: Path, owner: int, group: int) -> None:
    """Copy the list of fonts: without it, matplotlib takes seconds to make one."""
    target.mkdir()
    for found in Path(plan.environment, "matplotlib").glob("fontlist-*.json"):
        (target / found.name).write_bytes(found.read_bytes())
        os.chown(target / found.name, owner, group)
    os.chown(target, owner, group)


def _limit(plan: Plan) -> None:
    wanted = {
        resource.RLIMIT_AS: plan.memory,
        resource.RLIMIT_FSIZE: plan.disk,
        resource.RLIMIT_CPU: _PROCESSOR_SECONDS,
        resource.RLIMIT_NOFILE: _OPEN_FILES,
        resource.RLIMIT_CORE: 0,
        resource.RLIMIT_MEMLOCK: 0,
        resource.RLIMIT_MSGQUEUE: 0,
    }
    release = tuple(int(part) for part in os.uname().release.split(".")[:2] if part.isdigit())
    if plan.user is not None or release >= _RLIMIT_NPROC_BY_NAMESPACE:
        wanted[resource.RLIMIT_NPROC] = _THREADS
    for kind, most in wanted.items():
        resource.setrlimit(kind, (most, most))


def _allowed(plan: Plan) -> Iterator[tuple[Path, int]]:
    yield Path("/"), landlock.READ_DIR
    yield KERNEL, landlock.READ
    for path in _bound(plan):
        yield path, landlock.READ | landlock.EXECUTE
    for path in _DEVICES:
        yield Path(path), landlock.READ_FILE | landlock.WRITE_FILE
    for path in (DATA, TMP):
        yield path, landlock.CHANGE


def _filter(machine: str) -> bytes:
    # A filter cannot read the flags of `clone3`: the C library falls back to `clone`.
    refused = {
        **dict.fromkeys(_REFUSED, seccomp.EPERM),
        **dict.fromkeys(_WITHOUT_EFFECT, 0),
        **dict.fromkeys(_ATTRIBUTES, seccomp.ENOTSUP),
        "clone3": seccomp.ENOSYS,
    }
    own = os.getpid()
    checks = [
        seccomp.Check("clone", 0, [seccomp.CLONE_THREAD], bits=True),
        seccomp.Check("tgkill", 0, [own]),
        seccomp.Check("prlimit64", 0, [0, own]),
        seccomp.Check("sched_setaffinity", 0, [0, own]),
        seccomp.Check("fcntl", 1, _OWNED_SIGNALS, refused=True),
        seccomp.Check("ioctl", 1, _OWNED_SIGNALS_OR_INPUT, refused=True),
    ]
    return seccomp.program(machine, refused, checks, unknown=False)


def _leave_with_parent() -> None:
    _call("prctl", _PR_SET_PDEATHSIG, signal.SIGKILL, 0, 0, 0)


def _mount(source: str, target: str, kind: str | None, flags: int, options: str = "") -> None:
    texts = [text.encode() if text else None for text in (source, target, kind)]
    _call("mount", *texts, ctypes.c_ulong(flags), options.encode() or None)


def _set_attributes(path: Path, attributes: int, recursive: bool = False) -> None:
    wanted = struct.pack("=QQQQ", attributes, 0, 0, 0)
    flags = _AT_RECURSIVE if recursive else 0
    number = seccomp.NUMBERS["x86_64"]["mount_setattr"]  # the same on every machine
    _call("syscall", number, -100, str(path).encode(), flags, wanted, ctypes.c_size_t(len(wanted)))


def _call(function: str, *arguments: Any) -> None:
    libc = ctypes.CDLL(None, use_errno=True)
    if function == "pivot_root":  # the C library has no function for it
        function, arguments = "syscall", (seccomp.NUMBERS[seccomp.machine() or "x86_64"]["pivot_root"], *arguments)
    if getattr(libc, function)(*arguments) < 0:
        raise OSError(ctypes.get_errno(), f"{function}: {os.strerror(ctypes.get_errno())}")


if __name__ == "__main__":
    main()
