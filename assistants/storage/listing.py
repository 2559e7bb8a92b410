"""The names of the blobs in a container."""

from collections.abc import AsyncIterator

from azure.core.exceptions import ResourceNotFoundError
from azure.storage.blob.aio import ContainerClient


async def names_in(
    container: ContainerClient, prefix: str, start_from: str | None = None, at_once: int | None = None
) -> AsyncIterator[str]:
    """Names in their order, from `start_from` on (itself included), `at_once` by one request."""
    names = container.list_blob_names(name_starts_with=prefix, start_from=start_from, results_per_page=at_once)
    try:
        async for name in names:
            yield name
    except ResourceNotFoundError:
        return
