"""Waiting for a run: a request that answers as soon as the run needs its client or has ended.

A write of this process ends the wait at once. To notice those of other processes, the run's document is read again if
it has changed, once a second at most and less often while it does not change.
"""

import time
from collections.abc import Awaitable, Callable

from assistants.engine.requests import attended, find_run
from assistants.schema.errors import not_found
from assistants.schema.runs import RunStatus
from assistants.state.runs import RunRecord
from assistants.state.store import RunKey, Store
from assistants.storage.documents import Document

MAX_WAIT = 60
"""Seconds a request may wait."""

SHORTEST, LONGEST = 1.0, 3.0
"""Seconds between two reads of the run's document: after a change, and after a while without one."""


def is_reached(run: RunRecord, wait_for: RunStatus | None) -> bool:
    """Whether the wait is over: the run has ended, has the status, or, without one, awaits the client's outputs."""
    return not run.active or run.status is (wait_for or RunStatus.REQUIRES_ACTION)


async def wait_for_run(
    store: Store, key: RunKey, seconds: float, wait_for: RunStatus | None, is_gone: Callable[[], Awaitable[bool]]
) -> Document[RunRecord]:
    """The run at the end of the wait, or after `seconds` seconds.

    Parameters
    ----------
    is_gone
        Whether the client has disconnected, which ends the wait.

    Raises
    ------
    ApiError
        There is no such thread or run, or it was deleted meanwhile (404).
    """
    end, pause = time.monotonic() + seconds, SHORTEST
    with store.changes.watching(key.name) as watch:
        document = await find_run(store, key)
        while not is_reached(document.value, wait_for) and (left := end - time.monotonic()) > 0:
            written = await watch.next(min(pause, left))
            if written is not None:
                document = written
            elif left < SHORTEST or await is_gone():
                break
            else:
                newer = await store.runs.read_newer(document)
                if newer is None:
                    raise not_found("run", key.run)
                pause = min(pause * 1.5, LONGEST) if newer is document else SHORTEST
                document = await attended(store, key, newer)
    return document
