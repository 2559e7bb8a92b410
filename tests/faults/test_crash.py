"""The service is killed at every moment of a run, and started again: the run ends as without a crash.

An item that the killed process had received stays hidden for ten minutes: the look-again item and the polling
client continue the run.
"""

import time
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import suppress

import openai
import pytest
from openai import OpenAI

from assistants.local.azurite import Storage
from tests.support.sdk.client import connect
from tests.support.sdk.conversation import RETRIEVAL, WEATHER, Conversation, call, unique
from tests.support.service.processes import Model, Service, eventually

RETRIEVAL_TAKES = 0.3
SETTINGS = {"LOOK_AGAIN": "1", "CLAIM": "2", "RETRIEVAL_DELAY": str(RETRIEVAL_TAKES)}


@pytest.fixture(scope="module")
def mortal(idle: Storage, model: Model) -> Iterator[Service]:
    """A service that attends to its runs again every second. Each test kills it and starts it again."""
    with Service(idle.connection_string, model.url, **SETTINGS) as service:
        yield service


class Mixed(Conversation):
    """A run whose model answers, calls a function and retrieval, and answers again, slowly."""

    def __init__(self, service: Service, model: Model) -> None:
        question = unique()
        self._service, self._model = service, model
        self.sunny, self.again = f"sunny {question}", f"again {question}"
        # The last reply comes first, as every prompt contains all earlier texts.
        model.script(
            {"match": self.again, "text": "Still in Oslo.", "times": -1},
            self._reply(self.sunny, text="It is sunny in Oslo today."),
            self._reply(
                question,
                text="Let me look that up.",
                tool_calls=[call("get_weather", "call_w"), call("retrieval", "call_r", q="Where?")],
            ),
        )
        super().__init__(self._connect(), question, WEATHER, RETRIEVAL)

    def survive(self) -> None:
        """Kill the service, and start it again."""
        self._service.kill()
        self._service.start()
        self.client = self._connect()

    def asked(self, text: str) -> object:
        """Wait until the model has received a request that contains the text."""
        return eventually(lambda: self._model.requests(text))

    def submits(self) -> None:
        self.reaches("requires_action")
        self.submit({"call_w": self.sunny})

    def finishes(self) -> None:
        """Bring the run to its end, from any state, as a polling client does."""
        while self.run().status in {"queued", "in_progress"}:
            time.sleep(0.05)
        if self.run().status == "requires_action":
            self.submits()
        self.reaches("completed")

    def _connect(self) -> OpenAI:
        # A run that cannot be committed within half the look-again delay is refused with a 503, to be repeated.
        return connect(self._service.url).with_options(max_retries=3)

    def _reply(self, match: str, **reply: object) -> dict[str, object]:
        return {"match": match, "times": -1, "delay": 0.1, "chunk_delay": 0.03, **reply}


def at_once(_: Mixed) -> None:
    """Do nothing, so that possibly no process has attended to the run yet."""


def asked(run: Mixed) -> None:
    run.asked(run.question)


def streaming(run: Mixed) -> None:
    run.asked(run.question)
    time.sleep(0.25)


def speaking_ends(run: Mixed) -> None:
    eventually(run.steps)


def retrieving(run: Mixed) -> None:
    run.reaches("requires_action")


def waiting(run: Mixed) -> None:
    run.reaches("requires_action")
    time.sleep(RETRIEVAL_TAKES * 2)


def submitted(run: Mixed) -> None:
    run.submits()


def both_answered(run: Mixed) -> None:
    run.reaches("requires_action")
    time.sleep(RETRIEVAL_TAKES * 2)
    run.submits()


def asked_again(run: Mixed) -> None:
    run.submits()
    run.asked(run.sunny)


def streaming_again(run: Mixed) -> None:
    run.submits()
    run.asked(run.sunny)
    time.sleep(0.25)


def published(run: Mixed) -> None:
    run.submits()
    eventually(lambda: len(run.said()) == 2)


MOMENTS = [
    at_once, asked, streaming, speaking_ends, retrieving, waiting, submitted, both_answered, asked_again,
    streaming_again, published,
]  # fmt: skip


@pytest.mark.parametrize("moment", MOMENTS, ids=lambda moment: moment.__name__)
def test_a_run_survives_the_death_of_the_service(mortal: Service, model: Model, moment: Callable[[Mixed], None]):
    run = Mixed(mortal, model)
    moment(run)
    run.survive()
    run.finishes()

    assert run.said() == ["Let me look that up.", "It is sunny in Oslo today."]
    assert run.progress() == [
        ("message_creation", "completed"),
        ("tool_calls", "completed"),
        ("message_creation", "completed"),
    ]
    assert [each["id"] for each in run.calls()] == ["call_w", "call_r"]
    assert run.ask(run.again).status == "queued"


def test_a_thread_whose_run_was_being_created_is_not_locked_for_long(mortal: Service, model: Model):
    run = Mixed(mortal, model)
    run.submits()
    run.reaches("completed")
    run.client.beta.threads.messages.create(run.thread_id, role="user", content=run.again)
    with ThreadPoolExecutor() as pool:
        once = run.client.with_options(max_retries=0)
        creating = pool.submit(once.beta.threads.runs.create, run.thread_id, assistant_id=run.assistant_id)
        time.sleep(0.01)
        run.survive()
        with suppress(openai.APIConnectionError):
            run.run_id = creating.result().id

    def unlocked() -> bool:
        with suppress(openai.BadRequestError):
            run.ask(run.again)
            return True
        return False

    eventually(unlocked)
    run.reaches("completed")
    assert run.said()[-1] == "Still in Oslo."
