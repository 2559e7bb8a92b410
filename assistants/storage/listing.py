"""The blobs in a container, in the order of their names and in the reverse order."""

from bisect import bisect_left
from collections import OrderedDict
from collections.abc import AsyncIterator, Sequence

from azure.core.exceptions import ResourceNotFoundError
from azure.storage.blob.aio import ContainerClient

from assistants.storage.services import BlobService, Entry

_BETWEEN = 200
"""Names between two anchors, initially."""
_AT_ONCE = 1000
"""Names in one answer: a few milliseconds of parsing."""
_PREFIXES = 1000
"""Prefixes whose anchors are kept."""


async def names_in(
    container: ContainerClient, prefix: str, start_from: str | None = None, at_once: int | None = None
) -> AsyncIterator[str]:
    """Names in their order, from `start_from` on (itself included), `at_once` per request."""
    names = container.list_blob_names(name_starts_with=prefix, start_from=start_from, results_per_page=at_once)
    try:
        async for name in names:
            yield name
    except ResourceNotFoundError:
        return


class Listing:
    """The blobs of a container.

    Storage lists in one direction only. For the reverse one, some of the listed names are kept as anchors, from which
    a later listing begins. An anchor stays valid when its blob is deleted and when others are created. Names of new
    objects precede all others, so the anchors of a prefix remain; names of imported objects lie between, and get more
    anchors when they are listed.
    """

    def __init__(self, service: BlobService, container: str) -> None:
        self._service, self._name = service, container
        self._anchors: OrderedDict[str, Sequence[str]] = OrderedDict()
        """By prefix, ascending."""

    async def forwards(
        self, prefix: str, start_from: str | None = None, at_once: int | None = None
    ) -> AsyncIterator[Entry]:
        """As `BlobService.entries`; none if the container does not exist."""
        try:
            async for entry in self._service.entries(self._name, prefix, start_from, at_once):
                yield entry
        except ResourceNotFoundError:
            return

    async def backwards(self, prefix: str, below: str | None = None) -> AsyncIterator[Entry]:
        """The blobs in reverse order, from before the name `below` on; without it, from the last one on.

        If this process has no anchors yet, all preceding names are listed once.
        """
        anchors = self._anchors.get(prefix, ())
        at = len(anchors) if below is None else bisect_left(anchors, below)
        for start in (*reversed(anchors[:at]), None):
            found: list[Entry] = []
            async for entry in self.forwards(prefix, start, _BETWEEN + 1 if start else _AT_ONCE):
                if below is not None and entry.name >= below:
                    break
                found.append(entry)
            self._anchor(prefix, [entry.name for entry in found[_BETWEEN::_BETWEEN]])
            for entry in reversed(found):
                yield entry
            below = start

    def _anchor(self, prefix: str, names: Sequence[str]) -> None:
        if names:
            self._anchors[prefix] = sorted({*self._anchors.get(prefix, ()), *names})
        if prefix in self._anchors:
            self._anchors.move_to_end(prefix)
        if len(self._anchors) > _PREFIXES:
            self._anchors.popitem(last=False)
