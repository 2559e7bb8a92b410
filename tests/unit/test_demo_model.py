import json
from collections.abc import AsyncIterator
from typing import Any

import httpx2
import pytest

from assistants.local.demo import arguments, named, respond
from assistants.local.model import demo_model


def tool(name: str, properties: dict[str, Any] | None = None, **schema: Any) -> dict[str, Any]:
    parameters = {"type": "object", "properties": properties or {}, **schema}
    return {"type": "function", "function": {"name": name, "parameters": parameters}}


def ask(text: str, *more: dict[str, Any], **fields: Any) -> dict[str, Any]:
    return {"model": "m", "messages": [{"role": "user", "content": text}, *more], **fields}


@pytest.fixture
async def client() -> AsyncIterator[httpx2.AsyncClient]:
    transport = httpx2.ASGITransport(demo_model())
    async with httpx2.AsyncClient(transport=transport, base_url="http://model") as client:
        yield client


async def complete(client: httpx2.AsyncClient, body: dict[str, Any]) -> dict[str, Any]:
    return (await client.post("/v1/chat/completions", json=body)).json()


async def stream(client: httpx2.AsyncClient, body: dict[str, Any]) -> list[dict[str, Any]]:
    options = {"include_usage": True}
    response = await client.post("/v1/chat/completions", json={**body, "stream": True, "stream_options": options})
    events = response.text.strip().split("\n\n")
    assert events[-1] == "data: [DONE]"
    return [json.loads(event.removeprefix("data: ")) for event in events[:-1]]


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("Please GET_TIME, then roll dice.", ["get_time", "roll_dice"]),
        ("roll_dice and get time", ["roll_dice", "get_time"]),
        ("forget_time, get_timer", []),
        ("get it", ["get"]),
    ],
)
def test_names_in_a_text(text: str, expected: list[str]):
    assert named(text, ["get", "get_time", "roll_dice"]) == expected


def test_arguments_follow_the_schema():
    schema = {
        "type": "object",
        "properties": {
            "city": {"type": "string"},
            "unit": {"enum": ["celsius", "kelvin"]},
            "days": {"type": "integer"},
            "exact": {"type": ["boolean", "null"]},
            "note": {"type": "string"},
            "place": {"$ref": "#/$defs/place"},
        },
        "required": ["city", "unit", "days", "exact", "place"],
        "$defs": {"place": {"type": "object", "properties": {"tags": {"type": "array", "items": {"type": "string"}}}}},
    }
    text = 'Weather, city="New York", in kelvin for 3 days'
    assert arguments(schema, text) == {
        "city": "New York",
        "unit": "kelvin",
        "days": 3,
        "exact": True,
        "place": {"tags": [text]},
    }
    assert arguments(schema, "city: Oslo, note: short.")["note"] == "short"
    assert arguments({}, "anything") == {}


@pytest.mark.parametrize(
    ("fields", "expected"),
    [
        ({}, ["b", "a"]),
        ({"parallel_tool_calls": False}, ["b"]),
        ({"tool_choice": "none"}, []),
        ({"tool_choice": "required"}, ["b", "a"]),
        ({"tool_choice": {"type": "function", "function": {"name": "c"}}}, ["c"]),
    ],
)
def test_calls_of_named_functions(fields: dict[str, Any], expected: list[str]):
    reply = respond(ask("b and a", tools=[tool("a"), tool("b"), tool("c")], **fields))
    assert [call.name for call in reply.tool_calls] == expected


def test_required_calls_the_first_function_where_none_is_named():
    reply = respond(ask("hello", tools=[tool("a"), tool("b")], tool_choice="required"))
    assert [call.name for call in reply.tool_calls] == ["a"]


def test_tool_results_are_quoted_and_no_function_is_called_again():
    calls = [
        {"id": i, "type": "function", "function": {"name": n, "arguments": "{}"}} for i, n in (("1", "a"), ("2", "b"))
    ]
    results = [{"role": "tool", "tool_call_id": i, "content": c} for i, c in (("1", "22"), ("2", "0.06"))]
    body = ask(
        "a b", {"role": "assistant", "content": None, "tool_calls": calls}, *results, tools=[tool("a"), tool("b")]
    )
    assert respond(body).text == "a: 22 and b: 0.06"


def test_the_best_passage_of_a_search_is_quoted_and_cited():
    call = {"id": "1", "type": "function", "function": {"name": "file_search", "arguments": "{}"}}
    found = "Cite.\n\n【1:0†a.md】\nIt is high.\nSo they say.\n\n【1:1†b.md】\nIt is low."
    result = {"role": "tool", "tool_call_id": "1", "content": found}
    body = ask("file search", {"role": "assistant", "content": None, "tool_calls": [call]}, result)
    assert respond(body).text == "file_search: It is high.【1:0†a.md】"


def test_text_parts_are_read():
    body = {"messages": [{"role": "user", "content": [{"type": "text", "text": "hi"}, {"type": "image_url"}]}]}
    assert respond(body).text == "You said: hi"


async def test_an_echo_whole_and_streamed(client: httpx2.AsyncClient):
    body = ask("two words")
    whole = await complete(client, body)
    assert whole["choices"][0]["message"]["content"] == "You said: two words"
    assert whole["choices"][0]["finish_reason"] == "stop"
    chunks = await stream(client, body)
    pieces = [c["choices"][0]["delta"].get("content") for c in chunks if c["choices"]]
    assert pieces == ["", "You", " said:", " two", " words", None]
    assert chunks[-1]["usage"] == whole["usage"]


async def test_a_call_is_streamed_in_fragments(client: httpx2.AsyncClient):
    chunks = await stream(client, ask("look city=Oslo", tools=[tool("look", {"city": {"type": "string"}})]))
    deltas = [
        c["choices"][0]["delta"]["tool_calls"][0]
        for c in chunks
        if c["choices"] and "tool_calls" in c["choices"][0]["delta"]
    ]
    assert deltas[0]["id"].startswith("call_")
    assert len(deltas[0]["id"]) == len("call_") + 24
    assert len(deltas) > 3
    assert json.loads("".join(delta["function"]["arguments"] for delta in deltas)) == {"city": "Oslo"}
    assert [c["choices"][0]["finish_reason"] for c in chunks if c["choices"]][-1] == "tool_calls"


async def test_a_script_is_used_in_order_by_the_requests_it_matches(client: httpx2.AsyncClient):
    script: list[dict[str, Any]] = [
        {"match": "cats", "text": "meow"},
        {"text": "first", "chunks": ["fi", "rst"], "finish_reason": "length", "usage": None},
        {"tool_calls": [{"id": "call_1", "name": "f", "arguments": {"x": 1}}]},
        {"match": "always", "refusal": "no", "times": -1},
        {"status": 429, "error": {"message": "slow down", "code": "rate"}, "headers": {"retry-after": "7"}},
    ]
    assert (await client.post("/script", json=script)).status_code == 204
    first = await complete(client, ask("dogs"))
    assert first["choices"][0]["message"]["content"] == "first"
    assert first["choices"][0]["finish_reason"] == "length"
    assert "usage" not in first
    assert (await complete(client, ask("cats")))["choices"][0]["message"]["content"] == "meow"
    call = (await complete(client, ask("dogs")))["choices"][0]["message"]["tool_calls"][0]
    assert call == {"id": "call_1", "type": "function", "function": {"name": "f", "arguments": '{"x": 1}'}}
    for _ in range(2):
        assert (await complete(client, ask("always")))["choices"][0]["message"]["refusal"] == "no"
    refused = await client.post("/v1/chat/completions", json=ask("dogs"))
    assert (refused.status_code, refused.headers["retry-after"]) == (429, "7")
    assert refused.json() == {"error": {"message": "slow down", "code": "rate"}}
    assert (await complete(client, ask("dogs")))["choices"][0]["message"]["content"] == "You said: dogs"


async def test_requests_are_kept_without_keys(client: httpx2.AsyncClient):
    await client.post("/v1/chat/completions", json=ask("cats"), headers={"authorization": "Bearer k", "x-other": "1"})
    await complete(client, ask("dogs"))
    (record,) = (await client.get("/requests", params={"match": "cats"})).json()
    assert record["body"] == ask("cats")
    assert record["headers"]["x-other"] == "1"
    assert "authorization" not in record["headers"]
    assert record["disconnected"] is False
    await client.delete("/script")
    assert (await client.get("/requests")).json() == []


async def test_a_misspelt_script_is_refused(client: httpx2.AsyncClient):
    assert (await client.post("/script", json=[{"txt": "hi"}])).status_code == 400


async def test_a_reply_that_is_left_to_chance_answers_a_part_of_the_requests(client: httpx2.AsyncClient):
    await client.post("/script", json=[{"chance": 0.5, "times": -1, "text": "tails"}])
    said = [(await complete(client, ask("heads")))["choices"][0]["message"]["content"] for _ in range(100)]
    assert set(said) == {"tails", "You said: heads"}
    assert 20 < said.count("tails") < 80
