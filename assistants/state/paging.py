"""Pages of a list: newest first by default, between two cursors (contract, 0)."""

from collections.abc import AsyncIterator, Awaitable, Callable, Iterable, Sequence
from typing import Any, Literal, NamedTuple, TypeVar

from pydantic import BaseModel

from assistants.storage.documents import Documents
from assistants.storage.ids import blob_name
from assistants.storage.places import end_of_documents
from assistants.storage.services import Entry

D = TypeVar("D", bound=BaseModel)
K = TypeVar("K", str, int)
T = TypeVar("T")

Order = Literal["asc", "desc"]

PAGE_BYTES = 16 * 1024 * 1024
"""Bytes of the stored objects of a page: a page of larger objects has fewer than its limit, but at least one."""


class Cursors(NamedTuple):
    """The page of a list: `limit` objects in `order`, after one id, before another."""

    limit: int = 20
    order: Order = "desc"
    after: str | None = None
    before: str | None = None

    @property
    def newest_first(self) -> bool:
        return self.order == "desc"

    @property
    def from_newest(self) -> bool:
        """Whether the keys are read from the newest on; with `before` alone the page ends at that cursor."""
        return self.newest_first != (self.before is not None and self.after is None)


async def page(
    cursors: Cursors,
    keys: Callable[[K | None], AsyncIterator[K]],
    key: Callable[[str], K],
    read: Callable[[Sequence[K]], Awaitable[list[T]]],
    backwards: Callable[[K | None], AsyncIterator[K]] | None = None,
    size: Callable[[K], int] = lambda _: 0,
) -> tuple[list[T], bool]:
    """A page of objects whose keys ascend from the newest to the oldest, and whether there are more in that direction.

    Parameters
    ----------
    keys
        The keys in ascending order, from a given one on; the page takes only as many as it needs.
    key
        The key of a cursor's id.
    read
        The objects of some keys, in their order; it may leave out some.
    backwards
        The keys in descending order, from before a given one on; without it, all keys are read in ascending order.
    size
        The bytes of a key's object, which `PAGE_BYTES` bounds.
    """
    after = key(cursors.after) if cursors.after else None
    before = key(cursors.before) if cursors.before else None
    low, high = (after, before) if cursors.newest_first else (before, after)

    if cursors.from_newest or backwards is None:
        found: AsyncIterator[K] = _between(keys(low), low, high)
        if not cursors.from_newest:
            found = _each(reversed([key async for key in found]))
    else:
        found = _above(backwards(high), low)

    wanted = cursors.limit + 1
    data: list[T] = []
    batch: list[K] = []
    held, is_cut = 0, False
    async for each in found:
        held += size(each)
        if held > PAGE_BYTES and batch:
            data += await read(batch)
            batch, held, is_cut = [], size(each), bool(data)
            if is_cut:
                break
        batch.append(each)
        if len(data) + len(batch) == wanted:
            data += await read(batch)
            batch = []
            if len(data) == wanted:
                break
    if batch:
        data += await read(batch)
    shown = data[: cursors.limit]
    return shown if cursors.from_newest == cursors.newest_first else shown[::-1], is_cut or len(data) == wanted


async def page_of_documents(
    documents: Documents[D], project: str, parents: Sequence[str], cursors: Cursors, show: Callable[[D], T | None]
) -> tuple[list[T], bool]:
    """A page of the documents under `parents`, without those for which `show` returns None."""
    prefix = blob_name(project, *parents) + "/"
    end, listed = end_of_documents(prefix), dict[str, Entry]()
    cursor = {
        identifier: await documents.listed_under(blob_name(project, *parents, identifier))
        for identifier in (cursors.after, cursors.before)
        if identifier
    }

    async def named(entries: AsyncIterator[Entry]) -> AsyncIterator[str]:
        async for entry in entries:
            if entry.name >= end:
                return
            listed[entry.name] = entry
            yield entry.name

    async def read(names: Sequence[str]) -> list[T]:
        found = await documents.listed([listed[name] for name in names])
        views = [show(document.value) for document in found]
        return [view for view in views if view is not None]

    return await page(
        cursors,
        lambda start: named(documents.listing.forwards(prefix, start, cursors.limit + 2)),
        cursor.__getitem__,
        read,
        lambda below: named(documents.listing.backwards(prefix, below or end)),
        lambda name: listed[name].size,
    )


async def page_of_items(
    items: Sequence[tuple[str, T | None]], cursors: Cursors, unknown: Callable[[str], Exception]
) -> tuple[list[T], bool]:
    """A page of (id, object) pairs given oldest first; an id without an object serves as a cursor only.

    Raises
    ------
    Exception
        The error that `unknown` returns for a cursor that is in no pair.
    """
    position = {identifier: -index for index, (identifier, _) in enumerate(items)}

    def key(identifier: str) -> int:
        if identifier not in position:
            raise unknown(identifier)
        return position[identifier]

    def keys(start: int | None) -> AsyncIterator[int]:
        return _each(range(1 - len(items) if start is None else start, 1))

    async def read(positions: Sequence[int]) -> list[T]:
        return [item for at in positions if (item := items[-at][1]) is not None]

    return await page(cursors, keys, key, read)


async def _between(keys: AsyncIterator[K], low: K | None, high: K | None) -> AsyncIterator[K]:
    async for key in keys:
        if high is not None and key >= high:
            return
        if low is None or key > low:
            yield key


async def _above(keys: AsyncIterator[K], low: K | None) -> AsyncIterator[K]:
    async for key in keys:
        if low is not None and key <= low:
            return
        yield key


async def _each(keys: Iterable[Any]) -> AsyncIterator[Any]:
    for key in keys:
        yield key
