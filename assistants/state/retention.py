"""Objects that may be too old, found by a listing, which gives the times of an object's creation and last write."""

import logging
import time
from collections.abc import AsyncIterator, Awaitable, Callable
from typing import Any, NamedTuple

from pydantic import ValidationError

from assistants.state.store import Store
from assistants.storage.concurrency import for_each
from assistants.storage.documents import D, Document, Documents
from assistants.storage.ids import beginning, blob_name
from assistants.storage.places import is_pointer
from assistants.storage.services import Entry

log = logging.getLogger("assistants.retention")

DAY = 86_400.0
"""Seconds."""

LISTED = 1_000
"""Names that one item of retention lists at most."""

PATIENCE = 120.0
"""Seconds after which an item leaves the rest to another item, well before the host's `functionTimeout`."""

_AT_ONCE = 16


class Old(NamedTuple):
    """Documents that were created and last written before a time, and the name from which the listing continues."""

    entries: list[Entry]
    rest: str | None


async def old(
    documents: Documents[Any], project: str, prefix: str, before: float, start: str = "", most: int = LISTED
) -> Old:
    """The documents whose ids have this prefix, up to `most` of them.

    The listing begins with those that were created before that time: names sort newest first.
    """
    found: list[Entry] = []
    first, examined = max(start, blob_name(project, beginning(prefix, before))), 0
    async for entry in documents.listing.forwards(f"{project}/", first, LISTED):
        if is_pointer(entry.name):  # pointers are listed after all documents
            break
        if examined == LISTED or len(found) == most:
            return Old(found, entry.name)
        examined += 1
        if entry.modified_at < before:
            found.append(entry)
    return Old(found, None)


async def unchanged(documents: Documents[D], entry: Entry) -> Document[D] | None:
    """The document of an entry of a listing; None if it was changed or deleted since then."""
    document = next(iter(await documents.listed([entry])), None)
    return document if document is not None and document.etag == entry.etag else None


async def retire(found: Old, act: Callable[[Entry], Awaitable[bool]]) -> tuple[int, str | None]:
    """Call `act` with each entry, sixteen at once, within `PATIENCE`; a document that cannot be read is skipped.

    Returns
    -------
    tuple
        The number of entries for which `act` was true, and the name from which another item continues.
    """

    async def attempted(entry: Entry) -> bool:
        try:
            return await act(entry)
        except ValidationError:
            log.exception("%s cannot be read", entry.name)
            return False

    end, retired = time.monotonic() + PATIENCE, 0
    for at in range(0, len(found.entries), _AT_ONCE):
        if at and time.monotonic() > end:
            return retired, found.entries[at].name
        retired += sum(await for_each(attempted, found.entries[at : at + _AT_ONCE]))
    return retired, found.rest


async def projects(documents: Documents[Any]) -> AsyncIterator[str]:
    """The projects that have documents in a container: one request for each, however many documents it has."""
    start: str | None = None
    while True:
        entry = await anext(documents.listing.forwards("", start, 1), None)
        if entry is None:
            return
        project = entry.name.partition("/")[0]
        yield project
        start = f"{project}0"  # the character after the slash


async def is_said_in(store: Store, project: str, thread_id: str, since: float) -> bool:
    """Whether a message was added to the thread, or changed, since then."""
    return await store.messages.last_append(project, thread_id) >= since
