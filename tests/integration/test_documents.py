import asyncio
import gc

import pytest
from azure.core.exceptions import AzureError
from pydantic import BaseModel, field_validator

from assistants.storage import documents
from assistants.storage.documents import Document, Documents
from assistants.storage.errors import Conflict, Contended
from assistants.storage.services import Blob, BlobService
from tests.integration.conftest import (
    TRIES,
    Disturbed,
    Mishap,
    answer_is_lost,
    answer_is_lost_and,
    arrives_twice,
    before,
    never_arrives,
)


class Note(BaseModel):
    """An object to store."""

    text: str


@pytest.fixture
def notes(blobs: BlobService, fresh: str) -> Documents[Note]:
    """Documents of a container that does not exist yet."""
    return Documents(blobs, fresh, Note)


@pytest.fixture
def disturbed(disturbed_blobs: BlobService, fresh: str) -> Documents[Note]:
    """The same documents, through a transport that can be disturbed."""
    return Documents(disturbed_blobs, fresh, Note)


async def text(notes: Documents[Note], name: str) -> str | None:
    document = await notes.read(name)
    return document and document.value.text


async def overwrite(notes: Documents[Note], name: str, value: str) -> None:
    """Write as another process would."""
    await notes.change(name, lambda _: Note(text=value))


def add(more: str):
    return lambda note: Note(text=note.text + more)


async def all_names(notes: Documents[Note], prefix: str, start_from: str | None = None) -> list[str]:
    return [name async for name in notes.names(prefix, start_from)]


async def test_a_container_that_does_not_exist_has_no_documents(notes: Documents[Note]):
    assert await notes.read("p/a") is None
    assert await notes.change("p/a", add("!")) is None
    assert await notes.delete("p/a") is False
    assert await all_names(notes, "p/") == []


async def test_the_first_create_makes_the_container_and_a_race_for_it_has_no_loser(notes: Documents[Note]):
    await asyncio.gather(*(notes.create(f"p/{number}", Note(text=str(number))) for number in range(8)))
    assert await all_names(notes, "p/") == [f"p/{number}" for number in range(8)]


async def test_a_document_is_read_as_it_was_created(notes: Documents[Note]):
    created = await notes.create("p/a", Note(text="Grüße 🦀\n"))
    assert await notes.read("p/a") == created
    assert created.value == Note(text="Grüße 🦀\n")


async def test_a_name_belongs_to_its_first_document(notes: Documents[Note]):
    await notes.create("p/a", Note(text="first"))
    with pytest.raises(Conflict):
        await notes.create("p/a", Note(text="second"))
    assert await text(notes, "p/a") == "first"


async def test_of_creates_at_once_one_wins(notes: Documents[Note]):
    await notes.create("p/other", Note(text=""))
    creates = (notes.create("p/a", Note(text=str(number))) for number in range(8))
    results = await asyncio.gather(*creates, return_exceptions=True)
    (won,) = (result for result in results if isinstance(result, Document))
    assert sum(isinstance(result, Conflict) for result in results) == 7
    assert await notes.read("p/a") == won


async def test_a_replace_takes_effect_once(notes: Documents[Note]):
    created = await notes.create("p/a", Note(text="1"))
    replaced = await notes.replace(created, Note(text="2"))
    assert await notes.read("p/a") == replaced
    with pytest.raises(Conflict):
        await notes.replace(created, Note(text="3"))
    assert await text(notes, "p/a") == "2"


async def test_a_document_that_is_gone_is_not_replaced(notes: Documents[Note]):
    created = await notes.create("p/a", Note(text="1"))
    assert await notes.delete("p/a") is True
    with pytest.raises(Conflict):
        await notes.replace(created, Note(text="2"))
    assert await notes.read("p/a") is None
    assert await notes.delete("p/a") is False


async def test_read_newer_finds_a_document_unchanged_changed_or_gone(notes: Documents[Note]):
    created = await notes.create("p/a", Note(text="1"))
    assert await notes.read_newer(created) is created
    replaced = await notes.replace(created, Note(text="2"))
    assert await notes.read_newer(created) == replaced
    await notes.delete("p/a")
    assert await notes.read_newer(replaced) is None


class TestLargeDocumentsAreKept:
    """A large document is kept as it was read last; each read checks whether it has changed."""

    LARGE = "x" * 5000

    @pytest.fixture
    async def bytes_read(self, monkeypatch: pytest.MonkeyPatch, blobs: BlobService) -> list[int]:
        """The bytes of the reads of `notes`, one after the other."""
        found: list[int] = []
        get = blobs.get

        async def counted(container: str, name: str, unless: str | None = None) -> Blob | None:
            blob = await get(container, name, unless)
            found.append(0 if blob is None else len(blob.content))
            return blob

        monkeypatch.setattr(blobs, "get", counted)
        return found

    @pytest.fixture
    def others(self, disturbed_blobs: BlobService, fresh: str) -> Documents[Note]:
        """The same documents in another process."""
        return Documents(disturbed_blobs, fresh, Note)

    async def test_one_that_has_not_changed_is_not_sent_again(self, notes: Documents[Note], bytes_read: list[int]):
        await notes.create("p/large", Note(text=self.LARGE))
        await notes.create("p/small", Note(text="x"))
        for name in ("p/large", "p/small"):
            assert await notes.read(name) == await notes.read(name)
        first, second, *small = bytes_read
        assert first > len(self.LARGE)
        assert second == 0
        assert min(small) > 0

    async def test_the_writes_of_another_process_are_read(self, notes: Documents[Note], others: Documents[Note]):
        await notes.create("p/a", Note(text=self.LARGE))
        first = await notes.read("p/a")
        await overwrite(others, "p/a", self.LARGE + "2")
        assert await text(notes, "p/a") == self.LARGE + "2"
        await others.delete("p/a")
        assert await notes.read("p/a") is None
        anew = await others.create("p/a", Note(text=self.LARGE))
        assert await notes.read("p/a") == anew
        assert first is not None
        assert first.value.text == self.LARGE

    async def test_the_memory_for_kept_documents_is_bounded(
        self, notes: Documents[Note], bytes_read: list[int], monkeypatch: pytest.MonkeyPatch
    ):
        monkeypatch.setattr(documents, "_KEPT", 12_000)
        for name in ("p/1", "p/2", "p/3"):
            await notes.create(name, Note(text=self.LARGE))
        await notes.create("p/huge", Note(text=self.LARGE * 3))
        for name in ("p/1", "p/2", "p/1", "p/3", "p/huge"):
            await notes.read(name)
        bytes_read.clear()
        for name in ("p/1", "p/3", "p/2", "p/huge"):
            await notes.read(name)
        assert [size > 0 for size in bytes_read] == [False, False, True, True]


class Watchful(BaseModel):
    """Records whether garbage collection is enabled while it is parsed."""

    text: str

    @field_validator("text")
    @classmethod
    def watched(cls, text: str) -> str:
        return f"{text[:1]} {gc.isenabled()}"


async def test_a_large_document_is_parsed_without_a_garbage_collection(notes: Documents[Note], blobs: BlobService):
    await notes.create("p/small", Note(text="x"))
    await notes.create("p/large", Note(text="x" * 300_000))
    watchful = Documents(blobs, notes._name, Watchful)
    found = [await watchful.read(name) for name in ("p/small", "p/large", "p/small")]
    assert [each and each.value.text for each in found] == ["x True", "x False", "x True"]


async def test_names_are_in_order_and_continue_from_any_name(notes: Documents[Note]):
    for name in ("q/x", "p/b", "p/a/1", "p/c", "p/a", "pp/a"):
        await notes.create(name, Note(text=""))
    assert await all_names(notes, "p/") == ["p/a", "p/a/1", "p/b", "p/c"]
    assert await all_names(notes, "p/a/") == ["p/a/1"]
    assert await all_names(notes, "p/", "p/a/1") == ["p/a/1", "p/b", "p/c"]
    assert await all_names(notes, "p/", "p/bb") == ["p/c"]
    assert await all_names(notes, "p/", "p/d") == []


async def test_a_change_decides_on_the_document_as_it_is(notes: Documents[Note]):
    created = await notes.create("p/a", Note(text="1"))
    changed = await notes.change("p/a", add("2"), created)
    assert changed is not None
    assert (await notes.read("p/a"), changed.value.text) == (changed, "12")


async def test_a_change_after_another_write_decides_again_on_the_newer_document(notes: Documents[Note]):
    stale = await notes.create("p/a", Note(text="1"))
    await overwrite(notes, "p/a", "other")
    seen: list[str] = []

    def decide(note: Note) -> Note:
        seen.append(note.text)
        return Note(text=note.text + "!")

    changed = await notes.change("p/a", decide, stale)
    assert seen == ["1", "other"]
    assert changed is not None
    assert changed.value.text == await text(notes, "p/a") == "other!"


async def test_a_change_may_leave_the_document_as_it_is(notes: Documents[Note]):
    created = await notes.create("p/a", Note(text="1"))
    assert await notes.change("p/a", lambda _: None) == created
    assert await notes.change("p/a", lambda note: note) == created
    assert await notes.read("p/a") == created


async def test_a_change_may_refuse(notes: Documents[Note]):
    await notes.create("p/a", Note(text="1"))

    def refuse(note: Note) -> Note:
        raise ValueError(note.text)

    with pytest.raises(ValueError, match="1"):
        await notes.change("p/a", refuse)
    assert await text(notes, "p/a") == "1"


async def test_a_change_of_a_document_that_is_deleted_meanwhile_finds_none(notes: Documents[Note]):
    created = await notes.create("p/a", Note(text="1"))
    await notes.delete("p/a")
    assert await notes.change("p/a", add("2"), created) is None


async def test_changes_at_once_all_take_effect(notes: Documents[Note]):
    await notes.create("p/a", Note(text=""))
    await asyncio.gather(*(notes.change("p/a", add(letter)) for letter in "abcdefgh"))
    assert sorted(await text(notes, "p/a") or "") == list("abcdefgh")


async def test_a_change_fails_if_others_always_write_first(
    notes: Documents[Note], disturbed: Documents[Note], transport: Disturbed, monkeypatch: pytest.MonkeyPatch
):
    monkeypatch.setattr(documents, "_TRIES", 3)
    await notes.create("p/a", Note(text=""))
    transport.mishaps.extend(before(lambda: notes.change("p/a", add("x"))) for _ in range(3))
    with pytest.raises(Contended):
        await disturbed.change("p/a", add("mine"))
    assert await text(notes, "p/a") == "xxx"


MISHAPS = [
    pytest.param([arrives_twice], id="it arrives twice"),
    pytest.param([answer_is_lost], id="its answer is lost"),
    pytest.param([answer_is_lost] * TRIES, id="every answer is lost"),
    pytest.param([never_arrives, answer_is_lost, arrives_twice], id="one thing after another"),
]


@pytest.mark.parametrize("mishaps", MISHAPS)
async def test_a_repeated_create_has_succeeded(
    notes: Documents[Note], disturbed: Documents[Note], transport: Disturbed, mishaps: list[Mishap]
):
    await notes.create("p/other", Note(text=""))
    transport.mishaps.extend(mishaps)
    created = await disturbed.create("p/a", Note(text="mine"))
    assert not transport.mishaps
    assert await notes.read("p/a") == created


@pytest.mark.parametrize("mishaps", MISHAPS)
async def test_a_repeated_replace_has_succeeded(
    notes: Documents[Note], disturbed: Documents[Note], transport: Disturbed, mishaps: list[Mishap]
):
    created = await notes.create("p/a", Note(text="1"))
    transport.mishaps.extend(mishaps)
    replaced = await disturbed.replace(created, Note(text="2"))
    assert not transport.mishaps
    assert await notes.read("p/a") == replaced


@pytest.mark.parametrize("mishaps", MISHAPS)
async def test_a_repeated_change_takes_effect_once(
    notes: Documents[Note], disturbed: Documents[Note], transport: Disturbed, mishaps: list[Mishap]
):
    await notes.create("p/a", Note(text="1"))
    transport.mishaps.extend(mishaps)
    await disturbed.change("p/a", add("2"))
    assert await text(notes, "p/a") == "12"


@pytest.mark.parametrize("others", [1, 10])
async def test_a_replace_whose_answer_was_lost_has_succeeded_even_when_others_wrote_since(
    notes: Documents[Note], disturbed: Documents[Note], transport: Disturbed, others: int
):
    created = await notes.create("p/a", Note(text="1"))

    async def others_write() -> None:
        for number in range(others):
            await notes.change("p/a", add(f" {number}"))

    transport.mishaps.append(answer_is_lost_and(others_write))
    replaced = await disturbed.replace(created, Note(text="mine"))
    assert replaced == await notes.read("p/a")
    assert replaced.value.text == "mine" + "".join(f" {number}" for number in range(others))


async def test_a_create_whose_answer_was_lost_has_succeeded_even_when_another_wrote_since(
    notes: Documents[Note], disturbed: Documents[Note], transport: Disturbed
):
    await notes.create("p/other", Note(text=""))
    transport.mishaps.append(answer_is_lost_and(lambda: notes.change("p/a", add(" theirs"))))
    created = await disturbed.create("p/a", Note(text="mine"))
    assert created.value.text == "mine theirs"


async def test_an_earlier_write_of_another_process_is_a_conflict_even_when_its_answer_is_lost(
    notes: Documents[Note], disturbed: Documents[Note], transport: Disturbed
):
    created = await notes.create("p/a", Note(text="1"))
    transport.mishaps.extend([before(lambda: overwrite(notes, "p/a", "theirs")), never_arrives])
    with pytest.raises(Conflict):
        await disturbed.replace(created, Note(text="mine"))
    transport.mishaps.clear()
    transport.mishaps.extend([never_arrives, before(lambda: overwrite(notes, "p/a", "theirs again"))])
    known = await disturbed.read("p/a")
    assert known is not None
    with pytest.raises(Conflict):
        await disturbed.replace(known, Note(text="mine"))
    assert await text(notes, "p/a") == "theirs again"


async def test_a_write_that_never_arrives_fails(
    notes: Documents[Note], disturbed: Documents[Note], transport: Disturbed
):
    created = await notes.create("p/a", Note(text="1"))
    for write in (disturbed.replace(created, Note(text="2")), disturbed.create("p/b", Note(text="2"))):
        transport.mishaps.extend([never_arrives] * TRIES)
        with pytest.raises(AzureError, match="lost"):
            await write
    assert (await text(notes, "p/a"), await text(notes, "p/b")) == ("1", None)
