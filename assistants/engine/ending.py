"""Publication of a recorded turn, and the end of a run that no driver has."""

import logging

from assistants.engine import machine
from assistants.engine.claim import change_run
from assistants.engine.items import WORK
from assistants.engine.machine import Ending
from assistants.notify import notices
from assistants.state.messages import put_record
from assistants.state.runs import Look, RunRecord
from assistants.state.store import RunKey, Store
from assistants.state.threads import ThreadGone
from assistants.state.turns import message
from assistants.storage.documents import Document
from assistants.storage.errors import TRANSIENT
from assistants.storage.services import Receipt

log = logging.getLogger("assistants.engine")


async def publish(store: Store, key: RunKey, run: RunRecord) -> int:
    """Append the messages that are recorded and may not be in the thread; return the log's number of segments.

    That is the message of the last turn; before the first turn, the messages that came with the run. Only recorded
    messages are appended, so every repetition appends the same bytes.

    Raises
    ------
    ThreadGone
        The thread has been deleted.
    """
    said = message(run, len(run.turns) - 1) if run.unpublished else None
    messages = [said] if said else [] if run.turns else run.additional_messages
    if not messages:
        return run.segments
    records = [put_record(message) for message in messages]
    return await store.messages.append(key.project, key.thread, run.segments, records)


async def end_unclaimed(
    store: Store,
    key: RunKey,
    known: Document[RunRecord],
    ending: Ending,
    why: str,
    look: Look | None = None,
) -> Document[RunRecord] | None:
    """End a run unless it has a live claim; a recorded turn is published first.

    The result is the current run, ended or not; None if it was deleted.
    """
    document: Document[RunRecord] | None = known
    while document is not None:
        try:
            await publish(store, key, document.value)
        except ThreadGone:
            return None
        published = len(document.value.turns)

        def decide(run: RunRecord, published: int = published) -> RunRecord | None:
            if len(run.turns) != published or machine.is_claimed(run, store.clock.now()):
                return None
            return machine.ended(run, ending, store.clock.now())

        document = await change_run(store, key, decide, why, document)
        if document is not None and len(document.value.turns) == published:
            break
    if document is not None and not document.value.active:
        await delete_last_look(store, document.value, look)
    return document


async def delete_last_look(store: Store, run: RunRecord, look: Look | None) -> None:
    """Delete the look-again item of a run that has ended, unless the item has yet to notify the webhook."""
    if not notices.untold(run):
        await delete_look(store, look)


async def delete_look(store: Store, look: Look | None) -> None:
    """Delete the look-again item of a run that has ended; if that fails, the item has no effect."""
    if look is None:
        return
    try:
        await store.queues.delete(WORK, Receipt(look.id, look.pop_receipt))
    except TRANSIENT as error:
        log.warning("could not delete a look-again item: %s", error)
