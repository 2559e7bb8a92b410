"""The events of a run for webhooks, and their marks."""

from assistants.engine import machine
from assistants.engine.machine import Ending, Event
from assistants.notify import notices
from assistants.notify.items import of_file, of_run
from assistants.schema.runs import RunStatus
from assistants.state.runs import RunRecord, ToolCall, Turn
from assistants.state.store import RunKey
from assistants.state.turns import message_id

NOW = 1_000.0
KEY = RunKey("default", "thread_1", "run_1")


def run(status: RunStatus = RunStatus.QUEUED) -> RunRecord:
    return RunRecord(
        id="run_1", thread_id="thread_1", assistant_id="asst_1", model="demo", status=status, created_at=NOW,
        entered_at=NOW, touched_at=NOW, expires_at=NOW + 600, committed=True,
    )  # fmt: skip


def types(run: RunRecord) -> list[str]:
    return [each.type for each in run.notices or []]


def claimed(run: RunRecord) -> RunRecord:
    claimed = machine.claimed(run, "mine", NOW + 1, 30, [0])
    assert claimed is not None
    return claimed


def said(text: str | None, *calls: ToolCall, finish: str = "stop") -> Turn:
    return Turn.model_validate({"started_at": NOW, "ended_at": NOW + 2, "finish": finish, "text": text, "calls": calls})


def test_each_state_is_a_notice_and_a_message_is_one_once_it_is_in_the_thread():
    new = notices.begun(run())
    working = notices.noted(new, claimed(new))
    recorded = notices.noted(working, machine.recorded(working, said("Hello."), NOW + 2))
    assert types(recorded) == ["thread.run.queued", "thread.run.in_progress"]
    ended = machine.ended(recorded, Ending(Event.COMPLETE), NOW + 3)
    assert ended is not None
    ended = notices.noted(recorded, ended)
    assert types(ended) == [*types(recorded), "thread.message.completed", "thread.run.completed"]
    assert [each["id"] for each in (item.data for item in of_run(KEY, ended, [2, 3]))] == [
        message_id("run_1", 0),
        "run_1",
    ]
    assert types(notices.noted(ended, ended.model_copy(update={"metadata": {"a": "b"}}))) == types(ended)


def test_calls_after_a_text_follow_its_message_and_a_silent_turn_has_none():
    working = claimed(run())
    weather = ToolCall(id="call_1", name="f", arguments="{}")
    for text, expected in (("Let me see.", ["thread.message.completed"]), (None, [])):
        recorded = machine.recorded(working, said(text, weather, finish="tool_calls"), NOW + 2)
        parked = machine.parked(recorded, NOW + 3, None)
        assert parked is not None
        assert types(notices.noted(recorded, parked)) == [*expected, "thread.run.requires_action"]


def test_a_message_that_was_cut_off_is_not_completed():
    recorded = machine.recorded(claimed(run()), said("Hel", finish="cancelled"), NOW + 2)
    ended = machine.ended(recorded, Ending(Event.EXPIRE), NOW + 3)
    assert ended is not None
    assert types(notices.noted(recorded, ended)) == ["thread.run.expired"]


def test_a_run_that_is_created_claimed_was_queued_as_well():
    assert types(notices.begun(claimed(run()))) == ["thread.run.queued", "thread.run.in_progress"]


def test_a_run_whose_creation_was_given_up_has_no_events():
    new = notices.begun(run().model_copy(update={"committed": False}))
    discarded = machine.discarded(new, NOW + 60)
    assert discarded is not None
    assert notices.untold(notices.noted(new, discarded)) == []


def test_marks_are_kept_by_later_changes_and_young_notices_may_be_left_out():
    working = notices.told(notices.begun(claimed(run())), [0])
    assert notices.untold(working) == [1]
    assert notices.told(working, [0]) is working
    assert notices.untold(notices.noted(working, machine.recorded(working, said("Hello."), NOW + 2))) == [1]
    assert notices.untold(working, until=NOW - 1) == []


def test_an_event_that_is_sent_again_has_the_same_id_and_events_of_a_run_are_numbered():
    new = notices.begun(claimed(run()))
    first, second = of_run(KEY, new, [0, 1])
    assert first == of_run(KEY, notices.told(new, [0]), [0])[0]
    assert first.id != second.id
    assert [first.sequence_number, second.sequence_number] == [0, 1]
    assert second.data == {"id": "run_1", "thread_id": "thread_1", "status": "in_progress"}
    of_one, of_other = (of_file("default", "vs_1", "file-1", version, "failed", NOW) for version in ("a", "b"))
    assert of_one.id != of_other.id
    assert (of_one.type, of_one.sequence_number) == ("vector_store.file.failed", None)
