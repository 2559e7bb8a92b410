"""The application over a store that answers 418: a request that reaches the store was accepted."""

from collections.abc import Iterator
from contextlib import contextmanager
from types import SimpleNamespace
from typing import Any

import httpx2
import pytest

from assistants.api.app import create_api
from assistants.schema.errors import ApiError
from assistants.service import Service
from assistants.settings import settings

UNAWAITED = pytest.mark.filterwarnings("ignore:coroutine '.*' was never awaited:RuntimeWarning")
"""The store refuses before a coroutine that was made for the same call is awaited."""


class _Refusing:
    def __getattr__(self, name: str) -> Any:
        raise ApiError(418, "accepted")


async def _close() -> None:
    pass


@contextmanager
def accepting() -> Iterator[httpx2.AsyncClient]:
    """Yields a client of the application, which needs no key."""
    parts = SimpleNamespace(store=_Refusing(), searcher=_Refusing(), close=_close)
    with pytest.MonkeyPatch.context() as patch:
        patch.delenv("API_KEYS", raising=False)
        patch.setattr(Service, "open", lambda: parts)
        settings.cache_clear()
        api = create_api()
        api.state.loopback = True
        yield httpx2.AsyncClient(transport=httpx2.ASGITransport(api), base_url="http://test/v1")
    settings.cache_clear()
