"""Token budgets, truncation, and a model endpoint that is busy, restrictive or failing (contract, 4 and 11)."""

from collections.abc import Iterator
from typing import Any

import pytest
from openai import OpenAI
from openai.types.beta import Assistant
from openai.types.beta.threads import Run

from tests.support.sdk.talk import ask, function, submit, text_of, texts
from tests.support.service.processes import Model

LONG = "word " * 80
"""About a hundred tokens."""


@pytest.fixture(scope="module")
def caller(client: OpenAI) -> Iterator[Assistant]:
    """An assistant with a function."""
    assistant = client.beta.assistants.create(model="gpt-4o", tools=[function("get_time")])
    yield assistant
    client.beta.assistants.delete(assistant.id)


def run_on(client: OpenAI, assistant: Assistant, messages: list[str], **options: Any) -> Run:
    *before, last = messages
    thread = client.beta.threads.create(messages=[{"role": "user", "content": text} for text in before])
    return ask(client, assistant.id, last, thread.id, **options)


def asked(model: Model, topic: str) -> list[list[str]]:
    """The contents of the messages of each request."""
    return [[message["content"] for message in request["messages"]] for request in model.requests(topic)]


class TestTruncation:
    def test_with_last_messages_the_model_is_shown_only_so_many(
        self, client: OpenAI, assistant: Assistant, model: Model, topic: str
    ):
        run = run_on(
            client,
            assistant,
            ["one", "two", topic],
            truncation_strategy={"type": "last_messages", "last_messages": 2},
            additional_messages=[{"role": "user", "content": "four"}],
        )
        assert run.status == "completed"
        assert asked(model, topic) == [[topic, "four"]]

    def test_the_oldest_messages_are_left_out_where_the_prompt_budget_would_be_passed(
        self, client: OpenAI, assistant: Assistant, model: Model, topic: str
    ):
        run = run_on(client, assistant, [f"{n} {LONG}" for n in range(6)] + [topic], max_prompt_tokens=256)
        assert run.status == "completed"
        (shown,) = asked(model, topic)
        assert [text[0] for text in shown[:-1]] == ["4", "5"]
        assert len(texts(client, run.thread_id)) == 8

    def test_a_prompt_that_cannot_be_made_short_enough_leaves_the_run_incomplete(
        self, client: OpenAI, assistant: Assistant, model: Model, topic: str
    ):
        run = run_on(client, assistant, [topic + LONG * 4], max_prompt_tokens=256)
        assert run.status == "incomplete"
        assert run.to_dict()["incomplete_details"] == {"reason": "max_prompt_tokens"}
        assert model.requests(topic) == []

    @pytest.mark.parametrize("strategy", [None, {"type": "auto"}])
    def test_fewer_messages_are_sent_when_the_model_says_that_its_context_is_too_long(
        self, client: OpenAI, assistant: Assistant, model: Model, topic: str, strategy: Any
    ):
        error = {"message": "This model's maximum context length is 9 tokens.", "code": "context_length_exceeded"}
        model.script({"match": topic, "status": 400, "error": error, "times": 2}, {"match": topic, "text": "Fits."})
        run = run_on(client, assistant, ["1", "2", "3", "4", topic], truncation_strategy=strategy)
        assert run.status == "completed"
        assert asked(model, topic) == [["1", "2", "3", "4", topic], ["3", "4", topic], ["4", topic]]

    def test_messages_that_were_left_out_stay_out_in_the_next_turn(
        self, client: OpenAI, caller: Assistant, model: Model, topic: str
    ):
        error = {"message": "too long", "code": "context_length_exceeded"}
        model.script({"match": topic, "status": 400, "error": error})
        run = submit(client, run_on(client, caller, ["1", "2", f"get_time {topic}"]), "noon")
        assert run.status == "completed"
        assert [len(shown) for shown in asked(model, topic)] == [3, 2, 4]

    def test_a_context_that_is_too_long_for_one_message_fails_the_run(
        self, client: OpenAI, assistant: Assistant, model: Model, topic: str
    ):
        error = {"message": "This is too long.", "code": "context_length_exceeded"}
        model.script({"match": topic, "status": 400, "error": error, "times": -1})
        run = run_on(client, assistant, ["1", topic])
        assert run.status == "failed"
        assert run.last_error is not None
        assert run.last_error.to_dict() == {"code": "invalid_prompt", "message": "This is too long."}


class TestBudgets:
    def test_the_completion_budget_covers_all_turns(self, client: OpenAI, caller: Assistant, model: Model, topic: str):
        used = {"prompt_tokens": 10, "completion_tokens": 200, "total_tokens": 210}
        model.script({"match": topic, "tool_calls": [{"name": "get_time"}], "usage": used})
        run = run_on(client, caller, [topic], max_completion_tokens=300)
        submit(client, run, "noon")
        assert [request["max_completion_tokens"] for request in model.requests(topic)] == [300, 100]

    @pytest.mark.parametrize("kind", ["prompt", "completion"])
    def test_a_budget_that_is_used_up_leaves_the_run_incomplete(
        self, client: OpenAI, caller: Assistant, model: Model, topic: str, kind: str
    ):
        used = {"prompt_tokens": 256, "completion_tokens": 256, "total_tokens": 512}
        model.script({"match": topic, "tool_calls": [{"name": "get_time"}], "usage": used})
        budget: dict[str, Any] = {f"max_{kind}_tokens": 256}
        run = submit(client, run_on(client, caller, [topic], **budget), "noon")
        assert run.status == "incomplete"
        assert run.to_dict()["incomplete_details"] == {"reason": f"max_{kind}_tokens"}
        assert run.usage is not None
        assert run.usage.to_dict() == used
        assert len(model.requests(topic)) == 1

    def test_usage_is_estimated_where_the_model_reports_none(
        self, client: OpenAI, assistant: Assistant, model: Model, topic: str
    ):
        model.script({"match": topic, "text": "12345678", "usage": None})
        run = run_on(client, assistant, [topic])
        assert run.usage is not None
        assert run.usage.completion_tokens == 2
        assert run.usage.prompt_tokens > 4


class TestEndpoint:
    @pytest.mark.parametrize("status", [429, 500, 503])
    def test_a_busy_model_is_asked_again_after_the_time_it_names(
        self, client: OpenAI, assistant: Assistant, model: Model, topic: str, status: int
    ):
        busy = {"match": topic, "status": status, "error": "busy", "headers": {"retry-after-ms": "50"}, "times": 2}
        model.script(busy, {"match": topic, "text": "Here."})
        run = run_on(client, assistant, [topic])
        assert run.status == "completed"
        assert len(model.requests(topic)) == 3
        assert text_of(client.beta.threads.messages.list(run.thread_id).data[0]) == "Here."

    @pytest.mark.parametrize(("status", "code"), [(429, "rate_limit_exceeded"), (503, "server_error")])
    def test_a_model_that_stays_busy_fails_the_run_with_its_own_text(
        self, client: OpenAI, assistant: Assistant, model: Model, topic: str, status: int, code: str
    ):
        headers = {"retry-after-ms": "1"}
        model.script({"match": topic, "status": status, "error": "Too busy.", "headers": headers, "times": -1})
        run = run_on(client, assistant, [topic])
        assert run.last_error is not None
        assert run.last_error.to_dict() == {"code": code, "message": "Too busy."}
        assert len(model.requests(topic)) == 6

    def test_a_wait_that_outlasts_the_run_is_not_waited_for(
        self, client: OpenAI, assistant: Assistant, model: Model, topic: str
    ):
        model.script({"match": topic, "status": 429, "error": "Tomorrow.", "headers": {"retry-after": "86400"}})
        run = run_on(client, assistant, [topic])
        assert run.last_error is not None
        assert run.last_error.message == "Tomorrow."

    def test_an_exhausted_quota_and_an_unknown_model_fail_the_run_at_once(
        self, client: OpenAI, assistant: Assistant, model: Model, topic: str
    ):
        quota = {"message": "You exceeded your current quota.", "code": "insufficient_quota"}
        model.script({"match": f"{topic} quota", "status": 429, "error": quota})
        model.script({"match": f"{topic} model", "status": 404, "error": "The model `x` does not exist."})
        for text, message in (("quota", quota["message"]), ("model", "The model `x` does not exist.")):
            run = run_on(client, assistant, [f"{topic} {text}"])
            assert run.last_error is not None
            assert run.last_error.message == message
        assert len(model.requests(topic)) == 2

    def test_a_refused_parameter_is_left_out_of_later_requests(
        self, client: OpenAI, assistant: Assistant, model: Model, topic: str
    ):
        picky = f"picky-{topic}"
        model.script(
            {"match": topic, "status": 400, "error": "Unknown parameter: 'stream_options'."},
            {"match": topic, "status": 400, "error": {"message": "Unsupported.", "param": "max_completion_tokens"}},
        )
        for _ in range(2):
            run = run_on(client, assistant, [topic], model=picky, max_completion_tokens=300)
            assert run.status == "completed"
        *_, again, last = model.requests(topic)
        assert len(model.requests(topic)) == 4
        for request in (again, last):
            assert "stream_options" not in request
            assert request["max_tokens"] == 300
