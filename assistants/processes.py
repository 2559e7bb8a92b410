"""Signals to child processes of asyncio."""

import os
import signal
from asyncio.subprocess import Process
from contextlib import suppress


def send_signal(process: Process, number: int) -> None:
    """Send a signal to a process; no effect if it has ended.

    `Process.send_signal` polls for the end before it sends, and takes the exit code of a process that has just ended
    from the event loop, which then reports 255 (`subprocess.Popen.send_signal`, `asyncio.ThreadedChildWatcher`).
    """
    if process.returncode is None:
        with suppress(ProcessLookupError):
            os.kill(process.pid, number)


def kill(process: Process) -> None:
    """End a process at once; on Windows, where processes have no signals, with exit code 1."""
    if os.name == "nt":
        with suppress(ProcessLookupError):
            process.kill()
    else:
        send_signal(process, signal.SIGKILL)
