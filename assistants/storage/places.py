"""Where the documents of imported objects stand: their ids do not tell the time that orders them.

Such a document has a name that begins as those of its time do, its place, and a pointer from its id to the place.
Pointers stand behind all documents. One stays when its document is deleted, so that the id is still a cursor.
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
"""Places that are remembered."""

_SLACK = range(-2, 2 * 3600)
"""Seconds from the making of an id to `created_at`: an upload has the id of its file an hour before."""

_FIRST = 1_735_689_600.0
_LAST = 2_051_222_400.0
"""No id of our own was made before 2025; those of 2035 are told from OpenAI's by reading."""

_BEHIND = "~"
"""Sorts after all characters of ids."""


class Places:
    """The pointers of one container; `used`: whether there are any."""

    def __init__(self, service: BlobService, container: str, used: bool = True) -> None:
        self._service, self._name, self._used = service, container, used
        self._container = service.client.get_container_client(container)
        self._known: OrderedDict[str, str] = OrderedDict()

    def known(self, name: str) -> str | None:
        """The place of the document of that name, if it is remembered."""
        return self._known.get(name)

    async def of(self, name: str) -> str | None:
        """The place of the document of that name; None: it has none, and stands under its name, if anywhere."""
        known = self._known.get(name)
        if known or not self._used or "/" not in name or _BEHIND in name.rpartition("/")[2][1:]:
            return known
        try:
            found = await self._service.get(self._name, _pointer(name))
        except ResourceNotFoundError:
            return None
        return self._remember(name, json.loads(found.content)["place"]) if found else None

    async def point(self, name: str, place: str) -> tuple[str, bool]:
        """Write the pointer, unless there is one; return the place to which it points, and whether it is new."""
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
    """The place of an object that was created at that time; its own name, where that tells the time.

    Parameters
    ----------
    prefix
        Of our own ids of such objects.
    """
    parent, _, identifier = name.rpartition("/")
    made = made_at(identifier, prefix)
    if made is not None and int(created - made) in _SLACK:
        return name
    digest = hashlib.sha256(name.encode()).hexdigest()[:16]
    return f"{parent}/{beginning(prefix, created)}{_BEHIND}{digest}"


def may_be_ours(name: str, prefix: str) -> bool:
    """Whether the id may have been made by such a service as this one: few of OpenAI's look so."""
    made = made_at(name.rpartition("/")[2], prefix)
    return made is not None and _FIRST < made < _LAST


def end_of_documents(prefix: str) -> str:
    """The name at which the pointers of a listing begin."""
    return prefix + _BEHIND


def is_pointer(name: str) -> bool:
    """Whether a blob of that name is no document, but leads to one."""
    return name.rpartition("/")[2].startswith(_BEHIND)


def _pointer(name: str) -> str:
    return re.sub("([^/]*)$", rf"{_BEHIND}\1", name, count=1)
