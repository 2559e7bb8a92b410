"""Ending a run that nobody drives: cancelled, expired, or given up."""

from assistants.engine import machine
from assistants.engine.driver import delete_look
from assistants.engine.machine import Event
from assistants.engine.publication import publish
from assistants.engine.transitions import change_run
from assistants.schema.runs import LastError
from assistants.state.messages import ThreadGone
from assistants.state.runs import Look, RunRecord
from assistants.state.store import RunKey, Store
from assistants.storage.documents import Document


async def end_unheld(
    store: Store,
    key: RunKey,
    known: Document[RunRecord],
    event: Event,
    why: str,
    look: Look | None = None,
) -> Document[RunRecord] | None:
    """End a run unless a live claim holds it; a turn that is recorded is published first.

    The answer is the run as it is then, ended or not; None where there is none any more.
    """
    document: Document[RunRecord] | None = known
    while document is not None:
        try:
            await publish(store, key, document.value)
        except ThreadGone:
            return None  # the thread is gone, and the run with it
        published = len(document.value.turns)
        error = LastError(code="server_error", message=why) if event is Event.FAIL else None

        def decide(run: RunRecord, published: int = published, error: LastError | None = error) -> RunRecord | None:
            if len(run.turns) != published or machine.held(run, store.clock.now()):
                return None
            return machine.end(run, event, store.clock.now(), error)

        document = await change_run(store, key, decide, why, document)
        if document is not None and len(document.value.turns) == published:
            break
    if document is not None and not document.value.active:
        await delete_look(store, look)
    return document
