"""Storage clients over Azurite, with a transport that a test can disturb."""

import uuid
from collections import deque
from collections.abc import AsyncIterator, Awaitable, Callable
from typing import Any

import pytest
from azure.core.exceptions import ServiceResponseError
from azure.core.pipeline.transport import AsyncHttpResponse, HttpRequest
from azure.storage.blob.aio import BlobServiceClient
from azure.storage.queue.aio import QueueServiceClient

from assistants.local.azurite import Storage
from assistants.storage.clock import Clock
from assistants.storage.transport import Transport

Send = Callable[[], Awaitable[AsyncHttpResponse]]
Mishap = Callable[[Send], Awaitable[AsyncHttpResponse]]

TRIES = 4
"""The number of times that the SDK sends a request whose answer is lost each time."""


class Disturbed(Transport):
    """Every write meets the next of the `mishaps`, until there are none left."""

    def __init__(self) -> None:
        super().__init__(Clock(), 10)
        self.mishaps: deque[Mishap] = deque()

    async def send(self, request: HttpRequest, **kwargs: Any) -> AsyncHttpResponse:
        def go() -> Awaitable[AsyncHttpResponse]:
            return super(Disturbed, self).send(request, **kwargs)

        return await (self.mishaps.popleft()(go) if self.mishaps and request.method == "PUT" else go())


async def arrives_twice(send: Send) -> AsyncHttpResponse:
    await send()
    return await send()


async def answer_is_lost(send: Send) -> AsyncHttpResponse:
    await send()
    raise ServiceResponseError("lost")


async def never_arrives(send: Send) -> AsyncHttpResponse:
    raise ServiceResponseError("lost")


def before(act: Callable[[], Awaitable[object]]) -> Mishap:
    """Something else happens just before the write arrives."""

    async def happens(send: Send) -> AsyncHttpResponse:
        await act()
        return await send()

    return happens


def answer_is_lost_and(act: Callable[[], Awaitable[object]]) -> Mishap:
    """The write arrives, then something else happens, and the answer is lost."""

    async def happens(send: Send) -> AsyncHttpResponse:
        await send()
        await act()
        raise ServiceResponseError("lost")

    return happens


@pytest.fixture
def transport() -> Disturbed:
    return Disturbed()


@pytest.fixture
async def blobs(azurite: Storage) -> AsyncIterator[BlobServiceClient]:
    async with BlobServiceClient.from_connection_string(azurite.connection_string) as service:
        yield service


@pytest.fixture
async def disturbed_blobs(azurite: Storage, transport: Disturbed) -> AsyncIterator[BlobServiceClient]:
    """Sends through `transport`, and repeats at once what failed."""
    async with BlobServiceClient.from_connection_string(
        azurite.connection_string, transport=transport, retry_total=TRIES - 1, initial_backoff=0, increment_base=0,
        random_jitter_range=0,
    ) as service:  # fmt: skip
        yield service


@pytest.fixture
async def queue_service(azurite: Storage) -> AsyncIterator[QueueServiceClient]:
    async with QueueServiceClient.from_connection_string(azurite.connection_string) as service:
        yield service


@pytest.fixture
def fresh() -> str:
    """A name that no container or queue has yet."""
    return f"t-{uuid.uuid4().hex}"
