"""Create threads and runs; what is not committed is cleaned up."""

import asyncio
import logging
import time
from collections.abc import Sequence
from dataclasses import replace
from typing import NamedTuple

from assistants.engine import machine
from assistants.engine.claim import ClaimedRun, change_run, log_transition, new_token
from assistants.engine.ending import delete_look
from assistants.engine.items import Purge, SweepThreads, attend_item, look_again_item
from assistants.engine.removal import delete_thread, purge_thread
from assistants.engine.requests import active_run, check_idle
from assistants.schema.errors import ApiError, not_found, nothing_to_run_on, run_already_active, unavailable
from assistants.state import post
from assistants.state.messages import Fold, LogContent, put_record
from assistants.state.resources import store_ids
from assistants.state.runs import Look, RunRecord
from assistants.state.store import RunKey, Store
from assistants.state.threads import Span, ThreadRecord
from assistants.storage.concurrency import together
from assistants.storage.documents import Document
from assistants.storage.errors import TRANSIENT, Conflict
from assistants.storage.ids import beginning, blob_name

log = logging.getLogger("assistants.engine")


class Started(NamedTuple):
    """A run that has been created, or goes on with its client's outputs, and what it takes to drive it."""

    key: RunKey
    document: Document[RunRecord]
    claimed: ClaimedRun | None
    """The run under the claim of this process; None: another process drives it."""
    content: LogContent
    """The thread's log; empty where the run was left to the queue."""
    look: Look | None


async def was_created(store: Store, key: RunKey, document: Document[RunRecord]) -> bool:
    """Whether the run's creation was committed; what is left of one that was not is cleared away."""
    if document.value.committed:
        return True
    thread = await thread_of(store, key)
    if thread is None:
        return False
    if thread.value.last_run_id == key.run:
        return True
    await change_run(store, key, lambda run: machine.discarded(run, store.clock.now()), "never committed", document)
    return False


async def thread_of(store: Store, key: RunKey) -> Document[ThreadRecord] | None:
    """The run's thread. Where it is gone, or was to be created with the run, what is left of it is cleared away."""
    thread = await store.threads.read(key.thread_name)
    if thread is None:
        await purge_thread(store, Purge(project=key.project, thread=key.thread))
    return thread


def needs_thread(run: RunRecord) -> bool:
    """Whether the run has something to go on only if the thread has a user message."""
    return not run.instructions and not any(message.role == "user" for message in run.additional_messages)


async def start_run(
    store: Store,
    key: RunKey,
    thread: Document[ThreadRecord],
    run: RunRecord,
    claim: bool = False,
    content: LogContent = (),
) -> Started:
    """Create a run on a thread. With `claim` this process is to drive it, otherwise the queue does.

    `content` is the thread's log, as far as it was read since the request came.

    The look-again item is sent before anything is written, and the run's document is written before the one write that
    commits the creation, that of the thread's `last_run_id`: no crash leaves a locked thread or a run without an item.

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
    active, content, look = await asyncio.gather(
        active_run(store, key.project, thread.value),
        _read_log(store, key, thread.value.segments, content, wanted=claim or to_check),
        _queue_look_again(store, key, run),
    )
    try:
        if active is not None:
            raise run_already_active(key.thread, active.id)
        if to_check and not any(message.role == "user" for message in Fold(content).messages()):
            raise nothing_to_run_on()
    except ApiError:
        await delete_look(store, look)
        raise
    if to_check or any(message.role == "user" for message in run.additional_messages):
        thread = replace(thread, value=thread.value.model_copy(update={"asked": True}))
    token = new_token() if claim else None
    created = await _create(store, key, _born(store, run, token, content))
    try:
        created = await _commit(store, key, thread, created, deadline)
        if deadline.passed and await _given_up(store, key):
            raise unavailable()
    except ApiError:
        await _take_back(store, key)
        raise
    return await _started(store, key, created, token, content, look)


async def start_thread_and_run(
    store: Store,
    key: RunKey,
    thread: ThreadRecord,
    run: RunRecord,
    messages: Sequence[bytes],
    claim: bool = False,
) -> Started:
    """Create a thread with its first run; the thread's document is the commit of both. `claim` as in `start_run`.

    Raises
    ------
    ApiError
        Storage was too slow to commit safely (503).
    """
    deadline, content = _Deadline(store), [b"".join(messages)]
    run = run.model_copy(update={"thread_stores": store_ids(thread.tool_resources)})
    await _queue_sweep(store, key.project, key.thread)
    deadline.check()
    look, _ = await asyncio.gather(
        _queue_look_again(store, key, run), store.messages.create_log(key.project, key.thread)
    )
    token = new_token() if claim else None
    try:
        _, created = await together(
            store.messages.fill_log(key.project, key.thread, messages),
            _create(store, key, _born(store, run, token, content)),
        )
        await _commit_thread(store, key.project, thread.model_copy(update={"last_run_id": key.run}), deadline)
    except ApiError:
        await _clear_away(store, key.project, key.thread)
        raise
    return await _started(store, key, created, token, content, look)


async def create_thread(store: Store, project: str, thread: ThreadRecord, messages: Sequence[bytes]) -> None:
    """Create a thread with its first messages. Its log is created first: no thread is ever without one.

    Raises
    ------
    ApiError
        Storage was too slow to commit safely (503).
    """
    deadline = _Deadline(store)
    await _queue_sweep(store, project, thread.id)
    deadline.check()
    try:
        await store.messages.create_log(project, thread.id, messages)
        await _commit_thread(store, project, thread, deadline)
    except ApiError:
        await _clear_away(store, project, thread.id)
        raise


def _born(store: Store, run: RunRecord, token: str | None, content: LogContent) -> RunRecord:
    if token is None:
        return run
    lengths = [len(segment) for segment in content]
    return machine.born_claimed(run, token, store.clock.now(), store.settings.claim, lengths)


async def _started(
    store: Store, key: RunKey, created: Document[RunRecord], token: str | None, content: LogContent, look: Look
) -> Started:
    await _follow_up(store, key, created.value, look)
    claimed = ClaimedRun(store, key, created, token) if token is not None else None
    return Started(key, created, claimed, content, look)


async def _read_log(store: Store, key: RunKey, segments: int, known: LogContent, wanted: bool) -> LogContent:
    if not wanted or len(known) == segments:
        return known
    return await store.messages.fetch(key.project, key.thread, segments)


async def _queue_sweep(store: Store, project: str, thread_id: str) -> None:
    """Queue a sweep that purges what is left of threads whose creation fails.

    One item covers the threads that this process creates within `LOOK_AGAIN` seconds.

    Raises
    ------
    ApiError
        The id was made a while ago, and a sweep of ids of that time may come any moment (503).
    """
    if thread_id > beginning("thread_", store.clock.now() - _first_look(store) / 4):
        raise unavailable()
    known, now, span = store.spans.get(project), time.monotonic(), store.settings.look_again
    if known is not None and known.newest <= thread_id <= known.oldest and now < known.until:
        return
    item = SweepThreads(project=project, newest=beginning("thread_", store.clock.now() + span), oldest=thread_id)
    # The clock of another process, whose threads lie between these ids too, may be behind.
    await post.send(store, item, span + 2 * _first_look(store))
    store.spans[project] = Span(item.newest, item.oldest, now + span)


async def _queue_look_again(store: Store, key: RunKey, run: RunRecord) -> Look:
    """Queue the item that attends to the run, or cleans up after its creation, should this process die."""
    sent = await post.send(store, look_again_item(key, run), _first_look(store))
    return Look(id=sent.id, pop_receipt=sent.pop_receipt)


async def _create(store: Store, key: RunKey, run: RunRecord) -> Document[RunRecord]:
    """Write a run, not committed yet. A conflict means that it was written and its thread has been deleted since."""
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
    """Whether the look-again item was faster than the commit: the run locks nothing, and its creator takes it back."""
    document = await store.runs.read(key.name)
    return document is None or machine.is_discarded(document.value)


async def _follow_up(store: Store, key: RunKey, run: RunRecord, look: Look) -> None:
    """Do what comes after the commit. No failure here is the client's: the look-again item makes up for it.

    A run that its creator drives needs no item, and its driver appends the messages that came with it.
    """
    log_transition(key, None, run, "created")
    if run.claim is not None:
        return
    try:
        records = [put_record(message) for message in run.additional_messages]
        if records:
            await store.messages.append(key.project, key.thread, run.segments, records)
        await post.send(store, attend_item(key, run, look))
    except (*TRANSIENT, ApiError) as error:
        log.warning("run %s: left to its look-again item: %s", key.run, error)


async def _take_back(store: Store, key: RunKey) -> None:
    """Clear away a run that was not committed. The look-again item stays: the write may arrive a second time, late."""
    try:
        await store.runs.delete(key.name)
    except TRANSIENT as error:
        log.warning("run %s: not taken back: %s", key.run, error)


async def _commit_thread(store: Store, project: str, thread: ThreadRecord, deadline: "_Deadline") -> None:
    """Write a new thread's document. A write that was held up is taken back: no client knows the thread yet."""
    deadline.check()
    try:
        await store.threads.create(blob_name(project, thread.id), thread)
    except Conflict:
        raise unavailable() from None
    deadline.check()


async def _clear_away(store: Store, project: str, thread_id: str) -> None:
    """Clear away a thread that was not committed; a sweep may have done so already."""
    try:
        await delete_thread(store, project, thread_id)
    except TRANSIENT as error:
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
