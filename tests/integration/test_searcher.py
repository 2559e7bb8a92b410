"""The searcher over real storage."""

from collections.abc import AsyncIterator
from typing import Any

import pytest

from assistants.ingestion.items import INGEST
from assistants.local.azurite import Storage
from assistants.schema.errors import ApiError
from tests.attending import ScriptedModel, later
from tests.inprocess import InProcess, in_process

SPIRES = "The spire of Strasbourg is 142 metres high."
BREAD = "Sourdough bread needs flour, water and salt."
DAY = 86_400


@pytest.fixture
async def running(idle: Storage) -> AsyncIterator[InProcess]:
    async with in_process(idle, ScriptedModel()) as running:
        queue = running.store.services[1].get_queue_client(INGEST)
        if INGEST in [each.name async for each in running.store.services[1].list_queues()]:
            await queue.clear_messages()
        yield running


async def ingested(running: InProcess, *texts: str, **options: Any) -> str:
    """A store with these texts in files of their own, named by their numbers."""
    store = await running.client.vector_stores.create(**options)
    for number, text in enumerate(texts):
        file = await running.client.files.create(file=(f"{number}.md", text.encode()), purpose="assistants")
        await running.client.vector_stores.files.create(store.id, file_id=file.id, attributes={"number": number})
        while (await running.client.vector_stores.retrieve(store.id)).file_counts.in_progress:
            await running.attend(INGEST)
    return store.id


async def test_hits_of_several_stores_come_the_best_first(running: InProcess):
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
