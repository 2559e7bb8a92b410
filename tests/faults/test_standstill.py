"""A process is suspended for longer than its claim on a run. Another one finishes the run; then the first continues."""

import signal
import time
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from typing import Any

import pytest
from openai import OpenAI

from assistants.local.azurite import Storage
from tests.support.sdk.client import connect
from tests.support.sdk.conversation import RETRIEVAL, Conversation, call, unique
from tests.support.sdk.events import DONE, Event, names, only, said, streamed
from tests.support.service.processes import Model, Service, eventually
from tests.support.storage.stored import queue_of, stored_run

SETTINGS = {"LOOK_AGAIN": "2", "CLAIM": "2", "RETRIEVAL_DELAY": "2"}


@pytest.fixture(scope="module")
def first(idle: Storage, model: Model) -> Iterator[Service]:
    """The process that is suspended in the middle of a run."""
    with Service(idle.connection_string, model.url, **SETTINGS) as service:
        yield service


@pytest.fixture(scope="module")
def another(idle: Storage, model: Model) -> Iterator[Service]:
    with Service(idle.connection_string, model.url, **SETTINGS) as service:
        yield service


@pytest.fixture
def second(another: Service) -> Iterator[Service]:
    """The process that finishes the run. It is suspended until then, so that the first one drives every run."""
    with another.standing_still():
        yield another


def connected(url: str) -> OpenAI:
    """The SDK; it repeats a 503 of a run that cannot be committed within half the look-again delay."""
    return connect(url).with_options(max_retries=3)


def takes_its_time(model: Model, question: str) -> None:
    """Let the model answer slowly, and another text at once when it is called again."""
    model.script(
        {"match": question, "text": "Too late, far too late, I know.", "chunk_delay": 0.2},
        {"match": question, "text": "In time."},
    )


def finished_by_another(
    first: Service, second: Service, idle: Storage, model: Model, conversation: Conversation, question: str
) -> None:
    """Suspend the first process until a second one has completed the run; later actions of the first have no effect."""

    def shown() -> Any:
        return stored_run(idle, conversation), conversation.messages(), conversation.steps()

    with first.standing_still():
        second.signal(signal.SIGCONT)
        conversation.client = connected(second.url)
        conversation.reaches("completed")
        ended = shown()
    time.sleep(2.5)
    assert shown() == ended
    assert len(model.requests(question)) == 2
    run_id = conversation.run_id
    conversation.ask(unique("Is anybody there?"))
    conversation.reaches("completed")
    conversation.run_id = run_id


class Streamed(Conversation):
    """A conversation whose second run is streamed, and read in the background."""

    def __init__(self, service: Service, question: str, *tools: Any) -> None:
        super().__init__(connected(service.url), unique(), *tools)
        self.reaches("completed")
        self.client.beta.threads.messages.create(self.thread_id, role="user", content=question)
        self.events: list[Event] = []
        pool = ThreadPoolExecutor(1)
        self._follow = pool.submit(self._read, question)
        pool.shutdown(wait=False)
        self.run_id = eventually(lambda: self.events)[0].data["id"]

    def all_events(self) -> list[Event]:
        """The events, when the stream has ended."""
        self._follow.result(timeout=30)
        return self.events

    def _read(self, question: str) -> None:
        path = f"threads/{self.thread_id}/runs"
        with streamed(connected(str(self.client.base_url)), path, assistant_id=self.assistant_id) as coming:
            for event in coming:
                self.events.append(event)


def test_a_run_whose_driver_is_suspended_is_finished_once(first: Service, second: Service, idle: Storage, model: Model):
    question = unique()
    takes_its_time(model, question)
    conversation = Conversation(connected(first.url), question)
    eventually(lambda: model.requests(question))
    finished_by_another(first, second, idle, model, conversation, question)
    assert conversation.said()[0] == "In time."
    assert conversation.progress() == [("message_creation", "completed")]


def test_a_stream_whose_driver_is_suspended_shows_the_end_by_another_driver(
    first: Service, second: Service, idle: Storage, model: Model
):
    question = unique()
    takes_its_time(model, question)
    conversation = Streamed(first, question)
    eventually(lambda: said(conversation.events))
    finished_by_another(first, second, idle, model, conversation, question)
    assert conversation.said()[1] == "In time."
    events = conversation.all_events()
    assert names(events)[-4:] == [
        "thread.message.completed",
        "thread.run.step.completed",
        "thread.run.completed",
        "done",
    ]
    assert len(set(names(events))) == len(names(events))
    (shown,) = only(events, "thread.message.completed")["content"]
    assert shown["text"]["value"] == "In time."
    assert "Too late, far too late, I know.".startswith(said(events))


@pytest.mark.parametrize("kind", [Conversation, Streamed])
def test_a_suspended_tool_is_answered_by_another_process(
    first: Service, second: Service, idle: Storage, model: Model, kind: Any
):
    question = unique()
    model.script(
        {"match": question, "tool_calls": [call("retrieval", "call_r", q="?")]},
        {"match": question, "text": "In Oslo.", "times": -1},
    )
    conversation = kind(first if kind is Streamed else connected(first.url), question, RETRIEVAL)
    eventually(lambda: stored_run(idle, conversation).unanswered)
    eventually(lambda: not queue_of(idle, "retrieval").peek_messages(), seconds=2)
    finished_by_another(first, second, idle, model, conversation, question)
    assert conversation.said()[-2] == "In Oslo."
    assert conversation.progress() == [("tool_calls", "completed"), ("message_creation", "completed")]
    if isinstance(conversation, Streamed):
        assert names(conversation.all_events())[-2:] == ["thread.run.completed", "done"]
        assert conversation.events[-1] is DONE
