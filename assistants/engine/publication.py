"""What a run says in its thread. Only what is recorded is appended, so every repeat appends the same bytes."""

from assistants.state.messages import put_record
from assistants.state.runs import RunRecord
from assistants.state.store import RunKey, Store
from assistants.state.turns import message


async def publish(store: Store, key: RunKey, run: RunRecord) -> int:
    """Append the message of the recorded turn that may not be in the thread yet; the thread's segments then.

    Raises
    ------
    ThreadGone
        The thread has been deleted.
    """
    said = message(run, len(run.turns) - 1) if run.unpublished else None
    if said is None:
        return run.segments
    return await store.messages.append(key.project, key.thread, run.segments, [put_record(said)])
