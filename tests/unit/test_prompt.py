from base64 import b64decode
from typing import Any

import pytest

from assistants.engine.turn import prompt
from assistants.engine.turn.images import data_url
from assistants.schema.messages import Message
from assistants.state.runs import RunRecord, ToolCall, Turn
from assistants.tools.code_interpreter.tool import CODE_INTERPRETER
from assistants.tools.file_search import FILE_SEARCH
from assistants.tools.retrieval import RETRIEVAL

FUNCTION = {"type": "function", "function": {"name": "get_time"}}
JSON_FORMAT = {"type": "json_object"}
TIME_CALL = ToolCall(id="call_1", name="get_time", arguments="{}", output="noon")
LOOK_UP = ToolCall(id="call_2", type="retrieval", name="retrieval", arguments='{"q":"?"}', output="")


def run(**fields: Any) -> RunRecord:
    return RunRecord.model_validate(
        {
            "id": "run_1", "thread_id": "thread_1", "assistant_id": "asst_1", "model": "gpt-4o",
            "created_at": 0, "expires_at": 600, "touched_at": 0, "entered_at": 0, **fields,
        }
    )  # fmt: skip


def message(message_id: str, *content: Any, role: str = "user") -> Message:
    parts = [text(part) if isinstance(part, str) else part for part in content]
    return Message.model_validate(
        {"id": message_id, "created_at": 1, "thread_id": "thread_1", "role": role, "content": parts}
    )


def text(value: str) -> dict[str, Any]:
    return {"type": "text", "text": {"value": value, "annotations": []}}


def image(url: str) -> dict[str, Any]:
    return {"type": "image_url", "image_url": {"url": url, "detail": "low"}}


def turn(*calls: ToolCall, said: str | None = None) -> Turn:
    return Turn(started_at=1, ended_at=2, finish="tool_calls", text=said, calls=list(calls), parked=True)


def test_a_run_without_parameters_sends_only_the_model_and_the_messages():
    assert prompt.request(run(), [message("msg_1", "Hello")], "deployment-a") == {
        "model": "deployment-a",
        "messages": [{"role": "user", "content": "Hello"}],
    }


@pytest.mark.parametrize(
    ("fields", "sent"),
    [
        ({"temperature": 0.0}, {"temperature": 0.0}),
        ({"temperature": 1.0}, {"temperature": 1.0}),
        ({"top_p": 0.0}, {"top_p": 0.0}),
        ({"reasoning_effort": "low"}, {"reasoning_effort": "low"}),
        ({"response_format": JSON_FORMAT}, {"response_format": JSON_FORMAT}),
        ({"response_format": "auto"}, {}),
        ({"metadata": {"a": "b"}}, {}),
        ({"tool_choice": "auto", "parallel_tool_calls": False}, {}),
        ({"tools": [FUNCTION]}, {"tools": [FUNCTION]}),
        (
            {"tools": [{"type": "code_interpreter"}], "tool_choice": "none"},
            {"tools": [CODE_INTERPRETER.offer()], "tool_choice": "none"},
        ),
        ({"tools": [FUNCTION, {"type": "retrieval"}]}, {"tools": [FUNCTION, RETRIEVAL.offer()]}),
        ({"tools": [{"type": "file_search"}]}, {"tools": [FILE_SEARCH.offer()]}),
        (
            {"tools": [{"type": "file_search"}], "tool_choice": {"type": "file_search"}},
            {"tools": [FILE_SEARCH.offer()], "tool_choice": {"type": "function", "function": {"name": "file_search"}}},
        ),
        ({"tools": [FUNCTION], "tool_choice": "required"}, {"tools": [FUNCTION], "tool_choice": "required"}),
        ({"tools": [FUNCTION], "parallel_tool_calls": True}, {"tools": [FUNCTION], "parallel_tool_calls": True}),
        ({"tools": [FUNCTION], "parallel_tool_calls": False}, {"tools": [FUNCTION], "parallel_tool_calls": False}),
    ],
)
def test_parameters_that_the_client_set_are_sent_unchanged(fields: dict[str, Any], sent: dict[str, Any]):
    assert prompt.request(run(**fields), [], "m") == {"model": "m", "messages": [], **sent}


def test_the_tool_choice_holds_for_the_first_turn_only_lest_a_forced_call_repeat_forever():
    forced = run(tools=[FUNCTION], tool_choice=FUNCTION, turns=[turn(TIME_CALL)])
    assert "tool_choice" not in prompt.request(forced, [], "m")
    assert prompt.request(forced.model_copy(update={"turns": []}), [], "m")["tool_choice"] == FUNCTION


@pytest.mark.parametrize(
    ("choice", "sent"),
    [
        ("none", "none"),
        (FUNCTION, FUNCTION),
        ({"type": "file_search"}, {"type": "function", "function": {"name": "file_search"}}),
    ],
)
def test_a_tool_choice_names_a_function_of_the_model(choice: Any, sent: Any):
    assert prompt.chosen(choice) == sent


def test_no_two_functions_of_one_name_are_offered_and_the_clients_goes_first():
    own = {"type": "function", "function": {"name": "retrieval"}}
    offered = prompt.request(run(tools=[{"type": "retrieval"}, own, {"type": "retrieval"}]), [], "m")["tools"]
    assert offered == [own]


def test_a_tool_that_is_not_offered_cannot_be_forced_on_the_model():
    asked = run(tools=[FUNCTION], tool_choice={"type": "code_interpreter"})
    assert "tool_choice" not in prompt.request(asked, [], "m")


def test_missing_fields_of_a_function_are_not_sent():
    definition = {"name": "f", "description": "d", "parameters": {"type": "object"}, "strict": None}
    offered = prompt.offered({"type": "function", "function": definition})  # type: ignore[typeddict-item]
    assert offered == {
        "type": "function",
        "function": {"name": "f", "description": "d", "parameters": {"type": "object"}},
    }


@pytest.mark.parametrize(
    ("tools", "name", "kind"),
    [
        ([FUNCTION], "get_time", "function"),
        ([{"type": "retrieval"}], "retrieval", "retrieval"),
        ([], "retrieval", "function"),
        ([FUNCTION, {"type": "retrieval"}], "unheard_of", "function"),
        ([{"type": "file_search"}], "file_search", "file_search"),
        ([{"type": "code_interpreter"}], "code_interpreter", "code_interpreter"),
        ([], "code_interpreter", "function"),
        ([{"type": "retrieval"}, {"type": "function", "function": {"name": "retrieval"}}], "retrieval", "function"),
    ],
)
def test_whose_a_called_function_is(tools: list[Any], name: str, kind: str):
    assert prompt.tool_type(run(tools=tools), name) == kind


def test_the_conversation_is_instructions_then_thread_then_own_messages_then_turns():
    asked = run(
        instructions="Be brief.",
        additional_messages=[message("msg_2", "And now?").model_dump()],
        turns=[turn(TIME_CALL, LOOK_UP, said="Let me see.")],
    )
    thread = [message("msg_0", "Hello"), message("msg_1", "Hi", role="assistant")]
    assert prompt.conversation(asked, prompt.recent(asked, thread)) == [
        {"role": "system", "content": "Be brief."},
        {"role": "user", "content": "Hello"},
        {"role": "assistant", "content": "Hi"},
        {"role": "user", "content": "And now?"},
        {
            "role": "assistant",
            "content": "Let me see.",
            "tool_calls": [
                {"id": "call_1", "type": "function", "function": {"name": "get_time", "arguments": "{}"}},
                {"id": "call_2", "type": "function", "function": {"name": "retrieval", "arguments": '{"q":"?"}'}},
            ],
        },
        {"role": "tool", "tool_call_id": "call_1", "content": "noon"},
        {"role": "tool", "tool_call_id": "call_2", "content": ""},
    ]


def test_a_runs_message_that_is_in_the_thread_already_is_sent_once_and_last():
    own = message("msg_2", "And now?")
    asked = run(additional_messages=[own.model_dump()])
    assert [message.id for message in prompt.recent(asked, [own, message("msg_1", "Hello")])] == ["msg_1", "msg_2"]


@pytest.mark.parametrize(
    ("parts", "sent"),
    [
        ([], ""),
        (["Hello"], "Hello"),
        (["Hello", "you"], "Hello\nyou"),
        ([{"type": "refusal", "refusal": "No."}], "No."),
        (
            ["Look", image("https://x/y.png")],
            [
                {"type": "text", "text": "Look"},
                {"type": "image_url", "image_url": {"url": "https://x/y.png", "detail": "low"}},
            ],
        ),
        ([{"type": "image_file", "image_file": {"file_id": "file-1", "detail": "auto"}}], "[image file-1]"),
    ],
)
def test_the_content_of_a_message(parts: list[Any], sent: Any):
    assert prompt.content(message("msg_1", *parts)) == sent


def test_an_uploaded_image_is_sent_where_its_bytes_are_known():
    parts: list[Any] = ["Look", {"type": "image_file", "image_file": {"file_id": "file-1", "detail": "low"}}]
    images = {"file-1": "data:image/png;base64,AA=="}
    assert prompt.content(message("msg_1", *parts), images) == [
        {"type": "text", "text": "Look"},
        {"type": "image_url", "image_url": {"url": "data:image/png;base64,AA==", "detail": "low"}},
    ]
    assert prompt.content(message("msg_1", *parts, role="assistant"), images) == "Look\n[image file-1]"


@pytest.mark.parametrize(
    ("content", "kind"),
    [
        (b"\x89PNG\r\n\x1a\n...", "image/png"),
        (b"\xff\xd8\xff\xe0...", "image/jpeg"),
        (b"GIF89a...", "image/gif"),
        (b"RIFF\x00\x00\x00\x00WEBPVP8 ", "image/webp"),
        (b"RIFF\x00\x00\x00\x00WAVE", None),
        (b"%PDF-1.7", None),
        (b"", None),
    ],
)
def test_the_media_type_of_an_image_is_that_of_its_bytes(content: bytes, kind: str | None):
    url = data_url(content)
    assert (url and url.partition(";")[0]) == (kind and f"data:{kind}")
    assert url is None or b64decode(url.partition(",")[2]) == content


def test_the_description_of_the_interpreter_ends_with_the_files():
    asked = prompt.request(run(tools=[{"type": "code_interpreter"}, {"type": "retrieval"}]), [], "m", files=" More.")
    interpreter, retrieval = asked["tools"]
    assert interpreter["function"]["description"] == f"{CODE_INTERPRETER.description} More."
    assert retrieval == RETRIEVAL.offer()
