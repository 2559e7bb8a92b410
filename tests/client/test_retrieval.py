"""Server tools beside the client's functions: both work at once, and the run continues after the last output."""

from collections.abc import Iterator
from typing import Any

import pytest
from openai import OpenAI

from assistants.local.azurite import Storage
from tests.support.sdk.client import connect, refused
from tests.support.sdk.conversation import RETRIEVAL, WEATHER, Conversation, call, unique
from tests.support.service.processes import Model, Service, eventually
from tests.support.storage.stored import stored_run

DELAY = 1.5
"""Seconds that retrieval takes in the slow service."""


@pytest.fixture(scope="module")
def slow(idle: Storage, model: Model) -> Iterator[OpenAI]:
    """The SDK, connected to a service whose retrieval is slow."""
    service = Service(idle.connection_string, model.url, RETRIEVAL_DELAY=str(DELAY))
    with service, connect(service.url) as client:
        yield client


def mixed(client: OpenAI, model: Model) -> Conversation:
    """A run whose model asks for the weather and for retrieval in one turn, and then answers."""
    question = unique()
    calls = [call("get_weather", "call_w", city="Rome"), call("retrieval", "call_r", q="Where?")]
    model.script({"match": question, "tool_calls": calls}, {"match": question, "text": "It is sunny in Oslo."})
    return Conversation(client, question, WEATHER, RETRIEVAL)


def outputs_of(request: dict[str, Any]) -> dict[str, str]:
    """The tool outputs in a request to the model."""
    return {part["tool_call_id"]: part["content"] for part in request["messages"] if part["role"] == "tool"}


def assert_went_on_once(conversation: Conversation, model: Model) -> None:
    conversation.reaches("completed")
    assert conversation.said() == ["It is sunny in Oslo."]
    first, second = model.requests(conversation.question)
    assert outputs_of(first) == {}
    assert outputs_of(second) == {"call_w": "sunny", "call_r": "Oslo"}


def test_a_run_continues_when_retrieval_answers_last(slow: OpenAI, model: Model):
    conversation = mixed(slow, model)
    conversation.reaches("requires_action")
    assert conversation.submit({"call_w": "sunny"}).status == "queued"
    assert len(model.requests(conversation.question)) == 1
    assert_went_on_once(conversation, model)


def test_a_run_continues_when_the_client_answers_last(client: OpenAI, model: Model, azurite: Storage):
    conversation = mixed(client, model)
    conversation.reaches("requires_action")
    eventually(lambda: stored_run(azurite, conversation).unanswered == stored_run(azurite, conversation).awaited)
    assert conversation.run().status == "requires_action"
    conversation.submit({"call_w": "sunny"})
    assert_went_on_once(conversation, model)


def test_a_run_continues_once_when_both_answer_at_the_same_time(client: OpenAI, model: Model):
    conversations = [mixed(client, model) for _ in range(4)]
    for conversation in conversations:
        conversation.reaches("requires_action")
        conversation.submit({"call_w": "sunny"})
    for conversation in conversations:
        assert_went_on_once(conversation, model)


def test_the_client_is_asked_for_the_outputs_of_its_own_functions_only(client: OpenAI, model: Model):
    conversation = mixed(client, model)
    action = conversation.reaches("requires_action").required_action
    assert action is not None
    assert [each.id for each in action.submit_tool_outputs.tool_calls] == ["call_w"]
    with refused(400, "Expected tool outputs for call_ids ['call_w'], got ['call_w', 'call_r']"):
        conversation.submit({"call_w": "sunny", "call_r": "mine"})


def test_one_step_shows_all_calls_of_a_turn(client: OpenAI, model: Model):
    conversation = mixed(client, model)
    conversation.reaches("requires_action")
    weather: dict[str, Any] = {"name": "get_weather", "arguments": '{"city": "Rome"}', "output": None}
    retrieval = {"id": "call_r", "type": "retrieval", "retrieval": {}}
    assert conversation.calls() == [{"id": "call_w", "type": "function", "function": weather}, retrieval]
    assert conversation.progress() == [("tool_calls", "in_progress")]

    conversation.submit({"call_w": "sunny"})
    conversation.reaches("completed")
    weather["output"] = "sunny"
    assert conversation.calls() == [{"id": "call_w", "type": "function", "function": weather}, retrieval]
    assert conversation.progress() == [("tool_calls", "completed"), ("message_creation", "completed")]


def test_a_run_with_retrieval_alone_needs_no_output_of_the_client(client: OpenAI, model: Model):
    conversation = Conversation(client, unique("use retrieval"), RETRIEVAL)
    conversation.reaches("completed")
    assert conversation.said() == ["retrieval: Oslo"]
    assert len(model.requests(conversation.question)) == 2


def test_a_run_is_in_progress_while_only_retrieval_works(slow: OpenAI):
    conversation = Conversation(slow, unique("use retrieval"), RETRIEVAL)
    eventually(conversation.steps)
    run = conversation.run()
    assert (run.status, run.required_action) == ("in_progress", None)
    conversation.reaches("completed")


def test_two_retrievals_of_one_turn_are_both_answered(slow: OpenAI, model: Model):
    question = unique()
    model.script(
        {"match": question, "tool_calls": [call("retrieval", "call_1", q="a"), call("retrieval", "call_2", q="b")]}
    )
    conversation = Conversation(slow, question, RETRIEVAL)
    conversation.reaches("completed")
    assert conversation.said() == ["retrieval: Oslo and retrieval: Oslo"]
    assert [each["id"] for each in conversation.calls()] == ["call_1", "call_2"]
    assert len(model.requests(question)) == 2


def test_retrieval_is_offered_to_the_model_as_a_function_of_one_string(client: OpenAI, model: Model):
    conversation = Conversation(client, unique(), RETRIEVAL)
    conversation.reaches("completed")
    (request,) = model.requests(conversation.question)
    (tool,) = request["tools"]
    assert tool["function"]["name"] == "retrieval"
    assert tool["function"]["parameters"]["required"] == ["q"]
    assert tool["function"]["parameters"]["properties"]["q"]["type"] == "string"


def test_a_function_of_the_client_by_the_name_of_retrieval_is_the_clients(client: OpenAI):
    function: Any = {"type": "function", "function": {"name": "retrieval"}}
    conversation = Conversation(client, unique("use retrieval"), function)
    action = conversation.reaches("requires_action").required_action
    assert action is not None
    (asked,) = action.submit_tool_outputs.tool_calls
    conversation.submit({asked.id: "Bergen"})
    conversation.reaches("completed")
    assert conversation.said() == ["retrieval: Bergen"]
