"""The log of a run: one structured line for each change of its state."""

import json
from typing import Any

from openai import OpenAI

from tests.support.sdk.conversation import RETRIEVAL, WEATHER, Conversation, call, unique
from tests.support.service.processes import Model, Service, eventually

MARK = " INFO assistants.runs run "


def transitions(service: Service, run_id: str, end: str) -> list[dict[str, Any]]:
    """The lines of a run in the service's output, as soon as one of them has the state `end`."""

    def found() -> list[dict[str, Any]]:
        lines = [json.loads(line.partition(MARK)[2]) for line in service.lines if MARK in line]
        ours = [line for line in lines if line["run"] == run_id]
        return ours if ours and ours[-1]["to"] == end else []

    return eventually(found)


def test_each_transition_of_a_mixed_run_is_logged_once(client: OpenAI, service: Service, model: Model):
    question = unique()
    calls = [call("get_weather", "call_w"), call("retrieval", "call_r", q="?")]
    model.script({"match": question, "tool_calls": calls}, {"match": question, "text": "Oslo.", "delay": 0.5})
    conversation = Conversation(client, question, WEATHER, RETRIEVAL)
    conversation.reaches("requires_action")
    conversation.submit({"call_w": "sunny"})
    conversation.reaches("completed")

    lines = transitions(service, conversation.run_id, "completed")
    assert [(line["from"], line["to"], line["why"]) for line in lines] == [
        (None, "queued", "created"),
        ("queued", "in_progress", "claimed"),
        ("in_progress", "requires_action", "tools called"),
        ("requires_action", "queued", "outputs submitted"),
        ("queued", "in_progress", "claimed"),
        ("in_progress", "completed", "complete"),
    ]
    assert {(line["thread"], line["project"]) for line in lines} == {(conversation.thread_id, "default")}
    first, *others = [line["seconds"] for line in lines]
    assert first == 0
    assert all(0 <= seconds < 30 for seconds in others)
    assert others[-1] >= 0.5, "how long the run was in the state that it has left"


def test_the_last_line_of_a_failed_run_says_why(client: OpenAI, service: Service, model: Model):
    question = unique()
    model.script({"match": question, "status": 400, "error": "The prompt is too long."})
    conversation = Conversation(client, question)
    conversation.reaches("failed")
    last = transitions(service, conversation.run_id, "failed")[-1]
    assert (last["from"], last["why"]) == ("in_progress", "The prompt is too long.")


def test_the_log_has_a_cancellation_and_its_end(client: OpenAI, service: Service):
    conversation = Conversation(client, unique("get weather"), WEATHER)
    conversation.reaches("requires_action")
    conversation.cancel()
    lines = transitions(service, conversation.run_id, "cancelled")
    assert [(line["from"], line["to"], line["why"]) for line in lines[-2:]] == [
        ("requires_action", "cancelling", "cancelled by the client"),
        ("cancelling", "cancelled", "cancelled"),
    ]


def test_other_writes_than_transitions_are_not_logged(client: OpenAI, service: Service):
    conversation = Conversation(client, unique())
    conversation.reaches("completed")
    client.beta.threads.runs.update(conversation.run_id, thread_id=conversation.thread_id, metadata={"a": "b"})
    assert len(transitions(service, conversation.run_id, "completed")) == 3
