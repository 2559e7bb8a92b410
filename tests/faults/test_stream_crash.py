"""The service is killed in the middle of a stream: the queue continues the run."""

from collections.abc import Iterator
from contextlib import suppress
from typing import Any

import httpx2
import pytest
from openai import OpenAI

from assistants.local.azurite import Storage
from tests.support.sdk.client import connect
from tests.support.sdk.conversation import RETRIEVAL, WEATHER, call, unique
from tests.support.sdk.events import Event, streamed
from tests.support.sdk.talk import texts
from tests.support.service.processes import Model, Service, eventually

SETTINGS = {"LOOK_AGAIN": "2", "CLAIM": "2"}


@pytest.fixture(scope="module")
def mortal(idle: Storage, model: Model) -> Iterator[Service]:
    """A service that attends to its runs again every two seconds. Each test kills it and starts it again."""
    with Service(idle.connection_string, model.url, **SETTINGS) as service:
        yield service


def connected(service: Service) -> OpenAI:
    return connect(service.url).with_options(max_retries=3)


def dies_at(service: Service, path: str, event: str, **body: Any) -> list[Event]:
    """The events of a stream up to this one, at which the service is killed."""
    events: list[Event] = []
    with suppress(httpx2.TransportError), streamed(connected(service), path, **body) as coming:
        for each in coming:
            events.append(each)
            if each.name == event:
                service.kill()
    assert events[-1].name != "done"
    service.start()
    return events


def completed(client: OpenAI, run: dict[str, Any]) -> None:
    def status() -> str:
        return client.beta.threads.runs.retrieve(run["id"], thread_id=run["thread_id"]).status

    eventually(lambda: status() not in {"queued", "in_progress"})
    assert status() == "completed"


def test_a_text_run_is_completed_with_one_message_and_its_thread_accepts_another_run(mortal: Service, model: Model):
    question = unique()
    model.script({"match": question, "text": "It is sunny in Oslo today.", "chunk_delay": 0.2, "times": -1})
    client = connected(mortal)
    assistant = client.beta.assistants.create(model="demo")
    thread = client.beta.threads.create(messages=[{"role": "user", "content": question}])

    events = dies_at(mortal, f"threads/{thread.id}/runs", "thread.message.delta", assistant_id=assistant.id)
    client = connected(mortal)
    completed(client, events[0].data)
    assert texts(client, thread.id) == [question, "It is sunny in Oslo today."]
    (said,) = client.beta.threads.messages.list(thread.id, limit=1).data
    assert said.id == next(event.data["id"] for event in events if event.name == "thread.message.created")
    assert len(model.requests(question)) == 2
    assert client.beta.threads.messages.create(thread.id, role="user", content=question)
    assert client.beta.threads.runs.create(thread.id, assistant_id=assistant.id).status == "queued"


def test_a_run_whose_outputs_were_submitted_is_completed_too(mortal: Service, model: Model):
    question = unique()
    sunny = f"sunny {question}"
    model.script(
        {"match": sunny, "text": "It is sunny.", "chunk_delay": 0.2, "times": -1},
        {"match": question, "tool_calls": [call("get_weather", "call_w")]},
    )
    client = connected(mortal)
    assistant = client.beta.assistants.create(model="demo", tools=[WEATHER])
    thread = client.beta.threads.create(messages=[{"role": "user", "content": question}])
    with streamed(client, f"threads/{thread.id}/runs", assistant_id=assistant.id) as coming:
        (run,) = [event.data for event in coming if event.name == "thread.run.requires_action"]

    path = f"threads/{thread.id}/runs/{run['id']}/submit_tool_outputs"
    outputs = [{"tool_call_id": "call_w", "output": sunny}]
    dies_at(mortal, path, "thread.message.delta", tool_outputs=outputs)
    client = connected(mortal)
    completed(client, run)
    assert texts(client, thread.id) == [question, "It is sunny."]


def test_a_stream_that_waits_for_a_tool_of_the_service_leaves_a_run_that_is_completed(
    idle: Storage, mortal: Service, model: Model
):
    question = unique()
    model.script({"match": question, "tool_calls": [call("retrieval", "call_r", q="?")]})
    with Service(idle.connection_string, model.url, RETRIEVAL_DELAY="1", **SETTINGS) as service:
        client = connected(service)
        assistant = client.beta.assistants.create(model="demo", tools=[RETRIEVAL])
        messages = [{"role": "user", "content": question}]
        path, body = "threads/runs", {"assistant_id": assistant.id, "thread": {"messages": messages}}
        events = dies_at(service, path, "thread.run.step.delta", **body)
        completed(connected(service), events[1].data)
    said = texts(connected(mortal), events[1].data["thread_id"])
    assert said[0] == question
    assert len(said) == 2
