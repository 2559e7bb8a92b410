"""Writes imported documents once, at their places."""

from collections.abc import Callable
from typing import TypeVar

from pydantic import BaseModel

from assistants.migrate.told import Result
from assistants.storage.documents import Document, Documents
from assistants.storage.errors import Conflict
from assistants.storage.places import may_be_ours, place

D = TypeVar("D", bound=BaseModel)


async def reserve(
    documents: Documents[D], name: str, prefix: str, created: float, noted: bool = False
) -> tuple[str, Document[D] | None]:
    """The name for a document, or of an existing one, and the document if it exists.

    The pointer is written before any other blob of the object, and a repeated import finds it again.

    Parameters
    ----------
    prefix
        The prefix of this service's ids of such objects.
    noted
        Whether a pointer is required even if the name itself is the place: a sweep of uncommitted creations ignores
        objects with a pointer.
    """
    at = place(name, prefix, created)
    if at != name and not may_be_ours(name, prefix):
        at, new = await documents.places.point(name, at)
        return at, None if new else await documents.read(at)
    known = await documents.read(name)
    if known is not None:
        return known.name, known
    if at != name or noted:
        at, _ = await documents.places.point(name, at)
    return at, await documents.read(at) if at != name else None


async def put(
    documents: Documents[D],
    name: str,
    value: D,
    prefix: str,
    created: float,
    refresh: Callable[[D], D | None] | None,
) -> Result:
    """Write a document unless it exists; then `refresh` it, if that is given."""
    at, known = await reserve(documents, name, prefix, created)
    if known is None:
        try:
            await documents.create(at, value)
            return "imported"
        except Conflict:  # another import was first
            pass
    if refresh is None:
        return "there"
    await documents.change(at, refresh)
    return "overwritten"
