"""Run steps: the actions of a run, message by message and call by call."""

import json
from typing import Any

import pytest
from openai import OpenAI
from openai.types.beta import Assistant

from tests.support.sdk.talk import ask, calls_of, function, submit
from tests.support.service.processes import Model


@pytest.fixture(scope="module")
def caller(client: OpenAI) -> Assistant:
    return client.beta.assistants.create(model="gpt-4o", tools=[function("get_time"), function("get_weather")])


def steps(client: OpenAI, run: Any, **query: Any) -> list[dict[str, Any]]:
    """The steps of a run in the API's form, oldest first, after a check that retrieving each gives the same."""
    listed = client.beta.threads.runs.steps.with_raw_response.list(
        run.id, thread_id=run.thread_id, **{"order": "asc", **query}
    )
    shown = json.loads(listed.text)["data"]
    for step in shown:
        retrieved = client.beta.threads.runs.steps.with_raw_response.retrieve(
            step["id"], thread_id=run.thread_id, run_id=run.id
        )
        assert json.loads(retrieved.text) == step
    return shown


def test_an_answer_is_one_step_that_names_its_message(client: OpenAI, assistant: Assistant, model: Model, topic: str):
    usage = {"prompt_tokens": 7, "completion_tokens": 5, "total_tokens": 12}
    model.script({"match": topic, "text": "Done", "usage": usage})
    run = ask(client, assistant.id, topic)
    message = client.beta.threads.messages.list(run.thread_id).data[0]
    (step,) = steps(client, run)
    assert step["id"].startswith("step_")
    assert step == {
        "id": step["id"],
        "object": "thread.run.step",
        "created_at": step["created_at"],
        "run_id": run.id,
        "assistant_id": assistant.id,
        "thread_id": run.thread_id,
        "type": "message_creation",
        "status": "completed",
        "cancelled_at": None,
        "completed_at": step["completed_at"],
        "expires_at": None,
        "expired_at": None,
        "failed_at": None,
        "last_error": None,
        "step_details": {"type": "message_creation", "message_creation": {"message_id": message.id}},
        "usage": usage,
        "metadata": {},
    }
    assert step["created_at"] <= step["completed_at"]


def test_calls_are_one_step_that_is_open_until_they_are_answered(client: OpenAI, caller: Assistant):
    run = ask(client, caller.id, "get_weather and get_time")
    weather, time = calls_of(run)

    def details(*outputs: str | None) -> dict[str, Any]:
        calls = [
            {
                "id": call.id,
                "type": "function",
                "function": {"name": call.function.name, "arguments": call.function.arguments, "output": output},
            }
            for call, output in zip((weather, time), outputs, strict=True)
        ]
        return {"type": "tool_calls", "tool_calls": calls}

    (step,) = steps(client, run)
    assert (step["type"], step["status"]) == ("tool_calls", "in_progress")
    assert (step["completed_at"], step["usage"]) == (None, None)
    assert step["expires_at"] == run.expires_at
    assert step["step_details"] == details(None, None)

    run = submit(client, run, "rain", "noon")
    answered, answer = steps(client, run)
    assert answered == step | {
        "status": "completed",
        "completed_at": answered["completed_at"],
        "expires_at": None,
        "step_details": details("rain", "noon"),
        "usage": answered["usage"],
    }
    assert answer["type"] == "message_creation"
    total = sum(each["usage"]["total_tokens"] for each in (answered, answer))
    assert run.usage is not None
    assert total == run.usage.total_tokens


def test_text_beside_calls_is_a_step_before_the_calls(client: OpenAI, caller: Assistant, model: Model, topic: str):
    model.script({"match": topic, "text": "One moment.", "tool_calls": [{"name": "get_time"}]})
    run = ask(client, caller.id, topic)
    assert [step["type"] for step in steps(client, run)] == ["message_creation", "tool_calls"]
    run = submit(client, run, "noon")
    assert [step["type"] for step in steps(client, run)] == ["message_creation", "tool_calls", "message_creation"]
    assert run.usage is not None
    assert sum(step["usage"]["total_tokens"] for step in steps(client, run)) == run.usage.total_tokens


def test_steps_are_listed_newest_first(client: OpenAI, caller: Assistant):
    run = submit(client, ask(client, caller.id, "get_time"), "noon")
    listed = client.beta.threads.runs.steps.list(run.id, thread_id=run.thread_id)
    assert [step.type for step in listed] == ["message_creation", "tool_calls"]


def test_a_run_that_is_waiting_for_the_model_has_no_steps_yet(
    client: OpenAI, assistant: Assistant, model: Model, topic: str
):
    model.script({"match": topic, "delay": 1})
    thread = client.beta.threads.create(messages=[{"role": "user", "content": topic}])
    run = client.beta.threads.runs.create(thread.id, assistant_id=assistant.id)
    assert steps(client, run) == []
