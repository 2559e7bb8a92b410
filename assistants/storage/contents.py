"""Contents: block blobs that are written once and never changed."""

from collections.abc import AsyncIterator, Iterable, Mapping
from contextlib import suppress

from azure.core.exceptions import ResourceNotFoundError
from azure.storage.blob import BlobBlock

from assistants.storage.connection import made_on_first_use
from assistants.storage.listing import names_in
from assistants.storage.services import BlobService

PIECE = 4 * 1024 * 1024
"""Bytes of a large content that are in memory at once, when it is written or read."""


class Contents:
    """The contents of one container."""

    def __init__(self, service: BlobService, container: str) -> None:
        self._service, self._name = service, container
        self._container = service.client.get_container_client(container)

    async def write(self, name: str, content: bytes) -> None:
        """Write a content that is in memory. A repetition is harmless."""
        blob = self._container.get_blob_client(name)
        await made_on_first_use(
            lambda: blob.upload_blob(content, overwrite=True),
            self._container.create_container,
        )

    async def stage(self, name: str, block: str, piece: bytes) -> None:
        """Store a block of a content; it can be read once it is committed.

        All blocks of a content have names of one length. Storage deletes uncommitted blocks after a week.
        """
        blob = self._container.get_blob_client(name)
        await made_on_first_use(lambda: blob.stage_block(block, piece), self._container.create_container)

    async def commit(self, name: str, blocks: Iterable[str]) -> None:
        """Commit a content of these blocks in this order. A repetition is harmless; other blocks are dropped.

        Raises
        ------
        azure.core.exceptions.HttpResponseError
            One of the blocks does not exist.
        """
        listed = [BlobBlock(block_id=block) for block in blocks]
        if listed:
            await self._container.get_blob_client(name).commit_block_list(listed)
        else:
            await self.write(name, b"")

    async def blocks(self, name: str) -> Mapping[str, int]:
        """The sizes of all blocks in bytes, committed and not, by their names."""
        try:
            committed, staged = await self._container.get_blob_client(name).get_block_list("all")
        except ResourceNotFoundError:
            return {}
        return {str(block.id): block.size or 0 for block in (*committed, *staged)}

    async def read(self, name: str) -> bytes | None:
        """The whole content, in memory; None if it does not exist."""
        try:
            found = await self._service.get(self._name, name)
        except ResourceNotFoundError:
            return None
        return found and found.content

    async def stream(self, name: str, start: int, end: int) -> AsyncIterator[bytes]:
        """The content from one byte up to another, piece by piece.

        Raises
        ------
        ResourceNotFoundError
            The content does not exist, or no longer.
        """
        for offset in range(start, end, PIECE):
            length = min(PIECE, end - offset)
            yield await (await self._container.download_blob(name, offset=offset, length=length)).readall()

    async def delete(self, name: str) -> None:
        """Delete a content, if it exists."""
        with suppress(ResourceNotFoundError):
            await self._container.delete_blob(name)

    def names(self, prefix: str) -> AsyncIterator[str]:
        return names_in(self._container, prefix)
