"""The searcher over real storage."""

import asyncio
from collections.abc import AsyncIterator, Sequence
from typing import Any

import pytest

from assistants.ingestion.items import INGEST
from assistants.local.azurite import Storage
from assistants.model.embedder import NoEmbedder
from assistants.schema.errors import ApiError
from assistants.search.searcher import Searcher
from tests.support.service.attending import ScriptedModel, later, open_store
from tests.support.service.inprocess import InProcess, in_process

SPIRES = "The spire of Strasbourg is 142 metres high."
BREAD = "Sourdough bread needs flour, water and salt."
DAY = 86_400


@pytest.fixture
async def running(idle: Storage) -> AsyncIterator[InProcess]:
    async with in_process(idle, ScriptedModel()) as running:
        queue = running.store.services[1].client.get_queue_client(INGEST)
        if INGEST in [each.name async for each in running.store.services[1].client.list_queues()]:
            await queue.clear_messages()
        yield running


async def ingested(running: InProcess, *texts: str, **options: Any) -> str:
    """A store with these texts in separate files, named by their numbers."""
    store = await running.client.vector_stores.create(**options)
    for number, text in enumerate(texts):
        file = await running.client.files.create(file=(f"{number}.md", text.encode()), purpose="assistants")
        await running.client.vector_stores.files.create(store.id, file_id=file.id, attributes={"number": number})
        while (await running.client.vector_stores.retrieve(store.id)).file_counts.in_progress:
            await running.attend(INGEST)
    return store.id


async def test_hits_of_several_stores_are_merged_best_first(running: InProcess):
    one, two = await ingested(running, BREAD), await ingested(running, BREAD, SPIRES)
    hits = await running.searcher.search("default", [one, two], ["How high is the spire?", "flour for bread"], 10)
    assert {(hit.store_id, hit.filename) for hit in hits} >= {(two, "1.md"), (one, "0.md")}
    (spires,) = [hit for hit in hits if hit.text == SPIRES]
    assert (spires.chunk, spires.attributes) == (0, {"number": 1})
    scores = [hit.score for hit in hits]
    assert scores == sorted(scores, reverse=True)
    assert all(0 < score <= 1 for score in scores)


async def test_hits_are_filtered_limited_and_kept_within_a_budget(running: InProcess):
    search, store = running.searcher.search, await ingested(running, SPIRES, f"{SPIRES} So it is said.")
    number: Any = {"type": "eq", "key": "number", "value": 1}
    assert [hit.filename for hit in await search("default", [store], ["spire"], 10, filters=number)] == ["1.md"]
    assert len(await search("default", [store], ["spire"], 1)) == 1
    assert [hit.filename for hit in await search("default", [store], ["spire"], 10, budget=12)] == ["0.md"]
    assert await search("default", [store], ["Byzantium"], 10, score_threshold=0.9) == []


async def test_a_store_that_is_gone_or_has_expired_is_not_searched(running: InProcess):
    store = await ingested(running, SPIRES, expires_after={"anchor": "last_active_at", "days": 1})
    with pytest.raises(ApiError, match="No vector store found with id 'vs_gone'"):
        await running.searcher.search("default", ["vs_gone", store], ["spire"], 10)
    assert await running.searcher.search("default", ["vs_gone", store], ["spire"], 10, skip_missing=True)
    running.searcher._store = later(running.store, DAY + 1)
    with pytest.raises(ApiError, match=f"Vector store '{store}' has expired"):
        await running.searcher.search("default", [store], ["spire"], 10)


async def test_loaded_chunks_are_not_loaded_again(running: InProcess, monkeypatch: pytest.MonkeyPatch):
    store = await ingested(running, SPIRES, BREAD)
    read, names = running.store.chunks.read, list[str]()

    async def counted(name: str) -> bytes | None:
        names.append(name)
        return await read(name)

    monkeypatch.setattr(running.store.chunks, "read", counted)
    search = running.searcher.search
    await asyncio.gather(*(search("default", [store], ["spire"], 10) for _ in range(5)))
    await search("default", [store], ["bread"], 10)
    assert len(names) == 2

    file = await running.client.files.create(file=("2.md", b"Something new"), purpose="assistants")
    await running.client.vector_stores.files.create(store, file_id=file.id)
    while (await running.client.vector_stores.retrieve(store)).file_counts.in_progress:
        await running.attend(INGEST)
    assert [hit.filename for hit in await search("default", [store], ["something"], 10)] == ["2.md"]
    assert len(names) == 3
    await running.client.vector_stores.update(store, name="renamed")
    await search("default", [store], ["something"], 10)
    assert len(names) == 3


async def test_memory_is_bounded_and_a_store_beyond_the_bound_is_searched_all_the_same(
    running: InProcess, idle: Storage
):
    texts = [f"{SPIRES} {'filler ' * 200}{number}" for number in range(3)]
    stores = [await ingested(running, text) for text in texts]
    searcher = Searcher(open_store(idle, SEARCH_CACHE_BYTES="5000"), NoEmbedder())
    for _ in range(2):
        for store in stores:
            assert await searcher.search("default", [store], ["spire"], 10)
    kept = searcher._cache._opened
    assert list(kept) == [f"default/{store}" for store in stores[-len(kept) :]]
    assert 0 < sum(opened.index.nbytes for opened in kept.values()) <= 5000
    tiny = Searcher(open_store(idle, SEARCH_CACHE_BYTES="0"), NoEmbedder())
    assert len(await tiny.search("default", stores, ["spire"], 10)) == 3
    assert not tiny._cache._opened
    for each in (searcher, tiny):
        await each._store.close()


async def test_a_search_is_a_use_of_the_store(running: InProcess):
    store = await ingested(running, SPIRES)
    before = (await running.client.vector_stores.retrieve(store)).last_active_at
    running.searcher._store = later(running.store, 2 * 3600)
    await running.searcher.search("default", [store], ["spire"], 10)
    after = (await running.client.vector_stores.retrieve(store)).last_active_at
    assert before is not None
    assert after is not None
    assert after >= before + 2 * 3600


async def test_queries_without_vectors_search_by_keywords(running: InProcess, monkeypatch: pytest.MonkeyPatch):
    class Hanging:
        async def embed(self, texts: Sequence[str]) -> None:
            assert texts == ["flour"]
            await asyncio.Event().wait()

    store = await ingested(running, BREAD)
    monkeypatch.setattr("assistants.search.searcher._PATIENCE", 0.05)
    hits = await Searcher(running.store, Hanging()).search("default", [store], ["flour"], 5)
    assert [hit.text for hit in hits] == [BREAD]
