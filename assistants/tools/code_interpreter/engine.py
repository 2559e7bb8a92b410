"""The interface of an engine that executes code in sessions."""

from collections.abc import AsyncIterator, Awaitable, Callable, Sequence
from dataclasses import dataclass
from typing import Protocol

_NAME = 255
"""The most characters of a name with its folders."""


def is_name(path: str) -> bool:
    """Whether a path is a valid name for clients: relative, printable, without `..`, not too long."""
    folders = path.split("/")
    return len(path) <= _NAME and path.isprintable() and "" not in folders and ".." not in folders


class EngineFailed(Exception):
    """The engine did not execute the code, and would not at a repetition. The text tells the model why."""


class EngineBusy(Exception):
    """The engine did not execute the code; it may do so later."""


class OutcomeLost(Exception):
    """The code may have been executed, in part or whole, and its outcome is lost. The text says why."""


@dataclass(frozen=True)
class InputFile:
    """A file of the session's folder: the code finds it in `/mnt/data`, under its name and under its id."""

    id: str
    name: str
    """Unique in the session, without control characters; the name of a file that code has made may have folders."""
    size: int
    """Bytes."""
    content: Callable[[], AsyncIterator[bytes]]


@dataclass(frozen=True)
class Logs:
    """The text that the code printed, the value of its last expression and its traceback, in their order."""

    text: str


@dataclass(frozen=True)
class Image:
    """A figure, in PNG."""

    png: bytes


@dataclass(frozen=True)
class OutputFile:
    """A file that the code made or changed."""

    name: str
    """Relative to `/mnt/data`; it has no `..` and no control character."""
    size: int
    content: Callable[[], AsyncIterator[bytes]]
    """To be read before the session's next call; raises `OutcomeLost` if it cannot be read."""


@dataclass(frozen=True)
class Call:
    """Code to be executed once in a session."""

    session: str
    """4 to 64 characters from [0-9a-f], which reveal neither the thread nor the project."""
    id: str
    """The execution's id."""
    code: str
    files: Sequence[InputFile]
    after: str | None
    """The id of the session's last execution; None: the session is new."""
    restore: Callable[[], Awaitable[bytes | None]]
    """Returns the snapshot of the last execution; awaited only if the engine does not have the session's variables."""


@dataclass(frozen=True)
class Execution:
    """The outcome of executed code; its logs show whether it failed."""

    outputs: Sequence[Logs | Image]
    files: Sequence[OutputFile] = ()
    notices: Sequence[str] = ()
    """Sentences for the model: variables that are lost, limits that were exceeded."""
    snapshot: bytes | None = None
    """The session's variables, in the engine's own format; None: the engine has none, or keeps the session itself."""
    timed_out: bool = False


class Engine(Protocol):
    """Executes code. Calls of one session are passed to it one at a time."""

    async def execute(self, call: Call) -> Execution:
        """Execute the code, once. If the awaiting task is cancelled, the execution ends within about a second.

        Raises
        ------
        EngineFailed, EngineBusy
            The code was not executed.
        OutcomeLost
            The code may have been executed.
        """
        ...

    async def end(self, session: str) -> None:
        """End the session, if it exists here: its variables and its folder are deleted."""
        ...

    async def close(self) -> None:
        """End all sessions of this process."""
        ...
