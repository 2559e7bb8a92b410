"""Append-only logs: append blobs whose written bytes never change."""

from collections.abc import AsyncIterator, Mapping
from contextlib import suppress

from azure.core.exceptions import HttpResponseError, ResourceExistsError, ResourceNotFoundError

from assistants.storage.connection import MAX_READ, made_on_first_use
from assistants.storage.errors import LogFull, LogTooLong, NoLog, Outrun
from assistants.storage.listing import Listing, names_in
from assistants.storage.services import ALWAYS, IF_MISSING, Appended, BlobService, Part

MAX_RECORD = 4 * 1024 * 1024 - 1024
"""Bytes that one append may hold, in every version of the service."""

_REFUSED = {
    "BlockCountExceedsLimit": LogFull,
    "MaxBlobSizeConditionNotMet": LogTooLong,
    "AppendPositionConditionNotMet": Outrun,
}


class Logs:
    """The logs of one container."""

    def __init__(self, service: BlobService, container: str) -> None:
        self._service, self._name = service, container
        self._container = service.client.get_container_client(container)
        self.listing = Listing(service, container)

    async def create(self, name: str) -> None:
        """Make an empty log, unless it exists."""
        with suppress(ResourceExistsError):
            await made_on_first_use(
                lambda: self._service.create_append(self._name, name, IF_MISSING), self._container.create_container
            )

    async def append(self, name: str, records: bytes, condition: Mapping[str, str] = ALWAYS) -> Appended:
        """Append up to `MAX_RECORD` bytes at once.

        If the answer is lost, the bytes may be appended twice: the records allow that, or the condition prevents it.

        Raises
        ------
        NoLog
            There is no such log.
        LogFull
            The log holds as many appends as storage allows.
        LogTooLong, Outrun
            The condition does not hold.
        """
        try:
            return await self._service.append(self._name, name, records, condition)
        except ResourceNotFoundError:
            raise NoLog(name) from None
        except HttpResponseError as error:
            refused = _REFUSED.get(getattr(error, "error_code", ""))
            if refused is None:
                raise
            raise refused(name) from None

    async def part(self, name: str, start: int, end: int) -> Part:
        """The existing bytes from `start` up to `end`, by one request; and the size of the log.

        Raises
        ------
        NoLog
            There is no such log.
        """
        try:
            return await self._service.get_range(self._name, name, start, end)
        except ResourceNotFoundError:
            raise NoLog(name) from None
        except HttpResponseError as error:
            if error.status_code != 416:
                raise
            return Part(b"", start)

    async def read(self, name: str, start: int = 0, end: int | None = None) -> bytes:
        """The bytes from `start` up to `end` (or the log's present end).

        Each range is one request with explicit bounds: a concurrent append fails no read.

        Raises
        ------
        NoLog
            There is no such log.
        """
        content = bytearray()
        while end is None or start < end:
            length = MAX_READ if end is None else min(MAX_READ, end - start)
            part, _ = await self.part(name, start, start + length)
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
