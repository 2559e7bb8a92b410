"""Files whose embeddings come from endpoints that differ from OpenAI's: the result of each."""

from collections.abc import Iterator
from typing import Any

import pytest

from assistants.ingestion.items import INGEST
from assistants.local.azurite import Storage
from assistants.model.embedding import EndpointEmbedder
from assistants.model.endpoint import Endpoint
from assistants.search.chunks import decode
from assistants.settings import Settings
from assistants.storage.ids import blob_name
from tests.support.service.attending import ScriptedModel
from tests.support.service.embedding_quirks import CHUNKS, EMBEDDING_QUIRKS, chunk
from tests.support.service.inprocess import in_process
from tests.support.service.quirks import KEY, Quirks
from tests.support.storage.stored import queue_of

STATIC: Any = {"type": "static", "static": {"max_chunk_size_tokens": 200, "chunk_overlap_tokens": 0}}


@pytest.fixture(scope="module")
def endpoint() -> Iterator[Quirks]:
    with Quirks() as running:
        yield running


@pytest.mark.parametrize("name", EMBEDDING_QUIRKS)
async def test_a_quirk_has_its_expected_result(
    idle: Storage, endpoint: Quirks, name: str, caplog: pytest.LogCaptureFixture
):
    quirk = EMBEDDING_QUIRKS[name]
    settings = {"OPENAI_BASE_URL": endpoint.url, "OPENAI_API_KEY": KEY, "EMBEDDING_MODEL": name, "MODEL_RETRIES": "1"}
    read = Settings.model_validate(settings)
    model = Endpoint(read)
    queue_of(idle, INGEST).clear_messages()
    async with in_process(idle, ScriptedModel(), EndpointEmbedder(read, model), **settings) as running:
        text = " ".join(chunk(number) for number in range(CHUNKS))
        file = await running.client.files.create(file=("a.txt", text.encode()), purpose="assistants")
        store = await running.client.vector_stores.create(file_ids=[file.id], chunking_strategy=STATIC)
        await running.attend(INGEST)
        shown = await running.client.vector_stores.files.retrieve(file.id, vector_store_id=store.id)
        assert (shown.status, shown.last_error and shown.last_error.message) == (
            "failed" if quirk.error else "completed", quirk.error,
        )  # fmt: skip
        if not quirk.error:
            document = await running.store.vector_stores.read(blob_name("default", store.id))
            assert document is not None
            version = document.value.members[file.id].version
            blob = await running.store.chunks.read(blob_name("default", store.id, file.id, version))
            assert blob is not None
            having = {int(number) for group in decode(blob, file.id, version).groups for number in group.chunks}
            assert having == set(range(CHUNKS)) - set(quirk.without)
            for ranker in ("auto", "none") if quirk.without else ("auto",):
                hits = await running.searcher.search("default", [store.id], ["number2"], 20, ranker=ranker)
                assert chunk(2) in [hit.text for hit in hits]
    await model.close()
    assert KEY not in caplog.text + shown.model_dump_json()
