"""Two machines whose clocks are half a minute wrong, one ahead and one behind, and are set meanwhile: claims and expiry
are still correct.
"""

import time
from collections.abc import Iterator, Sequence
from contextlib import ExitStack

import pytest
from openai import OpenAI

from assistants.local.azurite import Storage
from tests.support.sdk.client import connect
from tests.support.sdk.conversation import WEATHER, Conversation, call, unique
from tests.support.service.instance import CLOCK_STEPS
from tests.support.service.processes import Instance, Model, eventually
from tests.support.storage.stored import stored_run

AHEAD = (30, -30)
CLAIM, LIFETIME = 2.0, 8.0

EXACTLY = 1.5
"""The tolerance in seconds: storage reports whole seconds."""


@pytest.fixture(scope="module")
def instances(idle: Storage, model: Model) -> Iterator[list[Instance]]:
    settings = {"LOOK_AGAIN": "1", "CLAIM": str(CLAIM), "RUN_LIFETIME": str(LIFETIME)}
    with ExitStack() as stack:
        yield [
            stack.enter_context(Instance(idle.connection_string, model.url, CLOCK_AHEAD=str(ahead), **settings))
            for ahead in AHEAD
        ]


@pytest.fixture(scope="module")
def clients(instances: Sequence[Instance]) -> list[OpenAI]:
    return [connect(each.url) for each in instances]


def driver_of(conversation: Conversation, instances: Sequence[Instance]) -> Instance:
    """The process that has claimed the run."""

    def found() -> Instance | None:
        claimed = f'"run": "{conversation.run_id}"', '"to": "in_progress"'
        return next((each for each in instances if any(all(c in line for c in claimed) for line in each.lines)), None)

    return eventually(found)


def test_the_first_object_of_a_process_has_the_right_time(clients: Sequence[OpenAI]):
    for client in clients:
        assert client.beta.threads.create().created_at == pytest.approx(time.time(), abs=EXACTLY)


def test_a_live_claim_is_respected(clients: Sequence[OpenAI], instances: Sequence[Instance], model: Model):
    conversations: list[Conversation] = []
    while len({driver_of(each, instances) for each in conversations}) < 2:
        question = unique()
        model.script({"match": question, "text": "Still here.", "delay": 2 * CLAIM})
        conversations.append(Conversation(clients[len(conversations) % 2], question))
        assert len(conversations) < 40
    for conversation in conversations:
        conversation.reaches("completed")
    assert [len(model.requests(each.question)) for each in conversations] == [1] * len(conversations)


def test_a_run_expires_when_its_time_is_over(clients: Sequence[OpenAI], idle: Storage, model: Model):
    conversations: list[Conversation] = []
    for client in clients:
        question = unique()
        model.script({"match": question, "tool_calls": [call("get_weather", "call_w")]})
        conversations.append(Conversation(client, question, WEATHER))
        run = conversations[-1].reaches("requires_action")
        assert run.created_at == pytest.approx(time.time(), abs=EXACTLY + 2)
    for conversation, asked in zip(conversations, reversed(clients), strict=True):
        conversation.client = asked
        expires_at = stored_run(idle, conversation).expires_at
        eventually(lambda conversation=conversation: conversation.run().status == "expired")
        assert expires_at - EXACTLY <= time.time() <= expires_at + EXACTLY + 2


def test_runs_continue_while_the_clock_of_their_machine_is_repeatedly_set_ahead_by_an_hour(
    clients: Sequence[OpenAI], instances: Sequence[Instance], model: Model
):
    question = unique()
    model.script({"match": question, "text": "Still here.", "delay": CLAIM})
    conversation = Conversation(clients[0], question)
    eventually(lambda: model.requests(question))
    driver = driver_of(conversation, instances)
    end = time.monotonic() + CLAIM
    while time.monotonic() < end:
        driver.signal(CLOCK_STEPS)
        time.sleep(0.01)
    conversation.reaches("completed")
    assert conversation.said() == ["Still here."]


def test_the_claim_of_a_dead_driver_lapses(
    clients: Sequence[OpenAI], instances: Sequence[Instance], idle: Storage, model: Model
):
    question = unique()
    model.script({"match": question, "text": "Too late.", "delay": 10}, {"match": question, "text": "In time."})
    conversation = Conversation(clients[0], question)
    eventually(lambda: model.requests(question))
    dead = driver_of(conversation, instances)
    conversation.client = clients[1 - instances.index(dead)]
    dead.kill()
    claim = stored_run(idle, conversation).claim
    assert claim is not None
    conversation.reaches("completed", seconds=LIFETIME)
    assert time.time() >= claim.until - EXACTLY
    assert conversation.said() == ["In time."]
