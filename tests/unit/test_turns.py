"""A run in the API's form in each state, and the messages and steps of its turns."""

from collections.abc import Mapping
from typing import Any

import pytest
from openai.types.beta import threads
from openai.types.beta.threads import runs

from assistants.engine import machine
from assistants.engine.machine import Ending, Event
from assistants.schema.runs import LastError, RunStatus, Usage
from assistants.state.runs import Finish, RunRecord, ToolCall, Turn, view
from assistants.state.turns import message, message_id, steps
from tests.support.sdk.client import strict

CREATED, CLAIMED, SAID, PARKED, SUBMITTED, RESUMED, ENDED = 1000.9, 1001.9, 1002.9, 1003.9, 1020.9, 1030.9, 1040.9
EXPIRES = CREATED + 600
ERROR = LastError(code="rate_limit_exceeded", message="Slow down.")
USAGE = Usage(prompt_tokens=1, completion_tokens=2, total_tokens=3)
CALL = ToolCall(id="call_1", name="get_time", arguments='{"tz":"UTC"}')
LOOK_UP = ToolCall(id="call_2", type="retrieval", name="retrieval", arguments="{}")


def new(**fields: Any) -> RunRecord:
    return RunRecord(
        id="run_1",
        thread_id="thread_1",
        assistant_id="asst_1",
        model="gpt-4o",
        created_at=CREATED,
        entered_at=CREATED,
        touched_at=CREATED,
        expires_at=EXPIRES,
        **fields,
    )


def ok(run: RunRecord | None) -> RunRecord:
    assert run is not None
    return run


def claimed(run: RunRecord, at: float = CLAIMED) -> RunRecord:
    return ok(machine.claimed(run, "token", at, 30, [0]))


def said(
    *calls: ToolCall,
    text: str | None = None,
    refusal: str | None = None,
    finish: Finish = "tool_calls",
    usage: Usage | None = USAGE,
    error: LastError | None = None,
) -> Turn:
    return Turn(
        started_at=CLAIMED, ended_at=SAID, finish=finish, text=text, refusal=refusal, calls=list(calls), usage=usage,
        error=error,
    )  # fmt: skip


def after(turn: Turn) -> RunRecord:
    """A run that has just recorded its first turn."""
    return machine.recorded(claimed(new()), turn, SAID)


def parked(*calls: ToolCall, text: str | None = None) -> RunRecord:
    return ok(machine.parked(after(said(*calls, text=text)), PARKED, None))


def submitted() -> RunRecord:
    return ok(machine.submitted(parked(CALL), {"call_1": "noon"}, SUBMITTED))


def cancelling(run: RunRecord) -> RunRecord:
    return ok(machine.cancelled(run, SUBMITTED))


def ended(run: RunRecord, event: Event, reason: str | None = None) -> RunRecord:
    return ok(machine.ended(run, Ending(event, reason, ERROR if event is Event.FAIL else None), ENDED))


TEXT = said(text="Hello", finish="stop")
FRESH = {"expires_at": int(EXPIRES)}
STARTED = {"started_at": int(CLAIMED)}
OWED = {
    "type": "submit_tool_outputs",
    "submit_tool_outputs": {
        "tool_calls": [
            {"id": "call_1", "type": "function", "function": {"name": "get_time", "arguments": '{"tz":"UTC"}'}}
        ]
    },
}
USED = {"usage": {"prompt_tokens": 1, "completion_tokens": 2, "total_tokens": 3}}
UNUSED = {"usage": {"prompt_tokens": 0, "completion_tokens": 0, "total_tokens": 0}}
FAILED = {"failed_at": int(ENDED), "last_error": ERROR.model_dump()}
CHANGING = (
    "started_at", "expires_at", "cancelled_at", "failed_at", "completed_at", "required_action", "last_error",
    "incomplete_details", "usage",
)  # fmt: skip
"""The columns of the table of states (contract, 4.1)."""

STATES: Mapping[str, tuple[RunRecord, RunStatus, Mapping[str, Any]]] = {
    "queued": (new(), RunStatus.QUEUED, FRESH),
    "in progress": (claimed(new()), RunStatus.IN_PROGRESS, FRESH | STARTED),
    "in progress, taken over": (
        claimed(claimed(new()), RESUMED + 10), RunStatus.IN_PROGRESS, FRESH | STARTED,
    ),
    "in progress, with a turn": (after(TEXT), RunStatus.IN_PROGRESS, FRESH | STARTED),
    "in progress, a server tool at work": (parked(LOOK_UP), RunStatus.IN_PROGRESS, FRESH | STARTED),
    "requires action": (
        parked(CALL), RunStatus.REQUIRES_ACTION, FRESH | STARTED | {"required_action": OWED},
    ),
    "requires action, a server tool at work": (
        parked(CALL, LOOK_UP), RunStatus.REQUIRES_ACTION, FRESH | STARTED | {"required_action": OWED},
    ),
    "queued again": (submitted(), RunStatus.QUEUED, FRESH | STARTED),
    "in progress again": (
        claimed(submitted(), RESUMED), RunStatus.IN_PROGRESS, FRESH | {"started_at": int(RESUMED)},
    ),
    "cancelling before it began": (cancelling(new()), RunStatus.CANCELLING, FRESH),
    "cancelling": (cancelling(claimed(new())), RunStatus.CANCELLING, FRESH | STARTED),
    "cancelling while it waited": (cancelling(parked(CALL)), RunStatus.CANCELLING, FRESH | STARTED),
    "cancelled before it began": (
        ended(cancelling(new()), Event.STOP), RunStatus.CANCELLED, {"cancelled_at": int(ENDED)},
    ),
    "cancelled": (
        ended(cancelling(after(TEXT)), Event.STOP), RunStatus.CANCELLED, STARTED | USED | {"cancelled_at": int(ENDED)},
    ),
    "failed before it began": (ended(new(), Event.FAIL), RunStatus.FAILED, FAILED),
    "failed": (ended(after(TEXT), Event.FAIL), RunStatus.FAILED, STARTED | USED | FAILED),
    "completed": (
        ended(after(TEXT), Event.COMPLETE), RunStatus.COMPLETED, STARTED | USED | {"completed_at": int(ENDED)},
    ),
    "completed, the model having counted nothing": (
        ended(after(said(text="Hello", finish="stop", usage=None)), Event.COMPLETE), RunStatus.COMPLETED,
        STARTED | UNUSED | {"completed_at": int(ENDED)},
    ),
    "completed in two turns": (
        ended(machine.recorded(claimed(submitted(), RESUMED), TEXT, RESUMED), Event.COMPLETE), RunStatus.COMPLETED,
        {
            "started_at": int(RESUMED), "completed_at": int(ENDED),
            "usage": {"prompt_tokens": 2, "completion_tokens": 4, "total_tokens": 6},
        },
    ),
    "incomplete": (
        ended(after(TEXT), Event.INCOMPLETE, "max_completion_tokens"), RunStatus.INCOMPLETE,
        STARTED | USED | {
            "completed_at": int(ENDED), "incomplete_details": {"reason": "max_completion_tokens"},
        },
    ),
    "expired before it began": (ended(new(), Event.EXPIRE), RunStatus.EXPIRED, FRESH),
    "expired": (ended(parked(CALL), Event.EXPIRE), RunStatus.EXPIRED, FRESH | STARTED | USED),
}  # fmt: skip


@pytest.mark.parametrize(("run", "status", "set_fields"), STATES.values(), ids=STATES.keys())
def test_which_fields_of_a_run_are_set_in_which_state(run: RunRecord, status: RunStatus, set_fields: Mapping[str, Any]):
    shown = view(run).model_dump(mode="json")
    assert shown["status"] == status.value
    assert {name: shown[name] for name in CHANGING} == dict.fromkeys(CHANGING) | dict(set_fields)


@pytest.mark.parametrize(("run", "status", "set_fields"), STATES.values(), ids=STATES.keys())
def test_a_run_is_valid_for_the_sdk_in_every_state(run: RunRecord, status: RunStatus, set_fields: Mapping[str, Any]):
    assert strict(threads.Run, view(run).model_dump(mode="json")).status == status.value


def test_every_state_of_a_run_is_tried():
    assert {status for _, status, _ in STATES.values()} == set(RunStatus)


def test_a_field_that_was_never_set_is_shown_with_its_default():
    shown = view(new()).model_dump(mode="json")
    defaults = {
        "object": "thread.run", "instructions": "", "tools": [], "tool_resources": {}, "metadata": {},
        "temperature": 1.0, "top_p": 1.0, "reasoning_effort": None, "max_prompt_tokens": None,
        "max_completion_tokens": None, "truncation_strategy": {"type": "auto", "last_messages": None},
        "response_format": "auto", "tool_choice": "auto", "parallel_tool_calls": True,
    }  # fmt: skip
    assert {name: shown[name] for name in defaults} == defaults


@pytest.mark.parametrize(
    ("name", "value"),
    [
        ("instructions", "Be brief."),
        ("temperature", 0.0),
        ("top_p", 0.0),
        ("reasoning_effort", "low"),
        ("max_prompt_tokens", 256),
        ("max_completion_tokens", 256),
        ("truncation_strategy", {"type": "last_messages", "last_messages": 3}),
        ("response_format", {"type": "json_object"}),
        ("tool_choice", "none"),
        ("parallel_tool_calls", False),
        ("metadata", {"a": "b"}),
        ("tools", [{"type": "file_search"}]),
        ("tool_resources", {"file_search": {"vector_store_ids": ["vs_1"]}}),
    ],
)
def test_a_field_that_was_set_is_shown_unchanged(name: str, value: Any):
    shown = view(new(**{name: value})).model_dump(mode="json")
    assert shown[name] == value
    assert strict(threads.Run, shown)


STAMPS = ("cancelled_at", "completed_at", "expired_at", "failed_at")


def shown_steps(run: RunRecord) -> list[dict[str, Any]]:
    return [step.model_dump(mode="json") for step in steps(run)]


def summary(step: Mapping[str, Any]) -> tuple[str, str, dict[str, int]]:
    return step["type"], step["status"], {name: step[name] for name in STAMPS if step[name] is not None}


MESSAGE, TOOLS = "message_creation", "tool_calls"
MADE = (MESSAGE, "completed", {"completed_at": int(SAID)})
OPEN = (TOOLS, "in_progress", {})


@pytest.mark.parametrize(
    ("run", "expected"),
    [
        pytest.param(new(), [], id="no turn, no step"),
        pytest.param(after(TEXT), [MADE], id="a text is a message"),
        pytest.param(after(said(refusal="No.", finish="stop")), [MADE], id="a refusal is one too"),
        pytest.param(after(said(text="", finish="stop")), [MADE], id="as is the empty text"),
        pytest.param(after(said(CALL)), [OPEN], id="calls that are not given out yet are open"),
        pytest.param(parked(CALL), [OPEN], id="calls that await their outputs are open"),
        pytest.param(parked(CALL, text="Let me see."), [MADE, OPEN], id="a text with calls makes two steps"),
        pytest.param(submitted(), [(TOOLS, "completed", {"completed_at": int(SUBMITTED)})], id="answered calls"),
        pytest.param(
            ok(machine.submitted(parked(CALL, LOOK_UP), {"call_1": "noon"}, SUBMITTED)),
            [OPEN],
            id="half-answered calls",
        ),
        pytest.param(
            ended(machine.recorded(claimed(submitted(), RESUMED), TEXT, RESUMED), Event.COMPLETE),
            [(TOOLS, "completed", {"completed_at": int(SUBMITTED)}), MADE],
            id="two turns",
        ),
        pytest.param(cancelling(parked(CALL)), [OPEN], id="calls of a run that is being cancelled are open"),
        pytest.param(
            ended(cancelling(parked(CALL)), Event.STOP),
            [(TOOLS, "cancelled", {"cancelled_at": int(ENDED)})],
            id="open calls of a cancelled run",
        ),
        pytest.param(
            ended(parked(CALL), Event.EXPIRE),
            [(TOOLS, "expired", {"expired_at": int(ENDED)})],
            id="open calls of an expired run",
        ),
        pytest.param(
            ended(parked(CALL), Event.FAIL),
            [(TOOLS, "failed", {"failed_at": int(ENDED)})],
            id="open calls of a failed run",
        ),
        pytest.param(
            ended(submitted(), Event.FAIL),
            [(TOOLS, "completed", {"completed_at": int(SUBMITTED)})],
            id="answered calls of a failed run stay as they are",
        ),
        pytest.param(
            ended(after(said(text="Hel", finish="length")), Event.INCOMPLETE, "max_completion_tokens"),
            [MADE],
            id="the message of an incomplete run",
        ),
        pytest.param(
            ended(cancelling(after(said(text="Hel", finish="cancelled"))), Event.STOP),
            [(MESSAGE, "cancelled", {"cancelled_at": int(SAID)})],
            id="a message cut off by a cancel",
        ),
        pytest.param(
            ended(after(said(text="Hel", finish="expired")), Event.EXPIRE),
            [(MESSAGE, "expired", {"expired_at": int(SAID)})],
            id="a message cut off by the expiry",
        ),
        pytest.param(
            ended(after(said(text="Hel", finish="failed", error=ERROR)), Event.FAIL),
            [(MESSAGE, "failed", {"failed_at": int(SAID)})],
            id="a message cut off by an error",
        ),
        pytest.param(after(said(finish="failed", error=ERROR)), [], id="an error before the first word makes no step"),
    ],
)
def test_the_steps_of_a_run_and_their_states(run: RunRecord, expected: list[tuple[str, str, dict[str, int]]]):
    shown = shown_steps(run)
    assert [summary(step) for step in shown] == expected
    for step in shown:
        assert step["expires_at"] == (int(EXPIRES) if step["status"] == "in_progress" else None)
        assert step["last_error"] == (ERROR.model_dump() if step["status"] == "failed" else None)
        assert (step["usage"] is None) == (step["status"] == "in_progress")
        if not any(call.type == "retrieval" for turn in run.turns for call in turn.calls):
            assert strict(runs.RunStep, step)


def test_tool_calls_are_shown_with_the_outputs_they_have():
    mixed = ok(machine.submitted(parked(CALL, LOOK_UP), {"call_1": "noon"}, SUBMITTED))
    assert shown_steps(mixed)[0]["step_details"]["tool_calls"] == [
        {
            "id": "call_1",
            "type": "function",
            "function": {"name": "get_time", "arguments": '{"tz":"UTC"}', "output": "noon"},
        },
        {"id": "call_2", "type": "retrieval", "retrieval": {}},
    ]
    assert shown_steps(parked(CALL))[0]["step_details"]["tool_calls"][0]["function"]["output"] is None


def test_the_usage_of_a_turn_is_counted_once_among_its_steps():
    both = ok(machine.submitted(parked(CALL, text="Let me see."), {"call_1": "noon"}, SUBMITTED))
    assert sum(step["usage"]["total_tokens"] for step in shown_steps(both)) == USAGE.total_tokens


def test_a_step_keeps_its_id_in_every_state_of_its_run():
    lives = [parked(CALL, text="Hm."), ended(parked(CALL, text="Hm."), Event.EXPIRE)]
    assert len({tuple(step["id"] for step in shown_steps(run)) for run in lives}) == 1
    assert len({step["id"] for step in shown_steps(lives[0])}) == 2


@pytest.mark.parametrize(
    ("finish", "reason"),
    [
        ("stop", None),
        ("tool_calls", None),
        ("length", "max_tokens"),
        ("content_filter", "content_filter"),
        ("cancelled", "run_cancelled"),
        ("expired", "run_expired"),
        ("failed", "run_failed"),
    ],
)
def test_a_message_is_complete_unless_its_turn_was_cut_off(finish: Finish, reason: str | None):
    found = message(after(said(text="Hello", finish=finish)), 0)
    assert found is not None
    shown = found.model_dump(mode="json")
    assert (shown["status"], shown["completed_at"], shown["incomplete_at"], shown["incomplete_details"]) == (
        ("incomplete", None, int(SAID), {"reason": reason}) if reason else ("completed", int(SAID), None, None)
    )
    assert strict(threads.Message, shown)


def test_a_message_says_whose_it_is():
    found = message(after(said(text="Hello", refusal="No.", finish="stop")), 0)
    assert found is not None
    shown = found.model_dump(mode="json")
    assert (shown["id"], shown["role"]) == (message_id("run_1", 0), "assistant")
    assert (shown["thread_id"], shown["run_id"], shown["assistant_id"]) == ("thread_1", "run_1", "asst_1")
    assert shown["created_at"] == int(CLAIMED)
    assert shown["content"] == [
        {"type": "text", "text": {"value": "Hello", "annotations": []}},
        {"type": "refusal", "refusal": "No."},
    ]
    assert strict(threads.Message, shown)


def test_a_turn_of_calls_alone_has_no_message():
    assert message(after(said(CALL)), 0) is None


def test_messages_of_different_turns_have_different_ids():
    assert len({message_id(run, turn) for run in ("run_1", "run_2") for turn in range(3)}) == 6
