"""What the model is told of limits and of what is lost, in sentences that it can act on."""

from collections.abc import Sequence

from assistants.settings import Settings
from assistants.tools.code_interpreter.local.jail import TMP_BYTES
from assistants.tools.code_interpreter.local.process import FILES

ALL_LOST = (
    "The session was started anew: all variables and imports are lost, so define them again. The files are there."
)
NOT_RESTORED = "The session's variables cannot be restored within the limits of time and memory."
_AS_BEFORE = "Variables are as they were before this call; files are as the code left them."
_NAMED = 10
_NO_SPACE = "OSError 28"


def some_lost(names: Sequence[str]) -> str:
    """That a snapshot does not have these variables."""
    return f"The session was started anew: these variables could not be kept: {_list(names)}."


def files_left_out(names: Sequence[str], most: int) -> str:
    """That the code made or changed more files than it may put out."""
    return f"Only {most} files of a call are put out, the latest ones; these are not: {_list(names)}."


def of(error: str | None, timed_out: bool, died: str | None, settings: Settings) -> list[str]:
    """How the code ended: the exception's name, whether its time was over, how its process ended."""
    if timed_out:
        return [f"The code was stopped after {settings.code_interpreter_timeout:g} s, the limit. {_AS_BEFORE}"]
    if died:
        return [f"The process that executed the code has ended ({died}). {_AS_BEFORE}"]
    if error == "MemoryError":
        return [f"Code may use {_mebibytes(settings.code_interpreter_memory)} of memory."]
    if error == _NO_SPACE:
        disk, tmp = _mebibytes(settings.code_interpreter_disk), _mebibytes(TMP_BYTES)
        return [f"There may be {FILES:,} files of {disk} in all in /mnt/data, and {tmp} in /tmp."]
    return []


def _mebibytes(size: int) -> str:
    return f"{size // 1024**2:,} MiB"


def _list(names: Sequence[str]) -> str:
    more = len(names) - _NAMED
    return ", ".join(names[:_NAMED]) + (f" and {more} more" if more > 0 else "")
