"""`python -m tests.support.service.instance`: `python -m assistants.local` on a machine that tests can bend.

Settings of its own, in seconds: CLOCK_AHEAD, by which the machine's clock is wrong; LEASE, for which an item is hidden
from others when this process dies with it; PURGE_DELAY, after which what is left of a deleted thread is looked for;
LOOK_AFTER, after which the content of an upload is looked for that no file was made of.
"""

import os
import sys
import time
from functools import partial

_time = time.time
_ahead = float(os.environ.get("CLOCK_AHEAD", "0"))
if _ahead:
    # Before anything else is imported: some keep the function, not the module.
    time.time = lambda: _time() + _ahead


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
