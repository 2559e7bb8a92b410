"""The places of the documents of imported objects, whose ids do not give the time by which they are ordered.

Such a document stands at a place: a name that begins as those of its time do. A pointer leads from its id to the place.
Pointers are listed after all documents. One stays when its document is deleted, so that the id is still a cursor.
"""

import hashlib
import json
import re
from collections import OrderedDict

from azure.core.exceptions import ResourceExistsError, ResourceNotFoundError

from assistants.storage.connection import made_on_first_use
from assistants.storage.ids import beginning, made_at
from assistants.storage.services import IF_MISSING, BlobService

_KEPT = 10_000
"""Places that are kept in memory."""

_SLACK = range(-2, 2 * 3600)
"""Seconds from the time in an id to `created_at`: an upload has the id of its file an hour before."""

_FIRST = 1_735_689_600.0
_LAST = 2_051_222_400.0
"""Seconds since the epoch: of 2025, before which this service made no id, and of 2035. Other ids are OpenAI's."""

_BEHIND = "~"
"""Sorts after all characters of ids."""


class Places:
    """The pointers of one container; `used`: whether any exist."""

    def __init__(self, service: BlobService, container: str, used: bool = True) -> None:
        self._service, self._name, self._used = service, container, used
        self._container = service.client.get_container_client(container)
        self._known: OrderedDict[str, str] = OrderedDict()

    def known(self, name: str) -> str | None:
        """The place of the document of that name, if it is kept in memory."""
        return self._known.get(name)

    async def of(self, name: str) -> str | None:
        """The place of the document of that name; None: it has no place, and stands under its name if it exists."""
        known = self._known.get(name)
        if known or not self._used or "/" not in name or _BEHIND in name.rpartition("/")[2][1:]:
            return known
        try:
            found = await self._service.get(self._name, _pointer(name))
        except ResourceNotFoundError:
            return None
        return self._remember(name, json.loads(found.content)["place"]) if found else None

    async def point(self, name: str, place: str) -> tuple[str, bool]:
        """Write the pointer unless one exists; return the place to which it points, and whether it is new."""
        content, new = json.dumps({"place": place}).encode(), True
        try:
            await made_on_first_use(
                lambda: self._service.put(self._name, _pointer(name), content, IF_MISSING),
                self._container.create_container,
            )
        except ResourceExistsError:
            found = await self._service.get(self._name, _pointer(name))
            place, new = json.loads(found.content)["place"] if found else place, False
        return self._remember(name, place), new

    def _remember(self, name: str, place: str) -> str:
        self._known[name] = place
        if len(self._known) > _KEPT:
            self._known.popitem(last=False)
        return place


def place(name: str, prefix: str, created: float) -> str:
    """The place of an object that was created at that time; its own name if that gives the time.

    Parameters
    ----------
    prefix
        The prefix of this service's ids of such objects.
    """
    parent, _, identifier = name.rpartition("/")
    made = made_at(identifier, prefix)
    if made is not None and int(created - made) in _SLACK:
        return name
    digest = hashlib.sha256(name.encode()).hexdigest()[:16]
    return f"{parent}/{beginning(prefix, created)}{_BEHIND}{digest}"


def may_be_ours(name: str, prefix: str) -> bool:
    """Whether this service may have made the id: few of OpenAI's have this form."""
    made = made_at(name.rpartition("/")[2], prefix)
    return made is not None and _FIRST < made < _LAST


def end_of_documents(prefix: str) -> str:
    """The name at which the pointers of a listing begin."""
    return prefix + _BEHIND


def is_pointer(name: str) -> bool:
    """Whether the blob of that name is a pointer, not a document."""
    return name.rpartition("/")[2].startswith(_BEHIND)


def _pointer(name: str) -> str:
    return re.sub("([^/]*)$", rf"{_BEHIND}\1", name, count=1)
