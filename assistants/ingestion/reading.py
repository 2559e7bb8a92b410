"""Reads files in a few child processes, which a file may crash.

A child is started when a file arrives, reads several files one after the other, and is ended after an idle time, after
many files, after a large one, and after any failed one. It receives only the paths of this process: no descriptor, no
setting, no key.
"""

import asyncio
import json
import logging
import os
import signal
import sys
import time
from asyncio.subprocess import PIPE, Process
from collections.abc import Awaitable, Callable
from contextlib import suppress
from typing import Any, Self

from assistants.ingestion.child import LENGTHS, MEMORY
from assistants.ingestion.ingestion import Busy, Unreadable
from assistants.ingestion.limits import MAX_INDEX, MAX_SECONDS, MAX_TOKENS, processor_seconds
from assistants.processes import kill
from assistants.schema.tools import StaticChunks
from assistants.schema.vector_stores import FileError
from assistants.settings import Settings

log = logging.getLogger("assistants.ingestion")

_MODULE = "assistants.ingestion.child"
_PIECE = 256 * 1024
_MAX_HEAD = 64 * 1024
_TRIES = 2
"""Tries of a file: a child may be killed for another reason than its file, by the system or by an operator."""

_FILES = 200
_USED_UP = 256 * 1024 * 1024
"""The most files that a child reads, and its peak memory in bytes after which it reads no more."""

_IDLE = 60.0
"""Seconds that a child waits for another file."""

_PATIENCE = 60.0
"""Seconds that a file waits for its turn; after that it goes to the end of the queue."""

_KEPT = (
    "PATH", "SYSTEMROOT", "WINDIR", "LD_LIBRARY_PATH", "DYLD_LIBRARY_PATH", "PYTHONHOME", "PYTHONPLATLIBDIR",
)  # fmt: skip
"""The environment variables that Python itself needs."""


_OWN = {
    "PYTHONSAFEPATH": "1",
    "PYTHONNOUSERSITE": "1",
    "PYTHONUTF8": "1",
    "PYTHONDONTWRITEBYTECODE": "1",
    "OPENBLAS_NUM_THREADS": "1",
    "OMP_NUM_THREADS": "1",
    "MALLOC_ARENA_MAX": "1",
}


_FLAGS = 0x4000 | 0x08000000 if sys.platform == "win32" else 0
"""BELOW_NORMAL_PRIORITY_CLASS, as `nice` elsewhere, and CREATE_NO_WINDOW."""


class Died(Exception):
    """A child has ended without an answer, or with too long a one."""


class Child:
    """A process that reads one file at a time."""

    def __init__(self, process: Process) -> None:
        self._process = process
        self._files = 0
        self._unfit = False

    @classmethod
    async def start(cls, memory: int, module: str = _MODULE) -> Self:
        """Start a process that runs this module with at most `memory` bytes.

        Raises
        ------
        OSError
            The system allows no more processes.
        """
        kept = {name: os.environ[name] for name in _KEPT if name in os.environ}
        paths = os.pathsep.join(path or "." for path in sys.path)
        command = [sys.executable, "-m", module, str(memory)]
        environment = {**kept, **_OWN, "PYTHONPATH": paths}
        process = await asyncio.create_subprocess_exec(
            *command, stdin=PIPE, stdout=PIPE, env=environment, creationflags=_FLAGS
        )
        return cls(process)

    @property
    def pid(self) -> int:
        """The process id."""
        return self._process.pid

    @property
    def is_fit(self) -> bool:
        """Whether it may read another file."""
        return self._process.returncode is None and not self._unfit and self._files < _FILES

    async def ask(self, head: dict[str, Any], content: bytes) -> tuple[dict[str, Any], bytes]:
        """Have a file read; return the head of the answer, and the bytes of its chunks.

        Raises
        ------
        Died
            The child has ended without an answer.
        """
        unfit, self._unfit = self._unfit, True  # until the file is read well
        self._files += 1
        try:
            with suppress(OSError):  # a child that stops reading may have answered already
                await self._send(head, content)
            told, body = await self._receive()
            self._unfit = unfit or told["error"] is not None or told["memory"] > _USED_UP
        except (OSError, EOFError, ValueError, LookupError, TypeError) as error:
            raise Died from error
        return told, body

    def kill(self) -> None:
        """Kill the process."""
        kill(self._process)

    async def ended(self) -> int:
        """The exit code, once the process has ended; negative for a signal."""
        return await self._process.wait()

    async def _send(self, head: dict[str, Any], content: bytes) -> None:
        pipe = self._process.stdin
        assert pipe is not None
        named = json.dumps(head).encode()
        pipe.write(LENGTHS.pack(len(named), len(content)) + named)
        for start in range(0, len(content), _PIECE):
            pipe.write(content[start : start + _PIECE])
            await pipe.drain()
        await pipe.drain()

    async def _receive(self) -> tuple[dict[str, Any], bytes]:
        pipe = self._process.stdout
        assert pipe is not None
        head, body = LENGTHS.unpack(await pipe.readexactly(LENGTHS.size))
        if head > _MAX_HEAD or body > MAX_INDEX:
            raise Died(f"an answer of {head} and {body} bytes")
        told, pieces = json.loads(await pipe.readexactly(head)), list[bytes]()
        while body:
            pieces.append(await pipe.readexactly(min(body, _PIECE)))
            body -= len(pieces[-1])
        return told, b"".join(pieces)


Start = Callable[[int], Awaitable[Child]]
"""Starts a child with at most so many bytes of memory."""


class Reading:
    """The child processes, at most as many as the settings allow."""

    def __init__(self, settings: Settings, start: Start = Child.start, idle: float = _IDLE) -> None:
        self._memory, self._start, self._idle_for = settings.reading_memory_bytes, start, idle
        self._turns = asyncio.Semaphore(settings.reading_processes)
        self._idle: dict[Child, asyncio.TimerHandle] = {}
        self._watches: dict[Child, asyncio.Task[None]] = {}
        self._closed = False

    @property
    def pids(self) -> list[int]:
        """The process ids of the present children."""
        return [child.pid for child in self._watches]

    async def read(self, name: str, content: bytes, chunking: StaticChunks) -> bytes:
        """The bytes of the chunks of a file, without vectors.

        Raises
        ------
        Unreadable
            The file has no text that can be searched, or reading it exceeds a limit.
        Busy
            No child was free for it for a while.
        OSError
            No child process can be started.
        """
        since = time.monotonic()
        async with self._turns:
            if time.monotonic() - since > _PATIENCE:
                raise Busy
            seconds = processor_seconds(len(content))
            head = {
                "name": name,
                "size": chunking["max_chunk_size_tokens"],
                "overlap": chunking["chunk_overlap_tokens"],
                "tokens": MAX_TOKENS,
                "seconds": seconds,
            }
            end = asyncio.get_running_loop().time() + MAX_SECONDS
            for _ in range(_TRIES):
                child = await self._child()
                late = _Timer(end, child.kill)
                try:
                    told, body = await child.ask(head, content)
                except Died:
                    child.kill()
                    code = await child.ended()
                    if late.rung:
                        raise _too_much(f"{MAX_SECONDS} seconds") from None
                    if sys.platform != "win32" and code == -signal.SIGXCPU:
                        raise _too_much(f"{seconds} seconds of processor time") from None
                    log.warning("a child that read a file has ended with %d", code)
                    continue
                finally:
                    late.off()
                    self._release(child)
                if error := told["error"]:
                    if error["code"] == MEMORY:
                        raise _too_much(f"{self._memory // 1024**2} MB of memory")
                    raise Unreadable(FileError(code=error["code"], message=error["message"]))
                return body
        raise Unreadable(FileError(code="invalid_file", message="Reading the file ended the process that read it."))

    async def close(self) -> None:
        """End all children."""
        self._closed = True
        for timer in self._idle.values():
            timer.cancel()
        self._idle.clear()
        for child in self._watches:
            child.kill()
        await asyncio.gather(*self._watches.values())

    async def _child(self) -> Child:
        if self._closed:
            raise OSError("no file is read any more")
        while self._idle:
            child, timer = self._idle.popitem()
            timer.cancel()
            if child.is_fit:
                return child
            child.kill()
        child = await self._start(self._memory)
        self._watches[child] = asyncio.create_task(self._watch(child))
        return child

    async def _watch(self, child: Child) -> None:
        await child.ended()
        self._idle.pop(child, None)
        del self._watches[child]

    def _release(self, child: Child) -> None:
        if child.is_fit and not self._closed:
            self._idle[child] = asyncio.get_running_loop().call_later(self._idle_for, self._end, child)
        else:
            self._end(child)

    def _end(self, child: Child) -> None:
        self._idle.pop(child, None)
        child.kill()


class _Timer:
    """Calls a function at a time, unless it is switched off before."""

    def __init__(self, at: float, act: Callable[[], None]) -> None:
        self._act, self.rung = act, False
        self._timer = asyncio.get_running_loop().call_at(at, self._expire)

    def _expire(self) -> None:
        self.rung = True
        self._act()

    def off(self) -> None:
        self._timer.cancel()


def _too_much(limit: str) -> Unreadable:
    return Unreadable(FileError(code="invalid_file", message=f"Reading the file takes more than {limit}."))
