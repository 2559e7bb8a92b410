"""Threads and runs come into being, be it twice, late or half: what is not committed leaves nothing behind."""

import asyncio
import logging
import time
from collections.abc import Sequence
from dataclasses import replace
from typing import NamedTuple

from azure.core.exceptions import AzureError

from assistants.engine import machine
from assistants.engine.driver import delete_look
from assistants.engine.items import WORK, LookAfterThreads, LookAgain, attend_item
from assistants.engine.removal import delete_thread
from assistants.engine.requests import active_run, check_idle
from assistants.engine.transitions import tell
from assistants.schema.errors import ApiError, not_found, nothing_to_run_on, run_already_active, unavailable
from assistants.state.messages import Fold, put_record
from assistants.state.resources import store_ids
from assistants.state.runs import Look, RunRecord
from assistants.state.store import RunKey, Store
from assistants.state.threads import Span, ThreadRecord
from assistants.storage.atonce import together
from assistants.storage.documents import Conflict, Document
from assistants.storage.ids import beginning, blob_name

log = logging.getLogger("assistants.engine")


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
        if deadline.passed and await _given_up(store, key):
            raise unavailable()
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
    await _look_after(store, key.project, key.thread)
    deadline.check()
    look, _ = await asyncio.gather(_announce(store, key, run), store.messages.create_log(key.project, key.thread))
    try:
        _, created = await together(
            store.messages.fill_log(key.project, key.thread, messages),
            _create(store, key, _claimed(store, run, token, parts)),
        )
        await _commit_thread(store, key.project, thread.model_copy(update={"last_run_id": key.run}), deadline)
    except ApiError:
        await _clear_away(store, key.project, key.thread)
        raise
    await _follow_up(store, key, created.value, look)
    return Started(created, look, parts)


async def create_thread(store: Store, project: str, thread: ThreadRecord, messages: Sequence[bytes]) -> None:
    """Create a thread with its first messages. First its log: there is never a thread that takes no message.

    Raises
    ------
    ApiError
        Storage was too slow to commit safely (503).
    """
    deadline = _Deadline(store)
    await _look_after(store, project, thread.id)
    deadline.check()
    try:
        await store.messages.create_log(project, thread.id, messages)
        await _commit_thread(store, project, thread, deadline)
    except ApiError:
        await _clear_away(store, project, thread.id)
        raise


def _claimed(store: Store, run: RunRecord, token: str | None, parts: Sequence[bytes]) -> RunRecord:
    if token is None:
        return run
    lengths = [len(part) for part in parts]
    return machine.born_claimed(run, token, store.clock.now(), store.settings.claim, lengths)


async def _log(store: Store, key: RunKey, segments: int, known: Sequence[bytes], wanted: bool) -> Sequence[bytes]:
    if not wanted or len(known) == segments:
        return known
    return await store.messages.fetch(key.project, key.thread, segments)


async def _look_after(store: Store, project: str, thread_id: str) -> None:
    """See to it that what is made of a thread is purged, whatever becomes of this process, if the thread never is.

    One item does for all threads that this process begins within `LOOK_AGAIN`.

    Raises
    ------
    ApiError
        The id was made a while ago, and whatever looks after ids of that time may come any moment (503).
    """
    if thread_id > beginning("thread_", store.clock.now() - _first_look(store) / 4):
        raise unavailable()
    known, now, span = store.spans.get(project), time.monotonic(), store.settings.look_again
    if known is not None and known.newest <= thread_id <= known.oldest and now < known.until:
        return
    item = LookAfterThreads(project=project, newest=beginning("thread_", store.clock.now() + span), oldest=thread_id)
    # The clock of another process, whose threads lie between these ids too, may be behind.
    await store.queues.send(WORK, item.model_dump(), span + 2 * _first_look(store))
    store.spans[project] = Span(item.newest, item.oldest, now + span)


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


async def _given_up(store: Store, key: RunKey) -> bool:
    """Whether the look-again item was faster than the commit. The run locks nothing, and its creator takes it back."""
    document = await store.runs.read(key.name)
    return document is None or machine.discarded(document.value)


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


async def _commit_thread(store: Store, project: str, thread: ThreadRecord, deadline: "_Deadline") -> None:
    """Write a new thread's document. Nobody knows it yet: what was held up on its way is to be taken back."""
    deadline.check()
    try:
        await store.threads.create(blob_name(project, thread.id), thread)
    except Conflict:
        raise unavailable() from None
    deadline.check()


async def _clear_away(store: Store, project: str, thread_id: str) -> None:
    """Clear away a thread that was not committed: whoever looks for it may have done so already."""
    try:
        await delete_thread(store, project, thread_id)
    except AzureError as error:
        log.warning("thread %s: not cleared away: %s", thread_id, error)


def _first_look(store: Store) -> float:
    return min(store.settings.look_again, store.settings.run_lifetime)


class _Deadline:
    """Half the time until an item may find what is being created, and give it up as never committed."""

    def __init__(self, store: Store) -> None:
        self._at = time.monotonic() + _first_look(store) / 2

    @property
    def passed(self) -> bool:
        return time.monotonic() > self._at

    def check(self) -> None:
        if self.passed:
            raise unavailable()
