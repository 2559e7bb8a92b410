"""Ingestion with embeddings over real storage: interrupted, repeated, and with an endpoint that fails for a while."""

import asyncio
from collections.abc import AsyncIterator, Sequence
from contextlib import suppress
from typing import Any

import pytest
from azure.storage.queue import BinaryBase64DecodePolicy

from assistants.ingestion.items import INGEST
from assistants.local.azurite import Storage
from assistants.local.embedding import embedding
from assistants.model.embedder import Vectors
from assistants.model.errors import EndpointError, Refused, Unreachable, Words
from assistants.search.chunks import decode
from assistants.state.vector_stores import Member
from assistants.storage.ids import blob_name
from tests.support.service.attending import ScriptedModel
from tests.support.service.inprocess import InProcess, in_process
from tests.support.storage.segments import vectors
from tests.support.storage.stored import queue_of

SPIRES = "The spire of Strasbourg is 142 metres high."


class Moody:
    """The demo model's embeddings, which can be made to fail."""

    def __init__(self) -> None:
        self.trouble: Exception | None = None
        self.none = False
        self.unusable: str | None = None
        self.asked, self.answer = asyncio.Event(), asyncio.Event()
        self.answer.set()
        self.calls = 0

    async def embed(self, texts: Sequence[str]) -> Vectors | None:
        self.calls += 1
        self.asked.set()
        await self.answer.wait()
        if self.trouble:
            raise self.trouble
        usable = [self.unusable is None or self.unusable not in text for text in texts]
        rows = [embedding(text, 32) if use else [0.0] * 32 for text, use in zip(texts, usable, strict=True)]
        return None if self.none else vectors(rows, "demo")


@pytest.fixture
def moody() -> Moody:
    return Moody()


@pytest.fixture
async def running(idle: Storage, moody: Moody) -> AsyncIterator[InProcess]:
    queue_of(idle, INGEST).clear_messages()
    async with in_process(idle, ScriptedModel(), moody) as running:
        yield running


async def store_of(running: InProcess, *files: tuple[str, bytes]) -> str:
    """A store with these files, which are not ingested yet."""
    ids = [(await running.client.files.create(file=file, purpose="assistants")).id for file in files]
    return (await running.client.vector_stores.create(file_ids=ids)).id


async def members(running: InProcess, store: str) -> dict[str, Member]:
    document = await running.store.vector_stores.read(blob_name("default", store))
    assert document is not None
    return document.value.members


async def dimensions(running: InProcess, store: str) -> list[list[int]]:
    """The lengths of the vectors of each completed file of the store."""
    found: list[list[int]] = []
    for file_id, member in (await members(running, store)).items():
        if member.status == "completed":
            blob = await running.store.chunks.read(blob_name("default", store, file_id, member.version))
            assert blob is not None
            found.append([group.matrix.shape[1] for group in decode(blob, file_id, member.version).groups])
    return found


async def item(running: InProcess) -> bytes:
    """The content of the queue's next item, which a test delivers any number of times."""
    client = running.store.services[1].client.get_queue_client(INGEST, message_decode_policy=BinaryBase64DecodePolicy())
    received = await client.receive_message(visibility_timeout=600)
    assert received is not None
    return received.content  # type: ignore[return-value]


async def test_a_file_waits_for_embeddings_that_are_missing_just_now(running: InProcess, moody: Moody):
    store = await store_of(running, ("a.md", SPIRES.encode()))
    moody.trouble, content = TimeoutError("busy"), await item(running)
    with pytest.raises(TimeoutError):
        await running.ingestion.handle(content)
    assert [each.status for each in (await members(running, store)).values()] == ["in_progress"]
    moody.trouble = None
    await running.ingestion.handle(content)
    assert await dimensions(running, store) == [[32]]
    assert [hit.text for hit in await running.searcher.search("default", [store], ["spire"], 5)] == [SPIRES]


async def test_an_interrupted_ingestion_is_repeated(running: InProcess, moody: Moody):
    store = await store_of(running, ("a.md", SPIRES.encode()))
    content = await item(running)
    moody.answer.clear()
    dying = asyncio.create_task(running.ingestion.handle(content))
    await asyncio.wait_for(moody.asked.wait(), 30)
    dying.cancel()
    with suppress(asyncio.CancelledError):
        await dying
    moody.answer.set()
    await running.ingestion.handle(content)
    assert await dimensions(running, store) == [[32]]


@pytest.mark.parametrize(
    "trouble",
    [
        Refused(Words("Incorrect API key provided"), 401),
        Refused(Words("Out of memory"), 500),
        Unreachable("All connection attempts failed"),
    ],
)
async def test_a_file_fails_at_once_where_there_will_be_no_embeddings(
    running: InProcess, moody: Moody, trouble: EndpointError
):
    store = await store_of(running, ("a.md", SPIRES.encode()))
    moody.trouble = trouble
    await running.ingestion.handle(await item(running))
    (member,) = (await members(running, store)).values()
    assert member.last_error is not None
    assert member.last_error.model_dump() == {
        "code": "server_error", "message": f"The text of the file could not be embedded: {trouble}",
    }  # fmt: skip


async def test_the_error_of_a_file_that_is_given_up_quotes_the_endpoint(running: InProcess, moody: Moody):
    store = await store_of(running, ("a.md", SPIRES.encode()))
    moody.trouble, content = Refused(Words("Rate limit reached"), 429), await item(running)
    for _ in range(2):
        with pytest.raises(Refused):
            await running.ingestion.handle(content)
    await running.ingestion.give_up(content)
    (member,) = (await members(running, store)).values()
    assert member.last_error is not None
    assert member.last_error.message == "The file could not be processed after several attempts: Rate limit reached"


async def test_a_chunk_without_a_vector_is_found_by_keywords(running: InProcess, moody: Moody):
    moody.unusable = "Sourdough"
    text = f"{SPIRES} " * 30 + "Sourdough bread needs flour."
    file = await running.client.files.create(file=("a.md", text.encode()), purpose="assistants")
    static: Any = {"type": "static", "static": {"max_chunk_size_tokens": 100, "chunk_overlap_tokens": 0}}
    store = (await running.client.vector_stores.create(file_ids=[file.id], chunking_strategy=static)).id
    await running.ingestion.handle(await item(running))
    assert await dimensions(running, store) == [[32]]
    for ranker in ("auto", "none"):
        hits = await running.searcher.search("default", [store], ["flour"], 5, ranker=ranker)
        assert any(hit.text.endswith("flour.") for hit in hits)


async def test_a_second_delivery_does_not_embed_again(running: InProcess, moody: Moody):
    store = await store_of(running, ("a.md", SPIRES.encode()))
    content = await item(running)
    await asyncio.gather(*(running.ingestion.handle(content) for _ in range(3)))
    before = await members(running, store)
    await running.ingestion.handle(content)
    assert moody.calls == 1
    assert await members(running, store) == before


async def test_a_broken_file_among_valid_ones_fails_alone(running: InProcess, moody: Moody):
    files = [("good.md", SPIRES.encode()), ("broken.pdf", b"%PDF-"), ("old.doc", b"\xd0\xcf"), ("fine.txt", b"Fine.")]
    store = await store_of(running, *files)
    await running.ingestion.handle(await item(running))
    found = [
        (each.status, each.last_error and each.last_error.code) for each in (await members(running, store)).values()
    ]
    assert found == [
        ("completed", None), ("failed", "invalid_file"), ("failed", "unsupported_file"), ("completed", None),
    ]  # fmt: skip
    assert await dimensions(running, store) == [[32], [32]]


async def test_files_without_embeddings_are_found_beside_those_that_have_them(running: InProcess, moody: Moody):
    moody.none = True
    store = await store_of(running, ("words.md", b"Sourdough bread needs flour."))
    await running.ingestion.handle(await item(running))
    moody.none = False
    file = await running.client.files.create(file=("both.md", SPIRES.encode()), purpose="assistants")
    await running.client.vector_stores.files.create(store, file_id=file.id)
    while (await running.client.vector_stores.retrieve(store)).file_counts.in_progress:
        await running.attend(INGEST)
    assert await dimensions(running, store) == [[], [32]]
    hits = await running.searcher.search("default", [store], ["spire", "flour"], 5)
    assert {hit.filename for hit in hits} == {"words.md", "both.md"}


async def test_a_text_beyond_all_measure_fails(running: InProcess, monkeypatch: pytest.MonkeyPatch):
    monkeypatch.setattr("assistants.ingestion.reading.MAX_TOKENS", 10)
    store = await store_of(running, ("a.md", SPIRES.encode()))
    await running.ingestion.handle(await item(running))
    (member,) = (await members(running, store)).values()
    assert member.last_error is not None
    assert (member.last_error.code, member.last_error.message) == ("invalid_file", "The file has more than 10 tokens.")


async def test_a_file_that_has_waited_for_long_goes_to_the_end_of_the_queue(
    running: InProcess, monkeypatch: pytest.MonkeyPatch
):
    store = await store_of(running, ("a.md", SPIRES.encode()))
    with monkeypatch.context() as impatient:
        impatient.setattr("assistants.ingestion.ingestion._PATIENCE", -1)
        await running.ingestion.handle(await item(running))
    assert [each.status for each in (await members(running, store)).values()] == ["in_progress"]
    await running.ingestion.handle(await item(running))
    assert await dimensions(running, store) == [[32]]


async def test_a_file_that_is_refused_by_its_size_is_not_fetched(running: InProcess, monkeypatch: pytest.MonkeyPatch):
    async def fetched(name: str) -> None:
        raise AssertionError(name)

    store = await store_of(running, ("a.txt", SPIRES.encode()))
    monkeypatch.setattr("assistants.ingestion.limits._MAX_BYTES", 10)
    monkeypatch.setattr(running.store.contents, "read", fetched)
    await running.ingestion.handle(await item(running))
    (member,) = (await members(running, store)).values()
    assert member.last_error is not None
    assert member.last_error.code == "invalid_file"
