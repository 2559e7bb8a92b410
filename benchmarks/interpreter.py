"""`python -m benchmarks.interpreter`: calls of the code interpreter's engine on this machine, in milliseconds.

Each warm call is compared with the same code in a plain, equally warm interpreter. Memory is the part of a session's
process that no other process shares (`Private_Dirty` of `/proc/PID/smaps_rollup`), in MB.
"""

import argparse
import asyncio
import json
import os
import platform
import statistics
import sys
import time
from collections.abc import AsyncIterator, Awaitable, Callable
from pathlib import Path

from assistants.settings import Settings
from assistants.tools.code_interpreter.engine import Call, Execution, InputFile, Logs
from assistants.tools.code_interpreter.install import environment
from assistants.tools.code_interpreter.local.availability import available
from assistants.tools.code_interpreter.local.host import Local

CODE = "sum(number * number for number in range(10_000))"
PACKAGES = "import pandas, matplotlib.pyplot"
VARIABLES = "import numpy\nnumbers = numpy.arange(1_000_000)\nwords = {str(n): n for n in range(10_000)}"
FILE = b"a,b\n" + b"1,2\n" * 256 * 1024
_MB = 1024 * 1024

_PLAIN = """
import json, sys, time
for line in sys.stdin:
    begun = time.perf_counter()
    eval(json.loads(line), {})
    print(time.perf_counter() - begun, flush=True)
"""


class Bench:
    """An engine with one session, whose calls are timed."""

    def __init__(self) -> None:
        self._engine = Local(Settings.model_validate({}))
        self._last: str | None = None
        self._snapshot: bytes | None = None
        self._calls = 0

    async def call(self, code: str, *files: InputFile) -> Execution:
        async def restore() -> bytes | None:
            return self._snapshot

        self._calls += 1
        name = f"call_{self._calls}"
        execution = await self._engine.execute(Call("00112233", name, code, files, self._last, restore))
        printed = "".join(output.text for output in execution.outputs if isinstance(output, Logs))
        assert "Traceback" not in printed, printed
        assert not execution.notices, execution.notices
        self._last, self._snapshot = name, execution.snapshot
        return execution

    async def end(self, forget: bool) -> None:
        """End the session's process; with `forget` the session begins anew."""
        await self._engine.end("00112233")
        if forget:
            self._last = self._snapshot = None

    def memory(self) -> float:
        """The unshared memory of the session's process, in MB."""
        (session,) = self._engine._idle.values()
        rollup = Path(f"/proc/{session.process._process.pid}/smaps_rollup").read_text(encoding="ascii")
        return next(int(line.split()[1]) for line in rollup.splitlines() if line.startswith("Private_Dirty")) / 1024

    async def close(self) -> None:
        await self._engine.close()


def file(number: int) -> InputFile:
    """A file of 1 MB."""

    async def pieces() -> AsyncIterator[bytes]:
        yield FILE

    return InputFile(f"file-{number}", f"numbers{number}.csv", len(FILE), pieces)


async def plain(rounds: int) -> list[float]:
    """Milliseconds of the code in a plain interpreter that is called over a pipe."""
    place = environment()
    assert place is not None
    pipe = asyncio.subprocess.PIPE
    process = await asyncio.create_subprocess_exec(
        str(place / "bin" / "python"), "-c", _PLAIN, stdin=pipe, stdout=pipe, env={**os.environ, "PYTHONPATH": ""}
    )
    to, back = process.stdin, process.stdout
    assert to is not None
    assert back is not None

    async def ask() -> None:
        to.write(json.dumps(CODE).encode() + b"\n")
        await back.readline()

    found = await timed(rounds, ask)
    to.close()
    await process.wait()
    return found


async def timed(
    rounds: int, act: Callable[[], Awaitable[object]], before: Callable[[], Awaitable[object]] | None = None
) -> list[float]:
    """Milliseconds of each call of `act`."""
    found = []
    for _ in range(rounds):
        if before:
            await before()
        begun = time.perf_counter()
        await act()
        found.append((time.perf_counter() - begun) * 1000)
    return found


def show(what: str, found: list[float]) -> None:
    """Print a row."""
    print(f"{what:48} {statistics.median(found):9.1f} {max(found):9.1f}")


async def measure(rounds: int) -> None:
    """Print the table."""
    bench, numbers = Bench(), iter(range(1_000_000))
    print(f"Python {platform.python_version()}, {os.cpu_count()} processors, {rounds} rounds\n")
    print(f"{'':48} {'median':>9} {'slowest':>9}")
    show("a cold session, from nothing to its first output", await timed(rounds, lambda: bench.call(CODE),
        lambda: bench.end(forget=True)))  # fmt: skip
    empty = bench.memory()
    show("a warm call", await timed(rounds * 5, lambda: bench.call(CODE)))
    show("the same code in a plain interpreter", await plain(rounds * 5))
    show("a warm call with a new file of 1 MB", await timed(rounds, lambda: bench.call(CODE, file(next(numbers)))))
    show("import of pandas and matplotlib, cold session", await timed(rounds, lambda: bench.call(PACKAGES),
        lambda: bench.end(forget=True)))  # fmt: skip
    packages = bench.memory()
    await bench.end(forget=True)
    await bench.call(VARIABLES)
    assert bench._snapshot is not None
    size = len(bench._snapshot) / _MB
    show(f"a session restored from variables of {size:.1f} MB", await timed(rounds, lambda: bench.call("len(words)"),
        lambda: bench.end(forget=False)))  # fmt: skip
    print(f"\nMemory of a session: {empty:.0f} MB, with pandas and matplotlib {packages:.0f} MB")
    await bench.close()


def main() -> None:
    """Run, or print why that is impossible."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--rounds", type=int, default=10)
    reason = available()
    if reason:
        sys.exit(reason)
    asyncio.run(measure(parser.parse_args().rounds))


if __name__ == "__main__":
    main()
