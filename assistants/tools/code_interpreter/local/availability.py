"""Whether this machine can confine processes, determined by a confined process that tries forbidden actions."""

import asyncio
import sys
from concurrent.futures import ThreadPoolExecutor
from functools import cache

from assistants import seccomp
from assistants.settings import Settings
from assistants.tools.code_interpreter.engine import Call, EngineBusy, EngineFailed, Execution, Logs
from assistants.tools.code_interpreter.install import environment
from assistants.tools.code_interpreter.local import landlock

_HELD = "Everything is refused."
_PROBE = """
import ctypes, os, socket
done = []
def refused(what, act):
    try:
        act()
    except (OSError, MemoryError):
        return
    done.append(what)
def unshare():
    if ctypes.CDLL(None).unshare(0x10000000):
        raise OSError
refused("read another file", lambda: open("/etc/passwd").close())
refused("list this machine's processes", lambda: os.listdir("/proc"))
refused("write outside of its folder", lambda: open("/kernel/x", "w").close())
refused("open a socket", lambda: socket.socket())
refused("open a Unix socket", lambda: socket.socketpair())
refused("start a process", lambda: os.fork() or os._exit(0))
refused("execute a program", lambda: os.execv("/bin/true", ["true"]))
refused("signal another process", lambda: os.kill(os.getppid(), 0))
refused("make a link", lambda: os.symlink("/etc/passwd", "/mnt/data/x"))
refused("make a namespace", unshare)
print("It can " + ", ".join(done) + "." if done else "Everything is refused.")
"""


def lacking() -> str | None:
    """None, or a sentence that names the feature which this machine lacks to execute code."""
    if sys.platform != "linux":
        return "The code interpreter runs on Linux only."
    if seccomp.machine() is None:
        return "The code interpreter runs on x86-64 and ARM64 machines only."
    if not landlock.version():
        return "The code interpreter needs Landlock, which this kernel does not have, or not switched on (Linux 5.13)."
    if environment() is None:
        return (
            "The packages of the code interpreter are not installed: run "
            "`python -m assistants.tools.code_interpreter.install`."
        )
    return None


@cache
def available() -> str | None:
    """None, or a sentence that says why code cannot be executed here. It takes about a second, once per process."""
    if lacks := lacking():
        return lacks
    with ThreadPoolExecutor(1) as thread:
        return thread.submit(lambda: asyncio.run(_probed())).result()


async def _probed() -> str | None:
    from assistants.tools.code_interpreter.local.host import Local

    async def nothing() -> None:
        return None

    engine = Local(Settings.model_validate({}))
    try:
        execution = await engine.execute(Call("00000000", "probe", _PROBE, [], None, nothing))
    except (EngineFailed, EngineBusy) as error:
        return f"The code interpreter cannot confine a process on this machine. {error}"
    finally:
        await engine.close()
    printed = _printed(execution)
    return None if printed == _HELD else f"A confined process of the code interpreter is not confined here: {printed}"


def _printed(execution: Execution) -> str:
    texts = [output.text for output in execution.outputs if isinstance(output, Logs)]
    return " ".join(["".join(texts).strip(), *execution.notices])
