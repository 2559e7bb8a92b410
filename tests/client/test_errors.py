"""Errors: each with exactly OpenAI's body (contract, 8)."""

import re

import httpx2
import openai
import pytest
from openai import OpenAI
from openai.types.beta import Assistant

from tests.support.reference.routes import KINDS, ROUTES, Route, one_of_each, send
from tests.support.sdk.client import refused
from tests.support.sdk.talk import POLL, ask, calls_of, submit, texts
from tests.support.service.processes import Model, eventually

MALFORMED = (
    "We could not parse the JSON body of your request. (HINT: This likely means you aren't using your HTTP library "
    "correctly. The OpenAI API expects a JSON payload, but what was sent was not valid JSON. If you have trouble "
    "figuring out how to fix this, please contact us through our help center at help.openai.com.)"
)
ADDRESSED = [pytest.param(route, name, id=f"{route}-{name}") for route in ROUTES for name in route.ids]
"""Every route with ids in its path, once for each of them."""

Ids = dict[str, str]


@pytest.fixture(scope="module")
def ids(client: OpenAI) -> Ids:
    """One object of each kind; the run waits for the output of one call."""
    return one_of_each(client)


@pytest.mark.parametrize(("route", "name"), ADDRESSED)
def test_an_unknown_id(client: OpenAI, ids: Ids, route: Route, name: str):
    ids = ids | {name: f"{KINDS[name][1]}_unknown"}
    message, param = route.unknown(name, ids)
    with refused(404, message, param):
        route.call(client, ids)


@pytest.mark.parametrize(("route", "name"), ADDRESSED)
def test_a_wrong_prefix_of_an_id(client: OpenAI, ids: Ids, route: Route, name: str):
    ids = ids | {name: "wf_x"}
    if route.path.startswith("/files/"):
        with refused(404, "No such File object: wf_x", "id"):
            route.call(client, ids)
        return
    message = f"Invalid '{name}': 'wf_x'. Expected an ID that begins with '{KINDS[name][1]}'."
    with refused(400, message, name, "invalid_value"):
        route.call(client, ids)


@pytest.mark.parametrize("route", [route for route in ROUTES if "assistant_id" in route.required], ids=str)
def test_an_assistant_to_run_that_is_unknown_or_no_assistant(client: OpenAI, ids: Ids, route: Route):
    with refused(404, "No assistant found with id 'asst_unknown'."):
        route.call(client, ids | {"assistant_id": "asst_unknown"})
    message = "Invalid 'assistant_id': 'wf_x'. Expected an ID that begins with 'asst'."
    with refused(400, message, "assistant_id", "invalid_value"):
        route.call(client, ids | {"assistant_id": "wf_x"})


@pytest.mark.parametrize(
    ("route", "name"),
    [pytest.param(route, name, id=f"{route}-{name}") for route in ROUTES for name in route.required],
)
def test_a_missing_parameter(client: OpenAI, ids: Ids, route: Route, name: str):
    with refused(400, f"Missing required parameter: '{name}'.", name, "missing_required_parameter"):
        without = route._replace(required=tuple(other for other in route.required if other != name))
        without.call(client, ids)


@pytest.mark.parametrize(
    ("path", "body", "param"),
    [
        ("/assistants", {"model": "m", "file_ids": []}, "file_ids"),
        ("/assistants", {"model": "m", "tools": [{"type": "code_interpreter", "x": 1}]}, "tools[0].x"),
        ("/assistants/{assistant_id}", {"id": "asst_2"}, "id"),
        ("/threads", {"messages": [{"role": "user", "content": "Hi", "file_ids": []}]}, "messages[0].file_ids"),
        ("/threads/{thread_id}", {"messages": []}, "messages"),
        ("/threads/{thread_id}/messages", {"role": "user", "content": "Hi", "x": None}, "x"),
        ("/threads/{thread_id}/messages/{message_id}", {"content": "Hi"}, "content"),
        ("/threads/{thread_id}/runs", {"assistant_id": "asst_1", "thread": {}}, "thread"),
        ("/threads/runs", {"assistant_id": "asst_1", "thread": {"x": 1}}, "thread.x"),
        ("/threads/runs", {"assistant_id": "asst_1", "additional_messages": []}, "additional_messages"),
        ("/threads/{thread_id}/runs/{run_id}", {"status": "completed"}, "status"),
        (
            "/threads/{thread_id}/runs/{run_id}/submit_tool_outputs",
            {"tool_outputs": [{"tool_call_id": "c", "x": 1}]},
            "tool_outputs[0].x",
        ),
    ],
)
def test_an_unknown_parameter(client: OpenAI, ids: Ids, path: str, body: object, param: str):
    with refused(400, f"Unknown parameter: '{param}'.", param, "unknown_parameter"):
        send(client, "POST", path.format(**ids), body)


@pytest.mark.parametrize(
    ("path", "body", "param", "expected", "got"),
    [
        ("/assistants", {"model": 1}, "model", "a string", "an integer"),
        ("/assistants", {"model": "m", "tools": {}}, "tools", "an array of objects", "an object"),
        ("/assistants", {"model": "m", "temperature": "1"}, "temperature", "a decimal", "a string"),
        ("/assistants/{assistant_id}", {"model": None}, "model", "a string", "null"),
        ("/threads", {"metadata": {"modified": True}}, "metadata.modified", "a string", "a boolean"),
        ("/threads/{thread_id}", {"metadata": []}, "metadata", "an object", "an array"),
        (
            "/threads/{thread_id}/messages",
            {"role": "user", "content": 1},
            "content",
            "one of a string or array of objects",
            "an integer",
        ),
        ("/threads/{thread_id}/messages/{message_id}", {"metadata": "x"}, "metadata", "an object", "a string"),
        (
            "/threads/{thread_id}/runs",
            {"assistant_id": "asst_1", "parallel_tool_calls": 1},
            "parallel_tool_calls",
            "a boolean",
            "an integer",
        ),
        (
            "/threads/runs",
            {"assistant_id": "asst_1", "max_prompt_tokens": 1.5},
            "max_prompt_tokens",
            "an integer",
            "a decimal number",
        ),
        ("/threads/{thread_id}/runs/{run_id}", {"metadata": {"a": None}}, "metadata.a", "a string", "null"),
        (
            "/threads/{thread_id}/runs/{run_id}/submit_tool_outputs",
            {"tool_outputs": [{"tool_call_id": "c", "output": {"a": 1}}]},
            "tool_outputs[0].output",
            "a string",
            "an object",
        ),
    ],
)
def test_an_ill_typed_parameter(client: OpenAI, ids: Ids, path: str, body: object, param: str, expected: str, got: str):
    message = f"Invalid type for '{param}': expected {expected}, but got {got} instead."
    with refused(400, message, param, "invalid_type"):
        send(client, "POST", path.format(**ids), body)


def test_a_body_that_is_no_object(client: OpenAI):
    message = "Invalid type for the request body: expected an object, but got an array instead."
    with refused(400, message, None, "invalid_type"):
        send(client, "POST", "/assistants", [])


@pytest.mark.parametrize(
    ("path", "body", "message", "param", "code"),
    [
        (
            "/assistants",
            {"model": "m", "tools": [{"type": "browser"}]},
            (
                "Invalid value: 'browser'. "
                "Supported values are: 'code_interpreter', 'function', 'retrieval', and 'file_search'."
            ),
            "tools[0].type",
            "invalid_value",
        ),
        (
            "/assistants",
            {"model": "m", "temperature": 3},
            "Invalid 'temperature': decimal above maximum value. Expected a value <= 2, but got 3 instead.",
            "temperature",
            "decimal_above_max_value",
        ),
        (
            "/assistants",
            {"model": "m", "metadata": {str(number): "x" for number in range(17)}},
            (
                "Invalid 'metadata': too many properties. "
                "Expected an object with at most 16 properties, but got an object with 17 properties instead."
            ),
            "metadata",
            "object_above_max_properties",
        ),
        (
            "/assistants",
            {"model": "m", "tools": [{"type": "code_interpreter"}] * 129},
            (
                "Invalid 'tools': array too long. "
                "Expected an array with maximum length 128, but got an array with length 129 instead."
            ),
            "tools",
            "array_above_max_length",
        ),
        (
            "/threads/{thread_id}/messages",
            {"role": "system", "content": "Hi"},
            "Invalid value: 'system'. Supported values are: 'user' and 'assistant'.",
            "role",
            "invalid_value",
        ),
        (
            "/threads/{thread_id}/messages",
            {"role": "user", "content": "x" * 256_001},
            (
                "Invalid 'content': string too long. "
                "Expected a string with maximum length 256000, but got a string with length 256001 instead."
            ),
            "content",
            "string_above_max_length",
        ),
        (
            "/threads/{thread_id}/messages",
            {"role": "user", "content": []},
            "Invalid 'content': empty array. Expected an array with minimum length 1, but got an empty array instead.",
            "content",
            "empty_array",
        ),
    ],
    ids=lambda value: value if isinstance(value, str) and value.isidentifier() else "",
)
def test_a_parameter_out_of_its_bounds(
    client: OpenAI, ids: Ids, path: str, body: object, message: str, param: str, code: str
):
    with refused(400, message, param, code):
        send(client, "POST", path.format(**ids), body)


@pytest.mark.parametrize("route", [route for route in ROUTES if route.lists], ids=str)
@pytest.mark.parametrize(
    ("query", "message", "param", "code"),
    [
        (
            "limit=101",
            "Invalid 'limit': integer above maximum value. Expected a value <= 100, but got 101 instead.",
            "limit",
            "integer_above_max_value",
        ),
        (
            "limit=0",
            "Invalid 'limit': integer below minimum value. Expected a value >= 1, but got 0 instead.",
            "limit",
            "integer_below_min_value",
        ),
        (
            "limit=many",
            "Invalid type for 'limit': expected an integer, but got a string instead.",
            "limit",
            "invalid_type",
        ),
        ("order=up", "Invalid value: 'up'. Supported values are: 'asc' and 'desc'.", "order", "invalid_value"),
    ],
    ids=["limit too high", "limit too low", "limit no number", "order"],
)
def test_a_page_beyond_its_limits(
    client: OpenAI, ids: Ids, route: Route, query: str, message: str, param: str, code: str
):
    if route.path == "/files":  # it lists up to 10,000
        query, message = (text.replace("100", "10000").replace("101", "10001") for text in (query, message))
    with refused(400, message, param, code):
        route._replace(path=f"{route.path}?{query}").call(client, ids)


def test_a_malformed_request_is_refused_before_objects_are_read(client: OpenAI):
    with refused(400, "Missing required parameter: 'role'.", "role", "missing_required_parameter"):
        send(client, "POST", "/threads/thread_unknown/messages", {})


@pytest.mark.parametrize(
    "content",
    [b'{"metadata": ', b"metadata", b'{"metadata": {"a": "\xff"}}', b"[" * 100_000],
    ids=["cut off", "no JSON", "no UTF-8", "endless"],
)
def test_a_body_that_is_no_json(client: OpenAI, content: bytes):
    with refused(400, MALFORMED):
        client.post("/threads", cast_to=object, content=content)


def test_a_missing_body(client: OpenAI):
    with refused(400, MALFORMED):
        client.post("/assistants", cast_to=object)


@pytest.mark.no_azure
@pytest.mark.parametrize(
    ("method", "path"),
    [
        ("GET", "/nowhere"),
        ("POST", "/nowhere"),
        ("DELETE", "/"),
        ("GET", "/assistants/"),
        ("GET", "/assistants/asst_1/files"),
        ("GET", "/threads/thread_1/messages/msg_1/more"),
    ],
)
def test_an_unknown_url(client: OpenAI, method: str, path: str):
    with refused(404, f"Invalid URL ({method} /v1{path})"):
        send(client, method, path)


@pytest.mark.no_azure
@pytest.mark.parametrize("path", sorted({route.path for route in ROUTES}))
def test_a_wrong_method(client: OpenAI, ids: Ids, path: str):
    path = path.format(**ids)
    with refused(405, f"Invalid method for URL (PUT /v1{path})"):
        send(client, "PUT", path)


@pytest.mark.no_azure
@pytest.mark.parametrize("path", ["/threads", "/nowhere"])
def test_every_answer_has_a_request_id_of_its_own(client: OpenAI, path: str):
    def request_id() -> str:
        try:
            return client.get(path, cast_to=httpx2.Response).headers["x-request-id"]
        except openai.APIStatusError as error:
            return error.response.headers["x-request-id"]

    first, second = request_id(), request_id()
    assert re.fullmatch("req_[0-9a-f]{32}", first)
    assert first != second


class TestActiveRuns:
    """Errors that depend on a run's state. The run of `ids` waits for one output."""

    def test_no_message_is_added_during_a_run(self, client: OpenAI, ids: Ids):
        with refused(400, f"Can't add messages to {ids['thread_id']} while a run {ids['run_id']} is active."):
            client.beta.threads.messages.create(ids["thread_id"], role="user", content="Wait!")

    def test_no_second_run_is_started_during_a_run(self, client: OpenAI, ids: Ids):
        with refused(400, f"Thread {ids['thread_id']} already has an active run {ids['run_id']}."):
            client.beta.threads.runs.create(ids["thread_id"], assistant_id=ids["assistant_id"])

    def test_exactly_the_outputs_of_all_calls_are_accepted(self, client: OpenAI, ids: Ids):
        assistant = client.beta.assistants.create(
            model="gpt-4o",
            tools=[{"type": "function", "function": {"name": name}} for name in ("get_time", "get_weather")],
        )
        run = ask(client, assistant.id, "get_time and get_weather")
        time, weather = [call.id for call in calls_of(run)]
        wrong: list[list[str]] = [[time], [weather], [], [time, weather, "call_unknown"], [time, "call_unknown"]]
        for got in [*wrong, [time, weather, weather]]:
            with refused(400, f"Expected tool outputs for call_ids ['{time}', '{weather}'], got {got}"):
                client.beta.threads.runs.submit_tool_outputs(
                    run_id=run.id, thread_id=run.thread_id, tool_outputs=[{"tool_call_id": each} for each in got]
                )
        assert submit(client, run, "noon", "rain").status == "completed"

    def test_a_run_accepts_outputs_only_while_it_awaits_them(self, client: OpenAI, assistant: Assistant):
        run = ask(client, assistant.id, "Hello")
        with refused(400, 'Runs in status "completed" do not accept tool outputs.'):
            client.beta.threads.runs.submit_tool_outputs(
                run_id=run.id, thread_id=run.thread_id, tool_outputs=[{"tool_call_id": "call_1", "output": "x"}]
            )

    def test_a_run_in_progress_accepts_no_outputs_and_locks_its_thread(
        self, client: OpenAI, assistant: Assistant, model: Model, topic: str
    ):
        model.script({"match": topic, "text": "Done", "delay": 1})
        thread = client.beta.threads.create(messages=[{"role": "user", "content": topic}])
        run = client.beta.threads.runs.create(thread.id, assistant_id=assistant.id)
        eventually(lambda: model.requests(topic))
        with refused(400, 'Runs in status "in_progress" do not accept tool outputs.'):
            client.beta.threads.runs.submit_tool_outputs(run_id=run.id, thread_id=thread.id, tool_outputs=[])
        with refused(400, f"Can't add messages to {thread.id} while a run {run.id} is active."):
            client.beta.threads.messages.create(thread.id, role="user", content="Wait!")
        run = client.beta.threads.runs.poll(run_id=run.id, thread_id=thread.id, poll_interval_ms=POLL)
        assert (run.status, texts(client, thread.id)) == ("completed", [topic, "Done"])

    @pytest.mark.parametrize("route", [route for route in ROUTES if route.method == "GET"], ids=str)
    def test_everything_can_be_read_during_a_run(self, client: OpenAI, ids: Ids, route: Route):
        found = route.call(client, ids)
        assert found == "Hello" if route.path == "/files/{file_id}/content" else found["object"]

    def test_metadata_may_change_during_a_run(self, client: OpenAI, ids: Ids):
        for path in ("{thread_id}", "{thread_id}/messages/{message_id}", "{thread_id}/runs/{run_id}"):
            changed = send(client, "POST", f"/threads/{path}".format(**ids), {"metadata": {"a": "1"}})
            assert changed["metadata"] == {"a": "1"}

    def test_a_run_that_has_ended_cannot_be_cancelled(self, client: OpenAI, assistant: Assistant):
        run = ask(client, assistant.id, "Hello")
        with refused(400, "Cannot cancel run with status 'completed'."):
            client.beta.threads.runs.cancel(run_id=run.id, thread_id=run.thread_id)

    def test_a_run_needs_a_users_message_or_instructions(self, client: OpenAI, assistant: Assistant):
        message = "Run creation requires a Thread with a user message or an assistant with instructions."
        thread = client.beta.threads.create(messages=[{"role": "assistant", "content": "Hello?"}])
        with refused(400, message, None, "invalid_thread"):
            client.beta.threads.runs.create(thread.id, assistant_id=assistant.id)
        with refused(400, message, None, "invalid_thread"):
            client.beta.threads.create_and_run(assistant_id=assistant.id)
        assert client.beta.threads.runs.list(thread.id).data == []

    def test_a_users_message_that_was_deleted_is_none_to_run_on(self, client: OpenAI, assistant: Assistant):
        thread = client.beta.threads.create(messages=[{"role": "user", "content": "Hello"}])
        (said,) = client.beta.threads.messages.list(thread.id).data
        client.beta.threads.messages.delete(said.id, thread_id=thread.id)
        message = "Run creation requires a Thread with a user message or an assistant with instructions."
        with refused(400, message, None, "invalid_thread"):
            client.beta.threads.runs.create(thread.id, assistant_id=assistant.id)
