"""Documents of imported objects: found by ids without a time, and listed by their time."""

import random
from collections.abc import Iterator

import pytest
from pydantic import BaseModel

from assistants.state.paging import Cursors, page_of_documents
from assistants.storage.clock import Clock
from assistants.storage.documents import Documents
from assistants.storage.ids import IdSource, blob_name
from assistants.storage.places import place
from assistants.storage.services import BlobService

NOW = 1_750_000_000.0


class Note(BaseModel):
    """An object of a list."""

    id: str
    created: float


@pytest.fixture
def notes(blobs: BlobService, fresh: str) -> Documents[Note]:
    return Documents(blobs, fresh, Note)


@pytest.fixture
def elsewhere(blobs: BlobService, fresh: str) -> Documents[Note]:
    """The same documents in another process, without a cache."""
    return Documents(blobs, fresh, Note)


async def put(notes: Documents[Note], identifier: str, created: float, project: str = "p") -> None:
    name = blob_name(project, identifier)
    at, _ = await notes.places.point(name, place(name, "asst_", created))
    await notes.create(at, Note(id=identifier, created=created))


def foreign() -> Iterator[str]:
    """Ids of OpenAI's format, and others."""
    random.seed(1)
    while True:
        yield "asst_" + "".join(random.choices("0123456789ABCDEFabcdefzyxwZYXW", k=24))
        yield "asst_" + "".join(random.choices("abc-_09", k=random.randrange(1, 129)))


async def mixed(notes: Documents[Note]) -> list[str]:
    """The ids of twenty objects of both kinds, the newest first."""
    ids, made = foreign(), list[str]()
    for number in range(20):
        if number % 2:
            own = IdSource(Clock(lambda at=NOW + number: at)).new("asst_")
            await notes.create(f"p/{own}", Note(id=own, created=NOW + number))
            made.append(own)
        else:
            made.append(next(ids))
            await put(notes, made[-1], NOW + number)
    return made[::-1]


async def paged(notes: Documents[Note], order: str, limit: int = 3) -> list[str]:
    found, after = list[str](), None
    while True:
        page, more = await page_of_documents(notes, "p", (), Cursors(limit, order, after), lambda note: note.id)  # type: ignore[arg-type]
        found += page
        if not more:
            return found
        after = page[-1]


async def test_they_are_listed_by_their_times_in_both_directions(notes: Documents[Note], elsewhere: Documents[Note]):
    newest_first = await mixed(notes)
    for documents in (notes, elsewhere):
        assert await paged(documents, "desc") == newest_first
        assert await paged(documents, "asc") == newest_first[::-1]


async def test_a_page_ends_before_any_of_them(notes: Documents[Note], elsewhere: Documents[Note]):
    ids = await mixed(notes)
    for at in (4, 5, 10):
        cursors = Cursors(3, "desc", None, ids[at])
        assert (await page_of_documents(elsewhere, "p", (), cursors, lambda note: note.id))[0] == ids[at - 3 : at]


async def test_they_are_found_changed_and_deleted_by_any_process(notes: Documents[Note], elsewhere: Documents[Note]):
    await put(notes, "asst_long" + "x" * 100, NOW)
    name = blob_name("p", "asst_long" + "x" * 100)
    for documents in (elsewhere, notes):
        await documents.change(name, lambda note: note.model_copy(update={"created": note.created + 1}))
        found = await documents.read(name)
        assert found
    assert found.value.created == NOW + 2
    assert await elsewhere.delete(name)
    assert not await notes.delete(name)
    assert await notes.read(name) is None


@pytest.mark.parametrize("order", ["asc", "desc"])
async def test_one_that_was_deleted_is_still_a_cursor(notes: Documents[Note], elsewhere: Documents[Note], order: str):
    ids = await mixed(notes)
    ids = ids if order == "desc" else ids[::-1]
    for each in ids[3:7]:
        await notes.delete(blob_name("p", each))
    for at in range(3, 7):
        cursors = Cursors(3, order, ids[at])  # type: ignore[arg-type]
        assert (await page_of_documents(elsewhere, "p", (), cursors, lambda note: note.id))[0] == ids[7:10]


async def test_two_projects_have_the_same_id(notes: Documents[Note], elsewhere: Documents[Note]):
    for project, time in (("p", NOW), ("q", NOW - 100)):
        await put(notes, "asst_same", time, project)
    await notes.delete("p/asst_same")
    found = await elsewhere.read("q/asst_same")
    assert found
    assert found.value.created == NOW - 100
    assert await elsewhere.read("p/asst_same") is None


async def test_an_id_of_our_own_needs_no_place(notes: Documents[Note]):
    own = IdSource(Clock(lambda: NOW)).new("asst_")
    assert place(f"p/{own}", "asst_", int(NOW)) == f"p/{own}"
    assert place(f"p/{own}", "asst_", NOW + 3600) == f"p/{own}"
    assert place(f"p/{own}", "asst_", NOW - 10) != f"p/{own}"
    assert place(f"p/{own}", "thread_", NOW) != f"p/{own}"


async def test_an_existing_pointer_is_kept(notes: Documents[Note], elsewhere: Documents[Note]):
    assert await notes.places.point("p/asst_x", "p/asst_1~x") == ("p/asst_1~x", True)
    assert await elsewhere.places.point("p/asst_x", "p/asst_2~x") == ("p/asst_1~x", False)


async def test_the_places_that_are_remembered_are_bounded(notes: Documents[Note], monkeypatch: pytest.MonkeyPatch):
    monkeypatch.setattr("assistants.storage.places._KEPT", 2)
    for number in range(4):
        await put(notes, f"asst_{number}", NOW)
    assert [notes.places.known(f"p/asst_{number}") is not None for number in range(4)] == [False, False, True, True]
    assert await notes.read("p/asst_0")
