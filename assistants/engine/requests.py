"""The requests of clients about a run: find, modify, submit outputs, cancel.

Every request also expires a run that is overdue, and sends an item for a run that has waited too long.
"""

import logging
from collections.abc import Mapping, Sequence

from assistants.engine import machine
from assistants.engine.claim import change_run
from assistants.engine.ending import end_unclaimed
from assistants.engine.items import attend_item
from assistants.engine.machine import Ending, Event, Need
from assistants.schema.errors import (
    cannot_cancel,
    not_found,
    outputs_mismatch,
    outputs_not_accepted,
    run_already_active,
)
from assistants.schema.messages import Message
from assistants.schema.runs import RunStatus
from assistants.state import post, turns
from assistants.state.runs import RunRecord
from assistants.state.store import RunKey, Store
from assistants.state.threads import ThreadRecord
from assistants.storage.documents import Document
from assistants.storage.errors import TRANSIENT
from assistants.storage.ids import blob_name

log = logging.getLogger("assistants.engine")


async def find_run(store: Store, key: RunKey) -> Document[RunRecord]:
    """
    Raises
    ------
    ApiError
        There is no such thread or run (404).
    """
    document = await store.runs.read(key.name)
    if document is None or not (document.value.committed or key.name in store.committed):
        thread = await store.threads.read(key.thread_name)
        if thread is None:
            raise not_found("thread", key.thread)
        if document is None or thread.value.last_run_id != key.run:
            raise not_found("run", key.run)
        store.saw_committed(key)
    elif document.value.imported and await store.threads.read(key.thread_name) is None:
        raise not_found("thread", key.thread)  # its import has not ended
    return await attended(store, key, document)


async def active_run(store: Store, project: str, thread: ThreadRecord) -> RunRecord | None:
    """The run that locks the thread: its last one, while that is active."""
    if thread.last_run_id is None:
        return None
    key = RunKey(project, thread.id, thread.last_run_id)
    document = None if key.name in store.ended else await store.runs.read(key.name)
    if document is None:
        return None
    run = (await attended(store, key, document)).value
    return run if run.active else None


async def check_idle(store: Store, project: str, thread: ThreadRecord) -> None:
    """
    Raises
    ------
    ApiError
        Another run is active on the thread (400).
    """
    active = await active_run(store, project, thread)
    if active is not None:
        raise run_already_active(thread.id, active.id)


async def message_of_run(store: Store, project: str, thread: ThreadRecord, message_id: str) -> Message | None:
    """A message of the thread's last run that the model is writing, or that is recorded but not appended yet."""
    if thread.last_run_id is None:
        return None
    document = await store.runs.read(blob_name(project, thread.id, thread.last_run_id))
    return turns.said(document.value, message_id) if document is not None else None


async def attended(store: Store, key: RunKey, document: Document[RunRecord]) -> Document[RunRecord]:
    """The run, ended if it was overdue; if it has waited too long for a process, an item is sent for it."""
    run, now, longest = document.value, store.clock.now(), store.settings.look_again
    if not run.active:
        store.saw_ended(key)
    need = machine.need(run, now, longest)
    if need is Need.EXPIRE:
        ending = Ending(Event.EXPIRE)
        return await end_unclaimed(store, key, document, ending, "expires_at has passed", run.look) or document
    if need is not Need.NOTHING and now - run.touched_at > longest:
        touched = await change_run(store, key, lambda run: machine.touched(run, now), "")
        await post.send(store, attend_item(key, run))
        return touched or document
    return document


async def submit_outputs(
    store: Store, key: RunKey, outputs: Sequence[tuple[str, str]], known: Document[RunRecord] | None = None
) -> Document[RunRecord]:
    """Store all outputs that the client owes, as (call id, output) pairs. The caller drives or queues the run.

    Raises
    ------
    ApiError
        There is no such run, or thread (404); it awaits no outputs, or outputs of other calls (400).
    """
    known = known or await find_run(store, key)

    def decide(run: RunRecord) -> RunRecord | None:
        expected, got = [call.id for call in run.awaited], [call_id for call_id, _ in outputs]
        if machine.is_overdue(run, store.clock.now()):
            raise outputs_not_accepted(RunStatus.EXPIRED.value)
        submitted = machine.submitted(run, dict(outputs), store.clock.now())
        if submitted is None:
            raise outputs_not_accepted(run.status.value)
        if sorted(expected) != sorted(got):
            raise outputs_mismatch(expected, got)
        return submitted

    document = await change_run(store, key, decide, "outputs submitted", known)
    if document is None:
        raise not_found("run", key.run)
    return document


async def queue_run(store: Store, key: RunKey, run: RunRecord) -> None:
    """Send an item for a run that needs a process. If that fails, its look-again item attends to it later."""
    if machine.need(run, store.clock.now(), store.settings.look_again) not in (Need.DRIVE, Need.STOP, Need.EXPIRE):
        return
    try:
        await post.send(store, attend_item(key, run))
    except TRANSIENT as error:
        log.warning("run %s: left to its look-again item: %s", key.run, error)


async def cancel_run(store: Store, key: RunKey) -> RunRecord:
    """
    Raises
    ------
    ApiError
        There is no such run (404), or it has ended or is being cancelled (400).
    """
    known = await find_run(store, key)

    def decide(run: RunRecord) -> RunRecord:
        cancelled = machine.cancelled(run, store.clock.now())
        if cancelled is None:
            raise cannot_cancel(run.status.value)
        return cancelled

    document = await change_run(store, key, decide, "cancelled by the client", known)
    if document is None:
        raise not_found("run", key.run)
    await queue_run(store, key, document.value)
    return document.value


async def modify_run(store: Store, key: RunKey, metadata: Mapping[str, str]) -> RunRecord:
    """
    Raises
    ------
    ApiError
        There is no such run (404).
    """
    known = await find_run(store, key)
    document = await change_run(
        store, key, lambda run: run.model_copy(update={"metadata": dict(metadata), "committed": True}), "", known
    )
    if document is None:
        raise not_found("run", key.run)
    return document.value
