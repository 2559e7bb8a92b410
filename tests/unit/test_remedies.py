"""The endpoints' reported refusals of requests, and the requests that are sent instead."""

from typing import Any

import pytest

from assistants.model.errors import Refused, words
from assistants.model.learnt import MAX_MODELS, MEMORY, SHORTEST, Learnt, ModelLearnt
from assistants.model.remedies import Remedy, adapted, alternating, remedies

Json = dict[str, Any]

USER: Json = {"role": "user", "content": "Hello"}
SYSTEM: Json = {"role": "system", "content": "Be brief."}
SAID: Json = {"role": "assistant", "content": "Hi"}


def refusal(body: Any, status: int = 400) -> Refused:
    return Refused(words(body), status)


def request(*messages: Json, **others: Any) -> Json:
    asked = {"model": "m", "messages": list(messages or (USER,)), "stream": True}
    return {**asked, "stream_options": {"include_usage": True}, **others}


@pytest.mark.parametrize(
    ("body", "sent", "name", "instead"),
    [
        ({"detail": "stream_options is not supported"}, {}, "stream_options", None),
        ({"detail": [{"loc": ["body", "stream_options"], "msg": "Extra inputs"}]}, {}, "stream_options", None),
        ({"error": {"message": "Unknown parameter.", "param": "stream_options"}}, {}, "stream_options", None),
        ({"error": "Unsupported value: 'temperature' does not support 1"}, {"temperature": 1.0}, "temperature", None),
        ({"error": {"message": "No.", "param": "top_p"}}, {"top_p": 1}, "top_p", None),
        ({"message": "parallel_tool_calls: unsupported"}, {"parallel_tool_calls": True}, "parallel_tool_calls", None),
        ({"error": "property 'tool_choice' is unsupported"}, {"tool_choice": "auto"}, "tool_choice", None),
        ({"error": "response_format is unavailable"}, {"response_format": {"type": "text"}}, "response_format", None),
        ({"error": "Unrecognized request argument supplied: max_completion_tokens"}, {"max_completion_tokens": 9},
         "max_completion_tokens", "max_tokens"),
        ({"error": "Unsupported parameter: 'max_tokens'. Use 'max_completion_tokens' instead."}, {"max_tokens": 9},
         "max_completion_tokens", "max_completion_tokens"),
        ({"error": "Unsupported value: 'stream' does not support true"}, {}, "stream", None),
        ({"error": "Streaming is not supported"}, {}, "stream", None),
        ({"error": "tools.0.function.strict: Extra inputs are not permitted"},
         {"tools": [{"type": "function", "function": {"name": "f", "strict": False}}]}, "tools.strict", None),
    ],
)  # fmt: skip
def test_a_parameter_that_can_be_spared_is_known_by_its_refusal(body: Any, sent: Json, name: str, instead: str | None):
    asked = request(**sent)
    assert remedies(refusal(body), asked) == [Remedy(name, instead)]
    assert adapted(asked, {name: instead}) != asked or name == instead


@pytest.mark.parametrize(
    ("body", "sent"),
    [
        ({"error": "Unsupported value: 'temperature' does not support 0.3"}, {"temperature": 0.3}),
        ({"error": {"message": "No.", "param": "top_p"}}, {"top_p": 0.5}),
        ({"error": "parallel_tool_calls is not supported"}, {"parallel_tool_calls": False}),
        ({"error": "tool_choice must be auto"}, {"tool_choice": "required"}),
        ({"error": "response_format is not supported"}, {"response_format": {"type": "json_object"}}),
        ({"error": "strict is not supported"}, {"tools": [{"type": "function", "function": {"strict": True}}]}),
        ({"error": "max_completion_tokens is too large: 9000"}, {"max_completion_tokens": 9000}),
        ({"error": "an error in the stream of requests"}, {}),
        ({"error": "No."}, {}),
    ],
)
def test_parameters_that_the_client_set_are_not_left_out(body: Any, sent: Json):
    assert remedies(refusal(body), request(**sent)) == []


def test_all_that_a_refusal_names_is_left_out_at_once():
    named = refusal({"error": "Extra inputs are not permitted: top_p, stream_options"})
    assert remedies(named, request(top_p=1)) == [Remedy("stream_options"), Remedy("top_p")]
    assert remedies(named, request(top_p=0.5)) == [Remedy("stream_options")]


@pytest.mark.parametrize("status", [401, 403, 429, 500, 503])
def test_only_a_refusal_of_the_request_is_about_a_parameter(status: int):
    assert remedies(refusal({"error": "stream_options"}, status), request()) == []


def test_a_parameter_that_was_refused_as_a_default_is_sent_where_the_client_sets_another_value():
    learnt = {"temperature": None, "max_completion_tokens": "max_tokens"}
    assert "temperature" not in adapted(request(temperature=1), learnt)
    assert adapted(request(temperature=0.2, max_completion_tokens=5), learnt) == request(temperature=0.2, max_tokens=5)


def test_without_a_stream_there_are_no_options_for_it():
    assert adapted(request(), {"stream": None}) == {"model": "m", "messages": [USER]}


@pytest.mark.parametrize(
    ("body", "instead"),
    [
        ("System role not supported", "user"),
        ({"error": "Unsupported value: 'messages[0].role' does not support 'system' with this model."}, "user"),
        ({"error": "The 'system' role is not supported, use 'developer' instead"}, "developer"),
        ([{"error": {"message": "Developer instruction is not enabled for models/gemma-3-27b-it"}}], "user"),
    ],
)
def test_instructions_are_given_in_the_role_that_the_endpoint_knows(body: Any, instead: str):
    asked = request(SYSTEM, USER)
    assert remedies(refusal(body), asked) == [Remedy("messages.role", instead)]
    assert adapted(asked, {"messages.role": instead})["messages"] == [{**SYSTEM, "role": instead}, USER]


def test_the_second_role_that_is_refused_leaves_that_of_the_user():
    asked = adapted(request(SYSTEM, USER), {"messages.role": "developer"})
    assert remedies(refusal("role 'developer' is not supported"), asked) == [Remedy("messages.role", "user")]


@pytest.mark.parametrize("status", [400, 422, 500])
@pytest.mark.parametrize(
    "text",
    [
        "Conversation roles must alternate user/assistant/user/assistant/...",
        "After the optional system message, conversation roles must alternate user/assistant/user/assistant/...",
        "messages: roles must alternate between \"user\" and \"assistant\", but found multiple \"user\" roles in a row",
        "Consecutive messages of role user are not allowed",
    ],
)  # fmt: skip
def test_adjacent_messages_of_one_role_are_merged_where_roles_must_alternate(text: str, status: int):
    asked = request(SYSTEM, USER, USER, SAID, SAID, USER)
    assert remedies(refusal({"error": {"message": text}}, status), asked) == [Remedy("messages.adjacent", "merged")]
    merged = adapted(asked, {"messages.adjacent": "merged"})["messages"]
    assert [message["role"] for message in merged] == ["system", "user", "assistant", "user"]
    assert merged[1]["content"] == "Hello\n\nHello"
    assert remedies(refusal({"error": {"message": text}}, status), request(*merged)) == []


def test_merging_keeps_parts_calls_and_their_outputs():
    picture = {"role": "user", "content": [{"type": "image_url", "image_url": {"url": "data:"}}]}
    calls = {"role": "assistant", "content": None, "tool_calls": [{"id": "a"}]}
    outputs = [
        {"role": "tool", "tool_call_id": "a", "content": "1"},
        {"role": "tool", "tool_call_id": "b", "content": "2"},
    ]
    merged = alternating([USER, picture, SAID, calls, *outputs])
    assert merged[0]["content"] == [{"type": "text", "text": "Hello"}, picture["content"][0]]
    assert merged[1:] == [{**calls, "content": "Hi"}, *outputs]


def test_a_conversation_that_the_assistant_begins_gets_a_user_before_it():
    assert [message["role"] for message in alternating([SYSTEM, SAID, USER])] == ["system", "user", "assistant", "user"]


def test_instructions_that_become_a_users_are_merged_with_the_first_message():
    learnt = {"messages.adjacent": "merged", "messages.role": "user"}
    assert adapted(request(SYSTEM, USER), learnt)["messages"] == [{"role": "user", "content": "Be brief.\n\nHello"}]


CALLED: Json = {
    "role": "assistant", "content": None, "reasoning_content": "hm",
    "tool_calls": [{"id": "a", "type": "function", "function": {"name": "f", "arguments": "{}"}, "extra_content": {}}],
}  # fmt: skip


@pytest.mark.parametrize(
    ("text", "name"),
    [
        (
            "'messages.1' : for 'role:assistant' must be satisfied[property 'reasoning_content' is unsupported]",
            "messages.reasoning_content",
        ),
        ("messages.1.tool_calls.0.extra_content: Extra inputs are not permitted", "messages.extra_content"),
        ("invalid message content type: content must be a string, got null", "messages.content"),
    ],
)
def test_returned_fields_that_are_refused_are_left_out(text: str, name: str):
    asked = request(USER, CALLED)
    (found,) = remedies(refusal(text), asked)
    assert found.name == name
    changed = adapted(asked, {found.name: found.instead})
    assert changed != asked
    assert remedies(refusal(text), changed) == []


@pytest.mark.parametrize(
    "text",
    [
        "The `reasoning_content` in the thinking mode must be passed back to the API.",
        "Missing `reasoning_content` field in the assistant message at message index 1.",
    ],
)
def test_missing_reasoning_of_earlier_messages_is_sent_back_empty(text: str):
    asked = request(USER, SAID, USER, CALLED)
    assert remedies(refusal(text), asked) == [Remedy("messages.reasoning_content", "")]
    sent = adapted(asked, {"messages.reasoning_content": ""})["messages"]
    assert [message.get("reasoning_content") for message in sent] == [None, "", None, "hm"]
    assert remedies(refusal(text), request(*sent)) == []


def test_a_length_is_learnt_from_refused_and_accepted_prompts():
    learnt = ModelLearnt()
    assert learnt.longest() is None
    learnt.accepts(500)
    learnt.refuses(4_000)
    assert learnt.longest() == 2_000, "half, where nothing longer was taken"
    learnt.accepts(3_000)
    assert learnt.longest() == 3_000
    learnt.refuses(3_500)
    assert learnt.longest() == 3_000
    learnt.accepts(3_500)
    assert learnt.longest() is None, "what is taken is not too long"


def test_an_accepted_length_that_is_refused_later_no_longer_counts():
    learnt = ModelLearnt()
    learnt.accepts(5_000)
    learnt.refuses(4_000)
    assert learnt.longest() == 2_000


def test_a_refusal_of_a_very_short_prompt_has_other_reasons_than_its_length():
    learnt = ModelLearnt()
    learnt.refuses(SHORTEST - 1)
    assert learnt.longest() is None


def test_a_length_is_forgotten_after_a_while():
    learnt, now = ModelLearnt(), 0.0
    learnt.refuses(4_000, lambda: now)
    now = MEMORY + 1
    assert learnt.longest(lambda: now) is None
    learnt.refuses(9_000, lambda: now)
    assert learnt.longest(lambda: now) == 4_500


def test_the_number_of_models_with_learnt_properties_is_bounded():
    learnt = Learnt()
    learnt.of("first").remedies["stream_options"] = None
    for number in range(MAX_MODELS):
        learnt.of("first")
        learnt.of(f"other-{number}")
    assert len(learnt.models) == MAX_MODELS
    assert learnt.of("first").remedies, "the one that is used stays"
