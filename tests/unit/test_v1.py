"""v1: its requests translated to v2, and v2's objects in v1's format (contract, 13)."""

from typing import Any

import pytest
from fastapi.responses import StreamingResponse
from pydantic import ValidationError

from assistants.api.v1 import response_as_v1
from assistants.schema import assistants, messages, runs, threads, v1

BOTH = [{"type": "code_interpreter"}, {"type": "file_search"}]
FUNCTION = {"type": "function", "function": {"name": "f", "parameters": {"type": "object"}}}
SAID_IN_V1 = {"role": "user", "content": "Hello", "file_ids": ["file-1"]}
SAID = {"role": "user", "content": "Hello", "attachments": [{"file_id": "file-1", "tools": BOTH}]}


@pytest.mark.parametrize(
    ("model", "ours", "body", "expected"),
    [
        (
            v1.CreateAssistant,
            assistants.CreateAssistant,
            {"model": "m", "name": None, "tools": [{"type": "retrieval"}, FUNCTION], "file_ids": ["file-1"]},
            {
                "model": "m",
                "name": None,
                "tools": [{"type": "file_search"}, FUNCTION],
                "tool_resources": {
                    "code_interpreter": {"file_ids": ["file-1"]},
                    "file_search": {"vector_stores": [{"file_ids": ["file-1"]}]},
                },
            },
        ),
        (
            v1.CreateAssistant,
            assistants.CreateAssistant,
            {"model": "m", "tools": [{"type": "code_interpreter"}], "file_ids": ["file-1", "file-2"]},
            {
                "model": "m",
                "tools": [{"type": "code_interpreter"}],
                "tool_resources": {"code_interpreter": {"file_ids": ["file-1", "file-2"]}},
            },
        ),
        (v1.CreateAssistant, assistants.CreateAssistant, {"model": "m"}, {"model": "m"}),
        (
            v1.ModifyAssistant,
            assistants.ModifyAssistant,
            {"file_ids": []},
            {"tool_resources": {"code_interpreter": {"file_ids": []}}},
        ),
        (v1.CreateMessage, messages.CreateMessage, SAID_IN_V1, SAID),
        (v1.CreateThread, threads.CreateThread, {"messages": [SAID_IN_V1]}, {"messages": [SAID]}),
        (
            v1.CreateRun,
            runs.CreateRun,
            {
                "assistant_id": "asst_1",
                "tools": [{"type": "retrieval"}],
                "tool_choice": {"type": "retrieval"},
                "additional_messages": [SAID_IN_V1],
                "temperature": 1,
            },
            {
                "assistant_id": "asst_1",
                "tools": [{"type": "file_search"}],
                "tool_choice": {"type": "file_search"},
                "additional_messages": [SAID],
                "temperature": 1,
            },
        ),
        (
            v1.CreateRun,
            runs.CreateRun,
            {"assistant_id": "asst_1", "tools": None, "additional_messages": None, "tool_choice": "auto"},
            {"assistant_id": "asst_1", "tools": None, "additional_messages": None, "tool_choice": "auto"},
        ),
        (
            v1.CreateThreadAndRun,
            runs.CreateThreadAndRun,
            {"assistant_id": "asst_1", "thread": {"messages": [SAID_IN_V1]}},
            {"assistant_id": "asst_1", "thread": {"messages": [SAID]}},
        ),
    ],
)
def test_a_request_of_v1_becomes_one_that_v2_accepts(
    model: type[v1.V1Request], ours: type[Any], body: dict[str, Any], expected: dict[str, Any]
):
    translated = model.model_validate(body).v2()
    assert translated == expected
    ours.model_validate(translated)


@pytest.mark.parametrize(
    ("model", "body", "field"),
    [
        (v1.CreateAssistant, {"model": "m"}, "tool_resources"),
        (v1.CreateAssistant, {"model": "m"}, "temperature"),
        (v1.CreateAssistant, {"model": "m"}, "top_p"),
        (v1.CreateAssistant, {"model": "m"}, "response_format"),
        (v1.CreateAssistant, {"model": "m"}, "reasoning_effort"),
        (v1.ModifyAssistant, {}, "tool_resources"),
        (v1.CreateThread, {}, "tool_resources"),
        (v1.ModifyThread, {}, "tool_resources"),
        (v1.CreateMessage, {"role": "user", "content": "Hello"}, "attachments"),
        (v1.CreateRun, {"assistant_id": "asst_1"}, "file_ids"),
        (v1.CreateRun, {"assistant_id": "asst_1"}, "top_p"),
        (v1.CreateRun, {"assistant_id": "asst_1"}, "parallel_tool_calls"),
        (v1.CreateThreadAndRun, {"assistant_id": "asst_1"}, "tool_resources"),
    ],
)
def test_a_field_of_v2_is_unknown_to_v1(model: type[v1.V1Request], body: dict[str, Any], field: str):
    with pytest.raises(ValidationError) as caught:
        model.model_validate(body | {field: {}})
    assert [(each["type"], each["loc"]) for each in caught.value.errors()] == [("extra_forbidden", (field,))]


@pytest.mark.parametrize(
    ("model", "body", "most"),
    [
        (v1.CreateAssistant, {"model": "m"}, 20),
        (v1.ModifyAssistant, {}, 20),
        (v1.CreateMessage, {"role": "user", "content": "Hello"}, 10),
    ],
)
def test_there_are_so_many_files_at_most(model: type[v1.V1Request], body: dict[str, Any], most: int):
    files = [f"file-{number}" for number in range(most + 1)]
    model.model_validate(body | {"file_ids": files[:most]})
    with pytest.raises(ValidationError):
        model.model_validate(body | {"file_ids": files})


@pytest.mark.parametrize("content", ["", "x" * 256_001, [{"type": "text", "text": "Hello"}]])
def test_a_message_of_v1_is_a_text(content: Any):
    with pytest.raises(ValidationError):
        v1.CreateMessage.model_validate({"role": "user", "content": content})


def test_an_assistant_shows_its_files_where_v2_has_its_resources():
    shown = v1.as_v1(
        {
            "object": "assistant",
            "tools": [{"type": "file_search", "file_search": {"max_num_results": 5}}, {"type": "code_interpreter"}],
            "tool_resources": {"code_interpreter": {"file_ids": ["file-1"]}},
            "metadata": {},
        }
    )
    assert list(shown) == ["object", "tools", "file_ids", "metadata"]
    assert shown["tools"] == [{"type": "retrieval"}, {"type": "code_interpreter"}]
    assert shown["file_ids"] == ["file-1"]


def test_a_run_does_too():
    run = {"object": "thread.run", "tools": [], "tool_resources": {}, "tool_choice": {"type": "file_search"}}
    assert v1.as_v1(run) == {"object": "thread.run", "tools": [], "file_ids": [], "tool_choice": {"type": "retrieval"}}


def test_a_thread_shows_no_resources():
    assert v1.as_v1({"object": "thread", "id": "thread_1", "tool_resources": {}}) == {
        "object": "thread",
        "id": "thread_1",
    }


def test_a_message_shows_each_file_once_and_quotes_what_it_cites():
    citation = {"type": "file_citation", "text": "[1]", "file_citation": {"file_id": "file-1"}}
    text = {"type": "text", "text": {"value": "Yes[1]", "annotations": [citation]}}
    attachments = [{"file_id": file, "tools": BOTH} for file in ("file-2", "file-1", "file-2")]
    shown = v1.as_v1({"object": "thread.message", "content": [text], "attachments": attachments})
    assert shown["file_ids"] == ["file-2", "file-1"]
    assert "attachments" not in shown
    assert shown["content"][0]["text"]["annotations"] == [
        {**citation, "file_citation": {"quote": "", "file_id": "file-1"}}
    ]


def test_a_step_shows_a_search_without_its_results():
    calls = [{"id": "call_1", "type": "file_search", "file_search": {"results": []}}, {"id": "call_2", **FUNCTION}]
    step = {"object": "thread.run.step", "step_details": {"type": "tool_calls", "tool_calls": calls}}
    searched = {"id": "call_1", "type": "retrieval", "retrieval": {}}
    assert v1.as_v1(step)["step_details"]["tool_calls"] == [searched, calls[1]]


def test_a_page_shows_each_of_its_objects():
    page = {"object": "list", "data": [{"object": "thread", "tool_resources": {}}], "has_more": False}
    assert v1.as_v1(page) == {"object": "list", "data": [{"object": "thread"}], "has_more": False}


def test_fields_of_both_versions_are_unchanged():
    deleted = {"id": "asst_1", "object": "assistant.deleted", "deleted": True}
    assert v1.as_v1(deleted) == deleted


async def test_each_event_of_a_stream_is_shown_in_v1():
    async def events():
        yield 'event: thread.created\ndata: {"object":"thread","tool_resources":{}}\n\n'
        yield b": still there\n\n"
        call = '{"index":0,"id":"call_1","type":"file_search","file_search":{}}'
        details = f'{{"type":"tool_calls","tool_calls":[{call}]}}'
        yield f'data: {{"object":"thread.run.step.delta","delta":{{"step_details":{details}}}}}\n\n'
        yield "event: done\ndata: [DONE]\n\n"

    response = response_as_v1(StreamingResponse(events(), media_type="text/event-stream"))
    assert isinstance(response, StreamingResponse)
    shown = [chunk async for chunk in response.body_iterator]
    retrieval = '{"index":0,"id":"call_1","type":"retrieval","retrieval":{}}'
    assert shown == [
        'event: thread.created\ndata: {"object":"thread"}\n\n',
        ": still there\n\n",
        'data: {"object":"thread.run.step.delta","delta":{"step_details":{"type":"tool_calls","tool_calls":['
        + retrieval
        + "]}}}\n\n",
        "event: done\ndata: [DONE]\n\n",
    ]
