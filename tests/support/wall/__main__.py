"""`python -m tests.support.wall WORLD [USER]`: tries the attacks in a confined process, and prints their results.

With USER this process, which root has started, becomes that user first.
"""

import asyncio
import ctypes
import json
import os
import sys
from pathlib import Path

from assistants.settings import Settings
from assistants.tools.code_interpreter import install
from assistants.tools.code_interpreter.engine import Call, Execution, Logs
from assistants.tools.code_interpreter.local.host import Local
from tests.support.wall.attacks import ATTACKS, script


def become(user: int) -> None:
    """Become an ordinary user, who can read the interpreter wherever it is installed."""
    libc = ctypes.CDLL(None, use_errno=True)

    def mount(source: str, target: str, kind: str | None, flags: int) -> None:
        if libc.mount(source.encode(), target.encode(), kind and kind.encode(), flags, None):
            raise OSError(ctypes.get_errno(), f"mount {target}")

    needed = [
        Path(sys.base_prefix).resolve(),
        install.ENVIRONMENT.parent.resolve(),
        Path(__file__).resolve().parents[3],
    ]
    closed = {parent: path for path in needed for parent in path.parents if not parent.stat().st_mode & 1}
    if libc.unshare(0x20000):
        raise OSError(ctypes.get_errno(), "unshare")
    mount("none", "/", None, 0x4000 | 0x40000)
    for parent in closed:
        inside = {path: os.open(path, os.O_PATH) for path in needed if path.is_relative_to(parent)}
        mount("tmpfs", str(parent), "tmpfs", 0)
        parent.chmod(0o755)
        for path, descriptor in inside.items():
            path.mkdir(parents=True, exist_ok=True)
            mount(f"/proc/self/fd/{descriptor}", str(path), None, 0x1000 | 0x4000)
            os.close(descriptor)
    os.setgroups([])
    os.setresgid(user, user, user)
    os.setresuid(user, user, user)
    libc.prctl(4, 1, 0, 0, 0)  # dumpable again, as a process that was started by this user


async def _tried(world: dict[str, object]) -> Execution:
    async def nothing() -> None:
        return None

    limits = {"CODE_INTERPRETER_MEMORY": "600000000", "CODE_INTERPRETER_DISK": str(world["disk"])}
    engine = Local(Settings.model_validate(limits))
    os.environ["SECRET"] = "a secret"
    attacks = json.dumps([(attack.name, attack.body) for attack in ATTACKS])
    try:
        told = script(json.dumps({**world, "own": "/mnt/data", "pid": os.getpid()}), attacks)
        return await engine.execute(Call("0123456789abcdef", "wall", told, [], None, nothing))
    finally:
        await engine.close()


def main() -> None:
    """Print the results of the attacks."""
    world = json.loads(sys.argv[1])
    if len(sys.argv) > 2:
        become(int(sys.argv[2]))
    execution = asyncio.run(_tried(world))
    print("".join(output.text for output in execution.outputs if isinstance(output, Logs)), *execution.notices)


if __name__ == "__main__":
    main()
