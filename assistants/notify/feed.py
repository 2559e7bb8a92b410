"""The states of a project's runs in storage, so that a change in any process reaches a listener in any other.

An append blob holds those of ten minutes. Listeners make it; where it is missing there is no listener, and a writer's
append comes to nothing. Two blobs at most are left of a project that has no listener any longer.
"""

import asyncio
import json
from collections import defaultdict
from collections.abc import Sequence
from contextlib import suppress
from typing import NamedTuple

from azure.core.exceptions import HttpResponseError, ResourceExistsError, ResourceNotFoundError

from assistants.notify.states import State
from assistants.state.store import Store
from assistants.storage.connection import made_on_first_use
from assistants.storage.services import IF_MISSING

CONTAINER = "notifications"

SPAN = 600
"""Seconds of which a blob holds the states."""

_AHEAD = 30.0
"""Seconds before its time in which a listener makes the next blob."""

_BEHIND = 5.0
"""Seconds after its time in which a state may still be appended to a blob, by a clock that is behind."""

POLL = 1.0
"""Seconds between two reads; the writes of this process are read at once."""

_MOST = 1024 * 1024


class Cursor(NamedTuple):
    """A place in the feed: the number of a blob, and the bytes of it that were read."""

    span: int
    offset: int


class Feed:
    """Appends states, and reads those after a cursor."""

    def __init__(self, store: Store) -> None:
        self._store = store
        self._blobs = store.services[0]
        self._news = asyncio.Event()
        self._made: set[str] = set()

    async def send(self, states: Sequence[State]) -> None:
        """Append states, where there is a listener."""
        lines: defaultdict[str, list[str]] = defaultdict(list)
        for state in states:
            lines[state.project].append(json.dumps(state.argument) + "\n")
        for project, appended in lines.items():
            with suppress(ResourceNotFoundError):
                await self._blobs.append(CONTAINER, self._name(project, self._now), "".join(appended).encode())
        self._news.set()
        self._news = asyncio.Event()

    async def close(self) -> None:
        """Nothing is held."""

    async def end(self, project: str) -> Cursor:
        """The place after all that has been appended, from which a listener begins."""
        cursor = Cursor(self._now, 0)
        await self._make(project, cursor.span)
        while (read := await self._read(project, cursor)) != b"":
            cursor = cursor._replace(offset=cursor.offset + len(read))
        return cursor

    async def after(self, project: str, cursor: Cursor) -> tuple[list[dict[str, str]], Cursor]:
        """The states after a cursor, as far as they are there, and the cursor after them."""
        now = self._store.clock.now()
        if (cursor.span + 1) * SPAN - now < _AHEAD:
            await self._make(project, cursor.span + 1)
        read = await self._read(project, cursor)
        whole = read[: read.rfind(b"\n") + 1]
        if not whole and now > (cursor.span + 1) * SPAN + _BEHIND:
            return [], Cursor(cursor.span + 1, 0)
        found = [json.loads(line) for line in whole.splitlines()]
        return found, cursor._replace(offset=cursor.offset + len(whole))

    async def news(self, seconds: float) -> None:
        """Wait until this process has appended something, for so many seconds at most."""
        waiting = asyncio.create_task(self._news.wait())
        try:
            await asyncio.wait({waiting}, timeout=seconds)
        finally:
            waiting.cancel()

    @property
    def _now(self) -> int:
        return int(self._store.clock.now() // SPAN)

    async def _read(self, project: str, cursor: Cursor) -> bytes:
        name = self._name(project, cursor.span)
        try:
            return (await self._blobs.get_range(CONTAINER, name, cursor.offset, cursor.offset + _MOST)).content
        except ResourceNotFoundError:
            return b""
        except HttpResponseError as error:
            if error.status_code != 416:
                raise
            return b""

    async def _make(self, project: str, span: int) -> None:
        """Make a blob, and delete that of the span before the last one."""
        name, container = self._name(project, span), self._blobs.client.get_container_client(CONTAINER)
        if name in self._made:
            return
        with suppress(ResourceExistsError):
            await made_on_first_use(
                lambda: self._blobs.create_append(CONTAINER, name, IF_MISSING), container.create_container
            )
        self._made.add(name)
        self._made.discard(self._name(project, span - 2))
        with suppress(ResourceNotFoundError):
            await container.delete_blob(self._name(project, span - 2))

    def _name(self, project: str, span: int) -> str:
        return f"{project}/{span}"
