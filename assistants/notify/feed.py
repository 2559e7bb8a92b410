"""The feed of a project: the states of its runs in storage, which carries them from any process to any other.

An append blob holds the states of ten minutes. Listeners create it; if it is missing there is no listener, and a
writer's append has no effect. At most two blobs remain of a project without listeners.
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
"""Seconds whose states are in one blob."""

_AHEAD = 30.0
"""Seconds before its time at which a listener creates the next blob."""

_BEHIND = 5.0
"""Seconds after its time in which a process whose clock is behind may still append to a blob."""

POLL = 1.0
"""Seconds between two reads; the writes of this process are read at once."""

_MOST = 1024 * 1024


class Cursor(NamedTuple):
    """A position in the feed: the number of a blob, and the bytes of it that were read."""

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
        """Append states, if there is a listener."""
        lines: defaultdict[str, list[str]] = defaultdict(list)
        for state in states:
            lines[state.project].append(json.dumps(state.argument) + "\n")
        for project, appended in lines.items():
            with suppress(ResourceNotFoundError):
                await self._blobs.append(CONTAINER, self._name(project, self._now), "".join(appended).encode())
        self._news.set()
        self._news = asyncio.Event()

    async def close(self) -> None:
        """Do nothing, as there is no connection to close."""

    async def end(self, project: str) -> Cursor:
        """The position after all states so far, from which a listener begins."""
        cursor = Cursor(self._now, 0)
        await self._make(project, cursor.span)
        while (read := await self._read(project, cursor)) != b"":
            cursor = cursor._replace(offset=cursor.offset + len(read))
        return cursor

    async def after(self, project: str, cursor: Cursor) -> tuple[list[dict[str, str]], Cursor]:
        """The states after a cursor, and the cursor after them."""
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
        """Wait until this process appends a state, for at most `seconds` seconds."""
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
        """Create a blob, and delete the one before the previous one."""
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
