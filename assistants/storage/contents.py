"""Contents: block blobs that are written once and never changed."""

from collections.abc import AsyncIterator, Callable
from contextlib import suppress

from azure.core.exceptions import ResourceNotFoundError
from azure.storage.blob.aio import BlobServiceClient

from assistants.storage.connection import made_on_first_use


class Contents:
    """The contents of one container."""

    def __init__(self, service: BlobServiceClient, container: str) -> None:
        self._container = service.get_container_client(container)

    async def write(self, name: str, content: bytes | Callable[[], AsyncIterator[bytes]]) -> None:
        """Write a content, given whole or by what begins its pieces anew. To write it again is harmless."""
        blob = self._container.get_blob_client(name)
        await made_on_first_use(
            lambda: blob.upload_blob(content() if callable(content) else content, overwrite=True),
            self._container.create_container,
        )

    async def read(self, name: str) -> bytes | None:
        """The content, all of it in memory; None where there is none."""
        try:
            return await (await self._container.download_blob(name)).readall()
        except ResourceNotFoundError:
            return None

    async def stream(self, name: str) -> AsyncIterator[bytes] | None:
        """The content piece by piece; None where there is none."""
        try:
            download = await self._container.download_blob(name)
        except ResourceNotFoundError:
            return None
        return download.chunks()

    async def delete(self, name: str) -> None:
        """Delete a content, if it is there."""
        with suppress(ResourceNotFoundError):
            await self._container.delete_blob(name)

    async def names(self, prefix: str) -> AsyncIterator[str]:
        try:
            async for name in self._container.list_blob_names(name_starts_with=prefix):
                yield name
        except ResourceNotFoundError:
            return
