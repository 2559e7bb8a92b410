"""Notices to the model on limits and lost data, in sentences that it can act on."""

from assistants.settings import Settings
from assistants.tools.code_interpreter.local.jail import TMP_BYTES
from assistants.tools.code_interpreter.local.process import FILES
from assistants.tools.code_interpreter.notices import ALL_LOST, files_left_out, some_lost, stopped

__all__ = ["ALL_LOST", "NOT_RESTORED", "files_left_out", "of", "some_lost"]

NOT_RESTORED = "The session's variables cannot be restored within the limits of time and memory."
_AS_BEFORE = "Variables are as they were before this call; files are as the code left them."
_NO_SPACE = "OSError 28"


def of(error: str | None, timed_out: bool, died: str | None, settings: Settings) -> list[str]:
    """The notices on the end of code: the exception's name, whether its time was over, how its process ended."""
    if timed_out:
        return [stopped(settings.code_interpreter_timeout, _AS_BEFORE)]
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
