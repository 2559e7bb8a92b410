"""Hostile files, one of each kind, in the child process that reads them."""

from collections.abc import AsyncIterator

import pytest

from assistants.ingestion.ingestion import Unreadable
from assistants.ingestion.reading import Reading
from assistants.schema.tools import StaticChunks
from assistants.search.chunks import texts
from assistants.settings import Settings
from tests.support.hostile import HOSTILE, Hostile

CHUNKING: StaticChunks = {"max_chunk_size_tokens": 800, "chunk_overlap_tokens": 400}


@pytest.fixture
async def reading() -> AsyncIterator[Reading]:
    reading = Reading(Settings.model_validate({"READING_MEMORY_BYTES": 512 * 1024 * 1024}))
    yield reading
    await reading.close()


@pytest.mark.parametrize("file", HOSTILE, ids=lambda file: file.name)
async def test_a_hostile_file_is_read_or_refused(reading: Reading, file: Hostile):
    if file.text:
        first, *_ = texts(await reading.read(file.name, file.content(), CHUNKING))
        assert first.startswith(file.text)
        return
    with pytest.raises(Unreadable) as raised:
        await reading.read(file.name, file.content(), CHUNKING)
    assert raised.value.error.code == "invalid_file"
    assert file.error in raised.value.error.message
