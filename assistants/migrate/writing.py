"""Documents that are imported: written once, at their places."""

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
    """Where a document stands, or is to stand, and the document if it is there.

    The pointer is written before anything else of the object, and found again by an import that is repeated.

    Parameters
    ----------
    prefix
        Of our own ids of such objects.
    noted
        Whether there is to be a pointer even if the name itself is the place: a sweep of what was not committed leaves
        an object with a pointer alone.
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
    """Write a document unless it is there; then, `refresh` it, if that is given."""
    at, known = await reserve(documents, name, prefix, created)
    if known is None:
        try:
            await documents.create(at, value)
            return "imported"
        except Conflict:  # another import was faster
            pass
    if refresh is None:
        return "there"
    await documents.change(at, refresh)
    return "overwritten"
