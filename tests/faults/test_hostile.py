"""A service that reads hostile files, and its other users meanwhile."""

import sys
from contextlib import AsyncExitStack
from pathlib import Path

import pytest

from assistants.local.azurite import Storage
from benchmarks.hostile import elements, served
from tests.support.sdk.client import connect
from tests.support.sdk.talk import upload
from tests.support.service.processes import Model, Service, eventually

MB = 1024 * 1024
MEMORY = 512 * MB
FILES = 8
"""More than the worker threads of a process: on two processors, six."""


pytestmark = pytest.mark.skipif(sys.platform != "linux", reason="only Linux tells of a process's children")


async def test_requests_searches_and_streams_continue_while_hostile_files_are_read(idle: Storage):
    async with AsyncExitStack() as stack:
        others = await served(stack, idle.connection_string, READING_MEMORY_BYTES=str(MEMORY))
        control = await others.idle(2)
        felt = await others.reading("elements.docx", elements(3 * MB), FILES)
        print(f"\n{control}\n{felt}")
        assert felt.outcome == "The file could not be read as docx: BadZipFile."
        # If other requests had to wait for files, they would wait at least for one of these.
        assert max(felt.wait, felt.gap) < max(felt.took / FILES, 10 * control.wait)
        assert felt.memory < 2 * control.memory
        assert felt.with_children - felt.memory < 2 * MEMORY


def test_a_service_that_is_stopped_ends_the_child_that_reads_a_hostile_file(idle: Storage, model: Model):
    with Service(idle.connection_string, model.url) as service:
        client = connect(service.url)
        client.vector_stores.create(file_ids=[upload(client, elements(500 * MB), "elements.docx")])
        children = eventually(service.children)
        assert service.stop() == 0
        assert [child for child in children if Path(f"/proc/{child}").exists()] == []
