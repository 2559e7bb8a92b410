"""Streams, event by event (contract, 7.1, 7.2 and 7.5), and runs whose stream is cut."""

import time
from collections.abc import Iterator
from typing import Any

import httpx2
import pytest
from openai import OpenAI
from openai.types.beta import Assistant

from assistants.local.azurite import Storage
from tests.support.sdk.client import connect, refused
from tests.support.sdk.conversation import RETRIEVAL, call
from tests.support.sdk.events import (
    CALLS_BEGIN,
    DONE,
    MESSAGE_BEGINS,
    MESSAGE_ENDS,
    RUN_BEGINS,
    Event,
    deltas,
    names,
    only,
    said,
    stream,
    streamed,
)
from tests.support.sdk.talk import ask, calls_of, function, text_of, texts
from tests.support.service.processes import HttpSide, Model, Service, eventually

pytestmark = pytest.mark.no_azure

LIFETIME = 2


@pytest.fixture(scope="module")
def caller(client: OpenAI) -> Assistant:
    """An assistant with two functions."""
    tools = [function("get_time", "city"), function("get_weather", "city")]
    return client.beta.assistants.create(model="gpt-4o", tools=tools)


@pytest.fixture
def thread(client: OpenAI, topic: str) -> str:
    """A thread with the test's topic in its message."""
    return client.beta.threads.create(messages=[{"role": "user", "content": topic}]).id


@pytest.fixture(scope="module")
def apart(idle: Storage, model: Model) -> Iterator[OpenAI]:
    """The SDK, connected to an instance that serves HTTP and handles no queue. Its runs expire soon."""
    settings = {"RUN_LIFETIME": str(LIFETIME), "CLAIM": "1"}
    with HttpSide(idle.connection_string, model.url, **settings) as side, connect(side.url) as client:
        yield client


def message_delta(message: str, value: str, first: bool = False) -> dict[str, Any]:
    text = {"value": value, "annotations": []} if first else {"value": value}
    content = [{"index": 0, "type": "text", "text": text}]
    return {"id": message, "object": "thread.message.delta", "delta": {"content": content}}


def call_delta(step: str, **tool_call: Any) -> dict[str, Any]:
    details = {"type": "tool_calls", "tool_calls": [tool_call]}
    return {"id": step, "object": "thread.run.step.delta", "delta": {"step_details": details}}


def call_begins(step: str, index: int, call_id: str, name: str) -> dict[str, Any]:
    named = {"name": name, "arguments": "", "output": None}
    return call_delta(step, index=index, id=call_id, type="function", function=named)


def call_goes_on(step: str, index: int, arguments: str) -> dict[str, Any]:
    return call_delta(step, index=index, type="function", function={"arguments": arguments})


def submit(client: OpenAI, run: dict[str, Any], *outputs: str) -> list[Event]:
    """The events after the outputs of a run's calls are submitted, in the calls' order."""
    calls = run["required_action"]["submit_tool_outputs"]["tool_calls"]
    answers = [{"tool_call_id": each["id"], "output": output} for each, output in zip(calls, outputs, strict=True)]
    return stream(client, f"threads/{run['thread_id']}/runs/{run['id']}/submit_tool_outputs", tool_outputs=answers)


def stored_message(client: OpenAI, message: dict[str, Any]) -> dict[str, Any]:
    return client.beta.threads.messages.retrieve(message["id"], thread_id=message["thread_id"]).to_dict()


def stored_run(client: OpenAI, run: dict[str, Any]) -> dict[str, Any]:
    return client.beta.threads.runs.retrieve(run["id"], thread_id=run["thread_id"]).to_dict()


def stored_step(client: OpenAI, step: dict[str, Any]) -> dict[str, Any]:
    steps = client.beta.threads.runs.steps
    return steps.retrieve(step["id"], thread_id=step["thread_id"], run_id=step["run_id"]).to_dict()


class TestText:
    def test_a_text_run_is_streamed_event_by_event(
        self, client: OpenAI, assistant: Assistant, model: Model, thread: str, topic: str
    ):
        used = {"prompt_tokens": 5, "completion_tokens": 3, "total_tokens": 8}
        model.script({"match": topic, "chunks": ["Hello", "!", " ä\n"], "usage": used, "chunk_delay": 0.05})
        events = stream(client, f"threads/{thread}/runs", assistant_id=assistant.id)

        message = only(events, "thread.message.created")["id"]
        assert [event.name for event in events] == [
            "thread.run.created",
            "thread.run.queued",
            "thread.run.in_progress",
            "thread.run.step.created",
            "thread.run.step.in_progress",
            "thread.message.created",
            "thread.message.in_progress",
            "thread.message.delta",
            "thread.message.delta",
            "thread.message.delta",
            "thread.message.completed",
            "thread.run.step.completed",
            "thread.run.completed",
            "done",
        ]
        assert deltas(events) == [
            message_delta(message, "Hello", first=True),
            message_delta(message, "!"),
            message_delta(message, " ä\n"),
        ]
        for event in events[:2]:
            assert (event.data["status"], event.data["started_at"], event.data["usage"]) == ("queued", None, None)
        assert events[2].data == {**events[0].data, "status": "in_progress", "started_at": events[2].data["started_at"]}

        begun = only(events, "thread.run.step.created")
        assert begun == only(events, "thread.run.step.in_progress")
        assert begun["step_details"] == {"type": "message_creation", "message_creation": {"message_id": message}}
        assert (begun["status"], begun["usage"]) == ("in_progress", None)
        assert only(events, "thread.run.step.completed")["usage"] == used

        empty = only(events, "thread.message.created")
        assert empty == only(events, "thread.message.in_progress")
        assert (empty["content"], empty["status"], empty["role"]) == ([], "in_progress", "assistant")
        assert only(events, "thread.message.completed")["content"] == [
            {"type": "text", "text": {"value": "Hello! ä\n", "annotations": []}}
        ]
        ended = only(events, "thread.run.completed")
        assert (ended["status"], ended["usage"], ended["expires_at"]) == ("completed", used, None)

    def test_the_events_show_the_stored_objects(self, client: OpenAI, assistant: Assistant, thread: str, topic: str):
        events = stream(client, f"threads/{thread}/runs", assistant_id=assistant.id)
        run = only(events, "thread.run.completed")
        assert stored_run(client, run) == run
        for name, stored in (("thread.message.completed", stored_message), ("thread.run.step.completed", stored_step)):
            assert stored(client, only(events, name)) == only(events, name)
        assert texts(client, thread) == [topic, said(events)]

    def test_a_thread_made_with_its_run_is_the_first_event(self, client: OpenAI, assistant: Assistant, topic: str):
        messages = [{"role": "user", "content": topic}]
        events = stream(client, "threads/runs", assistant_id=assistant.id, thread={"messages": messages})
        assert names(events) == [
            "thread.created", *RUN_BEGINS, *MESSAGE_BEGINS, *MESSAGE_ENDS, "thread.run.completed", "done",
        ]  # fmt: skip
        thread = only(events, "thread.created")
        assert client.beta.threads.retrieve(thread["id"]).to_dict() == thread
        assert only(events, "thread.run.created")["thread_id"] == thread["id"]

    def test_an_empty_answer_is_a_message_with_an_empty_text(
        self, client: OpenAI, assistant: Assistant, model: Model, thread: str, topic: str
    ):
        model.script({"match": topic, "text": ""})
        events = stream(client, f"threads/{thread}/runs", assistant_id=assistant.id)
        assert names(events) == [*RUN_BEGINS, *MESSAGE_BEGINS, *MESSAGE_ENDS, "thread.run.completed", "done"]
        assert deltas(events) == [message_delta(only(events, "thread.message.created")["id"], "", first=True)]

    def test_a_refusal_is_streamed_in_separate_deltas(
        self, client: OpenAI, assistant: Assistant, model: Model, thread: str, topic: str
    ):
        model.script({"match": topic, "refusal": "No thanks", "chunk_delay": 0.05})
        events = stream(client, f"threads/{thread}/runs", assistant_id=assistant.id)
        assert names(events) == [*RUN_BEGINS, *MESSAGE_BEGINS, *MESSAGE_ENDS, "thread.run.completed", "done"]
        assert [delta["delta"]["content"] for delta in deltas(events)] == [
            [{"index": 0, "type": "refusal", "refusal": "No"}],
            [{"index": 0, "type": "refusal", "refusal": " thanks"}],
        ]
        assert only(events, "thread.message.completed")["content"] == [{"type": "refusal", "refusal": "No thanks"}]

    def test_additional_messages_are_in_the_thread_and_in_the_prompt(
        self, client: OpenAI, assistant: Assistant, model: Model, thread: str, topic: str
    ):
        more = [{"role": "user", "content": f"more {topic}"}]
        stream(client, f"threads/{thread}/runs", assistant_id=assistant.id, additional_messages=more)
        assert texts(client, thread)[:2] == [topic, f"more {topic}"]
        (asked,) = model.requests(f"more {topic}")
        assert [message["content"] for message in asked["messages"]] == [topic, f"more {topic}"]


class TestFunctions:
    def test_a_function_run_stops_at_requires_action_with_its_step_open(
        self, client: OpenAI, caller: Assistant, model: Model, thread: str, topic: str
    ):
        calls = [call("get_time", "call_a", city="Oslo"), call("get_weather", "call_b", city="Rome")]
        model.script({"match": topic, "tool_calls": calls, "chunk_delay": 0.05})
        events = stream(client, f"threads/{thread}/runs", assistant_id=caller.id)

        assert names(events) == [*RUN_BEGINS, *CALLS_BEGIN, "thread.run.requires_action", "done"]
        begun = only(events, "thread.run.step.created")
        assert begun["step_details"] == {"type": "tool_calls", "tool_calls": []}
        assert only(events, "thread.run.step.in_progress") == begun
        step = begun["id"]
        assert deltas(events) == [
            call_begins(step, 0, "call_a", "get_time"),
            call_goes_on(step, 0, '{"ci'),
            call_goes_on(step, 0, 'ty":'),
            call_goes_on(step, 0, ' "Os'),
            call_goes_on(step, 0, 'lo"}'),
            call_begins(step, 1, "call_b", "get_weather"),
            call_goes_on(step, 1, '{"ci'),
            call_goes_on(step, 1, 'ty":'),
            call_goes_on(step, 1, ' "Ro'),
            call_goes_on(step, 1, 'me"}'),
        ]
        run = only(events, "thread.run.requires_action")
        shown = run["required_action"]["submit_tool_outputs"]["tool_calls"]
        assert [(each["id"], each["function"]["name"], each["function"]["arguments"]) for each in shown] == [
            ("call_a", "get_time", '{"city": "Oslo"}'),
            ("call_b", "get_weather", '{"city": "Rome"}'),
        ]
        assert stored_run(client, run) == run

    def test_after_the_outputs_the_step_is_completed_and_the_run_continues(
        self, client: OpenAI, caller: Assistant, model: Model, thread: str, topic: str
    ):
        used = {"prompt_tokens": 5, "completion_tokens": 3, "total_tokens": 8}
        model.script({"match": topic, "tool_calls": [call("get_time", "call_a", city="Oslo")], "usage": used})
        first = stream(client, f"threads/{thread}/runs", assistant_id=caller.id)
        events = submit(client, only(first, "thread.run.requires_action"), "noon")

        assert names(events) == [
            "thread.run.step.completed", "thread.run.queued", "thread.run.in_progress", *MESSAGE_BEGINS, *MESSAGE_ENDS,
            "thread.run.completed", "done",
        ]  # fmt: skip
        tools, message = [event.data for event in events if event.name == "thread.run.step.completed"]
        assert tools["id"] == only(first, "thread.run.step.created")["id"]
        function = {"name": "get_time", "arguments": '{"city": "Oslo"}', "output": "noon"}
        assert tools["step_details"]["tool_calls"] == [{"id": "call_a", "type": "function", "function": function}]
        assert tools["usage"] == used
        assert message["type"] == "message_creation"
        assert said(events) == "get_time: noon"
        assert texts(client, thread) == [topic, "get_time: noon"]

    def test_text_before_the_calls_is_completed_before_they_begin(
        self, client: OpenAI, caller: Assistant, model: Model, thread: str, topic: str
    ):
        calls = [call("get_time", "call_a", city="Oslo"), call("get_weather", "call_b")]
        model.script({"match": topic, "text": "Let me see.", "tool_calls": calls, "chunk_delay": 0.05})
        events = stream(client, f"threads/{thread}/runs", assistant_id=caller.id)
        assert names(events) == [
            *RUN_BEGINS, *MESSAGE_BEGINS, *MESSAGE_ENDS, *CALLS_BEGIN, "thread.run.requires_action", "done",
        ]  # fmt: skip
        step = [event.data["id"] for event in events if event.name == "thread.run.step.created"][-1]
        assert [delta for delta in deltas(events) if delta["id"] == step] == [
            call_begins(step, 0, "call_a", "get_time"),
            call_goes_on(step, 0, '{"city": "Oslo"}'),
            call_begins(step, 1, "call_b", "get_weather"),
            call_goes_on(step, 1, "{}"),
        ]

    def test_a_call_that_broke_off_is_not_mixed_with_another_try(
        self, client: OpenAI, caller: Assistant, model: Model, thread: str, topic: str
    ):
        model.script({"match": topic, "tool_calls": [call("get_time", "call_a", city="Oslo")], "cut_after": 2})
        events = stream(client, f"threads/{thread}/runs", assistant_id=caller.id)
        assert names(events) == [*RUN_BEGINS, *CALLS_BEGIN, "thread.run.step.failed", "thread.run.failed", "done"]
        (delta,) = deltas(events)
        assert delta == call_begins(only(events, "thread.run.step.created")["id"], 0, "call_a", "get_time")


class TestServerTools:
    """The stream is opened at an instance that handles no queue; the tools work in another process."""

    def test_the_stream_stays_open_while_a_tool_works_elsewhere_and_shows_the_next_turn(
        self, apart: OpenAI, idle: Storage, model: Model, topic: str
    ):
        assistant = apart.beta.assistants.create(model="gpt-4o", tools=[RETRIEVAL])
        model.script(
            {"match": topic, "tool_calls": [call("retrieval", "call_r", q="Where?")]},
            {"match": topic, "chunks": ["In ", "Oslo."], "chunk_delay": 0.05},
        )
        with Service(idle.connection_string, model.url):
            events = stream(
                apart,
                "threads/runs",
                assistant_id=assistant.id,
                thread={"messages": [{"role": "user", "content": topic}]},
            )
        assert names(events) == [
            "thread.created", *RUN_BEGINS, *CALLS_BEGIN, "thread.run.step.completed", *MESSAGE_BEGINS, *MESSAGE_ENDS,
            "thread.run.completed", "done",
        ]  # fmt: skip
        step = next(event.data["id"] for event in events if event.name == "thread.run.step.created")
        message = only(events, "thread.message.created")["id"]
        assert deltas(events) == [
            call_delta(step, index=0, id="call_r", type="retrieval", retrieval={}),
            message_delta(message, "In ", first=True),
            message_delta(message, "Oslo."),
        ]
        tools = next(event.data for event in events if event.name == "thread.run.step.completed")
        assert tools["step_details"]["tool_calls"] == [{"id": "call_r", "type": "retrieval", "retrieval": {}}]

    def test_a_run_that_waits_for_both_sides_continues_in_the_stream_of_its_outputs(
        self, client: OpenAI, model: Model, thread: str, topic: str
    ):
        mixed = client.beta.assistants.create(model="gpt-4o", tools=[RETRIEVAL, function("get_time", "city")])
        calls = [call("retrieval", "call_r", q="?"), call("get_time", "call_f")]
        model.script({"match": topic, "tool_calls": calls})
        events = stream(client, f"threads/{thread}/runs", assistant_id=mixed.id)
        assert names(events) == [*RUN_BEGINS, *CALLS_BEGIN, "thread.run.requires_action", "done"]
        step = only(events, "thread.run.step.created")["id"]
        assert deltas(events) == [
            call_delta(step, index=0, id="call_r", type="retrieval", retrieval={}),
            call_begins(step, 1, "call_f", "get_time"),
            call_goes_on(step, 1, "{"),
            call_goes_on(step, 1, "}"),
        ]
        run = only(events, "thread.run.requires_action")
        (owed,) = run["required_action"]["submit_tool_outputs"]["tool_calls"]
        assert owed["id"] == "call_f"

        events = submit(client, run, "noon")
        assert names(events)[-1] == "done"
        assert names(events, "thread.run.queued") == [
            "thread.run.step.completed", "thread.run.in_progress", *MESSAGE_BEGINS, *MESSAGE_ENDS,
            "thread.run.completed", "done",
        ]  # fmt: skip
        assert said(events) == text_of(client.beta.threads.messages.list(thread).data[0])


class TestOtherEnds:
    def test_incomplete_by_its_budget(
        self, client: OpenAI, assistant: Assistant, model: Model, thread: str, topic: str
    ):
        model.script({"match": topic, "text": "Hello the", "finish_reason": "length"})
        events = stream(client, f"threads/{thread}/runs", assistant_id=assistant.id, max_completion_tokens=256)
        assert names(events) == [
            *RUN_BEGINS, *MESSAGE_BEGINS, "thread.message.incomplete", "thread.run.step.completed",
            "thread.run.incomplete", "done",
        ]  # fmt: skip
        message, run = only(events, "thread.message.incomplete"), only(events, "thread.run.incomplete")
        assert message["incomplete_details"] == {"reason": "max_tokens"}
        assert run["incomplete_details"] == {"reason": "max_completion_tokens"}
        assert stored_run(client, run) == run
        assert stored_message(client, message) == message

    def test_incomplete_by_a_content_filter(
        self, client: OpenAI, assistant: Assistant, model: Model, thread: str, topic: str
    ):
        model.script({"match": topic, "text": "Hello the", "finish_reason": "content_filter"})
        events = stream(client, f"threads/{thread}/runs", assistant_id=assistant.id)
        assert names(events) == [
            *RUN_BEGINS, *MESSAGE_BEGINS, "thread.message.incomplete", "thread.run.step.completed",
            "thread.run.incomplete", "done",
        ]  # fmt: skip
        assert only(events, "thread.message.incomplete")["incomplete_details"] == {"reason": "content_filter"}

    def test_incomplete_before_the_model_is_called(
        self, client: OpenAI, assistant: Assistant, model: Model, topic: str
    ):
        thread = client.beta.threads.create(messages=[{"role": "user", "content": f"{topic} " * 200}])
        events = stream(client, f"threads/{thread.id}/runs", assistant_id=assistant.id, max_prompt_tokens=256)
        assert names(events) == [*RUN_BEGINS, "thread.run.incomplete", "done"]
        assert model.requests(topic) == []

    def test_failed_before_any_text(self, client: OpenAI, assistant: Assistant, model: Model, thread: str, topic: str):
        model.script({"match": topic, "status": 400, "error": "No such thing."})
        events = stream(client, f"threads/{thread}/runs", assistant_id=assistant.id)
        assert names(events) == [*RUN_BEGINS, "thread.run.failed", "done"]
        run = only(events, "thread.run.failed")
        assert run["last_error"] == {"code": "invalid_prompt", "message": "No such thing."}
        assert stored_run(client, run) == run

    def test_failed_in_the_middle_of_a_message(
        self, client: OpenAI, assistant: Assistant, model: Model, thread: str, topic: str
    ):
        model.script({"match": topic, "text": "one two three", "cut_after": 3})
        events = stream(client, f"threads/{thread}/runs", assistant_id=assistant.id)
        assert names(events) == [
            *RUN_BEGINS, *MESSAGE_BEGINS, "thread.run.step.failed", "thread.message.incomplete", "thread.run.failed",
            "done",
        ]  # fmt: skip
        message, run = only(events, "thread.message.incomplete"), only(events, "thread.run.failed")
        assert message["incomplete_details"] == {"reason": "run_failed"}
        assert message["content"][0]["text"]["value"] == said(events) == "one two"
        assert only(events, "thread.run.step.failed")["last_error"] == run["last_error"]
        assert run["last_error"]["code"] == "server_error"
        assert stored_message(client, message) == message

    @pytest.mark.parametrize("speaking", [True, False], ids=["in a message", "before a word"])
    def test_cancelled_from_elsewhere(
        self, client: OpenAI, assistant: Assistant, model: Model, thread: str, topic: str, speaking: bool
    ):
        delay = {"chunk_delay": 0.1} if speaking else {"delay": 10}
        model.script({"match": topic, "text": "one two three " * 30, **delay})
        events: list[Event] = []
        with streamed(client, f"threads/{thread}/runs", assistant_id=assistant.id) as coming:
            for event in coming:
                events.append(event)
                if event.name == ("thread.message.in_progress" if speaking else "thread.run.in_progress"):
                    eventually(lambda: model.requests(topic))
                    client.beta.threads.runs.cancel(events[0].data["id"], thread_id=thread)
        said_so_far = ["thread.message.incomplete", "thread.run.step.cancelled"] if speaking else []
        assert names(events) == [
            *RUN_BEGINS, *(MESSAGE_BEGINS if speaking else []), "thread.run.cancelling", *said_so_far,
            "thread.run.cancelled", "done",
        ]  # fmt: skip
        assert stored_run(client, events[0].data) == only(events, "thread.run.cancelled")
        if speaking:
            message = only(events, "thread.message.incomplete")
            assert message["incomplete_details"] == {"reason": "run_cancelled"}
            assert message["content"][0]["text"]["value"] == said(events)
            assert stored_message(client, message) == message

    def test_expired(self, apart: OpenAI, model: Model, topic: str):
        assistant = apart.beta.assistants.create(model="gpt-4o")
        model.script({"match": topic, "text": "one two three " * 30, "chunk_delay": 0.1})
        messages = [{"role": "user", "content": topic}]
        events = stream(apart, "threads/runs", assistant_id=assistant.id, thread={"messages": messages})
        assert names(events) == [
            "thread.created", *RUN_BEGINS, *MESSAGE_BEGINS, "thread.message.incomplete", "thread.run.step.expired",
            "thread.run.expired", "done",
        ]  # fmt: skip
        message, run = only(events, "thread.message.incomplete"), only(events, "thread.run.expired")
        assert message["incomplete_details"] == {"reason": "run_expired"}
        assert run["expires_at"] == only(events, "thread.run.created")["expires_at"]
        assert stored_run(apart, run) == run

    def test_expired_while_a_server_tool_does_not_answer(self, apart: OpenAI, model: Model, topic: str):
        assistant = apart.beta.assistants.create(model="gpt-4o", tools=[RETRIEVAL])
        model.script({"match": topic, "tool_calls": [call("retrieval", "call_r", q="?")]})
        messages = [{"role": "user", "content": topic}]
        events = stream(apart, "threads/runs", assistant_id=assistant.id, thread={"messages": messages})
        assert names(events) == [
            "thread.created", *RUN_BEGINS, *CALLS_BEGIN, "thread.run.step.expired", "thread.run.expired", "done",
        ]  # fmt: skip


class TestErrorsBeforeTheStream:
    """They are ordinary JSON answers."""

    @pytest.fixture
    def owing(self, client: OpenAI, caller: Assistant) -> Any:
        """A run that waits for an output."""
        run = ask(client, caller.id, "get_time please")
        calls_of(run)
        return run

    def test_an_unknown_assistant(self, client: OpenAI, thread: str):
        with refused(404, "No assistant found with id 'asst_none'."):
            client.beta.threads.runs.create(thread, assistant_id="asst_none", stream=True)

    def test_an_unknown_thread(self, client: OpenAI, assistant: Assistant):
        with refused(404, "No thread found with id 'thread_none'."):
            client.beta.threads.runs.create("thread_none", assistant_id=assistant.id, stream=True)

    def test_a_body_that_is_not_valid(self, client: OpenAI, assistant: Assistant, thread: str):
        message = "Invalid 'temperature': decimal above maximum value. Expected a value <= 2, but got 3 instead."
        with refused(400, message, "temperature", "decimal_above_max_value"):
            client.beta.threads.runs.create(thread, assistant_id=assistant.id, temperature=3, stream=True)

    def test_nothing_to_run_on(self, client: OpenAI, assistant: Assistant):
        message = "Run creation requires a Thread with a user message or an assistant with instructions."
        with refused(400, message, code="invalid_thread"):
            client.beta.threads.create_and_run(assistant_id=assistant.id, stream=True)

    def test_a_thread_that_is_locked(self, client: OpenAI, owing: Any):
        message = f"Thread {owing.thread_id} already has an active run {owing.id}."
        with refused(400, message):
            client.beta.threads.runs.create(owing.thread_id, assistant_id=owing.assistant_id, stream=True)

    def test_outputs_that_are_not_those_awaited(self, client: OpenAI, owing: Any):
        (owed,) = calls_of(owing)
        with refused(400, f"Expected tool outputs for call_ids ['{owed.id}'], got ['call_x']"):
            client.beta.threads.runs.submit_tool_outputs(
                owing.id, thread_id=owing.thread_id, tool_outputs=[{"tool_call_id": "call_x"}], stream=True
            )

    def test_outputs_when_none_are_awaited(self, client: OpenAI, assistant: Assistant):
        run = ask(client, assistant.id, "Hello")
        with refused(400, 'Runs in status "completed" do not accept tool outputs.'):
            client.beta.threads.runs.submit_tool_outputs(
                run.id, thread_id=run.thread_id, tool_outputs=[{"tool_call_id": "call_x"}], stream=True
            )

    def test_outputs_for_an_unknown_run(self, client: OpenAI, thread: str):
        with refused(404, "No run found with id 'run_none'."):
            client.beta.threads.runs.submit_tool_outputs(
                "run_none", thread_id=thread, tool_outputs=[{"tool_call_id": "call_x"}], stream=True
            )


class TestTheRunAndItsStream:
    def test_a_client_that_disconnects_leaves_a_run_that_completes_with_the_whole_message(
        self, client: OpenAI, assistant: Assistant, model: Model, thread: str, topic: str
    ):
        model.script({"match": topic, "text": "one two three four five six", "chunk_delay": 0.1})
        with streamed(client, f"threads/{thread}/runs", assistant_id=assistant.id) as events:
            run = next(events).data
            assert any(event.name == "thread.message.delta" for event in events)
        eventually(lambda: stored_run(client, run)["status"] == "completed")
        assert texts(client, thread) == [topic, "one two three four five six"]
        assert len(model.requests(topic)) == 1

    def test_a_client_that_disconnects_before_the_first_text_does_not_affect_the_run_either(
        self, client: OpenAI, assistant: Assistant, model: Model, thread: str, topic: str
    ):
        model.script({"match": topic, "text": "Hello.", "delay": 0.5})
        with streamed(client, f"threads/{thread}/runs", assistant_id=assistant.id) as events:
            run = next(events).data
        eventually(lambda: stored_run(client, run)["status"] == "completed")
        assert texts(client, thread) == [topic, "Hello."]

    def test_the_first_events_are_sent_before_the_model_answers(
        self, client: OpenAI, assistant: Assistant, model: Model, thread: str, topic: str
    ):
        model.script({"match": topic, "text": "Hello.", "delay": 2})
        started = time.monotonic()
        with streamed(client, f"threads/{thread}/runs", assistant_id=assistant.id) as events:
            assert [next(events).name for _ in RUN_BEGINS] == RUN_BEGINS
            assert time.monotonic() - started < 2
            assert list(events)[-1] == DONE
        assert time.monotonic() - started > 2

    def test_a_message_is_readable_from_the_event_of_its_creation_on(
        self, client: OpenAI, assistant: Assistant, model: Model, thread: str, topic: str
    ):
        model.script({"match": topic, "text": "one two three four", "chunk_delay": 0.05})
        seen: list[dict[str, Any]] = []
        with streamed(client, f"threads/{thread}/runs", assistant_id=assistant.id) as events:
            for event in events:
                if event.name.startswith("thread.message."):
                    message = client.beta.threads.messages.retrieve(event.data["id"], thread_id=thread).to_dict()
                    seen.append(message)
        assert (seen[0]["status"], seen[0]["content"], seen[0]["run_id"]) == ("in_progress", [], seen[-1]["run_id"])
        assert seen[-1]["status"] == "completed"
        assert [message["id"] for message in seen] == [seen[0]["id"]] * len(seen)

    def test_the_thread_is_unlocked_when_the_stream_ends(
        self, client: OpenAI, assistant: Assistant, thread: str, topic: str
    ):
        for number in range(5):
            events = stream(client, f"threads/{thread}/runs", assistant_id=assistant.id)
            assert only(events, "thread.run.completed")
            client.beta.threads.messages.create(thread, role="user", content=f"{number} {topic}")

    def test_a_comment_is_no_event_to_the_sdk(self, client: OpenAI, assistant: Assistant, thread: str):
        url = str(client.base_url)
        comment = ": \n\nevent: done\ndata: [DONE]\n\n"
        http = httpx2.Client(
            transport=httpx2.MockTransport(
                lambda _: httpx2.Response(200, text=comment, headers={"content-type": "text/event-stream"})
            )
        )
        mocked = OpenAI(base_url=url, api_key="unused", http_client=http)
        assert list(mocked.beta.threads.runs.create(thread, assistant_id=assistant.id, stream=True)) == []
