"""Pages of objects, and the answer to a deletion (contract, 0)."""

from collections.abc import Sequence
from typing import Generic, Literal, TypeVar

from assistants.schema.base import Object, Resource

Item = TypeVar("Item", bound=Resource)
Found = TypeVar("Found", bound=Resource)


class Page(Object, Generic[Item]):
    """A page of a list; the ids of an empty page are null."""

    object: Literal["list"] = "list"
    data: list[Item]
    first_id: str | None
    last_id: str | None
    has_more: bool

    @staticmethod
    def of(items: Sequence[Found], has_more: bool) -> "Page[Found]":
        first, last = (items[0].id, items[-1].id) if items else (None, None)
        return Page(data=list(items), first_id=first, last_id=last, has_more=has_more)


class Deleted(Object):
    """The deletion of an object, with its kind."""

    id: str
    object: Literal[
        "assistant.deleted",
        "thread.deleted",
        "thread.message.deleted",
        "vector_store.deleted",
        "vector_store.file.deleted",
        "file",
    ]
    deleted: Literal[True] = True
