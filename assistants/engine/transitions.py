"""The one way a run is written after its creation: a decision on its document, and a log line for what it changed."""

import json
import logging
from collections.abc import Callable

from assistants.state.runs import RunRecord
from assistants.state.store import RunKey, Store
from assistants.storage.documents import Document

log = logging.getLogger("assistants.runs")


async def change_run(
    store: Store,
    key: RunKey,
    decide: Callable[[RunRecord], RunRecord | None],
    why: str,
    known: Document[RunRecord] | None = None,
) -> Document[RunRecord] | None:
    """Write what `decide` makes of the run, and tell the log of a change of state.

    The answer is the run as it is then, changed or not; None where there is none.
    """
    before: RunRecord | None = None

    def remember(run: RunRecord) -> RunRecord | None:
        nonlocal before
        before = run
        return decide(run)

    document = await store.runs.change(key.name, remember, known)
    if document is not None and before is not None:
        tell(key, before, document.value, why)
    return document


def tell(key: RunKey, before: RunRecord | None, after: RunRecord, why: str) -> None:
    """One line per transition, as JSON: run, thread, project, from, to, why, how long the state before lasted."""
    if before is not None and before.status is after.status:
        return
    line = {
        "run": key.run,
        "thread": key.thread,
        "project": key.project,
        "from": before and before.status.value,
        "to": after.status.value,
        "why": after.last_error.message if after.last_error else why,
        "seconds": round(after.touched_at - before.entered_at, 3) if before else 0,
    }
    log.info("run %s", json.dumps(line, ensure_ascii=False), extra={"run": line})
