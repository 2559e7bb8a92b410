"""Signals to child processes."""

import asyncio
import os
import signal
import sys
from collections.abc import Iterator

import pytest

from assistants.processes import kill, send_signal

pytestmark = pytest.mark.skipif(not hasattr(os, "pidfd_open"), reason="Only Linux tells of an end by a descriptor.")


@pytest.fixture
def told_in_the_loop() -> Iterator[None]:
    """Let the loop itself receive exit codes, as from Python 3.12 on; before, a thread receives most of them."""
    if sys.version_info >= (3, 12):
        yield
        return
    watcher = asyncio.PidfdChildWatcher()
    watcher.attach_loop(None)
    before = asyncio.get_child_watcher()
    asyncio.set_child_watcher(watcher)
    yield
    asyncio.set_child_watcher(before)


@pytest.mark.usefixtures("told_in_the_loop")
async def test_a_signal_to_a_process_that_has_just_ended_leaves_its_exit_code():
    for signals in (kill, lambda process: send_signal(process, signal.SIGCONT)):
        process = await asyncio.create_subprocess_exec(sys.executable, "-S", "-c", "raise SystemExit(3)")
        os.waitid(os.P_PID, process.pid, os.WEXITED | os.WNOWAIT)  # noqa: ASYNC222 - the loop must not see it
        signals(process)
        assert await process.wait() == 3
        signals(process)


async def test_a_process_that_is_killed_ends_by_that_signal():
    process = await asyncio.create_subprocess_exec(sys.executable, "-S", "-c", "import time; time.sleep(60)")
    kill(process)
    assert await process.wait() == -signal.SIGKILL
