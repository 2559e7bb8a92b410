"""Attacks of code on the machine that executes it.

Each attack is the body of a function; it has succeeded if it returns. `w` describes the targets outside. The same text
runs in the confined process and, as a control, outside of it.
"""

# ruff: noqa: E501 (one attack per line)
from dataclasses import dataclass


@dataclass(frozen=True)
class Attack:
    """One attack."""

    name: str
    body: str
    needs_root: bool = False
    """Whether only root can demonstrate that it would succeed outside."""


def _calls(*lines: str) -> str:
    return "\n".join(lines)


ATTACKS = [
    Attack("reads another file", "return open(w['secret']).read()"),
    Attack("reads another file by a relative path", "return open('../' * 20 + w['secret']).read()"),
    Attack("lists another folder", "return os.listdir(w['folder'])"),
    Attack("writes a file outside", "open(w['folder'] + '/written', 'w').write('x')"),
    Attack("removes a file outside", "os.remove(w['folder'] + '/victim')"),
    Attack("renames a file outside", "os.rename(w['folder'] + '/renamed', w['folder'] + '/renamed2')"),
    Attack("makes a folder outside", "os.mkdir(w['folder'] + '/made')"),
    Attack("reads the passwords", "return open('/etc/passwd').read()"),
    Attack("stats a file outside", "return os.stat(w['secret'])"),
    Attack("changes a mode outside", "os.chmod(w['secret'], 0o604); assert os.stat(w['secret']).st_mode & 0o777 == 0o604"),
    Attack("changes a time outside", "os.utime(w['secret'], (1, 1)); assert os.stat(w['secret']).st_mtime == 1"),
    Attack("sets an attribute outside", "os.setxattr(w['secret'], 'user.x', b'1')"),
    Attack("changes its own mode", "open('m', 'w'); os.chmod('m', 0o604); assert os.stat('m').st_mode & 0o777 == 0o604"),
    Attack("sets its own times", "open('t', 'w'); os.utime('t', (1, 1)); assert os.stat('t').st_mtime == 1"),
    Attack("reads the parent's environment", "return open(f'/proc/{w[\"pid\"]}/environ').read()"),
    Attack("reads the parent's memory", "open(f'/proc/{w[\"pid\"]}/mem', 'rb').close()"),
    Attack("reads another process's memory", _calls(
        "buffer = ctypes.create_string_buffer(8)",
        "class Part(ctypes.Structure): _fields_ = (('at', ctypes.c_void_p), ('size', ctypes.c_size_t))",
        "own = Part(ctypes.addressof(buffer), 8); other = Part(w['address'], 8)",
        "check(libc.process_vm_readv(w['pid'], ctypes.byref(own), 1, ctypes.byref(other), 1, 0))",
        "assert buffer.raw == b'a secret'",
    )),
    Attack("lists processes", "return os.listdir('/proc')"),
    Attack("reads its own environment by /proc", "return open('/proc/self/environ').read()"),
    Attack("reads the system's settings", "return os.listdir('/sys')"),
    Attack("reads an inherited descriptor", "assert os.pread(w['descriptor'], 8, 0) == b'a secret'"),
    Attack("connects to a port of this machine", "socket.create_connection(('127.0.0.1', w['port']), 2)"),
    Attack("opens a UDP socket", "socket.socket(socket.AF_INET, socket.SOCK_DGRAM)"),
    Attack("opens an IPv6 socket", "socket.socket(socket.AF_INET6)"),
    Attack("sends to the metadata address", "s = socket.socket(socket.AF_INET, socket.SOCK_DGRAM); s.connect(('169.254.169.254', 80)); s.send(b'x')"),
    Attack("connects to a Unix socket", "socket.socket(socket.AF_UNIX).connect(w['unix'])"),
    Attack("connects to an abstract socket", "socket.socket(socket.AF_UNIX).connect(chr(0) + w['abstract'])"),
    Attack("opens a netlink socket", "socket.socket(socket.AF_NETLINK, socket.SOCK_RAW, 0)"),
    Attack("opens a packet socket", "socket.socket(socket.AF_PACKET, socket.SOCK_RAW)", needs_root=True),
    Attack("opens a pair of sockets", "socket.socketpair()"),
    Attack("listens", "s = socket.socket(); s.bind(('127.0.0.1', 0)); s.listen()"),
    Attack("executes a program", "subprocess.run(['/bin/true'], check=True)"),
    Attack("spawns a program", "os.waitpid(os.posix_spawn('/bin/true', ['true'], {}), 0)"),
    Attack("spawns its own interpreter", "subprocess.run([sys.executable, '-c', ''], check=True)"),
    Attack("forks", "child = os.fork(); child or os._exit(0); os.waitpid(child, 0)"),
    Attack("clones itself by the bare call", "child = libc.syscall(w['clone'], 17, 0, 0, 0, 0); child or os._exit(0); check(child); os.waitpid(child, 0)"),
    Attack("clones itself by the newer call", _calls(
        "arguments = (ctypes.c_uint64 * 11)(0, 0, 0, 0, 17)",
        "child = libc.syscall(435, arguments, ctypes.c_size_t(88)); child or os._exit(0); check(child)",
        "os.waitpid(child, 0)",
    )),
    Attack("starts threads without end", _calls(
        "end = threading.Event(); started = []",
        "try:",
        "    for _ in range(200):",
        "        t = threading.Thread(target=end.wait, daemon=True); t.start(); started.append(t)",
        "finally:",
        "    end.set(); [t.join() for t in started]",
    )),
    Attack("signals its parent", "os.kill(os.getppid(), 0)"),
    Attack("signals another process", "os.kill(w['victim'], 0)"),
    Attack("signals a thread of another process", "check(libc.tgkill(w['victim'], w['victim'], 0))"),
    Attack("signals a group", "os.killpg(os.getpgid(w['victim']), 0)"),
    Attack("queues a signal", "check(libc.sigqueue(w['victim'], 0, None))"),
    Attack("opens another process", "os.close(os.pidfd_open(w['victim']))"),
    Attack("has a signal sent to another process", "r, p = os.pipe(); fcntl.fcntl(r, fcntl.F_SETOWN, w['victim'])"),
    Attack("traces another process", "check(libc.ptrace(0x4206, w['victim'], None, None)); libc.ptrace(17, w['victim'], None, None)"),
    Attack("changes another process's priority", "os.setpriority(os.PRIO_PROCESS, w['victim'], 5)"),
    Attack("changes another process's processors", "os.sched_setaffinity(w['victim'], {0})"),
    Attack("changes another process's limits", "resource.prlimit(w['victim'], resource.RLIMIT_CORE, (0, 0))"),
    Attack("raises its own limits", "resource.setrlimit(resource.RLIMIT_AS, (-1, -1))"),
    Attack("takes memory", "bytearray(w['memory'])"),
    Attack("maps memory", "mmap.mmap(-1, w['memory'])"),
    Attack("takes memory by memfd", "f = os.memfd_create('x'); os.truncate(f, 1000); os.close(f)"),
    Attack("takes memory by System V", "check(libc.shmget(0, 4096, 0o1600))"),
    Attack("takes memory by /dev/shm", "open('/dev/shm/wall', 'w').close(); os.remove('/dev/shm/wall')"),
    Attack("takes semaphores", "check(libc.semget(0, 1, 0o1600))"),
    Attack("takes a message queue", "check(libc.msgget(0, 0o1600))"),
    Attack("fills the disk with bytes", _calls(
        "with open('bytes', 'wb') as f:",
        "    try:",
        "        for _ in range(w['disk'] // 2 ** 20 + 1): f.write(bytes(2 ** 20))",
        "    finally: os.remove('bytes')",
    )),
    Attack("makes a file larger than the disk", "f = open('sparse', 'wb')\ntry: os.truncate(f.fileno(), w['disk'] * 2)\nfinally: os.remove('sparse')"),
    Attack("fills the disk with files", _calls(
        "made = 0",
        "try:",
        "    for made in range(w['files'] + 1): open(f'n{made}', 'w').close()",
        "finally:",
        "    for n in range(made): os.remove(f'n{n}')",
    )),
    Attack("makes a symbolic link", "os.symlink(w['secret'], 'link')"),
    Attack("makes a hard link", "open('h', 'w'); os.link('h', 'h2')"),
    Attack("makes a pipe with a name", "os.mkfifo('fifo')"),
    Attack("makes a socket with a name", "socket.socket(socket.AF_UNIX).bind('sock')"),
    Attack("mounts", "check(libc.mount(b'none', w['folder'].encode(), b'tmpfs', 0, None)); libc.umount2(w['folder'].encode(), 2)", needs_root=True),
    Attack("makes a namespace", "check(libc.unshare(0x4000000))", needs_root=True),
    Attack("makes a user's namespace", "child = os.fork(); child or os._exit(libc.unshare(0x10000000) and 1); assert os.waitpid(child, 0)[1] == 0"),
    Attack("changes its root", "child = os.fork(); child or (os.chroot('/'), os._exit(0)); assert os.waitpid(child, 0)[1] == 0", needs_root=True),
    Attack("becomes root", "os.setresuid(0, 0, 0)", needs_root=True),
    Attack("names the machine", "socket.sethostname(socket.gethostname())", needs_root=True),
    Attack("loads a program into the kernel", "check(libc.syscall(w['bpf'], 0, (ctypes.c_uint32 * 18)(2, 4, 4, 1), 72))", needs_root=True),
    Attack("makes a ring of calls", "check(libc.syscall(425, 1, ctypes.create_string_buffer(120)))"),
    Attack("keeps a key", "check(libc.syscall(w['add_key'], b'user', b'x', b'y', 1, -2))"),
    Attack("handles faults of memory", "check(libc.syscall(w['userfaultfd'], 1))"),
    Attack("opens a file by its handle", "check(libc.syscall(w['name_to_handle_at'], -100, b'/', (ctypes.c_uint32 * 40)(128), (ctypes.c_int * 1)(), 0))"),
    Attack("makes a secret memory", "check(libc.syscall(447, 0))"),
    Attack("changes its personality", "check(libc.personality(0x0040000))"),
]  # fmt: skip

_HARNESS = """
import ctypes, fcntl, json, mmap, os, resource, socket, subprocess, sys, threading
libc = ctypes.CDLL(None, use_errno=True)
w = json.loads({world!r})
os.chdir(w["own"])
def check(answer):
    if answer < 0:
        raise OSError(ctypes.get_errno(), os.strerror(ctypes.get_errno()))
report = {{}}
for name, body in json.loads({attacks!r}):
    space = dict(globals())
    try:
        exec("def attack():\\n" + "\\n".join("    " + line for line in body.splitlines()), space)
        space["attack"]()
        report[name] = None
    except BaseException as error:
        report[name] = f"{{type(error).__name__}}: {{error}}"[:200]
print(json.dumps(report))
"""


def script(world: str, attacks: str) -> str:
    """The code that tries all attacks, and prints in JSON why each failed; null means that it succeeded.

    Parameters
    ----------
    world
        The targets, in JSON.
    attacks
        The attacks' names and bodies, in JSON.
    """
    return _HARNESS.format(world=world, attacks=attacks)
