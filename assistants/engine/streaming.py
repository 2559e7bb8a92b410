"""Streamed runs: the process that opened the stream drives the run; the queue takes over if that fails.

The run does not end with its stream. If its driver fails, the stream follows the run's document until the run ends.
"""

import asyncio
from collections.abc import Sequence

from assistants.engine.claim import claim_run
from assistants.engine.creation import Started
from assistants.engine.driver import drive
from assistants.engine.events import RunEvents
from assistants.engine.requests import attended, find_run, submit_outputs
from assistants.model.endpoint import Model
from assistants.schema.runs import RunStatus
from assistants.state.runs import RunRecord
from assistants.state.store import RunKey, Store
from assistants.storage.concurrency import together

FOLLOW = 0.5
"""Seconds between two reads of a run that another process drives."""


async def resumed(store: Store, key: RunKey, outputs: Sequence[tuple[str, str]], events: RunEvents) -> Started:
    """Submit a run's outputs, and claim the run if no other output is awaited and no other process has claimed it.

    Raises
    ------
    ApiError
        As `submit_outputs`.
    """
    known, transcript = await together(find_run(store, key), store.messages.read(key.project, key.thread, 1))
    events.resumed(known.value)
    submitted = await submit_outputs(store, key, outputs, known)
    events.updated(submitted.value)
    if submitted.value.segments > 1:
        transcript = await store.messages.read(key.project, key.thread, submitted.value.segments)
    found, claimed = await claim_run(store, key, submitted, transcript)
    document = found or submitted
    events.updated(document.value)
    return Started(key, document, claimed, transcript, document.value.look)


async def stream(store: Store, model: Model, started: Started, events: RunEvents) -> None:
    """Drive a run while this process has its claim, and emit its events until it has ended or awaits outputs.

    Raises
    ------
    AzureError, Contended
        Storage failed; the look-again item continues the run.
    """
    key, document, claimed = started.key, started.document, started.claimed
    if claimed is not None and started.transcript is not None:
        await drive(store, model, claimed, started.transcript, started.look, events)
        document = claimed.document
        events.updated(document.value)  # the driver may have failed between a write and its event
    while _is_driven(document.value):
        await asyncio.sleep(FOLLOW)
        newer = await store.runs.read_newer(document)
        if newer is None:
            return
        document = await attended(store, key, newer)
        events.updated(document.value)


def _is_driven(run: RunRecord) -> bool:
    return run.active and run.status is not RunStatus.REQUIRES_ACTION
