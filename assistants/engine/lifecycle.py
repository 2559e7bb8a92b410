"""What clients do with runs: create, find, list, modify, hand in outputs, cancel.

Every request is a net as well: a run that is met past its time is ended, and one that waits unattended gets an item.
"""

import asyncio
import logging
import time
from collections.abc import Awaitable, Mapping, Sequence
from dataclasses import replace
from typing import NamedTuple, TypeVar

from azure.core.exceptions import AzureError

from assistants.engine import machine
from assistants.engine.driver import delete_look
from assistants.engine.ending import end_unheld
from assistants.engine.items import WORK, LookAgain, attend_item
from assistants.engine.machine import Event
from assistants.engine.transitions import change_run, tell
from assistants.schema.errors import (
    ApiError,
    cannot_cancel,
    not_found,
    nothing_to_run_on,
    outputs_mismatch,
    outputs_not_accepted,
    run_already_active,
    unavailable,
)
from assistants.schema.messages import Message
from assistants.schema.runs import RunStatus
from assistants.state import turns
from assistants.state.messages import Fold, put_record
from assistants.state.purging import purge
from assistants.state.resources import store_ids
from assistants.state.runs import Look, RunRecord
from assistants.state.store import RunKey, Store
from assistants.state.threads import ThreadRecord
from assistants.storage.documents import Conflict, Document
from assistants.storage.ids import blob_name

log = logging.getLogger("assistants.engine")

A = TypeVar("A")
B = TypeVar("B")


async def find_run(store: Store, key: RunKey) -> Document[RunRecord]:
    """
    Raises
    ------
    ApiError
        There is no such thread or run (404).
    """
    document = await store.runs.read(key.name)
    if document is None or not document.value.committed:
        thread = await store.threads.read(key.thread_name)
        if thread is None:
            raise not_found("thread", key.thread)
        if document is None or thread.value.last_run_id != key.run:
            raise not_found("run", key.run)
    return await attended(store, key, document)


async def active_run(store: Store, project: str, thread: ThreadRecord) -> RunRecord | None:
    """The run that locks the thread: its last one, while that is active."""
    if thread.last_run_id is None:
        return None
    key = RunKey(project, thread.id, thread.last_run_id)
    document = await store.runs.read(key.name)
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


async def said_by_run(store: Store, project: str, thread: ThreadRecord, message_id: str) -> Message | None:
    """A message that the thread's last run is at just now, or has recorded but not appended yet."""
    if thread.last_run_id is None:
        return None
    document = await store.runs.read(blob_name(project, thread.id, thread.last_run_id))
    return turns.said(document.value, message_id) if document is not None else None


async def attended(store: Store, key: RunKey, document: Document[RunRecord]) -> Document[RunRecord]:
    """The run, seen to: ended where its time is over, and given an item where it has waited for too long."""
    run, now = document.value, store.clock.now()
    if machine.overdue(run, now):
        return await end_unheld(store, key, document, Event.EXPIRE, "expires_at has passed", run.look) or document
    patience = store.settings.look_again
    waiting = machine.ready(run, now) or machine.abandoned(run, now) or machine.unheard(run, now, patience)
    if waiting and now - run.touched_at > patience:
        touched = await change_run(store, key, lambda run: machine.touched(run, now), "")
        await store.queues.send(WORK, attend_item(key, run).model_dump())
        return touched or document
    return document


class Started(NamedTuple):
    """A run that has been created, and what its creator needs to drive it."""

    document: Document[RunRecord]
    look: Look
    parts: Sequence[bytes]
    """The segments of the thread's log; empty where the run was left to the queue."""


def needs_thread(run: RunRecord) -> bool:
    """Whether the run has something to go on only if the thread has a user message."""
    return not run.instructions and not any(message.role == "user" for message in run.additional_messages)


async def start_run(
    store: Store,
    key: RunKey,
    thread: Document[ThreadRecord],
    run: RunRecord,
    token: str | None = None,
    parts: Sequence[bytes] = (),
) -> Started:
    """Create a run on a thread; with a token it is born claimed by its creator, otherwise the queue drives it.

    `parts` are the segments of the thread's log, as far as they were read since the request came.

    The look-again item is there before anything is written, and the run's document before the one write that commits
    the creation, that of the thread's `last_run_id`: no crash leaves a locked thread or a run that nobody looks for.

    Raises
    ------
    ApiError
        Another run is active, or there is nothing to run on (400), the thread is gone (404), or storage was too slow
        to commit safely (503).
    """
    deadline = _Deadline(store)
    to_check = needs_thread(run) and not thread.value.asked
    stores = store_ids(thread.value.tool_resources)
    run = run.model_copy(update={"segments": thread.value.segments, "thread_stores": stores})
    active, parts, look = await asyncio.gather(
        active_run(store, key.project, thread.value),
        _log(store, key, thread.value.segments, parts, wanted=token is not None or to_check),
        _announce(store, key, run),
    )
    try:
        if active is not None:
            raise run_already_active(key.thread, active.id)
        if to_check and not any(message.role == "user" for message in Fold(parts).messages()):
            raise nothing_to_run_on()
    except ApiError:
        await delete_look(store, look)
        raise
    if to_check or any(message.role == "user" for message in run.additional_messages):
        thread = replace(thread, value=thread.value.model_copy(update={"asked": True}))
    created = await _create(store, key, _claimed(store, run, token, parts))
    try:
        created = await _commit(store, key, thread, created, deadline)
    except ApiError:
        await _take_back(store, key)
        raise
    await _follow_up(store, key, created.value, look)
    return Started(created, look, parts)


async def start_thread_and_run(
    store: Store,
    key: RunKey,
    thread: ThreadRecord,
    run: RunRecord,
    messages: Sequence[bytes],
    token: str | None = None,
) -> Started:
    """Create a thread with its first run; the thread's document is the commit of both.

    Raises
    ------
    ApiError
        Storage was too slow to commit safely (503).
    """
    deadline, parts = _Deadline(store), [b"".join(messages)]
    run = run.model_copy(update={"thread_stores": store_ids(thread.tool_resources)})
    look, _ = await asyncio.gather(_announce(store, key, run), store.messages.create_log(key.project, key.thread))
    try:
        _, created = await together(
            store.messages.fill_log(key.project, key.thread, messages),
            _create(store, key, _claimed(store, run, token, parts)),
        )
        deadline.check()
        await store.threads.create(key.thread_name, thread.model_copy(update={"last_run_id": key.run}))
        deadline.check()  # nobody knows the thread yet: what was held up on its way is taken back
    except ApiError:
        await _clear_away(store, key)
        raise
    await _follow_up(store, key, created.value, look)
    return Started(created, look, parts)


def _claimed(store: Store, run: RunRecord, token: str | None, parts: Sequence[bytes]) -> RunRecord:
    if token is None:
        return run
    lengths = [len(part) for part in parts]
    return machine.born_claimed(run, token, store.clock.now(), store.settings.claim, lengths)


async def _log(store: Store, key: RunKey, segments: int, known: Sequence[bytes], wanted: bool) -> Sequence[bytes]:
    if not wanted or len(known) == segments:
        return known
    return await store.messages.fetch(key.project, key.thread, segments)


async def _announce(store: Store, key: RunKey, run: RunRecord) -> Look:
    """Send the item that looks for the run, and clears away what is left of it, whatever becomes of this process."""
    item = LookAgain(project=key.project, thread=key.thread, run=key.run, segments=run.segments)
    sent = await store.queues.send(WORK, item.model_dump(), _first_look(store))
    return Look(id=sent.id, pop_receipt=sent.pop_receipt)


async def _create(store: Store, key: RunKey, run: RunRecord) -> Document[RunRecord]:
    """Write a run, not committed yet. Where it was made and is gone again, its thread has been deleted meanwhile."""
    try:
        return await store.runs.create(key.name, run)
    except Conflict:
        raise unavailable() from None


async def submit_outputs(
    store: Store, key: RunKey, outputs: Sequence[tuple[str, str]], known: Document[RunRecord] | None = None
) -> Document[RunRecord]:
    """Take in all outputs that the client owes, as (call id, output) pairs. Who is to go on is the caller's affair.

    Raises
    ------
    ApiError
        There is no such run (404), it awaits no outputs, or other ones (400).
    """
    known = known or await find_run(store, key)

    def decide(run: RunRecord) -> RunRecord | None:
        expected, got = [call.id for call in run.awaited], [call_id for call_id, _ in outputs]
        if machine.overdue(run, store.clock.now()):
            raise outputs_not_accepted(RunStatus.EXPIRED.value)  # which whoever meets it next will make it
        submitted = machine.submit(run, dict(outputs), store.clock.now())
        if submitted is None:
            raise outputs_not_accepted(run.status.value)
        if sorted(expected) != sorted(got):
            raise outputs_mismatch(expected, got)
        return submitted

    document = await change_run(store, key, decide, "outputs submitted", known)
    if document is None:
        raise not_found("run", key.run)
    return document


async def nudge(store: Store, key: RunKey, run: RunRecord) -> None:
    """Send an item for a run that has become ready. If that fails, its look-again item makes up for it."""
    if not (machine.ready(run, store.clock.now()) or machine.abandoned(run, store.clock.now())):
        return
    try:
        await store.queues.send(WORK, attend_item(key, run).model_dump())
    except AzureError as error:
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
        cancelled = machine.cancel(run, store.clock.now())
        if cancelled is None:
            raise cannot_cancel(run.status.value)
        return cancelled

    document = await change_run(store, key, decide, "cancelled by the client", known)
    if document is None:
        raise not_found("run", key.run)
    await nudge(store, key, document.value)
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


async def _commit(
    store: Store, key: RunKey, thread: Document[ThreadRecord], run: Document[RunRecord], deadline: "_Deadline"
) -> Document[RunRecord]:
    while True:
        deadline.check()
        try:
            await store.threads.replace(thread, thread.value.model_copy(update={"last_run_id": key.run}))
            return run
        except Conflict:
            newer = await store.threads.read(key.thread_name)
        if newer is None:
            raise not_found("thread", key.thread)
        if newer.value.last_run_id == key.run:
            return run
        thread = newer
        await check_idle(store, key.project, thread.value)
        if thread.value.segments != run.value.segments:
            segments = thread.value.segments
            try:
                run = await store.runs.replace(run, run.value.model_copy(update={"segments": segments}))
            except Conflict:  # given up as never committed, meanwhile
                raise unavailable() from None


async def _follow_up(store: Store, key: RunKey, run: RunRecord, look: Look) -> None:
    """What comes after the commit. No failure here is the client's: the look-again item makes up for it.

    A run that its creator drives needs no item, and its driver appends the messages that came with it.
    """
    tell(key, None, run, "created")
    if run.claim is not None:
        return
    try:
        records = [put_record(message) for message in run.additional_messages]
        if records:
            await store.messages.append(key.project, key.thread, run.segments, records)
        await store.queues.send(WORK, attend_item(key, run, look).model_dump())
    except (AzureError, ApiError) as error:
        log.warning("run %s: left to its look-again item: %s", key.run, error)


async def _take_back(store: Store, key: RunKey) -> None:
    """Clear away a run that was not committed. The look-again item stays: the write may arrive a second time, late."""
    try:
        await store.runs.delete(key.name)
    except AzureError as error:
        log.warning("run %s: not taken back: %s", key.run, error)


async def _clear_away(store: Store, key: RunKey) -> None:
    """Clear away a run and a thread that were not committed: the look-again item may have looked for them already."""
    try:
        await purge(store, key.project, key.thread)
    except AzureError as error:
        log.warning("thread %s: not cleared away: %s", key.thread, error)


async def together(first: Awaitable[A], second: Awaitable[B]) -> tuple[A, B]:
    """Two results found at the same time, when both are there; of two errors the first one's is raised."""
    ones, others = await asyncio.gather(first, second, return_exceptions=True)
    if isinstance(ones, BaseException):
        raise ones
    if isinstance(others, BaseException):
        raise others
    return ones, others


def _first_look(store: Store) -> float:
    return min(store.settings.look_again, store.settings.run_lifetime)


class _Deadline:
    """Half the time until the look-again item may find the run and give it up as never committed."""

    def __init__(self, store: Store) -> None:
        self._at = time.monotonic() + _first_look(store) / 2

    def check(self) -> None:
        if time.monotonic() > self._at:
            raise unavailable()
