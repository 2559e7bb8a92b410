"""Files that are large, and requests of files that fail."""

import asyncio
import socket
from pathlib import Path
from urllib.parse import urlsplit

import httpx2
import pytest
from openai import NotFoundError
from openai.types import FileObject

from assistants.ingestion.cutting import Cutter
from assistants.ingestion.ingestion import Ingestion
from assistants.ingestion.items import PurgeFile, SweepFile
from assistants.ingestion.reading import Reading
from assistants.ingestion.removal import sweep_file
from assistants.local.azurite import Storage
from assistants.model.embedder import NoEmbedder
from assistants.schema.tools import ToolResources
from assistants.state.files import FileRecord
from assistants.state.store import Store
from assistants.storage.ids import blob_name
from tests.support.sdk.client import connect, refused
from tests.support.service.attending import ScriptedModel, later, open_store
from tests.support.service.inprocess import in_process
from tests.support.service.processes import HttpSide, Model

LIMIT = 1_000_000


@pytest.fixture(scope="module")
def strict(idle: Storage, model: Model):
    """The service with a small limit, on storage that is deleted with a delay."""
    settings = {"MAX_FILE_BYTES": str(LIMIT), "REFUSE_ASSISTANTS_DOWNLOADS": "true", "API_KEYS": "key-of-files=files8"}
    with HttpSide(idle.connection_string, model.url, **settings) as running:
        yield running


async def look_after(store: Store, project: str, file_id: str) -> None:
    await sweep_file(store, SweepFile(project=project, file=file_id))


async def contents(store: Store, project: str) -> list[str]:
    return [name async for name in store.contents.names(f"{project}/")]


def test_a_file_of_the_largest_size_is_accepted_and_a_larger_one_is_not(strict: HttpSide):
    client = connect(strict.url, "key-of-files")
    assert client.files.create(file=("a.txt", b"x" * LIMIT), purpose="vision").bytes == LIMIT
    message = f"Invalid 'file': file too large. Expected a file with at most {LIMIT} bytes."
    for size in (LIMIT + 1, LIMIT * 9):  # the first is detected while it is read, the second by its declared length
        with refused(413, message, "file", "file_above_max_size"):
            client.files.create(file=("a.txt", b"x" * size), purpose="vision")


def test_a_setting_restores_the_refusal_of_downloads(strict: HttpSide):
    client = connect(strict.url, "key-of-files")
    kept = client.files.create(file=("a.txt", b"x"), purpose="assistants")
    with refused(400, "Not allowed to download files of purpose: assistants"):
        client.files.content(kept.id)
    shown = client.files.create(file=("a.txt", b"x"), purpose="vision")
    assert client.files.content(shown.id).read() == b"x"


async def test_a_request_that_is_cut_off_leaves_no_file(strict: HttpSide, idle: Storage):
    store, address = open_store(idle), urlsplit(strict.url)
    client = connect(strict.url, "key-of-files")
    before = await contents(store, "files8"), [each.id for each in client.files.list()]
    with socket.create_connection((str(address.hostname), address.port or 80)) as sending:
        sending.sendall(
            b"POST /v1/files HTTP/1.1\r\nHost: x\r\nAuthorization: Bearer key-of-files\r\nContent-Length: 900000\r\n"
            b"Content-Type: multipart/form-data; boundary=b\r\n\r\n--b\r\n"
            b'Content-Disposition: form-data; name="purpose"\r\n\r\nvision\r\n--b\r\n'
            b'Content-Disposition: form-data; name="file"; filename="a"\r\n\r\n' + b"x" * 500_000
        )
    assert client.files.list(limit=1).data  # the process that answers this has seen the end of the other request
    assert (await contents(store, "files8"), [each.id for each in client.files.list()]) == before
    await store.close()


async def test_a_content_without_a_file_is_cleared_away_and_one_with_a_file_stays(idle: Storage):
    store = open_store(idle)
    async with in_process(idle, ScriptedModel()) as running:
        file = await running.client.files.create(file=("a.txt", b"kept"), purpose="assistants")
        await look_after(store, "default", file.id)
        assert (await running.client.files.content(file.id)).read() == b"kept"
    orphan = store.ids.new("file-")
    await store.contents.write(blob_name("default", orphan), b"orphan")
    await look_after(store, "default", orphan)
    assert await store.contents.read(blob_name("default", orphan)) is None
    await store.close()


async def test_an_expired_file_is_not_found_and_cleared_away(idle: Storage):
    store = open_store(idle)
    now, file_id = int(store.clock.now()), store.ids.new("file-")
    name = blob_name("default", file_id)
    record = FileRecord(
        id=file_id, created_at=now, purpose="vision", filename="a", bytes=1, expires_at=now + 3600, stores=["vs_gone"]
    )
    await store.contents.write(name, b"x")
    await store.files.create(name, record)
    await look_after(store, "default", file_id)
    assert await store.contents.read(name) == b"x"
    await look_after(later(store, 3601), "default", file_id)
    assert await store.contents.read(name) is None
    left = await store.files.read(name)
    assert left is not None
    assert left.value.deleted
    item = PurgeFile(project="default", file=file_id).model_dump_json().encode()
    for _ in range(2):
        await Ingestion(store, Cutter(NoEmbedder(), Reading(store.settings)).cut).handle(item)
        assert await store.files.read(name) is None
    await store.close()


async def test_a_file_that_is_being_deleted_cannot_be_added_and_is_removed_from_a_late_user(idle: Storage):
    async with in_process(idle, ScriptedModel()) as running:
        client, store = running.client, running.store
        file = await client.files.create(file=("a.txt", b"x"), purpose="assistants")
        await client.files.delete(file.id)
        with pytest.raises(NotFoundError, match=f"No such File object: {file.id}"):
            await client.vector_stores.create(file_ids=[file.id])
        # A request that passed that check before, and writes after it.
        late = await client.beta.assistants.create(model="demo", tools=[{"type": "code_interpreter"}])
        names = blob_name("default", file.id), blob_name("default", late.id)
        await store.files.change(names[0], lambda record: record.model_copy(update={"users": [late.id]}))
        named: ToolResources = {"code_interpreter": {"file_ids": [file.id]}}
        await store.assistants.change(names[1], lambda record: record.model_copy(update={"tool_resources": named}))
        await running.ingestion.handle(PurgeFile(project="default", file=file.id).model_dump_json().encode())
        shown = (await client.beta.assistants.retrieve(late.id)).to_dict()
        assert shown["tool_resources"] == {"code_interpreter": {"file_ids": []}}


async def test_files_may_be_completed_twice_at_once(idle: Storage):
    async with in_process(idle, ScriptedModel()) as running:
        uploads = running.client.uploads
        begun = await uploads.create(filename="a", purpose="vision", bytes=2, mime_type="image/png")
        parts = [(await uploads.parts.create(begun.id, data=each)).id for each in (b"a", b"b")]
        first, second = await asyncio.gather(*(uploads.complete(begun.id, part_ids=parts) for _ in range(2)))
        assert first.file is not None
        assert second.file is not None
        assert first.file.id == second.file.id
        assert (await running.client.files.content(first.file.id)).read() == b"ab"


@pytest.mark.skipif(not Path("/proc/self/status").exists(), reason="the memory of a process is read from /proc")
def test_a_large_file_is_forwarded_in_small_pieces(idle: Storage, model: Model):
    size = 100 * 1024 * 1024

    def pieces():
        yield b'--b\r\nContent-Disposition: form-data; name="purpose"\r\n\r\nassistants\r\n--b\r\n'
        yield b'Content-Disposition: form-data; name="file"; filename="a"\r\n\r\n'
        for _ in range(size // 65_536):
            yield b"x" * 65_536
        yield b"\r\n--b--\r\n"

    with HttpSide(idle.connection_string, model.url, API_KEYS="key-of-files=large") as running:
        headers = {"Authorization": "Bearer key-of-files", "Content-Type": "multipart/form-data; boundary=b"}
        with httpx2.Client(headers=headers, timeout=60) as client:
            assert client.get(f"{running.url}/files").is_success
            before = running.peak_memory()
            made = FileObject.model_validate(client.post(f"{running.url}/files", content=pieces()).json())
            assert made.bytes == size
            with client.stream("GET", f"{running.url}/files/{made.id}/content") as answer:
                assert sum(len(piece) for piece in answer.iter_bytes()) == size
            assert running.peak_memory() - before < size // 2
            client.delete(f"{running.url}/files/{made.id}").raise_for_status()
