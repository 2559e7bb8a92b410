"""The progress for an operator: one changing line on a terminal, occasional lines in a log."""

import shutil
import sys
import time

from assistants.migrate.folder import Progress

_EVERY = 10.0
"""Seconds between two lines of a log."""

_BAR = 20


class Screen:
    """Shows the progress on standard error."""

    def __init__(self) -> None:
        self._is_terminal = sys.stderr.isatty()
        self._last = float("-inf")
        self._line = False

    def progress(self, of: Progress) -> None:
        """Show the progress of a kind."""
        ended = of.read == of.total
        self.show(f"{_bar(of)} {shown(of)}".strip() if self._is_terminal else shown(of), at_once=ended)

    def show(self, text: str, at_once: bool = False) -> None:
        """Show a state; in a log, `at_once` or if none was shown for a while."""
        if self._is_terminal:
            width = shutil.get_terminal_size().columns - 1
            print(f"\r\033[K{text[:width]}", end="", file=sys.stderr, flush=True)
            self._line = True
        elif at_once or time.monotonic() - self._last > _EVERY:
            self._last = time.monotonic()
            print(text, file=sys.stderr, flush=True)

    def say(self, text: str) -> None:
        """Print a result, which stays."""
        self._clear()
        print(text)

    def end(self) -> None:
        """End the line of the progress."""
        self._clear()

    def _clear(self) -> None:
        if self._line:
            print("\r\033[K", end="", file=sys.stderr, flush=True)
            self._line = False


def shown(of: Progress) -> str:
    """For example `threads: 450 of 1,000 (45 %), 12,400 objects`; without a total while a list is being read."""
    if of.total is None:
        return f"{of.kind}: {of.objects:,} found" if not of.read else f"{of.kind}: {of.read:,}, {of.objects:,} objects"
    part = f" ({of.read * 100 // of.total} %)" if of.total else ""
    return f"{of.kind}: {of.read:,} of {of.total:,}{part}, {of.objects:,} objects"


def _bar(of: Progress) -> str:
    if not of.total:
        return ""
    filled = _BAR * min(of.read, of.total) // of.total
    return f"[{'#' * filled}{'.' * (_BAR - filled)}]"
