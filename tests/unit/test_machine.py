"""The state machine of a run, compared with the table in its own docstring."""

from collections.abc import Callable, Mapping
from itertools import product

import pytest

from assistants.engine import machine
from assistants.engine.machine import Ending, Event, Need
from assistants.schema.runs import LastError, RunStatus
from assistants.state.runs import ACTIVE, Claim, Finish, Look, RunRecord, ToolCall, Turn

NOW = 1_000.0
FINAL = [status for status in RunStatus if status not in ACTIVE]
PAIRS = list(product(RunStatus, Event))
LOOK = Look(id="item", pop_receipt="receipt")
ERROR = LastError(code="server_error", message="Something broke.")


def documented() -> dict[tuple[str, str], str]:
    """The cells of the docstring's table that are not empty: (state, event) -> state."""
    assert machine.__doc__ is not None
    lines = machine.__doc__.splitlines()
    rules = [number for number, line in enumerate(lines) if line.startswith("===")]
    assert len(rules) == 3, "a table of reStructuredText: rule, header, rule, rows, rule"
    header, rows = lines[rules[0] + 1], lines[rules[1] + 1 : rules[2]]
    starts = [at for at in range(len(header)) if header[at] != " " and (at == 0 or header[at - 1] == " ")]
    spans = list(zip(starts, [*starts[1:], None], strict=True))
    names, *table = [[line[start:end].strip() for start, end in spans] for line in (header, *rows)]
    return {
        (state, event): cell for state, *cells in table for event, cell in zip(names[1:], cells, strict=True) if cell
    }


def call(call_id: str, kind: str = "function", output: str | None = None) -> ToolCall:
    return ToolCall(id=call_id, type=kind, name="f", arguments="{}", output=output)


WEATHER, RETRIEVAL = call("call_w"), call("call_r", "retrieval")


def turn(*calls: ToolCall, finish: Finish = "tool_calls", parked: bool = False) -> Turn:
    return Turn(started_at=NOW - 2, ended_at=NOW - 1, finish=finish, calls=list(calls), parked=parked)


def run(status: RunStatus = RunStatus.QUEUED, *turns: Turn, claimed_until: float | None = None) -> RunRecord:
    return RunRecord(
        id="run_1", thread_id="thread_1", assistant_id="asst_1", model="demo", status=status, turns=list(turns),
        created_at=NOW - 10, entered_at=NOW - 5, touched_at=NOW - 5, expires_at=NOW + 600,
        claim=Claim(token="mine", until=claimed_until) if claimed_until else None,
    )  # fmt: skip


def waiting(*calls: ToolCall) -> RunRecord:
    """A run that waits for these calls."""
    parked = machine.parked(run(RunStatus.IN_PROGRESS, turn(*calls), claimed_until=NOW + 1), NOW, LOOK)
    assert parked is not None
    return parked


def expect(record: RunRecord | None) -> RunRecord:
    assert record is not None
    return record


# The effect of each event on a run in a given state that is otherwise prepared for it.
ACTS: Mapping[Event, Callable[[RunStatus], RunRecord | None]] = {
    Event.START: lambda status: machine.claimed(run(status), "mine", NOW, 30, [0]),
    Event.PARK: lambda status: machine.parked(run(status, turn(WEATHER)), NOW, None),
    Event.SUBMIT: lambda status: machine.submitted(run(status, turn(WEATHER, parked=True)), {"call_w": ""}, NOW),
    Event.CANCEL: lambda status: machine.cancelled(run(status), NOW),
    **{
        event: lambda status, event=event: machine.ended(run(status), Ending(event), NOW)
        for event in (Event.STOP, Event.COMPLETE, Event.INCOMPLETE, Event.FAIL, Event.EXPIRE)
    },
}


class TestTable:
    @pytest.mark.parametrize(("status", "event"), PAIRS)
    def test_a_state_follows_as_documented(self, status: RunStatus, event: Event):
        expected = documented().get((status.value, event.name))
        assert machine.following(status, event) == (expected and RunStatus(expected))

    @pytest.mark.parametrize(("status", "event"), PAIRS)
    def test_every_event_follows_the_table(self, status: RunStatus, event: Event):
        after = ACTS[event](status)
        assert (after and after.status) == machine.following(status, event)

    def test_the_documented_table_names_every_event_and_every_active_state(self):
        cells = documented()
        assert {state for state, _ in cells} == {status.value for status in ACTIVE}
        assert {event for _, event in cells} == {event.name for event in Event}

    @pytest.mark.parametrize(("status", "event"), list(product(FINAL, Event)))
    def test_no_event_has_an_effect_on_a_run_that_has_ended(self, status: RunStatus, event: Event):
        assert machine.following(status, event) is None

    def test_every_active_state_can_be_left(self):
        assert all(set(machine.TABLE[status].values()) - {status} for status in ACTIVE)


class TestReadiness:
    @pytest.mark.parametrize("status", RunStatus)
    def test_only_a_queued_run_and_one_in_progress_wait_for_a_driver(self, status: RunStatus):
        assert machine.is_ready(run(status), NOW) == (status in {RunStatus.QUEUED, RunStatus.IN_PROGRESS})

    def test_a_run_with_a_live_claim_is_claimed(self):
        claimed = run(RunStatus.IN_PROGRESS, claimed_until=NOW + 1)
        assert machine.is_claimed(claimed, NOW)
        assert not machine.is_ready(claimed, NOW)

    def test_a_run_with_a_lapsed_claim_is_not_claimed(self):
        lapsed = run(RunStatus.IN_PROGRESS, claimed_until=NOW)
        assert not machine.is_claimed(lapsed, NOW)
        assert machine.is_ready(lapsed, NOW)

    def test_a_run_whose_calls_are_not_all_answered_is_not_ready(self):
        assert not machine.is_ready(waiting(RETRIEVAL), NOW)

    def test_a_recorded_turn_that_was_not_given_out_does_not_keep_a_run_from_its_driver(self):
        assert machine.is_ready(run(RunStatus.IN_PROGRESS, turn(RETRIEVAL)), NOW)

    @pytest.mark.parametrize("status", RunStatus)
    def test_an_active_run_is_overdue_from_its_expiry_on(self, status: RunStatus):
        record = run(status)
        assert not machine.is_overdue(record, record.expires_at - 0.001)
        assert machine.is_overdue(record, record.expires_at) == (status in ACTIVE)

    def test_a_claimed_run_is_left_to_its_driver_when_its_time_is_over(self):
        record = run(RunStatus.IN_PROGRESS, claimed_until=NOW + 601)
        assert not machine.is_overdue(record, NOW + 600)
        assert machine.is_overdue(record, NOW + 601)


def needing(need: Need) -> RunRecord:
    """A run with this need and no other: each property left out would give it another one."""
    return {
        Need.EXPIRE: run(RunStatus.QUEUED).model_copy(update={"expires_at": NOW}),
        Need.STOP: run(RunStatus.CANCELLING),
        Need.CALL_AGAIN: waiting(RETRIEVAL),
        Need.DRIVE: run(RunStatus.QUEUED),
        Need.NOTHING: waiting(WEATHER),
    }[need]


LATER = NOW + 60


def expected_need(status: RunStatus, overdue: bool, claimed: bool, answered: bool | None, lost: bool) -> Need:
    """The rules of `need` as sentences; `answered` is None if no calls were given out."""
    if status not in ACTIVE or claimed:
        return Need.CALL_AGAIN if status in ACTIVE and answered is False and lost else Need.NOTHING
    if overdue:
        return Need.EXPIRE
    if status is RunStatus.CANCELLING:
        return Need.STOP
    if answered is False and lost:
        return Need.CALL_AGAIN
    waits = status in (RunStatus.QUEUED, RunStatus.IN_PROGRESS) and answered is not False
    return Need.DRIVE if waits else Need.NOTHING


class TestNeed:
    @pytest.mark.parametrize("need", Need)
    def test_each_need_has_a_run(self, need: Need):
        assert machine.need(needing(need), LATER if need is Need.CALL_AGAIN else NOW, 60) is need

    @pytest.mark.parametrize("status", RunStatus)
    def test_every_run_has_the_need_of_its_state_its_claim_its_time_and_its_calls(self, status: RunStatus):
        either = (False, True)
        for overdue, claimed, answered, lost in product(either, either, (None, *either), either):
            asked = call("call_r", "retrieval", output="Oslo" if answered else None)
            asked = asked.model_copy(update={"sent_at": NOW - (60 if lost else 59)})
            turns = [] if answered is None else [turn(asked, parked=True)]
            record = run(status, *turns, claimed_until=NOW + 1 if claimed else None)
            record = record.model_copy(update={"expires_at": NOW if overdue else NOW + 600})
            expected = expected_need(status, overdue, claimed, answered, lost)
            assert machine.need(record, NOW, 60) is expected, (status, overdue, claimed, answered, lost)


class TestClaim:
    def test_the_first_claim_starts_the_run_and_fixes_its_prompt(self):
        claimed = expect(machine.claimed(run(), "mine", NOW, 30, [120]))
        assert (claimed.status, claimed.started_at, claimed.prompt_lengths) == (RunStatus.IN_PROGRESS, NOW, [120])
        assert claimed.claim == Claim(token="mine", until=NOW + 30)

    def test_a_later_claim_keeps_the_prompt_and_the_start(self):
        first = expect(machine.claimed(run(), "mine", NOW, 30, [120]))
        second = expect(machine.claimed(first, "yours", NOW + 30, 30, [999]))
        assert (second.prompt_lengths, second.started_at, second.entered_at) == ([120], NOW, NOW)

    def test_a_run_that_continues_after_its_outputs_is_started_again(self):
        resumed = expect(machine.submitted(waiting(WEATHER), {"call_w": "sunny"}, NOW + 5))
        assert expect(machine.claimed(resumed, "mine", NOW + 7, 30, [0])).started_at == NOW + 7

    def test_a_claimed_run_is_not_claimed_again(self):
        assert machine.claimed(run(RunStatus.IN_PROGRESS, claimed_until=NOW + 1), "yours", NOW, 30, [0]) is None

    def test_a_claim_commits_the_run(self):
        assert expect(machine.claimed(run(), "mine", NOW, 30, [0])).committed

    def test_claims_are_counted_until_a_turn_is_recorded(self):
        record = run()
        for count in range(1, 4):
            record = expect(machine.claimed(record, "mine", NOW + 30 * count, 30, [0]))
            assert record.takeovers == count
        assert machine.recorded(record, turn(), NOW).takeovers == 0

    def test_a_claim_is_renewed_by_its_token_only(self):
        claimed = expect(machine.claimed(run(), "mine", NOW, 30, [0]))
        assert expect(machine.renewed(claimed, "mine", NOW + 10, 30)).claim == Claim(token="mine", until=NOW + 40)
        assert machine.renewed(claimed, "yours", NOW + 10, 30) is None

    def test_a_lapsed_claim_keeps_its_token_until_another_one_replaces_it(self):
        claimed = expect(machine.claimed(run(), "mine", NOW, 30, [0]))
        assert machine.renewed(claimed, "mine", NOW + 99, 30) is not None
        taken = expect(machine.claimed(claimed, "yours", NOW + 99, 30, [0]))
        assert not machine.is_claimed_by(taken, "mine")

    def test_a_run_that_has_ended_has_no_claim(self):
        claimed = expect(machine.claimed(run(), "mine", NOW, 30, [0]))
        assert not machine.is_claimed_by(expect(machine.ended(claimed, Ending(Event.FAIL, error=ERROR), NOW)), "mine")

    def test_a_released_claim_leaves_a_record_of_the_trouble_and_a_ready_run(self):
        released = machine.released(run(RunStatus.IN_PROGRESS, claimed_until=NOW + 30), "storage was away", NOW)
        assert (released.claim, released.trouble) == (None, "storage was away")
        assert machine.is_ready(released, NOW)


class TestPark:
    def test_calls_of_the_client_make_the_run_wait_for_it(self):
        assert waiting(WEATHER, RETRIEVAL).status is RunStatus.REQUIRES_ACTION

    def test_calls_of_server_tools_alone_leave_the_run_in_progress(self):
        assert waiting(RETRIEVAL).status is RunStatus.IN_PROGRESS

    def test_one_write_gives_out_the_calls_and_releases_the_claim(self):
        parked = waiting(WEATHER, RETRIEVAL)
        assert [each.id for each in parked.unanswered] == ["call_w", "call_r"]
        assert (parked.claim, parked.look, parked.takeovers) == (None, LOOK, 0)

    def test_only_the_calls_of_server_tools_have_items(self):
        assert [each.sent_at for each in waiting(WEATHER, RETRIEVAL).unanswered] == [None, NOW]

    def test_a_run_that_is_being_cancelled_gives_out_no_calls(self):
        assert machine.parked(run(RunStatus.CANCELLING, turn(WEATHER), claimed_until=NOW + 1), NOW, LOOK) is None


class TestParallelTools:
    def test_the_client_owes_the_outputs_of_its_own_calls_only(self):
        assert [each.id for each in waiting(WEATHER, RETRIEVAL).awaited] == ["call_w"]

    def test_outputs_of_the_client_alone_do_not_make_a_mixed_run_ready(self):
        submitted = expect(machine.submitted(waiting(WEATHER, RETRIEVAL), {"call_w": "sunny"}, NOW))
        assert submitted.status is RunStatus.QUEUED
        assert not machine.is_ready(submitted, NOW)

    def test_an_answer_of_the_server_alone_leaves_the_run_to_the_client(self):
        answered = expect(machine.answered(waiting(WEATHER, RETRIEVAL), "call_r", "Oslo", NOW))
        assert answered.status is RunStatus.REQUIRES_ACTION
        assert not machine.is_ready(answered, NOW)

    @pytest.mark.parametrize("server_first", [True, False])
    def test_the_last_output_makes_the_run_ready_from_either_side(self, server_first: bool):
        def answer(record: RunRecord) -> RunRecord:
            return expect(machine.answered(record, "call_r", "Oslo", NOW))

        def submit(record: RunRecord) -> RunRecord:
            return expect(machine.submitted(record, {"call_w": "sunny"}, NOW))

        record = waiting(WEATHER, RETRIEVAL)
        record = submit(answer(record)) if server_first else answer(submit(record))
        assert machine.is_ready(record, NOW)
        assert record.turn is not None
        assert record.turn.answered_at == NOW
        assert [each.output for each in record.turn.calls] == ["sunny", "Oslo"]

    def test_the_first_answer_stored_wins(self):
        answered = expect(machine.answered(waiting(RETRIEVAL, WEATHER), "call_r", "Oslo", NOW))
        assert machine.answered(answered, "call_r", "Bergen", NOW) is None

    @pytest.mark.parametrize("call_id", ["call_w", "call_unknown"])
    def test_a_server_tool_answers_no_call_but_its_own(self, call_id: str):
        assert machine.answered(waiting(WEATHER, RETRIEVAL), call_id, "Oslo", NOW) is None

    def test_a_run_that_has_ended_accepts_no_answer(self):
        ended = expect(machine.ended(waiting(RETRIEVAL), Ending(Event.EXPIRE), NOW))
        assert machine.answered(ended, "call_r", "Oslo", NOW) is None

    def test_a_call_without_an_answer_for_a_while_is_sent_again(self):
        record = waiting(WEATHER, RETRIEVAL)
        assert machine.lost_calls(record, NOW + 59, 60) == []
        (late,) = machine.lost_calls(record, NOW + 60, 60)
        again = expect(machine.resent(record, {late.id}, NOW + 60))
        assert late.id == "call_r"
        assert machine.lost_calls(again, NOW + 61, 60) == []

    def test_a_run_that_has_ended_sends_no_call_again(self):
        ended = expect(machine.ended(waiting(RETRIEVAL), Ending(Event.FAIL, error=ERROR), NOW))
        assert machine.lost_calls(ended, NOW + 60, 60) == []


class TestEnd:
    @pytest.mark.parametrize(
        ("event", "stamp"),
        [
            (Event.COMPLETE, "completed_at"),
            (Event.INCOMPLETE, "completed_at"),
            (Event.FAIL, "failed_at"),
            (Event.EXPIRE, None),
        ],
    )
    def test_an_end_is_stamped_and_releases_the_claim(self, event: Event, stamp: str | None):
        ended = expect(machine.ended(run(RunStatus.IN_PROGRESS, claimed_until=NOW + 1), Ending(event), NOW))
        stamps = {name: getattr(ended, name) for name in ("completed_at", "failed_at", "cancelled_at")}
        assert stamps == {name: NOW if name == stamp else None for name in stamps}
        assert (ended.claim, ended.entered_at, ended.touched_at) == (None, NOW, NOW)

    @pytest.mark.parametrize("event", [Event.STOP, Event.COMPLETE, Event.INCOMPLETE, Event.FAIL, Event.EXPIRE])
    def test_a_run_that_is_being_cancelled_ends_cancelled_by_any_event(self, event: Event):
        ended = expect(machine.ended(run(RunStatus.CANCELLING), Ending(event, "max_completion_tokens", ERROR), NOW))
        assert (ended.status, ended.cancelled_at) == (RunStatus.CANCELLED, NOW)
        assert (ended.last_error, ended.incomplete_reason) == (None, None)

    def test_a_failed_run_says_why(self):
        assert expect(machine.ended(run(), Ending(Event.FAIL, error=ERROR), NOW)).last_error == ERROR

    def test_an_incomplete_run_says_why(self):
        ended = expect(machine.ended(run(RunStatus.IN_PROGRESS), Ending(Event.INCOMPLETE, "content_filter"), NOW))
        assert ended.incomplete_reason == "content_filter"

    def test_a_run_is_cancelled_once(self):
        cancelling = expect(machine.cancelled(run(), NOW))
        assert machine.cancelled(cancelling, NOW) is None

    def test_only_a_run_that_was_never_committed_is_discarded(self):
        discarded = expect(machine.discarded(run(), NOW))
        assert (discarded.status, discarded.committed) == (RunStatus.FAILED, False)
        assert machine.discarded(run().model_copy(update={"committed": True}), NOW) is None
        assert machine.discarded(discarded, NOW) is None

    @pytest.mark.parametrize(
        ("finish", "event", "reason"),
        [
            ("stop", Event.COMPLETE, None),
            ("length", Event.INCOMPLETE, "max_completion_tokens"),
            ("content_filter", Event.INCOMPLETE, "content_filter"),
            ("cancelled", Event.STOP, None),
            ("expired", Event.EXPIRE, None),
            ("failed", Event.FAIL, None),
        ],
    )
    def test_how_a_turn_ended_decides_how_its_run_ends(self, finish: Finish, event: Event, reason: str | None):
        assert machine.conclusion(turn(finish=finish)) == Ending(event, reason)

    def test_a_turn_that_calls_tools_ends_no_run(self):
        assert machine.conclusion(turn(WEATHER)) is None


class TestBound:
    @staticmethod
    def calls(count: int) -> list[ToolCall]:
        return [call(f"call_{number}") for number in range(count)]

    def test_a_run_may_make_128_tool_calls(self):
        last = turn(*self.calls(28))
        assert machine.bounded(run(RunStatus.IN_PROGRESS, turn(*self.calls(100), parked=True)), last) is last

    def test_the_turn_that_passes_the_limit_fails_and_says_so(self):
        last = turn(*self.calls(29))
        failed = machine.bounded(run(RunStatus.IN_PROGRESS, turn(*self.calls(100), parked=True)), last)
        assert failed.finish == "failed"
        assert machine.conclusion(failed) == Ending(Event.FAIL, error=failed.error)
        assert failed.error is not None
        assert "128 tool calls" in failed.error.message
