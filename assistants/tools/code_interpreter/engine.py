"""The interface of an engine that executes code in sessions."""

from collections.abc import AsyncIterator, Awaitable, Callable, Sequence
from dataclasses import dataclass
from typing import Protocol

_NAME = 255
"""Characters of a name with its folders, at most."""


def is_name(path: str) -> bool:
    """Whether a path may be told to others: relative, printable, no folder above, not too long."""
    folders = path.split("/")
    return len(path) <= _NAME and path.isprintable() and "" not in folders and ".." not in folders


class EngineFailed(Exception):
    """The engine did not execute the code, and would not if it were asked again. The text says why, to the model."""


class EngineBusy(Exception):
    """The engine did not execute the code; it may do so later."""


class OutcomeLost(Exception):
    """The code may have been executed, in part or whole, and its outcome cannot be had. The text says why."""


@dataclass(frozen=True)
class InputFile:
    """A file of the session's folder: the code finds it in `/mnt/data`, under its name and under its id."""

    id: str
    name: str
    """Unique in the session; it has no slash and no control character."""
    size: int
    """Bytes."""
    content: Callable[[], AsyncIterator[bytes]]


@dataclass(frozen=True)
class Logs:
    """What the code printed, the value of its last expression and its traceback, in their order."""

    text: str


@dataclass(frozen=True)
class Image:
    """A figure."""

    png: bytes


@dataclass(frozen=True)
class OutputFile:
    """A file that the code made or changed."""

    name: str
    """Relative to `/mnt/data`; it has no `..` and no control character."""
    size: int
    content: Callable[[], AsyncIterator[bytes]]
    """To be read before the session's next call; `OutcomeLost`: it cannot be had."""


@dataclass(frozen=True)
class Call:
    """Code to be executed once in a session."""

    session: str
    """4 to 64 characters from [0-9a-f]; it tells nothing about the thread and the project."""
    id: str
    """The execution's id."""
    code: str
    files: Sequence[InputFile]
    after: str | None
    """The id of the session's last execution; None: the session is new."""
    restore: Callable[[], Awaitable[bytes | None]]
    """The snapshot that the last execution left; awaited only if the session's variables are not at hand."""


@dataclass(frozen=True)
class Execution:
    """The outcome of code that was executed; it may have failed, as its logs tell."""

    outputs: Sequence[Logs | Image]
    files: Sequence[OutputFile] = ()
    notices: Sequence[str] = ()
    """Sentences for the model: variables that are lost, limits that were passed."""
    snapshot: bytes | None = None
    """The session's variables, for the engine alone to load; None: the engine has none, or keeps the session itself."""
    timed_out: bool = False


class Engine(Protocol):
    """Executes code. It is given one call of a session at a time."""

    async def execute(self, call: Call) -> Execution:
        """Execute the code, once. If the awaiting task is cancelled, the execution ends within about a second.

        Raises
        ------
        EngineFailed, EngineBusy
            Nothing was executed.
        OutcomeLost
            The code may have been executed.
        """
        ...

    async def end(self, session: str) -> None:
        """End the session, if it exists here: its variables and its folder are gone."""
        ...

    async def close(self) -> None:
        """End all that this process holds."""
        ...
