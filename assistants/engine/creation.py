"""Creates threads and runs, and cleans up after a creation that was not committed."""

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
from assistants.notify import notices
from assistants.notify.telling import is_told, tell
from assistants.schema.errors import (
    ApiError,
    not_found,
    nothing_to_run_on,
    run_already_active,
    thread_full,
    unavailable,
)
from assistants.schema.runs import RunStatus
from assistants.state import post
from assistants.state.messages import put_record
from assistants.state.resources import code_files, runs_code, store_ids
from assistants.state.runs import Look, RunRecord
from assistants.state.store import RunKey, Store
from assistants.state.threads import Span, ThreadRecord
from assistants.state.transcript import Transcript
from assistants.storage.concurrency import together
from assistants.storage.documents import Document
from assistants.storage.errors import TRANSIENT, Conflict
from assistants.storage.ids import beginning, blob_name
from assistants.telemetry import record

log = logging.getLogger("assistants.engine")


class Started(NamedTuple):
    """A run that was created, or that continues with its client's outputs, and the objects that its driver needs."""

    key: RunKey
    document: Document[RunRecord]
    claimed: ClaimedRun | None
    """The run as this process has claimed it; None: another process drives it."""
    transcript: Transcript | None
    """The thread's messages, if this process has claimed the run."""
    look: Look | None


async def was_created(store: Store, key: RunKey, document: Document[RunRecord]) -> bool:
    """Whether the run's creation was committed; a run that was not committed is discarded."""
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
    """The run's thread. If there is none, the remaining blobs of the thread are purged."""
    thread = await store.threads.read(key.thread_name)
    if thread is None:
        await purge_thread(store, Purge(project=key.project, thread=key.thread))
    return thread


def needs_thread(run: RunRecord) -> bool:
    """Whether the run has a prompt only if the thread has a user message."""
    return not run.instructions and not any(message.role == "user" for message in run.additional_messages)


async def start_run(
    store: Store,
    key: RunKey,
    thread: Document[ThreadRecord],
    run: RunRecord,
    claim: bool = False,
    transcript: Transcript | None = None,
) -> Started:
    """Create a run on a thread. With `claim` this process drives it, otherwise the queue does.

    `transcript` is the part of the thread's log that was read since the request arrived.

    The look-again item is sent before the first write, and the run's document is written before the one write that
    commits the creation, that of the thread's `last_run_id`: no crash leaves a locked thread or a run without an item.

    Raises
    ------
    ApiError
        Another run is active, the prompt is empty or the thread full (400), the thread was deleted (404), or storage
        was too slow to commit safely (503).
    """
    deadline = _Deadline(store)
    to_check = needs_thread(run) and not thread.value.asked
    run = _equipped(run, thread.value).model_copy(update={"segments": thread.value.segments})
    active, transcript, look = await asyncio.gather(
        active_run(store, key.project, thread.value),
        _read_log(store, key, thread.value.segments, transcript, wanted=claim or to_check),
        _queue_look_again(store, key, run),
    )
    try:
        if active is not None:
            raise run_already_active(key.thread, active.id)
        if to_check and not (transcript and transcript.asked):
            raise nothing_to_run_on()
        if transcript and sum(transcript.lengths) >= store.settings.max_thread_bytes:
            raise thread_full(key.thread)
    except ApiError:
        await delete_look(store, look)
        raise
    if to_check or any(message.role == "user" for message in run.additional_messages):
        thread = replace(thread, value=thread.value.model_copy(update={"asked": True}))
    token = new_token() if claim else None
    created = await _create(store, key, _new_run(store, key, run, token, transcript))
    try:
        created = await _commit(store, key, thread, created, deadline)
        if deadline.passed and await _given_up(store, key):
            raise unavailable()
    except ApiError:
        await _delete_run(store, key)
        raise
    return await _started(store, key, created, token, transcript, look)


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
    deadline = _Deadline(store)
    transcript = await store.messages.begun(key.thread, messages)
    run = _equipped(run, thread)
    await _queue_sweep(store, key.project, key.thread)
    deadline.check()
    look, _ = await asyncio.gather(
        _queue_look_again(store, key, run), store.messages.create_log(key.project, key.thread)
    )
    token = new_token() if claim else None
    try:
        _, created = await together(
            store.messages.fill_log(key.project, key.thread, messages),
            _create(store, key, _new_run(store, key, run, token, transcript)),
        )
        await _commit_thread(store, key.project, thread.model_copy(update={"last_run_id": key.run}), deadline)
    except ApiError:
        await _delete_uncommitted(store, key.project, key.thread)
        raise
    return await _started(store, key, created, token, transcript, look)


async def create_thread(store: Store, project: str, thread: ThreadRecord, messages: Sequence[bytes]) -> None:
    """Create a thread with its first messages. Its log is created first, so every thread has one.

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
        await _delete_uncommitted(store, project, thread.id)
        raise


def _equipped(run: RunRecord, thread: ThreadRecord) -> RunRecord:
    """The run with the files and vector stores of the thread that its tools may use."""
    resources = thread.tool_resources
    files = code_files(resources) if runs_code(run.tools) else []
    return run.model_copy(update={"thread_stores": store_ids(resources), "thread_files": files})


def _new_run(store: Store, key: RunKey, run: RunRecord, token: str | None, transcript: Transcript | None) -> RunRecord:
    if (trace := record.traceparent()) is not None:
        run = run.model_copy(update={"trace": trace})
    if token is not None and transcript is not None:
        run = machine.created_claimed(run, token, store.clock.now(), store.settings.claim, transcript.lengths)
    return notices.begun(run) if is_told(store, key.project) else run


async def _started(
    store: Store,
    key: RunKey,
    created: Document[RunRecord],
    token: str | None,
    transcript: Transcript | None,
    look: Look,
) -> Started:
    store.changes.tell(created, None)
    if is_told(store, key.project):
        created = await tell(store, key, created, 0)
    await _follow_up(store, key, created.value, look)
    claimed = ClaimedRun(store, key, created, token) if token is not None else None
    return Started(key, created, claimed, transcript, look)


async def _read_log(
    store: Store, key: RunKey, segments: int, known: Transcript | None, wanted: bool
) -> Transcript | None:
    if not wanted or (known is not None and len(known.lengths) == segments):
        return known
    return await store.messages.read(key.project, key.thread, segments)


async def _queue_sweep(store: Store, project: str, thread_id: str) -> None:
    """Queue a sweep that purges the remaining blobs of threads whose creation fails.

    One item covers the threads that this process creates within `LOOK_AGAIN` seconds.

    Raises
    ------
    ApiError
        The id is so old that a sweep of ids of its time may run at any moment (503).
    """
    if thread_id > beginning("thread_", store.clock.now() - _first_look(store) / 4):
        raise unavailable()
    known, now, span = store.spans.get(project), time.monotonic(), store.settings.look_again
    if known is not None and known.newest <= thread_id <= known.oldest and now < known.until:
        return
    item = SweepThreads(project=project, newest=beginning("thread_", store.clock.now() + span), oldest=thread_id)
    # Threads of other processes lie between these ids, too, and their clocks may be behind.
    await post.send(store, item, span + 2 * _first_look(store))
    store.spans[project] = Span(item.newest, item.oldest, now + span)


async def _queue_look_again(store: Store, key: RunKey, run: RunRecord) -> Look:
    """Queue the item that attends to the run, or cleans up after its creation if this process dies."""
    sent = await post.send(store, look_again_item(key, run), _first_look(store))
    return Look(id=sent.id, pop_receipt=sent.pop_receipt)


async def _create(store: Store, key: RunKey, run: RunRecord) -> Document[RunRecord]:
    """Write a run that is not committed yet. A conflict means that the thread was deleted after the write."""
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
            except Conflict:  # the look-again item discarded the run meanwhile
                raise unavailable() from None


async def _given_up(store: Store, key: RunKey) -> bool:
    """Whether the look-again item discarded the run before its commit; the creator then deletes it."""
    document = await store.runs.read(key.name)
    return document is None or machine.is_discarded(document.value)


async def _follow_up(store: Store, key: RunKey, run: RunRecord, look: Look) -> None:
    """Append the run's messages and queue it. The look-again item repeats a step that fails; the client gets no error.

    A run that its creator drives needs no item, and its driver appends the messages that came with it.
    """
    queued = run.model_copy(update={"status": RunStatus.QUEUED, "entered_at": run.touched_at})
    log_transition(key, None, queued, "created")
    log_transition(key, queued, run, "claimed")
    if run.claim is not None:
        return
    try:
        records = [put_record(message) for message in run.additional_messages]
        if records:
            await store.messages.append(key.project, key.thread, run.segments, records)
        await post.send(store, attend_item(key, run, look))
    except (*TRANSIENT, ApiError) as error:
        log.warning("run %s: left to its look-again item: %s", key.run, error)


async def _delete_run(store: Store, key: RunKey) -> None:
    """Delete a run that was not committed. The look-again item stays: the write may arrive a second time, late."""
    try:
        await store.runs.delete(key.name)
    except TRANSIENT as error:
        log.warning("run %s: could not delete its document: %s", key.run, error)


async def _commit_thread(store: Store, project: str, thread: ThreadRecord, deadline: "_Deadline") -> None:
    """Write a new thread's document. A write that took too long is undone: no client knows the thread yet."""
    deadline.check()
    try:
        await store.threads.create(blob_name(project, thread.id), thread)
    except Conflict:
        raise unavailable() from None
    deadline.check()


async def _delete_uncommitted(store: Store, project: str, thread_id: str) -> None:
    """Delete a thread that was not committed; a sweep may have done so already."""
    try:
        await delete_thread(store, project, thread_id)
    except TRANSIENT as error:
        log.warning("thread %s: could not delete it: %s", thread_id, error)


def _first_look(store: Store) -> float:
    return min(store.settings.look_again, store.settings.run_lifetime)


class _Deadline:
    """The time for a commit: half the time until an item may discard the creation as never committed."""

    def __init__(self, store: Store) -> None:
        self._at = time.monotonic() + _first_look(store) / 2

    @property
    def passed(self) -> bool:
        return time.monotonic() > self._at

    def check(self) -> None:
        if self.passed:
            raise unavailable()
