"""A service that reads files which are made to hurt, and those who use it meanwhile."""

import sys
from contextlib import AsyncExitStack

import pytest

from assistants.local.azurite import Storage
from benchmarks.hostile import elements, served

MB = 1024 * 1024
MEMORY = 512 * MB
FILES = 8
"""More than the threads that a process has for all that takes time: on two processors, six."""


@pytest.mark.skipif(sys.platform != "linux", reason="only Linux tells of a process's children")
async def test_requests_searches_and_streams_go_on_while_files_that_are_made_to_hurt_are_read(idle: Storage):
    async with AsyncExitStack() as stack:
        others = await served(stack, idle.connection_string, READING_MEMORY_BYTES=str(MEMORY))
        control = await others.idle(2)
        felt = await others.reading("elements.docx", elements(3 * MB), FILES)
        print(f"\n{control}\n{felt}")
        assert felt.outcome == "The file could not be read as docx: BadZipFile."
        # Others would wait for one of them at least, if they had to wait for any.
        assert max(felt.wait, felt.gap) < max(felt.took / FILES, 10 * control.wait)
        assert felt.memory < 2 * control.memory
        assert felt.with_children - felt.memory < 2 * MEMORY
