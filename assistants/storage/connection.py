"""The services of the storage account, by connection string or by identity."""

import random
from collections.abc import Awaitable, Callable
from contextlib import suppress
from typing import Any, TypeVar

from azure.core.credentials_async import AsyncTokenCredential
from azure.core.exceptions import ResourceExistsError, ResourceNotFoundError
from azure.storage.blob.aio import BlobServiceClient, ExponentialRetry
from azure.storage.queue.aio import QueueServiceClient

from assistants.identity import identity
from assistants.settings import Settings
from assistants.storage.clock import Clock
from assistants.storage.errors import NotConfigured
from assistants.storage.services import BlobService, QueueService
from assistants.storage.transport import Transport

T = TypeVar("T")

MakeTransport = Callable[[Clock, float], Transport]
"""Makes a transport from the clock that it corrects and the timeout of a request in seconds."""

MAX_READ = 64 * 1024 * 1024
"""Bytes of one read request at most."""

MAX_WRITE = 8 * 1024 * 1024
"""Bytes of one write request at most; a larger content is sent in blocks."""


class _Retry(ExponentialRetry):
    """Three retries: after the back-off, three times and nine times the back-off, each give or take a half.

    The SDK's own policy adds at least a second to the first wait, however short the back-off is.
    """

    def __init__(self, backoff: float) -> None:
        super().__init__(retry_total=3)  # type: ignore[reportUnknownMemberType]
        self._backoff = backoff

    def get_backoff_time(self, settings: dict[str, Any]) -> float:
        return self._backoff * 3 ** (settings["count"] - 1) * random.uniform(0.5, 1.5)


def blob_service(settings: Settings, clock: Clock | None = None, transport: MakeTransport = Transport) -> BlobService:
    """The account's blobs. A read of up to `MAX_READ` or a write of up to `MAX_WRITE` by its client is one request.

    Raises
    ------
    NotConfigured
        The settings name no account.
    """
    sender = transport(clock or Clock(), settings.storage_timeout)
    options: dict[str, Any] = {
        "transport": sender,
        "retry_policy": _Retry(settings.storage_backoff),
        "max_single_get_size": MAX_READ,
        "max_single_put_size": MAX_WRITE,
    }
    if settings.storage:
        client = BlobServiceClient.from_connection_string(settings.storage.get_secret_value(), **options)
    else:
        endpoint = _endpoint(settings, settings.storage_blob_uri, "blob")
        client = BlobServiceClient(endpoint, credential=_credential(settings), **options)
    return BlobService(client, sender, _Retry(settings.storage_backoff))


def queue_service(settings: Settings, clock: Clock | None = None, transport: MakeTransport = Transport) -> QueueService:
    """The account's queues.

    Raises
    ------
    NotConfigured
        The settings name no account.
    """
    sender = transport(clock or Clock(), settings.storage_timeout)
    options: dict[str, Any] = {"transport": sender, "retry_policy": _Retry(settings.storage_backoff)}
    if settings.storage:
        client = QueueServiceClient.from_connection_string(settings.storage.get_secret_value(), **options)
    else:
        endpoint = _endpoint(settings, settings.storage_queue_uri, "queue")
        client = QueueServiceClient(endpoint, credential=_credential(settings), **options)
    return QueueService(client, sender, _Retry(settings.storage_backoff))


async def made_on_first_use(act: Callable[[], Awaitable[T]], make: Callable[[], Awaitable[object]]) -> T:
    """The result of `act`; if its container or queue does not exist yet, call `make` and then `act` again."""
    try:
        return await act()
    except ResourceNotFoundError as error:
        if getattr(error, "error_code", None) not in {"ContainerNotFound", "QueueNotFound"}:
            raise
    with suppress(ResourceExistsError):  # another process was first
        await make()
    return await act()


def _endpoint(settings: Settings, uri: str | None, service: str) -> str:
    if uri:
        return uri
    if settings.storage_account:
        return f"https://{settings.storage_account}.{service}.core.windows.net"
    raise NotConfigured


def _credential(settings: Settings) -> AsyncTokenCredential:
    only_managed = (settings.storage_credential or "").lower() == "managedidentity"
    return identity(settings.storage_client_id, only_managed)
