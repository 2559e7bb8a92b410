"""Lists of documents: bounded from either end, and without reading what has been read."""

from collections.abc import AsyncIterator, Callable

import pytest
from azure.core.pipeline.transport import AsyncHttpResponse, HttpRequest
from pydantic import BaseModel

from assistants.settings import Settings
from assistants.state.paging import Cursors, page_of_documents
from assistants.storage import listing
from assistants.storage.connection import blob_service
from assistants.storage.documents import Documents
from assistants.storage.services import BlobService
from tests.support.storage.calls import Send, kind, tapped


class Note(BaseModel):
    """What a list is made of."""

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
    """Anchors close to each other, and short answers."""
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
async def test_every_object_is_met_once_from_the_oldest_on_whatever_is_made_and_deleted(notes: Documents[Note]):
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
