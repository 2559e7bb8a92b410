"""From a model's chunks, however malformed, to the turn that is recorded."""

from collections.abc import AsyncIterator
from typing import Any

import pytest

from assistants.engine.turn.completion import MAX_TEXT, Completion, last_error
from assistants.engine.turn.outcome import turn
from assistants.model.answers import Chunk
from assistants.model.errors import CutOff, EndpointError, Refused, Unreachable, Words
from assistants.schema.runs import Usage
from assistants.state.messages import put_record
from assistants.state.runs import Finish, RunRecord, ToolCall, Turn
from assistants.state.turns import message

RUN = RunRecord.model_validate(
    {
        "id": "run_1", "thread_id": "thread_1", "assistant_id": "asst_1", "model": "gpt-4o",
        "created_at": 0, "expires_at": 600, "touched_at": 0, "entered_at": 0, "tools": [{"type": "retrieval"}],
    }
)  # fmt: skip


def delta(finish: str | None = None, **fields: Any) -> dict[str, Any]:
    return {"choices": [{"index": 0, "delta": fields, "finish_reason": finish}]}


def call(index: int | None = None, call_id: str | None = None, name: str | None = None, arguments: str | None = None):
    return {"index": index, "id": call_id, "function": {"name": name, "arguments": arguments}}


def calling(*parts: dict[str, Any]) -> list[dict[str, Any]]:
    """A chunk for each part of a call."""
    return [delta(tool_calls=[part]) for part in parts]


def heard(*payloads: dict[str, Any]) -> Completion:
    found = Completion()
    for payload in payloads:
        found.add(payload)
    return found


def outcome(*payloads: dict[str, Any], cut_off: Finish | None = None) -> Turn:
    return turn(RUN, heard(*payloads), 1.0, 2.0, cut_off)


def called(*payloads: dict[str, Any]) -> list[tuple[str, str, str]]:
    return [(each.id, each.name, each.arguments) for each in outcome(*payloads).calls]


async def stream(*payloads: dict[str, Any] | Exception) -> AsyncIterator[Chunk]:
    for payload in payloads:
        if isinstance(payload, Exception):
            raise payload
        yield payload


def test_a_text_is_joined_from_its_deltas():
    said = outcome(delta(role="assistant", content=""), delta(content="Hel"), delta(content="lo"), delta("stop"))
    assert (said.text, said.finish, said.calls, said.refusal) == ("Hello", "stop", [], None)
    assert (said.started_at, said.ended_at) == (1.0, 2.0)


def test_a_refusal_is_no_text():
    said = outcome(delta(refusal="I won"), delta("stop", refusal="'t."))
    assert (said.text, said.refusal) == (None, "I won't.")


@pytest.mark.parametrize("payloads", [[], [delta("stop")], [delta("stop", content=None)], [delta("tool_calls")]])
def test_an_empty_answer_is_an_empty_message(payloads: list[dict[str, Any]]):
    said = outcome(*payloads)
    assert (said.text, said.finish, said.calls) == ("", "stop", [])


@pytest.mark.parametrize(
    "payload",
    [
        {},
        {"choices": None},
        {"choices": []},
        {"choices": [None]},
        {"choices": [{}]},
        {"choices": [{"delta": None}]},
        {"choices": [{"delta": {}}]},
        {"choices": [{"delta": {"content": None, "tool_calls": None}}]},
        {"choices": [{"finish_reason": "unheard_of", "delta": {}}]},
        {"choices": [{"index": 0, "content_filter_results": {}}]},
        {"choices": [], "prompt_filter_results": [{}]},
        {"usage": None},
        {"id": None, "object": "", "created": "now", "model": None},
    ],
)
def test_a_chunk_may_lack_any_of_its_parts(payload: dict[str, Any]):
    assert heard(delta(content="Hello"), payload, delta("stop")) == heard(delta(content="Hello"), delta("stop"))


def test_only_the_first_choice_counts():
    assert outcome({"choices": [{"delta": {"content": "a"}}, {"delta": {"content": "b"}}]}).text == "a"


@pytest.mark.parametrize(
    ("usage", "counted"),
    [
        ({"prompt_tokens": 1, "completion_tokens": 2, "total_tokens": 3}, (1, 2, 3)),
        ({"prompt_tokens": 1, "completion_tokens": None}, (1, 0, 1)),
        ({"prompt_tokens": 1, "completion_tokens": 2, "total_tokens": -1}, (1, 2, 3)),
        ({"prompt_tokens": 1, "completion_tokens": 2, "total_tokens": 7}, (1, 2, 7)),
        ({"prompt_tokens": 1e300, "completion_tokens": 2.0}, (1_000_000_000, 2, 1_000_000_002)),
    ],
)
def test_usage_is_that_of_the_last_report(usage: dict[str, Any], counted: tuple[int, int, int]):
    early = {"usage": {"prompt_tokens": 9, "completion_tokens": 9, "total_tokens": 18}}
    prompt_tokens, completion_tokens, total_tokens = counted
    assert outcome(early, {"choices": [], "usage": usage}).usage == Usage(
        prompt_tokens=prompt_tokens, completion_tokens=completion_tokens, total_tokens=total_tokens
    )


@pytest.mark.parametrize(
    "usage",
    [
        None,
        {},
        [1, 2],
        {"prompt_tokens": -5, "completion_tokens": 2},
        {"prompt_tokens": 5, "completion_tokens": "2"},
        {"prompt_tokens": 5, "completion_tokens": True},
        {"prompt_tokens": float("nan"), "completion_tokens": 2},
        {"prompt_tokens": 0, "completion_tokens": 0, "total_tokens": 0},
        {"input_tokens": 5},
    ],
)
def test_an_answer_without_usage_that_makes_sense_has_none(usage: Any):
    assert outcome({"usage": usage}, delta("stop", content="Hello")).usage is None


@pytest.mark.parametrize(
    ("finish", "text", "recorded"),
    [
        ("stop", "Hello", "stop"),
        (None, "Hello", "stop"),
        ("tool_calls", "Hello", "stop"),
        ("STOP", "Hello", "stop"),
        ("eos_token", "Hello", "stop"),
        ("length", "Hello", "length"),
        ("model_length", "Hello", "length"),
        ("content_filter", None, "content_filter"),
        ("sensitive", "Hello", "content_filter"),
    ],
)
def test_how_a_turn_without_calls_ends(finish: str | None, text: str | None, recorded: str):
    assert outcome(delta(finish, content=text)).finish == recorded


@pytest.mark.parametrize("finish", ["stop", "tool_calls", "function_call", None])
def test_calls_are_given_out_for_any_finish_reason(finish: str | None):
    said = outcome(delta(content="Let me see."), *calling(call(0, "call_1", "f", "{}")), delta(finish))
    assert (said.text, said.finish) == ("Let me see.", "tool_calls")
    assert said.calls == [ToolCall(id="call_1", name="f", arguments="{}")]


@pytest.mark.parametrize("finish", ["length", "content_filter"])
def test_calls_that_were_cut_short_are_kept_for_the_record_and_not_parked(finish: str):
    said = outcome(delta(content="Let"), *calling(call(0, "call_1", "f", '{"a')), delta(finish))
    assert (said.text, said.finish, said.parked) == ("Let", finish, False)
    assert said.calls == [ToolCall(id="call_1", name="f", arguments='{"a')]


@pytest.mark.parametrize("cut_off", ["cancelled", "expired", "failed"])
def test_a_turn_that_was_cut_off_keeps_its_text(cut_off: Finish):
    said = outcome(delta(content="Let"), *calling(call(0, "call_1", "f", "{}")), cut_off=cut_off)
    assert (said.text, said.finish, [made.name for made in said.calls]) == ("Let", cut_off, ["f"])
    assert outcome(cut_off=cut_off).text is None


def test_a_call_that_was_cut_off_before_its_arguments_has_none():
    said = outcome(*calling(call(0, "call_1", "f")), cut_off="failed")
    assert said.calls == [ToolCall(id="call_1", name="f", arguments="")]


def test_each_call_is_the_servers_or_the_clients():
    said = outcome(*calling(call(0, "call_1", "retrieval", "{}"), call(1, "call_2", "f", "{}")))
    assert [(each.name, each.type) for each in said.calls] == [("retrieval", "retrieval"), ("f", "function")]


@pytest.mark.parametrize(
    "parts",
    [
        pytest.param(
            [call(0, "a", "f", ""), call(0, arguments="{"), call(0, arguments="}"), call(1, "b", "g", "[]")],
            id="as OpenAI sends them",
        ),
        pytest.param(
            [call(0, "a", "f"), call(1, "b", "g"), call(1, arguments="[]"), call(0, arguments="{}")], id="interleaved"
        ),
        pytest.param([call(0, "a", "f", "{}"), call(1, "b", "g", "[]")], id="whole"),
        pytest.param([call(0, "a", "f", "{}"), call(0, "b", "g", "[]")], id="whole, and all with one index"),
        pytest.param([call(None, "a", "f", "{}"), call(None, "b", "g", "[]")], id="whole, and without an index"),
        pytest.param(
            [call(0, "a", "f"), call(0, arguments="{}"), call(0, "b", "g"), call(0, arguments="[]")],
            id="in pieces, and all with one index",
        ),
        pytest.param(
            [call(None, "a", "f"), call(None, arguments="{}"), call(None, "b", "g"), call(None, arguments="[]")],
            id="in pieces, and without an index",
        ),
        pytest.param(
            [call(0, "a", "f"), call(0, "a", None, "{"), call(0, "a", None, "}"), call(1, "b", "g", "[]")],
            id="with the id in every piece",
        ),
        pytest.param(
            [call(0, "a", "f"), call(0, "x", None, "{"), call(0, "y", None, "}"), call(1, "b", "g", "[]")],
            id="with another id in every piece",
        ),
        pytest.param([call(7, "a", "f", "{}"), call(9, "b", "g", "[]")], id="counted oddly"),
        pytest.param(
            [call(0, "a", "f", "{}"), {"index": 0}, {"index": 0, "function": None}, call(1, "b", "g", "[]"), {}],
            id="with empty pieces",
        ),
    ],
)
def test_two_calls_however_the_model_spells_them_out(parts: list[dict[str, Any]]):
    expected = [("a", "f", "{}"), ("b", "g", "[]")]
    assert called(*calling(*parts)) == expected
    assert called(delta(tool_calls=parts)) == expected


@pytest.mark.parametrize(
    ("first", "second", "call_id"), [(0, 1, None), (0, 1, ""), (0, 1, "same"), (None, None, None), (None, None, "")]
)
def test_calls_without_ids_or_with_one_id_get_ids_of_their_own(
    first: int | None, second: int | None, call_id: str | None
):
    parts = calling(call(first, call_id, "f", "{}"), call(second, call_id, "g", "[]"))
    found = called(*parts)
    assert [(name, arguments) for _, name, arguments in found] == [("f", "{}"), ("g", "[]")]
    ids = [each for each, _, _ in found]
    assert len({*ids}) == 2
    assert all(ids)
    assert called(*parts) == found, "a repeat makes the same ids"


def test_ids_that_were_made_up_differ_from_turn_to_turn():
    part = calling(call(0, None, "f", "{}"))
    again = RUN.model_copy(update={"turns": [outcome(*part)]})
    assert turn(again, heard(*part), 3.0, 4.0, None).calls[0].id != outcome(*part).calls[0].id


@pytest.mark.parametrize(
    ("parts", "text"),
    [
        (["🦀"], "🦀"),
        (["a\ud83e", "\udd80b"], "a🦀b"),
        (["a\ud83e", "b"], "a\ufffdb"),
        (["\udd80"], "\ufffd"),
    ],
)
def test_a_split_surrogate_pair_is_joined_and_a_lone_surrogate_can_be_stored(parts: list[str], text: str):
    name, arguments = (
        calling(call(0, "call_\ud800", "f\ud800"))[0],
        calling(*(call(0, arguments=part) for part in parts)),
    )
    said = outcome(*(delta(content=part, refusal=part) for part in parts), name, *arguments)
    assert (said.text, said.refusal, said.calls[0].arguments) == (text, text, text)
    assert Turn.model_validate_json(said.model_dump_json()) == said


async def test_a_model_with_an_endless_answer_is_cut_off():
    said = Completion()
    await said.take(stream(*[delta(content="x" * 100_000)] * 10))
    assert (said.finish, len("".join(said.texts))) == ("length", MAX_TEXT)


async def test_the_longest_text_fits_one_record_of_a_log_even_if_it_comes_in_one_piece():
    said = Completion()
    await said.take(stream(delta(content="\0" * 10 * MAX_TEXT), delta("stop")))
    run = RUN.model_copy(update={"turns": [turn(RUN, said, 1.0, 2.0, None)]})
    whole = message(run, 0)
    assert whole is not None
    assert whole.status == "incomplete"
    assert put_record(whole)


@pytest.mark.parametrize(
    ("trouble", "text"),
    [
        (ValueError("no JSON"), "The model's answer broke off: no JSON"),
        (TimeoutError(), "The model's answer broke off: TimeoutError"),
        (CutOff("its stream has no end"), "The model's answer broke off: its stream has no end"),
        (delta(content={"a": "b"}), "The model's endpoint sent a text of the type dict."),
    ],
)
async def test_a_stream_that_breaks_off_fails_with_its_error_and_keeps_its_text(trouble: Any, text: str):
    said = Completion()
    await said.take(stream(delta(content="Hel"), trouble, delta(content="lo")))
    failed = turn(RUN, said, 1.0, 2.0, None)
    assert (failed.finish, failed.text) == ("failed", "Hel")
    assert failed.error is not None
    assert (failed.error.code, failed.error.message) == ("server_error", text)


@pytest.mark.parametrize(
    ("error", "code", "text"),
    [
        (Refused(Words("Slow down."), 429), "rate_limit_exceeded", "Slow down."),
        (Refused(Words("Too long."), 400), "invalid_prompt", "Too long."),
        (Refused(Words(), 413), "invalid_prompt", "The model's endpoint answered with status 413."),
        (Refused(Words("Unreadable."), 422), "invalid_prompt", "Unreadable."),
        (Refused(Words("Bad key."), 401), "server_error", "Bad key."),
        (Refused(Words("half a crab \ud83e"), 500), "server_error", "half a crab ?"),
        (Refused(Words("Overloaded."), None), "server_error", "Overloaded."),
        (Refused(Words("Slow down.", status=429), None), "rate_limit_exceeded", "Slow down."),
        (Refused(Words(), None), "server_error", "The model's endpoint failed."),
        (Unreachable("Connection error."), "server_error", "Connection error."),
    ],
)
def test_an_upstream_error_keeps_its_own_text(error: EndpointError, code: str, text: str):
    found = last_error(error)
    assert (found.code, found.message) == (code, text)


def test_an_endless_error_text_is_cut():
    assert len(last_error(ValueError("x" * 100_000)).message) == 4096
