"""The services over Azurite, with a transport that a test can disturb."""

import uuid
from collections import deque
from collections.abc import AsyncIterator, Awaitable, Callable
from typing import Any

import pytest
from azure.core.exceptions import ServiceResponseError
from azure.core.pipeline.transport import AsyncHttpResponse, HttpRequest
from azure.storage.blob.aio import BlobServiceClient, ExponentialRetry

from assistants.local.azurite import Storage
from assistants.settings import Settings
from assistants.storage import connection
from assistants.storage.clock import Clock
from assistants.storage.services import BlobService, QueueService
from assistants.storage.transport import Transport

Send = Callable[[], Awaitable[AsyncHttpResponse]]
Mishap = Callable[[Send], Awaitable[AsyncHttpResponse]]

TRIES = 4
"""The number of times that a request is sent if each answer is lost."""


class Disturbed(Transport):
    """Applies the next of the `mishaps` to every write, until none is left."""

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
    """Call `act` just before the write arrives."""

    async def happens(send: Send) -> AsyncHttpResponse:
        await act()
        return await send()

    return happens


def answer_is_lost_and(act: Callable[[], Awaitable[object]]) -> Mishap:
    """Let the write arrive, call `act`, and lose the answer."""

    async def happens(send: Send) -> AsyncHttpResponse:
        await send()
        await act()
        raise ServiceResponseError("lost")

    return happens


@pytest.fixture
def transport() -> Disturbed:
    return Disturbed()


@pytest.fixture
def settings(azurite: Storage) -> Settings:
    return Settings.model_validate({"AzureWebJobsStorage": azurite.connection_string})


@pytest.fixture
async def blobs(settings: Settings) -> AsyncIterator[BlobService]:
    service = connection.blob_service(settings)
    yield service
    await service.close()


@pytest.fixture
async def disturbed_blobs(azurite: Storage, transport: Disturbed) -> AsyncIterator[BlobService]:
    """Services that send through `transport`, and repeat failed requests at once."""

    def retry() -> ExponentialRetry:
        return ExponentialRetry(0, 0, TRIES - 1, random_jitter_range=0)

    client = BlobServiceClient.from_connection_string(
        azurite.connection_string, transport=transport, retry_policy=retry()
    )
    async with client:
        yield BlobService(client, transport, retry())


@pytest.fixture
async def queue_service(settings: Settings) -> AsyncIterator[QueueService]:
    service = connection.queue_service(settings)
    yield service
    await service.close()


@pytest.fixture
def fresh() -> str:
    """A name that no container or queue has yet."""
    return f"t-{uuid.uuid4().hex}"
