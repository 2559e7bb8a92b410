"""What a run says in its thread. Only what is recorded is appended, so every repeat appends the same bytes."""

from assistants.state.messages import put_record
from assistants.state.runs import RunRecord
from assistants.state.store import RunKey, Store
from assistants.state.turns import message


async def publish(store: Store, key: RunKey, run: RunRecord) -> int:
    """Append what the run has recorded and may not be in the thread yet; the thread's segments then.

    That is the message of its last turn; before its first one, the messages that came with the run.

    Raises
    ------
    ThreadGone
        The thread has been deleted.
    """
    said = message(run, len(run.turns) - 1) if run.unpublished else None
    messages = [said] if said else [] if run.turns else run.additional_messages
    if not messages:
        return run.segments
    return await store.messages.append(key.project, key.thread, run.segments, [put_record(each) for each in messages])
