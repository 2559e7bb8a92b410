"""Runs: from a question to its answer, through the model and the client's functions."""

import json
from typing import Any

import pytest
from openai import OpenAI
from openai.types.beta import Assistant
from openai.types.beta.threads import Run

from tests.support.sdk.client import refused
from tests.support.sdk.talk import POLL, ask, calls_of, function, submit, text_of, texts
from tests.support.service.processes import Model

STREAMED = {"stream": True, "stream_options": {"include_usage": True}}
"""The parameters of every request to the model."""

EVERYTHING: dict[str, Any] = {
    "temperature": 0.5,
    "top_p": 0.25,
    "reasoning_effort": "low",
    "response_format": {"type": "json_object"},
}
"""Parameters of an assistant or a run that are sent to the model unchanged."""

TOOLS = [function("get_time", "city"), function("get_weather", "city")]


def raw(client: OpenAI, run: Run) -> dict[str, Any]:
    """The run in the API's form."""
    text = client.beta.threads.runs.with_raw_response.retrieve(run.id, thread_id=run.thread_id).text
    return json.loads(text)


@pytest.fixture(scope="module")
def caller(client: OpenAI) -> Assistant:
    """An assistant that offers two functions."""
    return client.beta.assistants.create(model="gpt-4o", tools=TOOLS)


class TestText:
    """Runs that end with a text of the model."""

    def test_the_answer_is_a_message_of_the_run(self, client: OpenAI, assistant: Assistant):
        run = ask(client, assistant.id, "Hello")
        answer, question = client.beta.threads.messages.list(run.thread_id)
        assert (text_of(question), question.role, question.run_id) == ("Hello", "user", None)
        assert (text_of(answer), answer.role, answer.run_id) == ("You said: Hello", "assistant", run.id)
        assert (answer.assistant_id, answer.status) == (assistant.id, "completed")
        assert answer.completed_at is not None

    def test_a_new_run_shows_the_defaults(self, client: OpenAI, assistant: Assistant):
        thread = client.beta.threads.create(messages=[{"role": "user", "content": "Hello"}])
        created = client.beta.threads.runs.with_raw_response.create(thread.id, assistant_id=assistant.id)
        shown = json.loads(created.text)
        assert shown["id"].startswith("run_")
        assert shown == {
            "id": shown["id"],
            "object": "thread.run",
            "created_at": shown["created_at"],
            "assistant_id": assistant.id,
            "thread_id": thread.id,
            "status": "queued",
            "started_at": None,
            "expires_at": shown["created_at"] + 590,
            "cancelled_at": None,
            "failed_at": None,
            "completed_at": None,
            "required_action": None,
            "last_error": None,
            "model": "gpt-4o",
            "instructions": "",
            "tools": [],
            "tool_resources": {},
            "metadata": {},
            "temperature": 1.0,
            "top_p": 1.0,
            "reasoning_effort": None,
            "max_completion_tokens": None,
            "max_prompt_tokens": None,
            "truncation_strategy": {"type": "auto", "last_messages": None},
            "incomplete_details": None,
            "usage": None,
            "response_format": "auto",
            "tool_choice": "auto",
            "parallel_tool_calls": True,
        }

    def test_a_completed_run_shows_its_times_and_usage(
        self, client: OpenAI, assistant: Assistant, model: Model, topic: str
    ):
        usage = {"prompt_tokens": 7, "completion_tokens": 5, "total_tokens": 12}
        model.script({"match": topic, "text": "Done", "usage": usage})
        shown = raw(client, ask(client, assistant.id, topic))
        assert shown["status"] == "completed"
        assert shown["created_at"] <= shown["started_at"] <= shown["completed_at"]
        assert shown["usage"] == usage
        empty = ("expires_at", "cancelled_at", "failed_at", "required_action", "last_error", "incomplete_details")
        assert {shown[name] for name in empty} == {None}

    def test_the_model_gets_the_whole_conversation(
        self, client: OpenAI, assistant: Assistant, model: Model, topic: str
    ):
        first = ask(client, assistant.id, f"One {topic}")
        ask(client, assistant.id, "Two", first.thread_id)
        ask(client, assistant.id, "Three", first.thread_id)
        said = [f"One {topic}", f"You said: One {topic}", "Two", "You said: Two", "Three", "You said: Three"]
        assert texts(client, first.thread_id) == said
        conversation = [
            {"role": role, "content": text} for role, text in zip(["user", "assistant"] * 3, said, strict=True)
        ]
        asked = [request["messages"] for request in model.requests(topic)]
        assert asked == [conversation[:1], conversation[:3], conversation[:5]]

    def test_parts_of_a_message_reach_the_model(self, client: OpenAI, assistant: Assistant, model: Model, topic: str):
        image: Any = {"type": "image_url", "image_url": {"url": "https://example.com/a.png", "detail": "low"}}
        thread = client.beta.threads.create(
            messages=[
                {"role": "user", "content": [{"type": "text", "text": topic}, {"type": "text", "text": "and more"}]},
                {"role": "user", "content": [{"type": "text", "text": "Look"}, image]},
            ]
        )
        client.beta.threads.runs.create_and_poll(thread_id=thread.id, assistant_id=assistant.id, poll_interval_ms=POLL)
        (request,) = model.requests(topic)
        assert request["messages"] == [
            {"role": "user", "content": f"{topic}\nand more"},
            {"role": "user", "content": [{"type": "text", "text": "Look"}, image]},
        ]

    def test_a_thread_and_its_run_are_created_together(self, client: OpenAI, assistant: Assistant):
        run = client.beta.threads.create_and_run_poll(
            assistant_id=assistant.id,
            thread={"messages": [{"role": "user", "content": "Hello"}], "metadata": {"of": "thread"}},
            metadata={"of": "run"},
            poll_interval_ms=POLL,
        )
        assert (run.status, run.metadata) == ("completed", {"of": "run"})
        assert texts(client, run.thread_id) == ["Hello", "You said: Hello"]
        assert client.beta.threads.retrieve(run.thread_id).metadata == {"of": "thread"}

    def test_an_assistant_with_instructions_needs_no_message(self, client: OpenAI, model: Model, topic: str):
        assistant = client.beta.assistants.create(model="gpt-4o", instructions=topic)
        run = client.beta.threads.create_and_run_poll(assistant_id=assistant.id, poll_interval_ms=POLL)
        assert run.status == "completed"
        assert [request["messages"] for request in model.requests(topic)] == [[{"role": "system", "content": topic}]]

    def test_an_empty_answer_is_an_empty_message(self, client: OpenAI, assistant: Assistant, model: Model, topic: str):
        model.script({"match": topic, "text": ""})
        run = ask(client, assistant.id, topic)
        assert (run.status, texts(client, run.thread_id)) == ("completed", [topic, ""])

    def test_a_refusal_is_a_part_of_the_message(self, client: OpenAI, assistant: Assistant, model: Model, topic: str):
        model.script({"match": topic, "refusal": "No."})
        run = ask(client, assistant.id, topic)
        assert run.status == "completed"
        answer, _ = client.beta.threads.messages.list(run.thread_id)
        assert answer.to_dict()["content"] == [{"type": "refusal", "refusal": "No."}]

    @pytest.mark.parametrize(
        ("finish", "of_run", "of_message"),
        [("length", "max_completion_tokens", "max_tokens"), ("content_filter", None, "content_filter")],
    )
    def test_an_answer_that_is_cut_off_leaves_run_and_message_incomplete(
        self,
        client: OpenAI,
        assistant: Assistant,
        model: Model,
        topic: str,
        finish: str,
        of_run: str | None,
        of_message: str,
    ):
        model.script({"match": topic, "text": "Once upon", "finish_reason": finish})
        run = ask(client, assistant.id, topic)
        assert run.status == "incomplete"
        assert run.to_dict()["incomplete_details"] == {"reason": of_run}
        answer, _ = client.beta.threads.messages.list(run.thread_id)
        assert (text_of(answer), answer.status, answer.completed_at) == ("Once upon", "incomplete", None)
        assert answer.to_dict()["incomplete_details"] == {"reason": of_message}


class TestParameters:
    """The parameters of an assistant and a run that are sent to the model."""

    def test_a_parameter_that_was_never_set_is_not_sent(
        self, client: OpenAI, assistant: Assistant, model: Model, topic: str
    ):
        ask(client, assistant.id, topic)
        assert model.requests(topic) == [
            {"model": "gpt-4o", "messages": [{"role": "user", "content": topic}], **STREAMED}
        ]

    def test_a_null_is_not_sent_either(self, client: OpenAI, model: Model, topic: str):
        unset: Any = dict.fromkeys([*EVERYTHING, "instructions"])
        assistant = client.beta.assistants.create(model="gpt-4o", **unset)
        ask(client, assistant.id, topic, **unset, tools=None, tool_choice=None, additional_messages=None)
        (request,) = model.requests(topic)
        assert set(request) == {"model", "messages", *STREAMED}

    def test_parameters_of_the_assistant_are_sent_to_the_model(self, client: OpenAI, model: Model, topic: str):
        assistant = client.beta.assistants.create(model="gpt-4o", tools=TOOLS, instructions="Be brief.", **EVERYTHING)
        run = ask(client, assistant.id, topic)
        assert {name: run.to_dict()[name] for name in EVERYTHING} == EVERYTHING
        assert model.requests(topic) == [
            {
                "model": "gpt-4o",
                "messages": [{"role": "system", "content": "Be brief."}, {"role": "user", "content": topic}],
                "tools": TOOLS,
                **EVERYTHING,
                **STREAMED,
            }
        ]

    def test_parameters_of_the_run_override_the_assistants(self, client: OpenAI, model: Model, topic: str):
        assistant = client.beta.assistants.create(
            model="gpt-4o", instructions="Be brief.", tools=TOOLS, temperature=1.5, top_p=0.9, reasoning_effort="high"
        )
        overrides = {"model": "gpt-4o-mini", "instructions": "Be long.", "tools": TOOLS[:1], **EVERYTHING}
        run = ask(client, assistant.id, topic, **overrides)
        assert {name: run.to_dict()[name] for name in overrides} == overrides
        (request,) = model.requests(topic)
        assert request["messages"][0] == {"role": "system", "content": "Be long."}
        sent = {name: value for name, value in overrides.items() if name != "instructions"}
        assert {name: request[name] for name in sent} == sent

    def test_a_thread_created_with_its_run_can_override_the_assistant_too(
        self, client: OpenAI, model: Model, topic: str
    ):
        assistant = client.beta.assistants.create(model="gpt-4o", instructions="Be brief.")
        run = client.beta.threads.create_and_run_poll(
            assistant_id=assistant.id,
            thread={"messages": [{"role": "user", "content": topic}]},
            model="gpt-4o-mini",
            instructions="Be long.",
            temperature=0,
            tools=TOOLS,
            parallel_tool_calls=False,
            tool_choice="none",
            poll_interval_ms=POLL,
        )
        assert run.status == "completed"
        (request,) = model.requests(topic)
        assert request["messages"][0] == {"role": "system", "content": "Be long."}
        sent = {"model": "gpt-4o-mini", "temperature": 0, "parallel_tool_calls": False, "tool_choice": "none"}
        assert {name: request[name] for name in sent} == sent

    def test_a_run_can_take_away_tools_and_instructions(self, client: OpenAI, model: Model, topic: str):
        assistant = client.beta.assistants.create(model="gpt-4o", instructions="Be brief.", tools=TOOLS)
        run = ask(client, assistant.id, topic, tools=[], instructions="")
        assert (run.tools, run.instructions) == ([], "")
        assert model.requests(topic) == [
            {"model": "gpt-4o", "messages": [{"role": "user", "content": topic}], **STREAMED}
        ]

    def test_a_zero_is_a_value(self, client: OpenAI, model: Model, topic: str):
        assistant = client.beta.assistants.create(model="gpt-4o", temperature=0, top_p=0)
        run = ask(client, assistant.id, topic)
        (request,) = model.requests(topic)
        assert (request["temperature"], request["top_p"]) == (0, 0) == (run.temperature, run.top_p)

    def test_additional_instructions_come_after_the_others(self, client: OpenAI, model: Model, topic: str):
        assistant = client.beta.assistants.create(model="gpt-4o", instructions="Be brief.")
        run = ask(client, assistant.id, topic, additional_instructions="Be kind.")
        assert run.instructions == "Be brief.\nBe kind."
        assert model.requests(topic)[0]["messages"][0] == {"role": "system", "content": "Be brief.\nBe kind."}

    def test_additional_messages_join_the_thread_before_the_run(
        self, client: OpenAI, assistant: Assistant, model: Model, topic: str
    ):
        more = [{"role": "assistant", "content": "Hm."}, {"role": "user", "content": "Well?", "metadata": {"n": "3"}}]
        run = ask(client, assistant.id, topic, additional_messages=more)
        assert texts(client, run.thread_id) == [topic, "Hm.", "Well?", "You said: Well?"]
        assert [message["content"] for message in model.requests(topic)[0]["messages"]] == [topic, "Hm.", "Well?"]
        added = client.beta.threads.messages.list(run.thread_id).data[1]
        assert (added.metadata, added.run_id, added.assistant_id) == ({"n": "3"}, None, None)

    def test_the_model_is_named_as_the_endpoint_knows_it(self, alice: OpenAI, model: Model, topic: str):
        assistant = alice.beta.assistants.create(model="gpt-4o")
        assert ask(alice, assistant.id, topic).model == "gpt-4o"
        assert ask(alice, assistant.id, topic, model="o3").model == "o3"
        assert [request["model"] for request in model.requests(topic)] == ["deployment-a", "deployment-b"]


class TestFunctions:
    """Runs that call the client's functions."""

    def test_parallel_calls_are_answered_together(self, client: OpenAI, caller: Assistant, model: Model, topic: str):
        text = f"{topic}: get_weather and get_time with city=Oslo"
        run = ask(client, caller.id, text)
        weather, time = calls_of(run)
        assert [(call.function.name, json.loads(call.function.arguments)) for call in (weather, time)] == [
            ("get_weather", {"city": "Oslo"}),
            ("get_time", {"city": "Oslo"}),
        ]
        shown = raw(client, run)
        assert (shown["completed_at"], shown["usage"]) == (None, None)
        assert shown["expires_at"] == shown["created_at"] + 590

        run = submit(client, run, "rain", "noon")
        assert (run.status, run.required_action) == ("completed", None)
        assert texts(client, run.thread_id) == [text, "get_weather: rain and get_time: noon"]
        _, second = model.requests(topic)
        assert second["messages"] == [
            {"role": "user", "content": text},
            {
                "role": "assistant",
                "content": None,
                "tool_calls": [call.model_dump(exclude_none=True) for call in (weather, time)],
            },
            {"role": "tool", "tool_call_id": weather.id, "content": "rain"},
            {"role": "tool", "tool_call_id": time.id, "content": "noon"},
        ]

    def test_outputs_may_come_in_any_order(self, client: OpenAI, caller: Assistant):
        run = ask(client, caller.id, "get_weather and get_time")
        weather, time = calls_of(run)
        run = client.beta.threads.runs.submit_tool_outputs_and_poll(
            run_id=run.id,
            thread_id=run.thread_id,
            tool_outputs=[{"tool_call_id": time.id, "output": "noon"}, {"tool_call_id": weather.id, "output": "rain"}],
            poll_interval_ms=POLL,
        )
        assert texts(client, run.thread_id)[-1] == "get_weather: rain and get_time: noon"

    def test_an_output_that_is_left_out_is_the_empty_string(
        self, client: OpenAI, caller: Assistant, model: Model, topic: str
    ):
        run = submit(client, ask(client, caller.id, f"{topic}: get_time"), None)
        assert run.status == "completed"
        assert model.requests(topic)[1]["messages"][-1]["content"] == ""
        (_, call_step) = client.beta.threads.runs.steps.list(run.id, thread_id=run.thread_id)
        assert call_step.to_dict()["step_details"]["tool_calls"][0]["function"]["output"] == ""  # type: ignore[index]

    def test_the_model_may_call_functions_again_and_again(
        self, client: OpenAI, caller: Assistant, model: Model, topic: str
    ):
        usage = {"prompt_tokens": 10, "completion_tokens": 2, "total_tokens": 12}
        model.script(
            {"match": topic, "tool_calls": [{"name": "get_time"}], "usage": usage},
            {"match": topic, "tool_calls": [{"name": "get_weather"}], "usage": usage},
            {"match": topic, "text": "Enough.", "usage": usage},
        )
        run = ask(client, caller.id, topic)
        for name in ("get_time", "get_weather"):
            assert [call.function.name for call in calls_of(run)] == [name]
            run = submit(client, run, f"{name} says")
        assert run.status == "completed"
        assert raw(client, run)["usage"] == {"prompt_tokens": 30, "completion_tokens": 6, "total_tokens": 36}
        assert texts(client, run.thread_id) == [topic, "Enough."]

    def test_text_beside_calls_is_a_separate_message(self, client: OpenAI, caller: Assistant, model: Model, topic: str):
        model.script({"match": topic, "text": "One moment.", "tool_calls": [{"name": "get_time"}]})
        run = ask(client, caller.id, topic)
        assert texts(client, run.thread_id) == [topic, "One moment."]
        run = submit(client, run, "noon")
        assert texts(client, run.thread_id) == [topic, "One moment.", "get_time: noon"]

    def test_arguments_that_are_no_json_are_passed_on(
        self, client: OpenAI, caller: Assistant, model: Model, topic: str
    ):
        model.script({"match": topic, "tool_calls": [{"name": "get_time", "arguments": '{"city": '}]})
        (call,) = calls_of(ask(client, caller.id, topic))
        assert call.function.arguments == '{"city": '

    @pytest.mark.parametrize(
        "choice", ["required", {"type": "function", "function": {"name": "get_time"}}], ids=["required", "named"]
    )
    def test_a_tool_choice_holds_for_the_first_turn_only(
        self, client: OpenAI, caller: Assistant, model: Model, topic: str, choice: Any
    ):
        run = ask(client, caller.id, topic, tool_choice=choice)
        assert run.to_dict()["tool_choice"] == choice
        assert submit(client, run, "noon").status == "completed"
        first, second = model.requests(topic)
        assert first["tool_choice"] == choice
        assert "tool_choice" not in second

    def test_a_tool_choice_without_tools_is_not_sent(
        self, client: OpenAI, assistant: Assistant, model: Model, topic: str
    ):
        ask(client, assistant.id, topic, tool_choice="none", parallel_tool_calls=False)
        (request,) = model.requests(topic)
        assert set(request) == {"model", "messages", *STREAMED}

    def test_parallel_calls_can_be_forbidden(self, client: OpenAI, caller: Assistant, model: Model, topic: str):
        run = ask(client, caller.id, f"{topic}: get_weather and get_time", parallel_tool_calls=False)
        assert run.parallel_tool_calls is False
        assert len(calls_of(run)) == 1
        assert model.requests(topic)[0]["parallel_tool_calls"] is False

    def test_calls_of_earlier_runs_are_not_sent_again(
        self, client: OpenAI, caller: Assistant, model: Model, topic: str
    ):
        run = submit(client, ask(client, caller.id, f"{topic}: get_time"), "noon")
        ask(client, caller.id, "Thanks", run.thread_id)
        assert model.requests(topic)[-1]["messages"] == [
            {"role": "user", "content": f"{topic}: get_time"},
            {"role": "assistant", "content": "get_time: noon"},
            {"role": "user", "content": "Thanks"},
        ]

    def test_deleting_the_assistant_does_not_affect_its_run(self, client: OpenAI):
        assistant = client.beta.assistants.create(model="gpt-4o", instructions="Be brief.", tools=TOOLS)
        run = ask(client, assistant.id, "get_time")
        client.beta.assistants.update(assistant.id, instructions="Be long.", tools=[])
        client.beta.assistants.delete(assistant.id)
        run = submit(client, run, "noon")
        assert (run.status, run.assistant_id) == ("completed", assistant.id)
        assert (run.instructions, len(run.tools)) == ("Be brief.", 2)
        assert texts(client, run.thread_id) == ["get_time", "get_time: noon"]
        with refused(404, f"No assistant found with id '{assistant.id}'."):
            client.beta.threads.runs.create(run.thread_id, assistant_id=assistant.id)
        with refused(404, f"No assistant found with id '{assistant.id}'."):
            client.beta.threads.create_and_run(assistant_id=assistant.id)


class TestFailures:
    """Runs whose model fails."""

    @pytest.mark.parametrize(
        ("status", "code"),
        [
            (400, "invalid_prompt"),
            (401, "server_error"),
            (404, "server_error"),
            (429, "rate_limit_exceeded"),
            (500, "server_error"),
        ],
    )
    def test_the_upstreams_own_message_is_the_runs_last_error(
        self, client: OpenAI, assistant: Assistant, model: Model, topic: str, status: int, code: str
    ):
        error = {"message": f"No, said the upstream to {topic}", "type": "t", "param": None, "code": "c"}
        no_wait = {"retry-after-ms": "1"}
        model.script({"match": topic, "status": status, "error": error, "times": -1, "headers": no_wait})
        run = ask(client, assistant.id, topic)
        shown = raw(client, run)
        assert shown["status"] == "failed"
        assert shown["last_error"] == {"code": code, "message": f"No, said the upstream to {topic}"}
        assert shown["failed_at"] >= shown["started_at"]
        assert (shown["completed_at"], shown["expires_at"]) == (None, None)
        assert texts(client, run.thread_id) == [topic]

    def test_a_thread_is_unlocked_after_a_failed_run(
        self, client: OpenAI, assistant: Assistant, model: Model, topic: str
    ):
        model.script({"match": topic, "status": 400, "error": "No."})
        failed = ask(client, assistant.id, topic)
        assert failed.status == "failed"
        assert ask(client, assistant.id, "Again", failed.thread_id).status == "completed"

    def test_a_failure_after_a_function_call_keeps_the_outputs(
        self, client: OpenAI, caller: Assistant, model: Model, topic: str
    ):
        run = ask(client, caller.id, f"{topic}: get_time")
        model.script({"match": topic, "status": 400, "error": "No more."})
        run = submit(client, run, "noon")
        assert run.to_dict()["last_error"] == {"code": "invalid_prompt", "message": "No more."}
        (step,) = client.beta.threads.runs.steps.list(run.id, thread_id=run.thread_id)
        assert step.status == "completed"

    def test_the_text_before_a_broken_connection_is_kept(
        self, client: OpenAI, assistant: Assistant, model: Model, topic: str
    ):
        model.script({"match": topic, "text": "Once upon a time", "cut_after": 3})
        run = ask(client, assistant.id, topic)
        assert run.status == "failed"
        assert run.last_error is not None
        assert run.last_error.code == "server_error"
        answer, _ = client.beta.threads.messages.list(run.thread_id)
        assert (text_of(answer), answer.status) == ("Once upon", "incomplete")
        assert answer.to_dict()["incomplete_details"] == {"reason": "run_failed"}


class TestAccess:
    """Runs read, listed and changed."""

    def test_modifying_replaces_the_metadata_only(self, client: OpenAI, assistant: Assistant):
        run = ask(client, assistant.id, "Hello", metadata={"a": "1"})
        modified = client.beta.threads.runs.update(run.id, thread_id=run.thread_id, metadata={"b": "2"})
        assert modified.to_dict() == run.to_dict() | {"metadata": {"b": "2"}}
        modified = client.beta.threads.runs.update(run.id, thread_id=run.thread_id)
        assert modified.metadata == {"b": "2"}
        assert client.beta.threads.runs.retrieve(run.id, thread_id=run.thread_id) == modified

    def test_an_active_run_can_be_modified(self, client: OpenAI, caller: Assistant):
        run = ask(client, caller.id, "get_time")
        modified = client.beta.threads.runs.update(run.id, thread_id=run.thread_id, metadata={"b": "2"})
        assert (modified.status, modified.metadata) == ("requires_action", {"b": "2"})
        assert submit(client, run, "noon").metadata == {"b": "2"}

    def test_runs_are_listed_newest_first(self, client: OpenAI, assistant: Assistant):
        first = ask(client, assistant.id, "One")
        second = ask(client, assistant.id, "Two", first.thread_id)
        assert client.beta.threads.runs.list(first.thread_id).data == [second, first]
        assert client.beta.threads.runs.list(first.thread_id, order="asc").data == [first, second]
