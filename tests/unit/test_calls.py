"""Tool calls of endpoints that number, name and end them in different ways."""

import json
from collections.abc import AsyncIterator
from typing import Any

import pytest

from assistants.engine.turn.calls import Calls
from assistants.engine.turn.completion import MAX_PIECES, Completion
from assistants.engine.turn.outcome import turn
from assistants.model.errors import Unreadable
from tests.unit.test_outcome import RUN, call, calling, delta

OSLO, ROME = '{"city":"Oslo"}', '{"city":"Rome"}'
WEATHER = "get_weather"


def whole(*calls: dict[str, Any]) -> dict[str, Any]:
    return {"choices": [{"index": 0, "message": {"content": None, "tool_calls": list(calls)}, "finish_reason": "stop"}]}


def heard(*payloads: dict[str, Any], offered: frozenset[str] = frozenset()) -> Completion:
    found = Completion(calls=Calls(offered))
    for payload in payloads:
        found.add(payload)
    return found


def called(*payloads: dict[str, Any], offered: frozenset[str] = frozenset()) -> list[tuple[str, str]]:
    made = turn(RUN, heard(*payloads, offered=offered), 1.0, 2.0, None).calls
    assert len({each.id for each in made}) == len(made)
    return [(each.name, each.arguments) for each in made]


@pytest.mark.parametrize(
    "parts",
    [
        pytest.param([call(0, "", WEATHER, OSLO), call(0, "", WEATHER, ROME)], id="one index, no ids"),
        pytest.param([call(0, "a", WEATHER, OSLO), call(0, "b", WEATHER, ROME)], id="one index, an id each"),
        pytest.param([call(0, "a", WEATHER, OSLO), call(0, "a", WEATHER, ROME)], id="one index, one id"),
        pytest.param([call(None, None, WEATHER, OSLO), call(None, None, WEATHER, ROME)], id="no index, no ids"),
        pytest.param([call(None, "a", WEATHER, OSLO), call(None, "a", WEATHER, ROME)], id="no index, one id"),
        pytest.param(
            [call(0, "", WEATHER), call(0, "", None, OSLO), call(0, "", WEATHER), call(0, "", None, ROME)],
            id="in two pieces each, one index, no ids",
        ),
        pytest.param(
            [call(0, "", WEATHER, OSLO[:5]), call(0, "", WEATHER, OSLO[5:]), call(0, "", WEATHER, ROME)],
            id="the name in every piece, one index, no ids",
        ),
        pytest.param(
            [call(0, "a", WEATHER, OSLO), call(0, "a", WEATHER, OSLO), call(1, "b", WEATHER, ROME)],
            id="the first call again at its end",
        ),
        pytest.param(
            [call(0, "a", WEATHER), call(0, None, None, OSLO), call(0, None, None, OSLO), call(1, "b", WEATHER, ROME)],
            id="the first arguments again at their end",
        ),
        pytest.param(
            [call(0, "a", WEATHER, OSLO), call(0, "a", WEATHER, ""), call(1, "b", WEATHER, ROME)],
            id="the first name again at its end",
        ),
        pytest.param([call(None, "a", WEATHER), call(0, None, None, OSLO), call(1, "b", WEATHER, ROME)],
            id="the first index missing",
        ),
        pytest.param([{**call(0, "a", WEATHER, OSLO), "index": "0"}, {**call(1, "b", WEATHER, ROME), "index": "1"}],
            id="an index that is a text",
        ),
    ],
)  # fmt: skip
def test_two_calls_of_one_function_never_become_one(parts: list[dict[str, Any]]):
    expected = [(WEATHER, OSLO), (WEATHER, ROME)]
    assert called(*calling(*parts)) == expected
    assert called(delta(tool_calls=parts)) == expected


def test_two_calls_of_an_unstreamed_answer_are_two_even_if_they_are_equal():
    assert called(whole(call(None, None, WEATHER, OSLO), call(None, None, WEATHER, OSLO))) == [(WEATHER, OSLO)] * 2
    assert called(whole(call(0, "a", WEATHER), call(0, "a", WEATHER))) == [(WEATHER, "{}")] * 2


def test_the_same_call_twice_is_two_where_it_is_named_twice():
    parts = [call(0, "", WEATHER), call(0, "", None, OSLO)] * 2
    assert called(*calling(*parts)) == called(*calling(call(0, "", WEATHER, OSLO), call(0, "", WEATHER, OSLO)))
    assert called(*calling(*parts)) == [(WEATHER, OSLO)] * 2


def test_calls_without_arguments_are_distinguished_by_the_offered_names():
    parts = calling(call(0, "", "now", ""), call(0, "", "here", ""))
    assert called(*parts, offered=frozenset({"now", "here"})) == [("now", "{}"), ("here", "{}")]
    assert called(*parts, offered=frozenset({"nowhere"})) == [("nowhere", "{}")]


@pytest.mark.parametrize(
    ("pieces", "name"),
    [
        ([WEATHER, WEATHER, WEATHER], WEATHER),
        (["get_", "weather"], WEATHER),
        (["get_", "get_weather"], WEATHER),
    ],
)
def test_a_name_may_be_repeated_or_split(pieces: list[str], name: str):
    parts = [call(0, "a", piece, "") for piece in pieces]
    assert called(*calling(*parts, call(0, None, None, OSLO))) == [(name, OSLO)]


@pytest.mark.parametrize(
    ("arguments", "given"),
    [
        ({"city": "Oslo"}, '{"city": "Oslo"}'),
        ([], "[]"),
        (None, "{}"),
        ("", "{}"),
        ("  \n", "{}"),
        ("null", "{}"),
        (OSLO, OSLO),
        ("not JSON", "not JSON"),
        ('{"a": 1}}', '{"a": 1}}'),
        ('{"a": "}\\"{"}', '{"a": "}\\"{"}'),
    ],
)
def test_arguments_are_the_text_of_their_json(arguments: Any, given: str):
    assert called(*calling(call(0, "a", WEATHER, arguments))) == [(WEATHER, given)]
    assert called(delta(tool_calls=[{"id": "a", "function": {"name": WEATHER, "arguments": arguments}}])) == [
        (WEATHER, given)
    ]
    assert called(*calling({"index": 0, "id": "a", "function": {"name": WEATHER}})) == [(WEATHER, "{}")]


@pytest.mark.parametrize("size", [1, 2, 3])
def test_calls_are_distinguished_wherever_their_arguments_are_split(size: int):
    def torn(city: str) -> list[dict[str, Any]]:
        arguments = json.dumps({"city": city, "quote": 'a "b" \\ {', "list": [{}, []]})
        pieces = [arguments[at : at + size] for at in range(0, len(arguments), size)]
        return [call(0, "", WEATHER), *(call(0, "", None, piece) for piece in pieces)]

    found = called(*calling(*torn("Oslo"), *torn("Rome")))
    assert [json.loads(arguments)["city"] for _, arguments in found] == ["Oslo", "Rome"]


def test_the_older_form_of_a_call_is_one():
    assert called(delta(function_call={"name": WEATHER}), delta(function_call={"arguments": OSLO})) == [(WEATHER, OSLO)]


@pytest.mark.parametrize(
    "parts",
    [
        pytest.param([call(0, "a", WEATHER, OSLO + ROME)], id="two in one piece"),
        pytest.param([call(0, "a", WEATHER, OSLO), call(0, None, None, ROME)], id="the second without a name"),
        pytest.param([call(0, "a", WEATHER, OSLO), call(0, "b", None, ROME)], id="the second with an id alone"),
        pytest.param([{"index": 0, "function": "get_weather"}], id="a function that is a text"),
        pytest.param([call(0, "a", WEATHER, "{}"), {"index": 0, "id": ["b"]}], id="an id that is a list"),
    ],
)
def test_calls_that_cannot_be_distinguished_fail(parts: list[dict[str, Any]]):
    with pytest.raises(Unreadable, match=r"tool call"):
        heard(*calling(*parts))


async def test_a_call_without_a_name_fails():
    async def answered() -> AsyncIterator[dict[str, Any]]:
        yield calling(call(0, "a", None, OSLO))[0]
        yield delta("tool_calls")

    found = Completion()
    await found.take(answered())
    assert str(found.trouble) == "The model's endpoint sent a tool call without a name."


def test_a_chunk_of_ten_thousand_calls_is_not_read_to_its_end():
    parts = [call(number, f"c{number}", WEATHER, "{}") for number in range(10_000)]
    assert len(heard(delta(tool_calls=parts)).calls) == 129


def test_a_chunk_of_more_pieces_than_any_model_sends_is_none():
    with pytest.raises(Unreadable, match="pieces"):
        heard(delta(tool_calls=[{}] * (MAX_PIECES + 1)))
