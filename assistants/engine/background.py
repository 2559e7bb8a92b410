"""Runs that are driven in the background by the process that created them or received their last outputs."""

import asyncio
import logging

from assistants.engine.claim import claim_run
from assistants.engine.creation import Started
from assistants.engine.driver import drive
from assistants.engine.events import NO_LISTENER
from assistants.engine.requests import queue_run
from assistants.model.endpoint import Model
from assistants.state.runs import RunRecord
from assistants.state.store import RunKey, Store
from assistants.state.threads import ThreadGone
from assistants.storage.documents import Document
from assistants.storage.errors import TRANSIENT

log = logging.getLogger("assistants.engine")


async def drive_created(store: Store, model: Model, started: Started) -> None:
    """Drive a run that was created with a claim."""
    if started.claimed is not None and started.transcript is not None:
        await drive(store, model, started.claimed, started.transcript, started.look, NO_LISTENER)


async def drive_resumed(store: Store, model: Model, key: RunKey, document: Document[RunRecord]) -> None:
    """Claim and drive a run whose outputs were submitted. If the claim fails, the queue has the run driven."""
    run, claimed, transcript = document.value, None, None
    try:
        transcript = await store.messages.read(key.project, key.thread, run.segments)
        _, claimed = await claim_run(store, key, document, transcript)
    except ThreadGone:
        log.info("run %s: its thread is gone", key.run)
    except TRANSIENT as error:
        log.warning("run %s: left to the queue: %s", key.run, error)
        await queue_run(store, key, run)
    except asyncio.CancelledError:  # the process is stopping; another one continues
        await queue_run(store, key, run)
        raise
    if claimed is not None and transcript is not None:
        await drive(store, model, claimed, transcript, run.look, NO_LISTENER)
