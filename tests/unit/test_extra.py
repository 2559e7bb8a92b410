"""Fields of endpoints outside OpenAI's API, put together in the form in which they are sent back."""

from typing import Any

import pytest

from assistants.engine.turn.completion import Completion
from assistants.engine.turn.extra import MAX_EXTRA, Extra
from assistants.engine.turn.outcome import turn
from assistants.engine.turn.prompt import conversation
from assistants.state.runs import RunRecord, Turn
from tests.unit.test_outcome import RUN, call, delta


def put_together(*deltas: Any) -> Any:
    extra = Extra()
    for each in deltas:
        extra.add({"field": each})
    value = extra.value()
    return value and value["field"]


def text(said: str, **others: Any) -> dict[str, Any]:
    return {"type": "reasoning.text", "text": said, **others}


@pytest.mark.parametrize(
    ("deltas", "value"),
    [
        (["I ", "need ", "it."], "I need it."),
        (["", None, ""], ""),
        ([None], None),
        (["\ud83e", "\udd80"], "🦀"),
        (["\ud83e"], "\ufffd"),
        ([{"google": {"thought": True}}, {"google": {"thought_signature": "S="}}],
         {"google": {"thought": True, "thought_signature": "S="}}),
        ([{"google": {"thought_signature": "S="}}] * 2, {"google": {"thought_signature": "S="}}),
        ([[text("I ", index=0)], [text("see.", index=0)]], [text("I see.", index=0)]),
        ([[text("I ")], [text("see.")]], [text("I see.")]),
        ([[text("I ", index=0)], [text("", index=0, signature="S=")]], [text("I ", index=0, signature="S=")]),
        ([[text("One.", index=0)], [text("Two.", index=1)]], [text("One.", index=0), text("Two.", index=1)]),
        ([[text("One.", id="a"), text("Two.", id="b")]], [text("One.", id="a"), text("Two.", id="b")]),
        ([[text("I", index=0)], [{"type": "reasoning.encrypted", "data": "x", "index": 0}], [text("O", index=0)]],
         [text("I", index=0), {"type": "reasoning.encrypted", "data": "x", "index": 0}, text("O", index=0)]),
        ([[{"type": "reasoning.encrypted", "data": "x"}]] * 2, [{"type": "reasoning.encrypted", "data": "x"}] * 2),
        ([["a"], ["b"]], ["a", "b"]),
        ([1, 2], 2),
        ([float("inf"), float("nan")], None),
        (["a", {"b": 1}], {"b": 1}),
    ],
)  # fmt: skip
def test_a_field_is_put_together_from_its_deltas(deltas: list[Any], value: Any):
    assert put_together(*deltas) == value


def test_a_label_is_replaced_not_appended_to():
    extra = Extra()
    for _ in range(3):
        extra.add({"thought_signature": "S=", "id": "a"})
    assert extra.value() == {"thought_signature": "S=", "id": "a"}


@pytest.mark.parametrize("size", [1, 1_000, MAX_EXTRA])
def test_fields_that_are_too_many_to_be_stored_are_dropped(size: int):
    extra = Extra()
    for _ in range(MAX_EXTRA // size + 1):
        extra.add({"field": "x" * size})
    assert (extra.value(), extra.dropped) == (None, True)


def test_fields_that_are_nested_too_deeply_are_dropped():
    deep: Any = []
    for _ in range(100):
        deep = [{"a": deep}]
    assert put_together(deep) is None


def thought(*deltas: dict[str, Any]) -> Turn:
    completion = Completion()
    for each in deltas:
        completion.add(each)
    return turn(RUN, completion, 1.0, 2.0, None)


CALL = call(0, "call_1", "f", "{}")
SIGNED = {**CALL, "extra_content": {"google": {"thought_signature": "S="}}}


def given_back(said: Turn) -> dict[str, Any]:
    run = RUN.model_copy(update={"turns": [Turn.model_validate_json(said.model_dump_json())]})
    return conversation(RunRecord.model_validate_json(run.model_dump_json()), [])[0]


def test_the_endpoints_own_fields_are_sent_back_unchanged():
    said = thought(
        delta(role="assistant", content=None, reasoning_content="I need "),
        delta(reasoning_content="it.", reasoning_details=[text("it")]),
        delta("tool_calls", tool_calls=[SIGNED]),
    )
    assert given_back(said) == {
        "role": "assistant", "content": None, "reasoning_content": "I need it.", "reasoning_details": [text("it")],
        "tool_calls": [
            {"id": "call_1", "type": "function", "function": {"name": "f", "arguments": "{}"},
             "extra_content": {"google": {"thought_signature": "S="}}}
        ],
    }  # fmt: skip


def test_fields_of_a_calls_function_are_given_back_within_it():
    said = thought(delta(tool_calls=[{**CALL, "function": {**CALL["function"], "signature": "S="}}]))
    assert given_back(said)["tool_calls"][0]["function"] == {"name": "f", "arguments": "{}", "signature": "S="}


def test_openais_fields_are_sent_back_in_their_own_form_only():
    said = thought(delta(content="Hi", refusal=None, annotations=[], audio=None, role="assistant", tool_calls=[CALL]))
    assert said.extra is None
    assert said.calls[0].extra is None


def test_the_last_turn_of_a_run_keeps_no_fields_as_it_is_not_sent_back():
    assert thought(delta("stop", content="Hi", reasoning_content="hm")).extra is None


def test_a_turn_that_was_stored_before_has_none():
    stored = {"started_at": 1, "ended_at": 2, "finish": "stop", "calls": [{"id": "a", "name": "f", "arguments": "{}"}]}
    said = Turn.model_validate(stored)
    assert (said.extra, said.calls[0].extra) == (None, None)


def test_fields_of_calls_that_are_too_many_together_are_dropped(caplog: pytest.LogCaptureFixture):
    signed = [{**call(at, f"c{at}", "f", "{}"), "signature": "x" * 100_000} for at in range(3)]
    said = thought(delta(tool_calls=signed))
    assert [each.extra for each in said.calls] == [None] * 3
    assert "too many" in caplog.text
