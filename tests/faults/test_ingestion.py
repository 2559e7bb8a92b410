"""Ingestion with faults: a process is killed, or the file or its store is deleted meanwhile."""

import os
import signal
import sys
import time
from collections.abc import Awaitable, Callable
from concurrent.futures import ThreadPoolExecutor
from contextlib import suppress

import pytest

from assistants.ingestion.ingestion import Ingestion
from assistants.ingestion.items import Ingest, PurgeStore
from assistants.ingestion.membership import chunks_name
from assistants.local.azurite import Storage
from assistants.schema.tools import StaticChunks
from assistants.storage.ids import blob_name
from tests.support.sdk.client import connect
from tests.support.sdk.talk import upload
from tests.support.service.attending import ScriptedModel
from tests.support.service.inprocess import InProcess, in_process
from tests.support.service.processes import Model, Service, eventually

FILES = 24
PARAGRAPH = "The spire of Strasbourg is 142 metres high, and was for long the highest of all. " * 40


@pytest.mark.parametrize("after", [0.0, 0.3])
def test_a_file_that_a_killed_process_was_ingesting_is_ingested_by_the_next_one(
    idle: Storage, model: Model, after: float
):
    with Service(idle.connection_string, model.url, LOOK_AGAIN="3") as service:
        client = connect(service.url)
        with ThreadPoolExecutor(4) as pool:
            files = list(pool.map(lambda number: upload(client, f"{number} {PARAGRAPH}"), range(FILES)))
        store = client.vector_stores.create()
        batch = client.vector_stores.file_batches.create(store.id, file_ids=files)
        if after:
            eventually(lambda: client.vector_stores.retrieve(store.id).file_counts.completed)
        service.kill()
        service.start()
        with connect(service.url) as client:
            batches = client.vector_stores.file_batches
            eventually(lambda: batches.retrieve(batch.id, vector_store_id=store.id).status == "completed", 60)
            counts = client.vector_stores.retrieve(store.id).file_counts
            assert (counts.completed, counts.total) == (FILES, FILES)
            assert len(list(client.vector_stores.files.content(files[0], vector_store_id=store.id))) > 0


@pytest.mark.skipif(sys.platform != "linux", reason="only Linux tells of a process's children")
def test_a_file_that_a_killed_child_was_reading_is_read_by_another_one(idle: Storage, model: Model):
    with Service(idle.connection_string, model.url, LOOK_AGAIN="3") as service:
        client = connect(service.url)
        for after in (0.0, 0.1, 0.3):
            files = [upload(client, f"{number} {PARAGRAPH}" * 20) for number in range(8)]
            store = client.vector_stores.create(file_ids=files)
            (child, *_) = eventually(service.children)
            time.sleep(after)
            with suppress(ProcessLookupError):
                os.kill(child, signal.SIGKILL)
            eventually(lambda store=store: client.vector_stores.retrieve(store.id).status == "completed", 60)
            assert client.vector_stores.retrieve(store.id).file_counts.completed == len(files)


class Interrupted:
    """A file in a store, and an action during its ingestion."""

    def __init__(self, running: InProcess, store_id: str, file_id: str) -> None:
        self.running, self.store_id, self.file_id = running, store_id, file_id

    async def ingest(self, meanwhile: Callable[[], Awaitable[object]]) -> str:
        """Ingest the file; return the name of its chunks' blob, which may not exist."""
        store, ours = self.running.store, self.running.ingestion
        document = await store.vector_stores.read(blob_name("default", self.store_id))
        assert document is not None
        version = document.value.members[self.file_id].version

        async def cut(name: str, content: bytes, chunking: StaticChunks) -> bytes:
            await meanwhile()
            return await ours._cut(name, content, chunking)

        item = Ingest(project="default", store=self.store_id, files={self.file_id: version})
        await Ingestion(store, cut).handle(item.model_dump_json().encode())
        return chunks_name("default", self.store_id, self.file_id, version)


@pytest.fixture
async def interrupted(idle: Storage):
    async with in_process(idle, ScriptedModel()) as running:
        file = await running.client.files.create(file=("a.txt", b"Hello"), purpose="assistants")
        store = await running.client.vector_stores.create(file_ids=[file.id])
        yield Interrupted(running, store.id, file.id)


async def test_a_file_that_is_deleted_meanwhile_leaves_no_blob(interrupted: Interrupted):
    client, store = interrupted.running.client, interrupted.running.store
    chunks = await interrupted.ingest(lambda: client.files.delete(interrupted.file_id))
    assert (await client.vector_stores.retrieve(interrupted.store_id)).file_counts.total == 0
    assert await store.chunks.read(chunks) is None


async def test_a_file_that_is_removed_meanwhile_leaves_no_blob(interrupted: Interrupted):
    client, store = interrupted.running.client, interrupted.running.store
    files = client.vector_stores.files
    chunks = await interrupted.ingest(lambda: files.delete(interrupted.file_id, vector_store_id=interrupted.store_id))
    assert (await client.vector_stores.retrieve(interrupted.store_id)).file_counts.total == 0
    assert await store.chunks.read(chunks) is None
    assert (await client.files.retrieve(interrupted.file_id)).id == interrupted.file_id


async def test_a_file_that_is_added_again_meanwhile_waits_for_its_own_ingestion(interrupted: Interrupted):
    client, store = interrupted.running.client, interrupted.running.store
    files = client.vector_stores.files
    chunks = await interrupted.ingest(lambda: files.create(interrupted.store_id, file_id=interrupted.file_id))
    assert await store.chunks.read(chunks) is None
    again = await files.retrieve(interrupted.file_id, vector_store_id=interrupted.store_id)
    assert again.status == "in_progress"


async def test_a_batch_that_is_cancelled_meanwhile_stays_cancelled(idle: Storage):
    async with in_process(idle, ScriptedModel()) as running:
        client, batches = running.client, running.client.vector_stores.file_batches
        file = await client.files.create(file=("a.txt", b"Hello"), purpose="assistants")
        store = await client.vector_stores.create()
        batch = await batches.create(store.id, file_ids=[file.id])
        chunks = await Interrupted(running, store.id, file.id).ingest(
            lambda: batches.cancel(batch.id, vector_store_id=store.id)
        )
        after = await batches.retrieve(batch.id, vector_store_id=store.id)
        assert (after.status, after.file_counts.cancelled, after.file_counts.total) == ("cancelled", 1, 1)
        assert await running.store.chunks.read(chunks) is None


async def test_a_store_that_is_deleted_meanwhile_leaves_no_blob(interrupted: Interrupted):
    client, store = interrupted.running.client, interrupted.running.store
    chunks = await interrupted.ingest(lambda: client.vector_stores.delete(interrupted.store_id))
    assert await store.chunks.read(chunks) is None
    assert [name async for name in store.vector_stores.names(blob_name("default", interrupted.store_id))] == []


async def test_a_deleted_stores_chunks_are_deleted_by_the_queue_and_its_files_forget_it(interrupted: Interrupted):
    async def nothing() -> None:
        pass

    client, store = interrupted.running.client, interrupted.running.store
    chunks = await interrupted.ingest(nothing)
    assert await store.chunks.read(chunks) is not None
    await client.vector_stores.delete(interrupted.store_id)
    item = PurgeStore(project="default", store=interrupted.store_id).model_dump_json().encode()
    await interrupted.running.ingestion.handle(item)
    assert await store.chunks.read(chunks) is None
    file = await store.files.read(blob_name("default", interrupted.file_id))
    assert file is not None
    assert file.value.stores == []
