"""JSON documents with ETags: every write is conditional, and a lost answer is settled by reading again."""

import asyncio
import random
import secrets
from collections.abc import AsyncIterator, Callable
from dataclasses import dataclass
from typing import Any, Generic, TypeVar

from azure.core import MatchConditions
from azure.core.exceptions import (
    AzureError,
    HttpResponseError,
    ResourceExistsError,
    ResourceModifiedError,
    ResourceNotFoundError,
)
from azure.storage.blob.aio import BlobServiceClient
from pydantic import BaseModel

from assistants.storage.connection import made_on_first_use
from assistants.storage.errors import Conflict, Contended
from assistants.storage.listing import names_in

D = TypeVar("D", bound=BaseModel)

_WRITES_KEPT = 16
_TRIES = 50
_LONGEST_PAUSE = 0.2
"""Seconds between two tries of a contended change; the pauses begin at a hundredth of that and double."""


class _Envelope(BaseModel, Generic[D]):
    writes: tuple[str, ...]
    value: D


@dataclass(frozen=True)
class Document(Generic[D]):
    """A document as it was read: its value, its ETag, and the ids of the last writes to it."""

    name: str
    value: D
    etag: str
    writes: tuple[str, ...] = ()


class Documents(Generic[D]):
    """The JSON documents of one container, each holding one `model`."""

    def __init__(self, service: BlobServiceClient, container: str, model: type[D]) -> None:
        self._container = service.get_container_client(container)
        self._envelope = _Envelope[model]

    async def read(self, name: str) -> Document[D] | None:
        try:
            download = await self._container.download_blob(name)
            content = await download.readall()
        except ResourceNotFoundError:
            return None
        return self._parse(name, content, str(download.properties.etag))

    async def read_newer(self, known: Document[D]) -> Document[D] | None:
        """The document if it has changed, `known` itself if it has not, None if it was deleted."""
        try:
            download = await self._container.download_blob(
                known.name, etag=known.etag, match_condition=MatchConditions.IfModified
            )
            return self._parse(known.name, await download.readall(), str(download.properties.etag))
        except ResourceNotFoundError:
            return None
        except HttpResponseError as error:
            if error.status_code == 304:
                return known
            raise

    async def create(self, name: str, value: D) -> Document[D]:
        """
        Raises
        ------
        Conflict
            Another document of that name exists.
        """
        return await self._write(name, value, (), {"overwrite": False})

    async def replace(self, known: Document[D], value: D) -> Document[D]:
        """
        Raises
        ------
        Conflict
            The document was changed or deleted since `known` was read.
        """
        condition = {"overwrite": True, "etag": known.etag, "match_condition": MatchConditions.IfNotModified}
        return await self._write(known.name, value, known.writes, condition)

    async def change(
        self, name: str, decide: Callable[[D], D | None], known: Document[D] | None = None
    ) -> Document[D] | None:
        """Replace the document by the value that `decide` returns; repeated if another process writes in between.

        `decide` is pure: it is called with each newer value, and may raise to refuse or return None to leave it.
        The result is the current document, or None if there is none.
        """
        document = known or await self.read(name)
        for attempt in range(_TRIES):
            if document is None:
                return None
            value = decide(document.value)
            if value is None or value is document.value:
                return document
            try:
                return await self.replace(document, value)
            except Conflict:
                await _pause(attempt)
                document = await self.read(name)
        raise Contended(name)

    async def delete(self, name: str) -> bool:
        """Delete the blob of that name; return whether there was one."""
        try:
            await self._container.delete_blob(name)
        except ResourceNotFoundError:
            return False
        return True

    def names(self, prefix: str, start_from: str | None = None, at_once: int | None = None) -> AsyncIterator[str]:
        """As `names_in`."""
        return names_in(self._container, prefix, start_from, at_once)

    async def _write(self, name: str, value: D, writes: tuple[str, ...], condition: dict[str, Any]) -> Document[D]:
        """A conditional write that recognizes its own result.

        The SDK repeats a write whose answer was lost, and then gets a conflict with its own result. The id of every
        write stays in the document for a while, so that a reader can recognize it.
        """
        mine = secrets.token_hex(8)
        writes = (*writes, mine)[-_WRITES_KEPT:]
        content = self._envelope(writes=writes, value=value).model_dump_json(by_alias=True).encode()
        try:
            blob = self._container.get_blob_client(name)
            answer = await made_on_first_use(
                lambda: blob.upload_blob(content, **condition), self._container.create_container
            )
            return Document(name, value, str(answer["etag"]), writes)
        except (ResourceExistsError, ResourceModifiedError, ResourceNotFoundError):
            settled = await self.read(name)
            if settled is None or mine not in settled.writes:
                raise Conflict(name) from None
            return settled
        except AzureError:
            settled = await self.read(name)
            if settled is not None and mine in settled.writes:
                return settled
            raise

    def _parse(self, name: str, content: bytes, etag: str) -> Document[D]:
        stored = self._envelope.model_validate_json(content)
        return Document(name, stored.value, etag, stored.writes)


async def _pause(attempt: int) -> None:
    """Wait a little before a contended change is tried again; the first repetition follows at once."""
    if attempt:
        await asyncio.sleep(min(_LONGEST_PAUSE / 100 * 2**attempt, _LONGEST_PAUSE) * random.uniform(0.5, 1))
