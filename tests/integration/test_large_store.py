"""A vector store with very many files."""

import asyncio

import pytest

from assistants.local.azurite import Storage
from assistants.state.files import FileRecord
from assistants.storage.ids import blob_name
from tests.support.sdk.client import connect
from tests.support.service.attending import open_store
from tests.support.service.processes import Model, Service, eventually

FILES = 1_000
PROJECT = "large_store"


async def stored(storage: Storage) -> list[str]:
    """Small files, written directly to storage, as the upload of so many is not tested here."""
    store, turns = open_store(storage), asyncio.Semaphore(32)

    async def write(number: int) -> str:
        content, file_id = f"The number of this file is {number}.".encode(), store.ids.new("file-")
        now, name = int(store.clock.now()), blob_name(PROJECT, file_id)
        record = FileRecord(
            id=file_id, created_at=now, purpose="assistants", filename=f"{number}.txt", bytes=len(content)
        )
        async with turns:
            await asyncio.gather(store.contents.write(name, content), store.files.create(name, record))
        return file_id

    await write(0)  # makes the containers
    try:
        return await asyncio.gather(*(write(number) for number in range(FILES)))
    finally:
        await store.close()


@pytest.mark.long
@pytest.mark.timeout(300)
def test_a_thousand_files_are_ingested_counted_and_listed(idle: Storage, model: Model):
    files = asyncio.run(stored(idle))
    with Service(idle.connection_string, model.url, API_KEYS=f"key-of-the-large={PROJECT}") as service:
        client = connect(service.url, "key-of-the-large")
        store = client.vector_stores.create()
        halves = (files[: FILES // 2], files[FILES // 2 :])
        begun = [client.vector_stores.file_batches.create(store.id, file_ids=half) for half in halves]
        for batch in begun:
            eventually(
                lambda batch=batch: (
                    client.vector_stores.file_batches.retrieve(batch.id, vector_store_id=store.id).file_counts.completed
                    == FILES // 2
                ),
                200,
            )
        whole = client.vector_stores.retrieve(store.id)
        assert (whole.status, whole.file_counts.completed, whole.file_counts.total) == ("completed", FILES, FILES)
        assert [each.id for each in client.vector_stores.files.list(store.id, limit=100, order="asc")] == files
        client.vector_stores.delete(store.id)
