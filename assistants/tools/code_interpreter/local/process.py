"""The confined process of a session, started and controlled by the host."""

import asyncio
import json
import os
import signal
import socket
import sys
from asyncio.subprocess import PIPE
from collections.abc import AsyncIterator
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Self

from assistants.processes import kill, send_signal
from assistants.settings import Settings
from assistants.tools.code_interpreter.local.jail import Plan
from assistants.tools.code_interpreter.local.kernel import IMAGE, LENGTHS, SNAPSHOT
from assistants.tools.code_interpreter.local.outputs import Folder

FILES = 2000
"""The most files and folders in `/mnt/data`, second names of files included."""

STARTING = 20.0
"""Seconds that a process may take until it is ready."""

_BASE = os.path.realpath(sys.base_prefix)
_MODULE = "assistants.tools.code_interpreter.local.jail"
_MAX_HEAD = 64 * 1024
_MAX_BODY = max(IMAGE, SNAPSHOT)
_PIECE = 256 * 1024
_ROOTS, _USERS = 1_700_000_000, 200_000_000
"""The first user id that systems do not assign, and how many such ids are used."""


class NotConfined(Exception):
    """The process could not be confined, or did not start; the text says why."""


class Ended(Exception):
    """The process has ended, or has sent a malformed message."""


@dataclass(frozen=True)
class Message:
    """A message of the process. Its code may have made any part of it."""

    kind: str
    told: dict[str, Any]
    body: bytes


class Confined:
    """A confined process and its folder; the folder remains when the process ends."""

    def __init__(self, process: asyncio.subprocess.Process, folder: Folder) -> None:
        self._process, self.folder = process, folder
        self._printed = bytearray()
        self._drain = asyncio.create_task(_drain(process.stderr, self._printed))

    @classmethod
    async def start(cls, session: str, settings: Settings, environment: Path) -> Self:
        """A process, once it is ready.

        Raises
        ------
        NotConfined
            This machine does not allow the confinement.
        """
        user = _user(session)
        ours, theirs = socket.socketpair()
        try:
            plan = Plan(
                user, str(environment), _BASE, settings.code_interpreter_memory,
                settings.code_interpreter_disk, FILES, theirs.fileno(),
            )  # fmt: skip
            paths = os.pathsep.join(path or "." for path in sys.path)
            command = [sys.executable, "-S", "-B", "-m", _MODULE, plan.encoded()]
            process = await asyncio.create_subprocess_exec(
                *command, stdin=PIPE, stdout=PIPE, stderr=PIPE, env={"PYTHONPATH": paths}, pass_fds=[theirs.fileno()]
            )
        except OSError as error:
            ours.close()
            raise NotConfined(f"no process can be started: {error}") from None
        finally:
            theirs.close()
        confined: Self | None = None
        try:
            async with asyncio.timeout(STARTING):
                descriptor = await _descriptor(ours)
                if descriptor is None:
                    raise NotConfined(await _complaint(process))
                confined = cls(process, Folder(descriptor, user))
                await confined.receive("ready")
            return confined
        except BaseException as error:
            printed = ""
            kill(process)
            if confined is None:
                await process.wait()
            else:
                await confined.kill()
                confined.folder.close()
                printed = confined.printed().strip()
            if isinstance(error, Ended | TimeoutError):
                raise NotConfined(printed or "it did not start") from None
            raise
        finally:
            ours.close()

    @property
    def is_alive(self) -> bool:
        """Whether it can execute code."""
        return self._process.returncode is None

    def printed(self) -> str:
        """The text written to the process's stderr since the last call, which Python's own streams do not write."""
        text = self._printed.decode(errors="replace")
        self._printed.clear()
        return text

    def resume(self) -> None:
        """Let the process continue."""
        send_signal(self._process, signal.SIGCONT)

    def pause(self) -> None:
        """Stop the process, with threads that the code has started."""
        send_signal(self._process, signal.SIGSTOP)

    async def send(self, kind: str, call: str, body: bytes) -> None:
        """Send a message; if the process has ended, the next `receive` raises `Ended`."""
        pipe = self._process.stdin
        assert pipe is not None
        head = json.dumps({"kind": kind, "call": call}).encode()
        with suppress(ConnectionError):
            pipe.write(LENGTHS.pack(len(head), len(body)) + head)
            for start in range(0, len(body), _PIECE):
                pipe.write(body[start : start + _PIECE])
                await pipe.drain()
            await pipe.drain()

    async def messages(self, call: str) -> AsyncIterator[Message]:
        """The messages of a call.

        Raises
        ------
        Ended
            The process has closed its pipe, or has sent a malformed message.
        """
        pipe = self._process.stdout
        assert pipe is not None
        while True:
            try:
                head, body = LENGTHS.unpack(await pipe.readexactly(LENGTHS.size))
                if head > _MAX_HEAD or body > _MAX_BODY:
                    raise Ended
                told = json.loads(await pipe.readexactly(head))
                content = await pipe.readexactly(body)
                if told["call"] == call:
                    yield Message(told["kind"], told, content)
            except (EOFError, OSError, ValueError, LookupError, TypeError, RecursionError):
                raise Ended from None

    async def receive(self, kind: str, call: str = "") -> Message:
        """The next message of this kind for a call.

        Raises
        ------
        Ended
            As `messages`.
        """
        async for message in self.messages(call):
            if message.kind == kind:
                return message
        raise Ended

    async def kill(self) -> str:
        """Kill the process with all of its threads; return the signal or the exit code that ended it."""
        kill(self._process)
        with suppress(RuntimeError):  # another task reads to the end
            await _drop(self._process.stdout)
        code = await self._process.wait()
        await self._drain
        return signal.Signals(-code).name if code < 0 else f"exit code {code}"


def _user(session: str) -> int | None:
    """The user that a session's process becomes if this process is root; always the same one for a session."""
    if os.geteuid() != 0:
        return None
    return _ROOTS + int(session[:12], 16) % _USERS


async def _descriptor(ours: socket.socket) -> int | None:
    """The descriptor of `/mnt/data`; None if the process ended before it had one."""
    loop, arrived = asyncio.get_running_loop(), asyncio.Event()
    ours.setblocking(False)
    loop.add_reader(ours, arrived.set)
    try:
        await arrived.wait()
        descriptors = socket.recv_fds(ours, 16, 1)[1]
    except OSError:
        return None
    finally:
        loop.remove_reader(ours)
    return descriptors[0] if descriptors else None


async def _complaint(process: asyncio.subprocess.Process) -> str:
    assert process.stderr is not None
    return (await process.stderr.read(_MAX_HEAD)).decode(errors="replace").strip()


async def _drop(pipe: asyncio.StreamReader | None) -> None:
    """Read to the end: asyncio does not report the end of a process while a pipe of it is full."""
    assert pipe is not None
    while await pipe.read(_MAX_HEAD):
        pass


async def _drain(pipe: asyncio.StreamReader | None, kept: bytearray) -> None:
    """Keep the beginning of the pipe's output; the rest is read slowly, and dropped."""
    assert pipe is not None
    while piece := await pipe.read(_MAX_HEAD):
        room = _MAX_HEAD - len(kept)
        kept += piece[:room]
        if len(piece) > room:
            await asyncio.sleep(0.02)
