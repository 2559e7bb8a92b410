"""Streamed runs: the process that opened the stream drives the run itself; the queue is the net.

The run outlives its stream. Whatever becomes of its driver, the telling follows the run's document until it ends.
"""

import asyncio
import logging
import secrets
from collections.abc import Sequence
from typing import NamedTuple

from azure.core.exceptions import AzureError

from assistants.engine import machine
from assistants.engine.attendance import Attendance
from assistants.engine.creation import Started
from assistants.engine.events import Narrator
from assistants.engine.hold import Hold
from assistants.engine.requests import attended, find_run, nudge, submit_outputs
from assistants.engine.transitions import change_run
from assistants.schema.runs import RunStatus
from assistants.state.runs import Look, RunRecord
from assistants.state.store import RunKey, Store
from assistants.storage.atonce import together
from assistants.storage.documents import Document

log = logging.getLogger("assistants.engine")

FOLLOW = 0.5
"""Seconds between two looks at a run that another process drives."""


class Taken(NamedTuple):
    """A run to be told of, in the hands of this process if there is a hold."""

    document: Document[RunRecord]
    hold: Hold | None
    parts: Sequence[bytes]
    look: Look | None


def new_token() -> str:
    """The token of a claim."""
    return secrets.token_hex(8)


def born(store: Store, key: RunKey, started: Started, token: str, narrator: Narrator) -> Taken:
    """A run that was created under this token, its beginning told."""
    document = started.document
    narrator.begin(document.value)
    narrator.see(document.value)
    return Taken(document, Hold(store, key, document, token), started.parts, started.look)


async def resumed(store: Store, key: RunKey, outputs: Sequence[tuple[str, str]], narrator: Narrator) -> Taken:
    """A run whose outputs were handed in, claimed if nothing else is awaited and nobody else was faster.

    Raises
    ------
    ApiError
        As `submit_outputs` has it.
    """
    known, parts = await together(find_run(store, key), store.messages.fetch(key.project, key.thread, 1))
    narrator.take_up(known.value)
    document = await submit_outputs(store, key, outputs, known)
    narrator.see(document.value)
    if document.value.segments > 1:
        parts = await store.messages.fetch(key.project, key.thread, document.value.segments)
    token = new_token()

    def claim(run: RunRecord) -> RunRecord | None:
        return machine.claim(run, token, store.clock.now(), store.settings.claim, [len(part) for part in parts])

    document = await change_run(store, key, claim, "claimed", document) or document
    narrator.see(document.value)
    hold = Hold(store, key, document, token) if machine.holds(document.value, token) else None
    return Taken(document, hold, parts, document.value.look)


async def drive(attendance: Attendance, store: Store, key: RunKey, taken: Taken, narrator: Narrator) -> None:
    """Drive a run as long as it is ours, and tell of it until it has ended or wants outputs.

    Raises
    ------
    AzureError
        Storage failed; the run goes on by its look-again item.
    """
    document = taken.document
    if taken.hold is not None:
        try:
            await attendance.carry_on(taken.hold, taken.parts, taken.look, narrator, stay=True)
        except AzureError as error:
            log.warning("run %s: its stream no longer drives it: %s", key.run, error)
            await nudge(store, key, taken.hold.run)  # no item is there to be delivered again, but the look-again item
        except asyncio.CancelledError:
            await nudge(store, key, taken.hold.run)  # this process is stopping; another one goes on
            raise
        document = taken.hold.document
        narrator.see(document.value)  # whatever went wrong may have gone wrong between the write and its telling
    while _goes_on(document.value):
        await asyncio.sleep(FOLLOW)
        newer = await store.runs.read_newer(document)
        if newer is None:
            return
        document = await attended(store, key, newer)
        narrator.see(document.value)


def _goes_on(run: RunRecord) -> bool:
    return run.active and run.status is not RunStatus.REQUIRES_ACTION
