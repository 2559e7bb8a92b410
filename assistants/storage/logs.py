"""Append-only logs: append blobs whose written bytes never change."""

from collections.abc import AsyncIterator
from contextlib import suppress

from azure.core.exceptions import HttpResponseError, ResourceExistsError, ResourceNotFoundError

from assistants.storage.connection import MAX_READ, made_on_first_use
from assistants.storage.errors import LogFull, NoLog
from assistants.storage.listing import names_in
from assistants.storage.services import IF_MISSING, BlobService

MAX_RECORD = 4 * 1024 * 1024 - 1024
"""Bytes that one append may hold, in every version of the service."""


class Logs:
    """The logs of one container."""

    def __init__(self, service: BlobService, container: str) -> None:
        self._service, self._name = service, container
        self._container = service.client.get_container_client(container)

    async def create(self, name: str) -> None:
        """Make an empty log, unless it exists."""
        with suppress(ResourceExistsError):
            await made_on_first_use(
                lambda: self._service.create_append(self._name, name, IF_MISSING), self._container.create_container
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
            return await self._service.append(self._name, name, records)
        except ResourceNotFoundError:
            raise NoLog(name) from None
        except HttpResponseError as error:
            if getattr(error, "error_code", None) == "BlockCountExceedsLimit":
                raise LogFull(name) from None
            raise

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
                part = await self._service.get_range(self._name, name, start, start + length)
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
