"""A run ends at `expires_at`, whether its items are handled or not."""

import time
from collections.abc import Iterator
from typing import Any

import pytest
from openai import OpenAI
from openai.types.beta.threads import Run

from assistants.local.azurite import Storage
from tests.support.sdk.client import connect, refused
from tests.support.sdk.conversation import RETRIEVAL, WEATHER, Conversation, call, text_of, unique
from tests.support.service.processes import HttpSide, Model, Service, eventually
from tests.support.storage.stored import stored_run

LIFETIME = 3
SETTINGS = {"RUN_LIFETIME": str(LIFETIME), "LOOK_AGAIN": str(LIFETIME), "CLAIM": "1"}


@pytest.fixture(scope="module")
def asleep(idle: Storage, model: Model) -> Iterator[OpenAI]:
    """The SDK, connected to the service's HTTP side: no process handles the queues, unless the service runs, too."""
    with HttpSide(idle.connection_string, model.url, **SETTINGS) as side, connect(side.url) as client:
        yield client


@pytest.fixture
def awake(idle: Storage, model: Model) -> Service:
    """The service that handles the queues, once it is started; its retrieval takes longer than a run may."""
    return Service(idle.connection_string, model.url, RETRIEVAL_DELAY=str(LIFETIME + 1), **SETTINGS)


def wait_for_the_end(run: Run) -> None:
    """Wait until `expires_at`, which is in whole seconds, has passed."""
    assert run.expires_at is not None
    time.sleep(max(0, run.expires_at + 1 - time.time()))


def assert_expired(run: Run, shown: Run) -> None:
    """The run has expired, and still shows when."""
    assert (run.status, run.expires_at) == ("expired", shown.expires_at)
    assert (run.cancelled_at, run.failed_at, run.completed_at) == (None, None, None)
    assert (run.required_action, run.last_error) == (None, None)


def slow_answer(model: Model) -> str:
    """A question whose answer takes longer than a run may."""
    question = unique()
    model.script({"match": question, "text": "one two three " * 30, "chunk_delay": 0.1})
    return question


@pytest.fixture(scope="module")
def together(asleep: OpenAI) -> Iterator[tuple[Conversation, Run]]:
    """Expired runs, and their conversations before: all of them are awaited at the same time."""
    conversations = [Conversation(asleep, unique()) for _ in range(5)]
    shown = [conversation.run() for conversation in conversations]
    wait_for_the_end(shown[-1])
    return iter(list(zip(conversations, shown, strict=True)))


class TestUnattended:
    """The first client that reads after `expires_at` finds the run expired, although no item has been handled."""

    @pytest.fixture
    def overdue(self, together: Iterator[tuple[Conversation, Run]]) -> tuple[Conversation, Run]:
        """One of the runs; no request has read it since it expired."""
        return next(together)

    @pytest.fixture
    def queued(self, overdue: tuple[Conversation, Run]) -> Conversation:
        return overdue[0]

    def test_a_queued_run(self, overdue: tuple[Conversation, Run], model: Model):
        queued, shown = overdue
        assert shown.expires_at is not None
        assert shown.expires_at - shown.created_at == LIFETIME
        assert shown.status == "queued"
        run = queued.run()
        assert_expired(run, shown)
        assert (run.started_at, run.usage, queued.steps()) == (None, None, [])
        assert model.requests(queued.question) == []

    def test_a_queued_run_in_a_list(self, overdue: tuple[Conversation, Run]):
        queued, shown = overdue
        (run,) = queued.client.beta.threads.runs.list(queued.thread_id)
        assert_expired(run, shown)

    def test_the_thread_is_unlocked(self, queued: Conversation):
        assert queued.ask("Are you still there?").status == "queued"

    def test_another_run_can_be_started(self, queued: Conversation):
        again = queued.client.beta.threads.runs.create(queued.thread_id, assistant_id=queued.assistant_id)
        assert again.status == "queued"

    def test_it_is_too_late_to_cancel(self, queued: Conversation):
        with refused(400, "Cannot cancel run with status 'expired'."):
            queued.cancel()

    def test_a_run_whose_driver_has_died(self, asleep: OpenAI, awake: Service, model: Model, idle: Storage):
        with awake:
            conversation = Conversation(asleep, slow_answer(model))
            shown = conversation.reaches("in_progress")
            eventually(lambda: model.requests(conversation.question))
            awake.kill()
        claim = stored_run(idle, conversation).claim
        assert claim is not None
        wait_for_the_end(shown)
        time.sleep(max(0, claim.until - time.time()))
        assert_expired(conversation.run(), shown)
        assert (conversation.said(), conversation.steps()) == ([], [])

    def test_a_run_that_waits_for_its_client(self, asleep: OpenAI, awake: Service):
        with awake:
            conversation = Conversation(asleep, unique("get weather"), WEATHER)
            shown = conversation.reaches("requires_action")
        (asked,) = conversation.calls()
        wait_for_the_end(shown)
        with refused(400, 'Runs in status "expired" do not accept tool outputs.'):
            conversation.submit({asked["id"]: "too late"})
        assert_expired(conversation.run(), shown)
        (step,) = conversation.steps()
        assert (step["type"], step["status"], step["completed_at"]) == ("tool_calls", "expired", None)
        assert step["expired_at"] is not None
        assert conversation.calls() == [asked]


class TestAttended:
    def test_the_driver_stops_the_model_in_time_and_keeps_its_text(self, asleep: OpenAI, awake: Service, model: Model):
        with awake:
            conversation = Conversation(asleep, slow_answer(model))
            shown = conversation.reaches("in_progress")
            run = conversation.reaches("expired", seconds=LIFETIME + 2)
            assert shown.expires_at is not None
            assert time.time() < shown.expires_at + 2
            assert_expired(run, shown)
            eventually(lambda: model.hung_up(conversation.question))

        _, message = conversation.messages()
        assert text_of(message).startswith("one two three")
        assert (message["status"], message["incomplete_details"]) == ("incomplete", {"reason": "run_expired"})
        (step,) = conversation.steps()
        assert (step["type"], step["status"], step["last_error"]) == ("message_creation", "expired", None)
        assert step["expired_at"] is not None

    def test_a_late_answer_of_a_server_tool_has_no_effect(self, asleep: OpenAI, awake: Service, model: Model):
        question = unique()
        model.script({"match": question, "tool_calls": [call("retrieval", "call_r", q="?")]})
        with awake:
            conversation = Conversation(asleep, question, RETRIEVAL)
            eventually(conversation.steps)
            shown = conversation.run()
            assert shown.status == "in_progress"
            wait_for_the_end(shown)
            expired = conversation.run()
            assert_expired(expired, shown)
            assert conversation.progress() == [("tool_calls", "expired")]
        # The service has stopped; it does so only after the tool has answered.
        assert conversation.run() == expired
        assert len(model.requests(question)) == 1

    def test_a_run_expires_even_if_no_client_asks_for_it(self, asleep: OpenAI, awake: Service):
        with awake:
            conversation = Conversation(asleep, unique("get weather"), WEATHER)
            conversation.reaches("requires_action")
            expired: Any = f'"run": "{conversation.run_id}"', '"to": "expired", "why": "expires_at has passed"'
            eventually(lambda: any(all(part in line for part in expired) for line in awake.lines))
