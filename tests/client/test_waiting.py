"""A request for a run that waits until the run needs its client or has ended."""

from concurrent.futures import ThreadPoolExecutor
from typing import Any

import pytest
from openai import OpenAI
from openai.types.beta.threads import Run

from tests.support.sdk.client import refused
from tests.support.sdk.conversation import WEATHER, Conversation, call, unique
from tests.support.service.processes import Model

STATUSES = (
    "'queued', 'in_progress', 'requires_action', 'cancelling', 'cancelled', 'failed', 'completed', 'incomplete', and "
    "'expired'"
)


def waited(conversation: Conversation, **query: Any) -> Run:
    return conversation.client.beta.threads.runs.retrieve(
        conversation.run_id, thread_id=conversation.thread_id, extra_query=query
    )


@pytest.fixture
def question(model: Model) -> str:
    """A question whose answer takes a moment, after a call of a function."""
    question = unique()
    called = {"match": question, "tool_calls": [call("get_weather", "call_w", city="Oslo")]}
    model.script(called, {"match": question, "text": "It is sunny.", "chunk_delay": 0.1})
    return question


def test_the_answer_is_sent_as_soon_as_the_run_awaits_outputs_and_then_as_soon_as_it_has_ended(
    client: OpenAI, question: str
):
    conversation = Conversation(client, question, WEATHER)
    assert waited(conversation, wait=60).status == "requires_action"
    assert waited(conversation, wait=60).status == "requires_action"
    conversation.submit({"call_w": "sunny"})
    assert waited(conversation, wait=60).status == "completed"
    assert conversation.said() == ["It is sunny."]


def test_another_status_is_waited_for_by_its_name(client: OpenAI, question: str):
    conversation = Conversation(client, question, WEATHER)
    with ThreadPoolExecutor(1) as pool:
        ended = pool.submit(waited, conversation, wait=60, wait_for="completed")
        assert waited(conversation, wait=60, wait_for="requires_action").status == "requires_action"
        conversation.submit({"call_w": "sunny"})
        assert ended.result(60).status == "completed"


def test_a_run_that_has_ended_is_answered_whatever_status_was_awaited(client: OpenAI, question: str):
    conversation = Conversation(client, question, WEATHER)
    with ThreadPoolExecutor(1) as pool:
        ended = pool.submit(waited, conversation, wait=60, wait_for="completed")
        waited(conversation, wait=60)
        conversation.cancel()
        assert ended.result(60).status == "cancelled"


def test_after_its_time_the_run_is_answered_as_it_is(client: OpenAI, question: str):
    conversation = Conversation(client, question, WEATHER)
    waited(conversation, wait=60)
    assert waited(conversation, wait=1, wait_for="completed").status == "requires_action"


def test_bad_values_and_unknown_runs_are_refused(client: OpenAI):
    thread = client.beta.threads.create()
    for query, message, param, code in (
        ({"wait": 61}, "Invalid 'wait': integer above maximum value. Expected a value <= 60, but got 61 instead.",
         "wait", "integer_above_max_value"),
        ({"wait": -1}, "Invalid 'wait': integer below minimum value. Expected a value >= 0, but got -1 instead.",
         "wait", "integer_below_min_value"),
        ({"wait": "long"}, "Invalid type for 'wait': expected an integer, but got a string instead.",
         "wait", "invalid_type"),
        ({"wait_for": "done"}, f"Invalid value: 'done'. Supported values are: {STATUSES}.",
         "wait_for", "invalid_value"),
    ):  # fmt: skip
        with refused(400, message, param, code):
            client.beta.threads.runs.retrieve("run_x", thread_id=thread.id, extra_query=query)
    with refused(404, "No run found with id 'run_x'."):
        client.beta.threads.runs.retrieve("run_x", thread_id=thread.id, extra_query={"wait": 60})
