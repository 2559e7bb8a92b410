"""Cancellation of a run, in every state."""

from collections.abc import Iterator

import pytest
from openai import OpenAI

from assistants.local.azurite import Storage
from tests.support.sdk.client import connect, refused
from tests.support.sdk.conversation import RETRIEVAL, WEATHER, Conversation, call, text_of, unique
from tests.support.service.processes import HttpSide, Model, Service, eventually

RETRIEVAL_TAKES = "1"
"""Seconds."""


@pytest.fixture(scope="module")
def asleep(idle: Storage, model: Model) -> Iterator[OpenAI]:
    """The SDK, connected to the service's HTTP side, while no process handles the queues."""
    with HttpSide(idle.connection_string, model.url) as side, connect(side.url) as client:
        yield client


@pytest.fixture
def awake(idle: Storage, model: Model) -> Service:
    """The service that handles the queues, once it is started; its retrieval is slow."""
    return Service(idle.connection_string, model.url, RETRIEVAL_DELAY=RETRIEVAL_TAKES)


def assert_cancelled(conversation: Conversation) -> None:
    """The run is cancelled, and its thread accepts messages."""
    run = conversation.reaches("cancelled", seconds=10)
    assert run.cancelled_at is not None
    assert (run.expires_at, run.completed_at, run.failed_at) == (None, None, None)
    assert (run.required_action, run.last_error) == (None, None)
    conversation.ask("Are you still there?")
    conversation.reaches("completed")


def test_a_queued_run_is_cancelled_without_ever_being_started(asleep: OpenAI, awake: Service, model: Model):
    conversation = Conversation(asleep, unique())
    run = conversation.cancel()
    assert (run.status, run.started_at, run.cancelled_at) == ("cancelling", None, None)
    with awake:
        run = conversation.reaches("cancelled")
        assert (run.started_at, run.usage, conversation.steps()) == (None, None, [])
        assert model.requests(conversation.question) == []
        assert_cancelled(conversation)


def test_a_run_that_is_being_cancelled_refuses_to_be_cancelled_and_keeps_its_thread_locked(
    asleep: OpenAI, awake: Service
):
    conversation = Conversation(asleep, unique())
    conversation.cancel()
    with refused(400, "Cannot cancel run with status 'cancelling'."):
        conversation.cancel()
    locked = f"Can't add messages to {conversation.thread_id} while a run {conversation.run_id} is active."
    with refused(400, locked):
        conversation.ask("Are you still there?")
    with awake:
        conversation.reaches("cancelled")


def test_the_text_of_a_cancelled_run_stays_as_an_incomplete_message(client: OpenAI, model: Model):
    question = unique()
    model.script({"match": question, "text": "one two three " * 30, "chunk_delay": 0.1})
    conversation = Conversation(client, question)
    conversation.reaches("in_progress")
    eventually(lambda: model.requests(question))
    assert conversation.cancel().status in {"cancelling", "cancelled"}
    conversation.reaches("cancelled", seconds=5)

    _, message = conversation.messages()
    assert text_of(message).startswith("one two three")
    assert len(text_of(message)) < 200
    assert (message["status"], message["incomplete_details"]) == ("incomplete", {"reason": "run_cancelled"})
    assert message["incomplete_at"] is not None
    assert message["completed_at"] is None
    (step,) = conversation.steps()
    assert (step["type"], step["status"]) == ("message_creation", "cancelled")
    assert step["cancelled_at"] is not None
    eventually(lambda: model.hung_up(question))
    assert_cancelled(conversation)


def test_a_cancelled_run_without_a_text_leaves_no_message(client: OpenAI, model: Model):
    question = unique()
    model.script({"match": question, "text": "Too late.", "delay": 10})
    conversation = Conversation(client, question)
    eventually(lambda: model.requests(question))
    conversation.cancel()
    conversation.reaches("cancelled", seconds=5)
    assert (conversation.said(), conversation.steps()) == ([], [])


def test_a_run_that_waits_for_its_client_is_cancelled(client: OpenAI):
    conversation = Conversation(client, unique("get weather"), WEATHER)
    conversation.reaches("requires_action")
    (asked,) = conversation.calls()
    run = conversation.cancel()
    assert (run.status, run.required_action) == ("cancelling", None)
    conversation.reaches("cancelled")
    assert conversation.progress() == [("tool_calls", "cancelled")]
    with refused(400, 'Runs in status "cancelled" do not accept tool outputs.'):
        conversation.submit({asked["id"]: "sunny"})
    assert_cancelled(conversation)


def test_a_run_is_cancelled_while_a_server_tool_works_whose_answer_then_has_no_effect(
    asleep: OpenAI, awake: Service, model: Model
):
    with awake:
        conversation = Conversation(asleep, unique("use retrieval"), RETRIEVAL)
        eventually(conversation.steps)
        conversation.cancel()
        cancelled = conversation.reaches("cancelled")
        assert conversation.progress() == [("tool_calls", "cancelled")]
    # The service has stopped; it does so only after the tool has answered.
    assert conversation.run() == cancelled
    assert len(model.requests(conversation.question)) == 1


def test_a_mixed_run_is_cancelled_after_one_of_its_outputs_has_arrived(asleep: OpenAI, awake: Service, model: Model):
    question = unique()
    model.script({"match": question, "tool_calls": [call("get_weather", "call_w"), call("retrieval", "call_r", q="?")]})
    with awake:
        conversation = Conversation(asleep, question, WEATHER, RETRIEVAL)
        conversation.reaches("requires_action")
        assert conversation.submit({"call_w": "sunny"}).status == "queued"
        conversation.cancel()
        conversation.reaches("cancelled")
        assert conversation.progress() == [("tool_calls", "cancelled")]
        assert conversation.calls()[0]["function"]["output"] == "sunny"
    assert len(model.requests(question)) == 1


@pytest.mark.parametrize(
    ("status", "reply"),
    [
        ("completed", {"text": "Done."}),
        ("incomplete", {"text": "Cut", "finish_reason": "length"}),
        ("failed", {"status": 400}),
    ],
)
def test_a_run_that_has_ended_refuses_to_be_cancelled(
    client: OpenAI, model: Model, status: str, reply: dict[str, object]
):
    question = unique()
    model.script({"match": question, **reply})
    conversation = Conversation(client, question)
    ended = conversation.reaches(status)
    with refused(400, f"Cannot cancel run with status '{status}'."):
        conversation.cancel()
    assert conversation.run() == ended


def test_a_cancelled_run_refuses_to_be_cancelled_again(client: OpenAI):
    conversation = Conversation(client, unique("get weather"), WEATHER)
    conversation.reaches("requires_action")
    conversation.cancel()
    conversation.reaches("cancelled")
    with refused(400, "Cannot cancel run with status 'cancelled'."):
        conversation.cancel()
