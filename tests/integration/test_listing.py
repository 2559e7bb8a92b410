"""Lists of documents: bounded from either end, and without reading documents again."""

from collections.abc import AsyncIterator, Callable
from typing import Any

import pytest
from azure.core.pipeline.transport import AsyncHttpResponse, HttpRequest
from pydantic import BaseModel

from assistants.local.azurite import Storage
from assistants.settings import Settings
from assistants.state import paging, transcript
from assistants.state.paging import Cursors, page_of_documents
from assistants.storage import listing
from assistants.storage.connection import blob_service
from assistants.storage.documents import Documents
from assistants.storage.services import BlobService
from tests.support.service.attending import ScriptedModel
from tests.support.service.inprocess import in_process
from tests.support.storage.calls import Send, kind, tapped


class Note(BaseModel):
    """An object of a list."""

    text: str


@pytest.fixture
def calls() -> list[str]:
    """The requests to storage."""
    return []


@pytest.fixture
async def notes(settings: Settings, fresh: str, calls: list[str]) -> AsyncIterator[Documents[Note]]:
    async def around(request: HttpRequest, send: Send) -> AsyncHttpResponse:
        calls.append(kind(request).replace(f" {fresh}", ""))
        return await send()

    blobs = blob_service(settings, transport=tapped(around))
    yield Documents(blobs, fresh, Note)
    await blobs.close()


@pytest.fixture
def few_between(monkeypatch: pytest.MonkeyPatch) -> None:
    """Let anchors be close to each other, and answers short."""
    monkeypatch.setattr(listing, "_BETWEEN", 5)
    monkeypatch.setattr(listing, "_AT_ONCE", 20)


async def made(notes: Documents[Note], *numbers: int) -> None:
    for number in numbers:
        await notes.create(f"p/{number:03d}", Note(text=f"{number:03d}"))


async def texts(notes: Documents[Note], cursors: Cursors) -> list[str]:
    found, _ = await page_of_documents(notes, "p", (), cursors, lambda note: note.text)
    return found


def cleared(calls: list[str]) -> Callable[[], list[str]]:
    calls.clear()
    return lambda: sorted(calls)


async def test_documents_that_have_not_changed_are_not_read_again(notes: Documents[Note], calls: list[str]):
    await made(notes, *range(4))
    assert await texts(notes, Cursors()) == ["000", "001", "002", "003"]
    since = cleared(calls)
    assert await texts(notes, Cursors()) == ["000", "001", "002", "003"]
    assert since() == ["GET list"]


async def test_a_change_by_another_process_is_read_and_a_deletion_seen(
    notes: Documents[Note], blobs: BlobService, calls: list[str], fresh: str
):
    await made(notes, *range(4))
    assert len(await texts(notes, Cursors())) == 4
    other: Documents[Note] = Documents(blobs, fresh, Note)
    await other.change("p/002", lambda _: Note(text="new"))
    await other.delete("p/001")
    since = cleared(calls)
    assert await texts(notes, Cursors()) == ["000", "new", "003"]
    assert since() == ["GET", "GET list"]


@pytest.mark.usefixtures("few_between")
async def test_the_oldest_are_found_from_the_end_of_a_list_that_is_known(notes: Documents[Note], calls: list[str]):
    await made(notes, *range(30, 60))
    assert await texts(notes, Cursors(3, "asc")) == ["059", "058", "057"]
    await made(notes, *range(30))
    since = cleared(calls)
    assert await texts(notes, Cursors(3, "asc")) == ["059", "058", "057"]
    assert len(since()) <= 2
    assert "GET" not in since()


@pytest.mark.usefixtures("few_between")
async def test_every_object_is_listed_once_from_the_oldest_on_while_others_are_created_and_deleted(
    notes: Documents[Note],
):
    await made(notes, *range(20, 80))
    assert await texts(notes, Cursors(2, "asc")) == ["079", "078"]
    await made(notes, *range(20))
    for number in (*range(50, 62), 79, 25):
        await notes.delete(f"p/{number:03d}")
    there = [f"{number:03d}" for number in reversed(range(79)) if number not in (*range(50, 62), 25)]
    met: list[str] = []
    while page := await texts(notes, Cursors(7, "asc", after=met[-1] if met else None)):
        met += page
    assert met == there
    assert await texts(notes, Cursors(7, "desc", before="010")) == [f"{number:03d}" for number in range(3, 10)]
    assert await texts(notes, Cursors(7, "asc", after="064", before="045")) == [
        "063",
        "062",
        "049",
        "048",
        "047",
        "046",
    ]


@pytest.mark.parametrize(("imported", "requests"), [(True, 2), (False, 1)])
async def test_a_place_is_read_only_for_kinds_of_imported_objects(
    notes: Documents[Note], calls: list[str], imported: bool, requests: int
):
    documents = Documents(notes._service, notes._name, Note, imported=imported)
    await made(notes, 1)
    asked = cleared(calls)
    assert await documents.read("p/002") is None
    assert len(asked()) == requests


@pytest.mark.parametrize("order", ["asc", "desc"])
async def test_a_page_has_fewer_objects_where_they_are_large_and_all_are_met(
    idle: Storage, monkeypatch: pytest.MonkeyPatch, order: Any
):
    for module in (paging, transcript):
        monkeypatch.setattr(module, "PAGE_BYTES", 5_000)
    sizes = [100, 2_000, 2_000, 9_000, 9_000, 100, 100, 4_000]
    async with in_process(idle, ScriptedModel()) as service:
        client = service.client
        thread = await client.beta.threads.create()
        made: list[str] = []
        for size in sizes:
            made.append((await client.beta.assistants.create(model="demo", instructions="a" * size)).id)
            await client.beta.threads.messages.create(thread.id, role="user", content="a" * size)
        wanted = sizes if order == "asc" else sizes[::-1]

        pages = [await client.beta.assistants.list(order=order)]
        while pages[-1].has_next_page():
            pages.append(await pages[-1].get_next_page())
        found = [each.id for page in pages for each in page.data]
        assert [each for each in found if each in made] == (made if order == "asc" else made[::-1])
        assert len(pages) > 3
        back = await client.beta.assistants.list(order=order, before=found[-1], limit=100)
        assert [each.id for each in back.data] == found[-1 - len(back.data) : -1]

        messages = [each async for each in client.beta.threads.messages.list(thread.id, order=order, limit=100)]
        assert [len(each.content[0].text.value) for each in messages] == wanted  # type: ignore[union-attr]
        first = await client.beta.threads.messages.list(thread.id, order=order, limit=100)
        assert 0 < len(first.data) < len(sizes)
