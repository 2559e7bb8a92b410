"""Documents that are imported: written once, at their places."""

from collections.abc import Callable
from typing import TypeVar

from pydantic import BaseModel

from assistants.migrate.told import Result
from assistants.storage.documents import Documents
from assistants.storage.errors import Conflict
from assistants.storage.ids import may_be_own
from assistants.storage.places import is_exact

D = TypeVar("D", bound=BaseModel)


async def reserve(documents: Documents[D], name: str, created: float) -> tuple[str | None, bool]:
    """The place for a document with this name (None: it needs none), and whether the document is there already.

    A place is written down before anything else of the object, and found again by an import that is repeated.
    """
    if is_exact(name) or (may_be_own(name.rpartition("/")[2]) and await documents.read(name) is not None):
        return None, await documents.read(name) is not None
    place, new = await documents.places.point(name, created)
    return place, not new and await documents.read(name) is not None


async def put(
    documents: Documents[D], name: str, value: D, created: float, refresh: Callable[[D], D | None] | None
) -> Result:
    """Write a document unless it is there; then, `refresh` it, if that is given."""
    place, there = await reserve(documents, name, created)
    if not there:
        try:
            await documents.create(name, value, place)
            return "imported"
        except Conflict:  # another import was faster
            pass
    if refresh is None:
        return "there"
    await documents.change(name, refresh)
    return "overwritten"
