"""Fixtures of the tests with faults."""

from collections.abc import AsyncIterator

import pytest

from assistants.local.azurite import Storage
from assistants.state.store import Store
from tests.support.service.attending import open_store


@pytest.fixture
async def store(idle: Storage) -> AsyncIterator[Store]:
    """Storage whose items only the test handles."""
    store = open_store(idle)
    yield store
    await store.close()
