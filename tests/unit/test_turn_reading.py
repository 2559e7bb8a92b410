from typing import Any

import pytest

from assistants.engine.turn.reading import read_back
from assistants.schema.messages import Message
from assistants.state.messages import delete_record, put_record
from assistants.state.outlines import Segment
from assistants.state.runs import RunRecord
from assistants.state.transcript import Transcript
from assistants.storage.slices import Slices


def run(**fields: Any) -> RunRecord:
    times = dict.fromkeys(("created_at", "expires_at", "touched_at", "entered_at"), 0)
    return RunRecord.model_validate(
        {"id": "run_1", "thread_id": "thread_1", "assistant_id": "asst_1", "model": "m", **times, **fields}
    )


def message(number: int) -> Message:
    content = [{"type": "text", "text": {"value": "word" * 96, "annotations": []}}]
    fields = {"id": f"msg_{number}", "created_at": 1, "thread_id": "thread_1", "role": "user", "content": content}
    return Message.model_validate(fields)


@pytest.fixture
async def transcript() -> Transcript:
    """Two hundred messages of a hundred estimated tokens; a deletion of the newest but one stands at the end."""
    content = b"".join([*(put_record(message(number)) for number in range(200)), delete_record("msg_198")])
    segment, nothing = Segment(""), object()
    await segment.take(content, 0, Slices(), len(content))
    logs: Any = nothing
    return Transcript(logs, Slices(), "thread_1", [segment])


async def test_a_prompt_goes_back_as_far_as_the_context_allows(transcript: Transcript):
    found = await read_back(transcript, run(), 1_000)
    assert [each.id for each in found.messages] == [f"msg_{each}" for each in (*range(188, 198), 199)]
    assert found.skipped == 188


async def test_a_short_thread_is_read_whole(transcript: Transcript):
    found = await read_back(transcript, run(), 1_000_000)
    assert (len(found.messages), found.skipped) == (199, 0)


@pytest.mark.parametrize(("last", "first"), [(1, "msg_199"), (2, "msg_197"), (50, "msg_149")])
async def test_of_the_last_messages_as_many_are_read_as_the_run_asks_for(transcript: Transcript, last: int, first: str):
    strategy = {"type": "last_messages", "last_messages": last}
    found = await read_back(transcript, run(truncation_strategy=strategy), 100)
    assert (len(found.messages), found.messages[0].id) == (last, first)
