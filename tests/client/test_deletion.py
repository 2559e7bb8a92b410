"""The deletion of a thread deletes its messages, runs and steps, in every state of its run."""

from collections.abc import Iterator

import pytest
from openai import OpenAI

from assistants.local.azurite import Storage
from tests.support.sdk.client import connect, refused
from tests.support.sdk.conversation import RETRIEVAL, WEATHER, Conversation, unique
from tests.support.service.processes import HttpSide, Model, Service, eventually
from tests.support.storage.stored import left_of


def delete(conversation: Conversation) -> None:
    deleted = conversation.client.beta.threads.delete(conversation.thread_id)
    assert deleted.to_dict() == {"id": conversation.thread_id, "object": "thread.deleted", "deleted": True}


def assert_gone(conversation: Conversation) -> None:
    """No object of the thread is shown any more."""
    thread = conversation.client.beta.threads
    for look in (
        lambda: thread.retrieve(conversation.thread_id),
        lambda: thread.runs.list(conversation.thread_id),
        conversation.messages,
        conversation.run,
        conversation.steps,
        conversation.cancel,
        lambda: conversation.submit({"call_w": "sunny"}),
        lambda: conversation.ask("Is anybody there?"),
    ):
        with refused(404, f"No thread found with id '{conversation.thread_id}'."):
            look()


def test_a_thread_is_deleted_while_its_model_answers(client: OpenAI, model: Model, azurite: Storage):
    question = unique()
    model.script({"match": question, "text": "one two three " * 30, "chunk_delay": 0.1})
    conversation = Conversation(client, question)
    eventually(lambda: model.requests(question))
    delete(conversation)
    assert_gone(conversation)
    assert eventually(lambda: model.hung_up(question), seconds=5)
    assert left_of(azurite, conversation.thread_id) == []


def test_a_thread_is_deleted_while_its_run_waits_for_the_client(client: OpenAI, azurite: Storage):
    conversation = Conversation(client, unique("get weather"), WEATHER)
    conversation.reaches("requires_action")
    delete(conversation)
    assert_gone(conversation)
    assert left_of(azurite, conversation.thread_id) == []


def test_a_thread_whose_run_has_ended_is_deleted(client: OpenAI, azurite: Storage):
    conversation = Conversation(client, unique())
    conversation.reaches("completed")
    delete(conversation)
    assert_gone(conversation)
    assert left_of(azurite, conversation.thread_id) == []


class TestQueues:
    """Items that are in the queues when a thread is deleted restore none of its objects."""

    @pytest.fixture
    def asleep(self, idle: Storage, model: Model) -> Iterator[OpenAI]:
        """The SDK, connected to the service's HTTP side, while no process handles the queues."""
        with HttpSide(idle.connection_string, model.url) as side, connect(side.url) as client:
            yield client

    def test_a_run_that_was_still_queued_is_not_run(self, asleep: OpenAI, idle: Storage, model: Model):
        conversation = Conversation(asleep, unique())
        delete(conversation)
        with Service(idle.connection_string, model.url):
            another = Conversation(asleep, unique())
            another.reaches("completed")
        assert model.requests(conversation.question) == []
        assert left_of(idle, conversation.thread_id) == []

    def test_the_answer_of_a_server_tool_restores_no_object(self, asleep: OpenAI, idle: Storage, model: Model):
        with Service(idle.connection_string, model.url, RETRIEVAL_DELAY="1"):
            conversation = Conversation(asleep, unique("use retrieval"), RETRIEVAL)
            eventually(conversation.steps)
            delete(conversation)
        # The service has stopped; it does so only after the tool has answered.
        assert len(model.requests(conversation.question)) == 1
        assert left_of(idle, conversation.thread_id) == []
