"""Append-only logs: append blobs whose written bytes never change."""

from collections.abc import AsyncIterator
from contextlib import suppress

from azure.core import MatchConditions
from azure.core.exceptions import HttpResponseError, ResourceExistsError, ResourceNotFoundError
from azure.storage.blob.aio import BlobServiceClient

from assistants.storage.connection import MAX_READ, made_on_first_use
from assistants.storage.errors import LogFull, NoLog
from assistants.storage.listing import names_in

MAX_RECORD = 4 * 1024 * 1024 - 1024
"""Bytes that one append may hold, in every version of the service."""


class Logs:
    """The logs of one container."""

    def __init__(self, service: BlobServiceClient, container: str) -> None:
        self._container = service.get_container_client(container)

    async def create(self, name: str) -> None:
        """Make an empty log, unless it exists."""
        blob = self._container.get_blob_client(name)
        with suppress(ResourceExistsError):
            await made_on_first_use(
                lambda: blob.create_append_blob(match_condition=MatchConditions.IfMissing),
                self._container.create_container,
            )

    async def append(self, name: str, records: bytes) -> int:
        """Append up to `MAX_RECORD` bytes at once; return the number of appends that the log then holds.

        If the answer is lost, the bytes may be appended twice: the records must allow that.

        Raises
        ------
        NoLog
            There is no such log.
        LogFull
            The log holds as many appends as storage allows.
        """
        try:
            answer = await self._container.get_blob_client(name).append_block(records)
        except ResourceNotFoundError:
            raise NoLog(name) from None
        except HttpResponseError as error:
            if getattr(error, "error_code", None) == "BlockCountExceedsLimit":
                raise LogFull(name) from None
            raise
        return int(str(answer["blob_committed_block_count"]))

    async def read(self, name: str, start: int = 0, end: int | None = None) -> bytes:
        """The bytes from `start` up to `end` (or the log's end as it is now).

        Read by explicit ranges, one request each: an append in between fails no read.

        Raises
        ------
        NoLog
            There is no such log.
        """
        content = bytearray()
        while end is None or start < end:
            length = MAX_READ if end is None else min(MAX_READ, end - start)
            try:
                download = await self._container.download_blob(name, offset=start, length=length)
                part = await download.readall()
            except ResourceNotFoundError:
                raise NoLog(name) from None
            except HttpResponseError as error:
                if error.status_code != 416:
                    raise
                break
            content += part
            start += len(part)
            if len(part) < length:
                break
        return bytes(content)

    async def delete(self, name: str) -> None:
        """Delete a log, if it exists."""
        with suppress(ResourceNotFoundError):
            await self._container.delete_blob(name)

    def names(self, prefix: str, start_from: str | None = None) -> AsyncIterator[str]:
        """As `names_in`."""
        return names_in(self._container, prefix, start_from)
