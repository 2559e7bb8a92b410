"""Clients of the storage account, by connection string or by identity."""

from collections.abc import Awaitable, Callable
from contextlib import suppress
from typing import Any, TypeVar

from azure.core.credentials_async import AsyncTokenCredential
from azure.core.exceptions import ResourceExistsError, ResourceNotFoundError
from azure.identity.aio import DefaultAzureCredential, ManagedIdentityCredential
from azure.storage.blob.aio import BlobServiceClient
from azure.storage.queue.aio import QueueServiceClient

from assistants.settings import Settings
from assistants.storage.clock import Clock
from assistants.storage.transport import Transport

T = TypeVar("T")

MAX_READ = 64 * 1024 * 1024
"""Bytes that one read request may bring."""

MAX_WRITE = 8 * 1024 * 1024
"""Bytes that one write request holds in memory; what is larger is sent in blocks."""


class NotConfigured(Exception):
    """No storage account is named in the settings."""

    def __init__(self) -> None:
        super().__init__("No storage is configured: set AzureWebJobsStorage or AzureWebJobsStorage__accountName.")


def identity(client_id: str | None, only_managed: bool = False) -> AsyncTokenCredential:
    """The credential of this process: a managed identity in Azure, the developer's own sign-in elsewhere."""
    if only_managed:
        return ManagedIdentityCredential(client_id=client_id)
    return DefaultAzureCredential(managed_identity_client_id=client_id)


def blob_service(settings: Settings, clock: Clock | None = None) -> BlobServiceClient:
    """A client of the account's blobs; a read of up to `MAX_READ` or a write of up to `MAX_WRITE` is one request.

    Raises
    ------
    NotConfigured
        The settings name no account.
    """
    options: dict[str, Any] = _options(settings, clock) | {
        "max_single_get_size": MAX_READ,
        "max_single_put_size": MAX_WRITE,
    }
    if settings.storage:
        return BlobServiceClient.from_connection_string(settings.storage.get_secret_value(), **options)
    endpoint = _endpoint(settings, settings.storage_blob_uri, "blob")
    return BlobServiceClient(endpoint, credential=_credential(settings), **options)


def queue_service(settings: Settings, clock: Clock | None = None) -> QueueServiceClient:
    """A client of the account's queues.

    Raises
    ------
    NotConfigured
        The settings name no account.
    """
    options = _options(settings, clock)
    if settings.storage:
        return QueueServiceClient.from_connection_string(settings.storage.get_secret_value(), **options)
    endpoint = _endpoint(settings, settings.storage_queue_uri, "queue")
    return QueueServiceClient(endpoint, credential=_credential(settings), **options)


async def made_on_first_use(act: Callable[[], Awaitable[T]], make: Callable[[], Awaitable[object]]) -> T:
    """What `act` returns; where its container or queue is not there yet, `make` is called and then `act` again."""
    try:
        return await act()
    except ResourceNotFoundError as error:
        if getattr(error, "error_code", None) not in {"ContainerNotFound", "QueueNotFound"}:
            raise
    with suppress(ResourceExistsError):  # another process was first
        await make()
    return await act()


def _options(settings: Settings, clock: Clock | None) -> dict[str, Any]:
    return {
        "transport": Transport(clock or Clock(), settings.storage_timeout),
        "retry_total": 3,
        "initial_backoff": 0.5,
        "increment_base": 2,
        "random_jitter_range": 0.5,
    }


def _endpoint(settings: Settings, uri: str | None, service: str) -> str:
    if uri:
        return uri
    if settings.storage_account:
        return f"https://{settings.storage_account}.{service}.core.windows.net"
    raise NotConfigured


def _credential(settings: Settings) -> AsyncTokenCredential:
    only_managed = (settings.storage_credential or "").lower() == "managedidentity"
    return identity(settings.storage_client_id, only_managed)
