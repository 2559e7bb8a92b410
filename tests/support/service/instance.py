"""`python -m tests.support.service.instance`: `python -m assistants.local` with adjustable clock and time limits.

Its own settings, in seconds: CLOCK_AHEAD, the error of the machine's clock, and a signal `CLOCK_STEPS` that sets it
an hour ahead; LEASE, for which an item stays hidden if this process dies; PURGE_DELAY, after which the remaining blobs
of a deleted thread are purged; LOOK_AFTER, after which an uploaded content without a file is deleted.
"""

import os
import signal
import sys
import time
from functools import partial

CLOCK_STEPS = signal.SIGUSR1

_time = time.time
_ahead = [float(os.environ.get("CLOCK_AHEAD", "0"))]
# Patched before other imports: some modules import the function itself.
time.time = lambda: _time() + sum(_ahead)
signal.signal(CLOCK_STEPS, lambda *_: _ahead.append(3600))


def main() -> int:
    from assistants.ingestion import intake
    from assistants.local import __main__ as local
    from assistants.local.pump import LEASE, Pump
    from assistants.state import post

    local.Pump = partial(Pump, lease=float(os.environ.get("LEASE", LEASE)))  # type: ignore[reportAttributeAccessIssue]
    for name in ("_SWEEP_DELAY", "_COMMIT_WITHIN"):
        setattr(intake, name, float(os.environ.get("LOOK_AFTER") or getattr(intake, name)))
    post.PURGE_DELAY = float(os.environ.get("PURGE_DELAY", post.PURGE_DELAY))  # type: ignore[reportAttributeAccessIssue]
    return local.main()


if __name__ == "__main__":
    sys.exit(main())
