"""JSON documents with ETags. Every write is conditional; if its answer is lost, a read determines its result."""

import asyncio
import gc
import random
import secrets
from collections import OrderedDict
from collections.abc import AsyncIterator, Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Generic, TypeVar

from azure.core import MatchConditions
from azure.core.exceptions import (
    AzureError,
    ResourceExistsError,
    ResourceModifiedError,
    ResourceNotFoundError,
)
from pydantic import BaseModel

from assistants.schema.base import Deferred
from assistants.storage.connection import made_on_first_use
from assistants.storage.errors import Conflict, Contended
from assistants.storage.listing import Listing, names_in
from assistants.storage.places import Places
from assistants.storage.services import IF_MISSING, BlobService, Entry, if_match

D = TypeVar("D", bound=BaseModel)

_WRITES_KEPT = 16
_TRIES = 50
_LONGEST_PAUSE = 0.2
"""Seconds between two tries of a contended change; the pauses begin at a hundredth of this and double."""
_KEPT = 4 * 1024 * 1024
"""Bytes of JSON of the documents of a container that are kept in memory; parsed they take about six times as much."""
_SMALL = 4 * 1024
"""Bytes of JSON. Keeping a smaller document saves no measurable time, unless it is listed again."""
_LARGE = 256 * 1024
"""Bytes of JSON whose parsing is not interrupted by garbage collection, which takes three times as long."""


class _Envelope(Deferred, Generic[D]):
    writes: tuple[str, ...]
    value: D


@dataclass(frozen=True)
class Document(Generic[D]):
    """A document as it was read: its value, its ETag, and the ids of the last writes to it."""

    name: str
    value: D
    etag: str
    writes: tuple[str, ...] = ()


class _Kept(Generic[D]):
    """The documents that were read last, by their names. A document may have changed or been deleted since then.

    Parameters
    ----------
    least
        Bytes of JSON of the smallest document that is kept.
    """

    def __init__(self, least: int) -> None:
        self._least = least
        self._documents: OrderedDict[str, tuple[Document[D], int]] = OrderedDict()
        self._bytes = 0

    def get(self, name: str) -> Document[D] | None:
        if name not in self._documents:
            return None
        self._documents.move_to_end(name)
        return self._documents[name][0]

    def add(self, document: Document[D], size: int) -> None:
        """Keep a document of `size` bytes of JSON, unless it is too small or too large."""
        self.drop(document.name)
        if not self._least <= size <= _KEPT:
            return
        self._documents[document.name] = document, size
        self._bytes += size
        while self._bytes > _KEPT:
            self.drop(next(iter(self._documents)))

    def drop(self, name: str) -> None:
        _, size = self._documents.pop(name, (None, 0))
        self._bytes -= size


class Documents(Generic[D]):
    """The JSON documents of one container, each holding one `model`.

    Parameters
    ----------
    imported
        Whether objects of this kind are imported: a document that is missing may then stand at a place.
    """

    def __init__(self, service: BlobService, container: str, model: type[D], *, imported: bool = True) -> None:
        self._service, self._name = service, container
        self._container = service.client.get_container_client(container)
        self._envelope = _Envelope[model]
        self._kept: _Kept[D] = _Kept(_SMALL)
        self._listed: _Kept[D] = _Kept(0)
        self.listing = Listing(service, container)
        self.places = Places(service, container, imported)

    async def read(self, name: str) -> Document[D] | None:
        """The document as it is now, under its name or at its place, which is then its name.

        A kept document that has not changed is not sent and parsed again.
        """
        at = self.places.known(name) or name
        found = await self._read(at, self._kept.get(at))
        if found is not None or at != name:
            return found
        place = await self.places.of(name)
        return await self._read(place, self._kept.get(place)) if place not in (None, name) else None

    async def read_newer(self, known: Document[D]) -> Document[D] | None:
        """The document if it has changed, `known` itself if it has not, None if it was deleted."""
        return await self._read(known.name, known)

    async def listed(self, entries: Sequence[Entry]) -> list[Document[D]]:
        """The documents of a listing, as they were then or later; those that were deleted meanwhile are left out.

        A document that this process has listed before, and that has the same ETag, is not read again.
        """
        found = await asyncio.gather(*(self._as_listed(entry) for entry in entries))
        return [document for document in found if document is not None]

    async def listed_under(self, name: str) -> str:
        """The name under which lists have a document, or had it before its deletion."""
        if self._listed.get(name) or self._kept.get(name):
            return name
        return await self.places.of(name) or name

    async def create(self, name: str, value: D) -> Document[D]:
        """Write a new document; a document of an imported object is written at its place.

        Raises
        ------
        Conflict
            Another document of that name exists.
        """
        return await self._write(name, value, (), IF_MISSING)

    async def replace(self, known: Document[D], value: D) -> Document[D]:
        """
        Raises
        ------
        Conflict
            The document was changed or deleted since `known` was read.
        """
        return await self._write(known.name, value, known.writes, if_match(known.etag))

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
        """Delete the document of that name, or at its place; return whether there was one."""
        at = self.places.known(name) or name
        if await self._delete(at):
            return True
        place = await self.places.of(name)
        return place not in (None, at) and await self._delete(place)

    async def _delete(self, name: str) -> bool:
        try:
            await self._container.delete_blob(name)
        except ResourceNotFoundError:
            return False
        return True

    async def delete_known(self, known: Document[D]) -> bool:
        """Delete the document unless it was changed since `known` was read; return whether it is gone."""
        try:
            await self._container.delete_blob(
                known.name, etag=known.etag, match_condition=MatchConditions.IfNotModified
            )
        except ResourceModifiedError:
            return False
        except ResourceNotFoundError:
            return True  # perhaps by this request, whose first answer was lost
        return True

    def names(self, prefix: str, start_from: str | None = None, at_once: int | None = None) -> AsyncIterator[str]:
        """As `names_in`."""
        return names_in(self._container, prefix, start_from, at_once)

    async def _as_listed(self, entry: Entry) -> Document[D] | None:
        known = self._listed.get(entry.name) or self._kept.get(entry.name)
        if known is not None and known.etag == entry.etag:
            return known
        return await self._read(entry.name, known, self._listed)

    async def _write(self, name: str, value: D, writes: tuple[str, ...], condition: Mapping[str, str]) -> Document[D]:
        """A conditional write that recognizes its own result.

        A write whose answer was lost is repeated, and then gets a conflict with its own result. The id of every
        write stays in the document for a while, so that a reader can recognize it.
        """
        mine = secrets.token_hex(8)
        writes = (*writes, mine)[-_WRITES_KEPT:]
        content = self._envelope(writes=writes, value=value).model_dump_json(by_alias=True).encode()
        try:
            etag = await made_on_first_use(
                lambda: self._service.put(self._name, name, content, condition), self._container.create_container
            )
            return Document(name, value, etag, writes)
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

    async def _read(self, name: str, known: Document[D] | None, *more: _Kept[D]) -> Document[D] | None:
        """The document, which is then kept, also in `more`; `known` if it has not changed."""
        try:
            found = await self._service.get(self._name, name, known and known.etag)
        except ResourceNotFoundError:
            self._kept.drop(name)
            self._listed.drop(name)
            return None
        if found is None:
            return known
        stored = self._parsed(found.content)
        document = Document(name, stored.value, found.etag, stored.writes)
        for kept in (self._kept, *more):
            kept.add(document, len(found.content))
        return document

    def _parsed(self, content: bytes) -> _Envelope[D]:
        if len(content) < _LARGE or not gc.isenabled():
            return self._envelope.model_validate_json(content)
        gc.disable()
        try:
            return self._envelope.model_validate_json(content)
        finally:
            gc.enable()


async def _pause(attempt: int) -> None:
    """Wait before a contended change is tried again; the first repetition follows at once."""
    if attempt:
        await asyncio.sleep(min(_LONGEST_PAUSE / 100 * 2**attempt, _LONGEST_PAUSE) * random.uniform(0.5, 1))
