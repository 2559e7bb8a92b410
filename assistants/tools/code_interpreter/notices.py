"""Notices to the model on sessions of any engine, in sentences that it can act on."""

from collections.abc import Sequence

ALL_LOST = (
    "The session was started anew: all variables and imports are lost, so define them again. The files are there."
)
ANOTHER = "The outcome of an earlier call was lost: variables and files may have been changed by it."
KEPT = "Variables and files are as the code left them."
SESSION_LOST = "Its session has ended with it: variables are lost, and so are files that no call has put out."
_NAMED = 10


def some_lost(names: Sequence[str]) -> str:
    """The notice that a snapshot does not have these variables."""
    return f"The session was started anew: these variables could not be kept: {_list(names)}."


def files_left_out(names: Sequence[str], most: int) -> str:
    """The notice that the code made or changed more files than are stored."""
    return f"Only {most} files of a call are put out, the latest ones; these are not: {_list(names)}."


def too_large(names: Sequence[str], most: int) -> str:
    """The notice that the session cannot have these files."""
    return f"Files of more than {most // 1024**2:,} MiB cannot be put into the session: {_list(names)}."


def stopped(seconds: float, left: str) -> str:
    """The notice that the code's time was over, with a sentence on the state of the session."""
    return f"The code was stopped after {seconds:g} s, the limit. {left}"


def _list(names: Sequence[str]) -> str:
    more = len(names) - _NAMED
    return ", ".join(names[:_NAMED]) + (f" and {more} more" if more > 0 else "")
