"""Every refusal of a request has the text, param and code of the catalogue (contract, 8)."""

import json
from typing import Annotated, Any, Literal

import pytest
from fastapi import FastAPI, Query, Request
from fastapi.exceptions import RequestValidationError
from fastapi.responses import JSONResponse
from fastapi.testclient import TestClient

from assistants.api.validation import translate
from assistants.schema import errors
from assistants.schema.assistants import CreateAssistant
from assistants.schema.base import StepId, ThreadId
from assistants.schema.messages import CreateMessage
from assistants.schema.runs import CreateRun, CreateThreadAndRun, SubmitToolOutputs
from assistants.schema.threads import CreateThread

app = FastAPI()


@app.exception_handler(RequestValidationError)
async def refuse(_: Request, error: RequestValidationError) -> JSONResponse:
    answer = translate(error.errors(), error.body)
    return JSONResponse(answer.body(), answer.status)


@app.post("/assistants")
async def assistants(body: CreateAssistant) -> None: ...


@app.post("/threads")
async def threads(body: CreateThread) -> None: ...


@app.post("/messages")
async def messages(body: CreateMessage) -> None: ...


@app.post("/runs")
async def runs(body: CreateRun) -> None: ...


@app.post("/threads/runs")
async def thread_and_run(body: CreateThreadAndRun) -> None: ...


@app.post("/outputs")
async def outputs(body: SubmitToolOutputs) -> None: ...


@app.get("/steps/{step_id}")
async def steps(
    step_id: StepId,
    limit: Annotated[int, Query(ge=1, le=100)] = 20,
    order: Literal["asc", "desc"] = "desc",
    after: ThreadId | None = None,
    include: Annotated[list[Literal["a[*].b"]] | None, Query(alias="include[]")] = None,
) -> None: ...


client = TestClient(app)


def error(message: str, param: str | None, code: str | None) -> dict[str, Any]:
    return {"error": {"message": message, "type": "invalid_request_error", "param": param, "code": code}}


A = {"model": "m"}
M = {"role": "user", "content": "hi"}
R = {"assistant_id": "asst_1"}
Kind = tuple[str, str | None]
"""A message, to be completed by the param and other values, and the code."""

MISSING: Kind = (
    "Missing required parameter: '{param}'.",
    "missing_required_parameter",
)
UNKNOWN: Kind = (
    "Unknown parameter: '{param}'.",
    "unknown_parameter",
)
TYPE: Kind = (
    "Invalid type for '{param}': expected {}, but got {} instead.",
    "invalid_type",
)
VALUE: Kind = (
    "Invalid value: '{}'. Supported values are: {}.",
    "invalid_value",
)
PREFIX: Kind = (
    "Invalid '{param}': '{}'. Expected an ID that begins with '{}'.",
    "invalid_value",
)
TOO_LONG: Kind = (
    (
        "Invalid '{param}': string too long. Expected a string with maximum length {}, but got a string with "
        "length {} instead."
    ),
    "string_above_max_length",
)
EMPTY: Kind = (
    "Invalid '{param}': string too short. Expected a string with minimum length 1, but got an empty string instead.",
    "empty_string",
)
UNICODE: Kind = (
    "Invalid '{param}': string is not valid Unicode. Expected a string without lone surrogates.",
    "invalid_value",
)
ABOVE_INTEGER: Kind = (
    "Invalid '{param}': integer above maximum value. Expected a value <= {}, but got {} instead.",
    "integer_above_max_value",
)
BELOW_INTEGER: Kind = (
    "Invalid '{param}': integer below minimum value. Expected a value >= {}, but got {} instead.",
    "integer_below_min_value",
)
ABOVE_DECIMAL: Kind = (
    "Invalid '{param}': decimal above maximum value. Expected a value <= {}, but got {} instead.",
    "decimal_above_max_value",
)
BELOW_DECIMAL: Kind = (
    "Invalid '{param}': decimal below minimum value. Expected a value >= {}, but got {} instead.",
    "decimal_below_min_value",
)

MALFORMED = errors.malformed_json().body()


def tools(*items: Any) -> dict[str, Any]:
    return A | {"tools": list(items)}


def function(**definition: Any) -> dict[str, Any]:
    return {"type": "function", "function": definition}


def kept(store: dict[str, Any]) -> dict[str, Any]:
    return A | {"tool_resources": {"file_search": store}}


BODIES: list[tuple[Any, ...]] = [
    (MISSING, "/runs", {}, "assistant_id"),
    (MISSING, "/assistants", tools({}), "tools[0].type"),
    (MISSING, "/assistants", tools({"type": "code_interpreter"}, {"type": "function"}), "tools[1].function"),
    (MISSING, "/assistants", tools({"type": "code_interpreter"}, function()), "tools[1].function.name"),
    (MISSING, "/assistants", A | {"response_format": {"type": "json_schema"}}, "response_format.json_schema"),
    (
        MISSING,
        "/assistants",
        A | {"response_format": {"type": "json_schema", "json_schema": {}}},
        "response_format.json_schema.name",
    ),
    (MISSING, "/runs", R | {"tool_choice": {"type": "function", "function": {}}}, "tool_choice.function.name"),
    (MISSING, "/messages", M | {"attachments": [{"file_id": "file-1"}]}, "attachments[0].tools"),
    (MISSING, "/messages", M | {"content": [{"type": "text"}]}, "content[0].text"),
    (MISSING, "/threads/runs", R | {"thread": {"messages": [{"role": "user"}]}}, "thread.messages[0].content"),
    (MISSING, "/assistants", kept({}), "tool_resources.file_search.vector_store_ids"),
    (UNKNOWN, "/assistants", A | {"file_ids": []}, "file_ids"),
    (UNKNOWN, "/threads", {"messages": [M | {"file_ids": []}]}, "messages[0].file_ids"),
    (UNKNOWN, "/assistants", tools(function(name="f", x=1)), "tools[0].function.x"),
    (UNKNOWN, "/assistants", tools({"type": "code_interpreter", "code_interpreter": {}}), "tools[0].code_interpreter"),
    (
        UNKNOWN,
        "/messages",
        M | {"attachments": [{"file_id": "file-1", "tools": [{"type": "file_search", "file_search": {}}]}]},
        "attachments[0].tools[0].file_search",
    ),
    (UNKNOWN, "/messages", M | {"content": [{"type": "text", "text": "x", "y": 1}]}, "content[0].y"),
    (UNKNOWN, "/assistants", A | {"response_format": {"type": "text", "text": 1}}, "response_format.text"),
    (UNKNOWN, "/assistants", A | {"response_format": {"type": "text", "object": 1}}, "response_format.object"),
    (TYPE, "/assistants", A | {"metadata": {"modified": True}}, "metadata.modified", "a string", "a boolean"),
    (TYPE, "/assistants", A | {"metadata": {"type": "x", "x": 1}}, "metadata.x", "a string", "an integer"),
    (TYPE, "/assistants", A | {"metadata": {"[key]": 1}}, "metadata.[key]", "a string", "an integer"),
    (TYPE, "/assistants", A | {"metadata": {"a[]": 1}}, "metadata.a[]", "a string", "an integer"),
    (TYPE, "/assistants", A | {"metadata": []}, "metadata", "an object", "an array"),
    (TYPE, "/assistants", A | {"tools": None}, "tools", "an array of objects", "null"),
    (TYPE, "/assistants", tools("function"), "tools[0]", "an object", "a string"),
    (TYPE, "/assistants", tools({"type": "function", "function": "f"}), "tools[0].function", "an object", "a string"),
    (TYPE, "/assistants", tools(function(name=1)), "tools[0].function.name", "a string", "an integer"),
    (
        TYPE,
        "/assistants",
        A | {"tool_resources": {"code_interpreter": {"file_ids": {}}}},
        "tool_resources.code_interpreter.file_ids",
        "an array of strings",
        "an object",
    ),
    (TYPE, "/assistants", A | {"temperature": "1"}, "temperature", "a decimal", "a string"),
    (TYPE, "/runs", R | {"max_prompt_tokens": 256.5}, "max_prompt_tokens", "an integer", "a decimal number"),
    (TYPE, "/runs", R | {"stream": "yes"}, "stream", "a boolean", "a string"),
    (TYPE, "/runs", R | {"parallel_tool_calls": None}, "parallel_tool_calls", "a boolean", "null"),
    (
        TYPE,
        "/runs",
        R | {"tool_choice": {"type": "function", "function": 5}},
        "tool_choice.function",
        "an object",
        "an integer",
    ),
    (TYPE, "/runs", R | {"tool_choice": 5}, "tool_choice", "one of a string or object", "an integer"),
    (TYPE, "/messages", M | {"content": 5}, "content", "one of a string or array of objects", "an integer"),
    (TYPE, "/messages", M | {"content": None}, "content", "one of a string or array of objects", "null"),
    (
        TYPE,
        "/messages",
        M | {"content": [{"type": "text", "text": {"value": "x"}}]},
        "content[0].text",
        "a string",
        "an object",
    ),
    (TYPE, "/messages", M | {"role": None}, "role", "one of 'user' or 'assistant'", "null"),
    (
        TYPE,
        "/assistants",
        tools({"type": 5}),
        "tools[0].type",
        "one of 'cod...ter', 'function', 'retrieval', or 'file_search'",
        "an integer",
    ),
    (
        TYPE,
        "/outputs",
        {"tool_outputs": [{"tool_call_id": "c", "output": {}}]},
        "tool_outputs[0].output",
        "a string",
        "an object",
    ),
    (
        ("Invalid type for the request body: expected an object, but got an array instead.", "invalid_type"),
        "/assistants",
        [],
        None,
    ),
    (
        VALUE,
        "/assistants",
        tools({"type": "x"}),
        "tools[0].type",
        "x",
        "'code_interpreter', 'function', 'retrieval', and 'file_search'",
    ),
    (VALUE, "/messages", M | {"role": "system"}, "role", "system", "'user' and 'assistant'"),
    (
        VALUE,
        "/messages",
        M | {"content": [{"type": "refusal", "refusal": "no"}]},
        "content[0].type",
        "refusal",
        "'text', 'image_file', and 'image_url'",
    ),
    (
        VALUE,
        "/messages",
        M | {"attachments": [{"file_id": "file-1", "tools": [{"type": "function"}]}]},
        "attachments[0].tools[0].type",
        "function",
        "'code_interpreter' and 'file_search'",
    ),
    (VALUE, "/runs", R | {"tool_choice": "any"}, "tool_choice", "any", "'none', 'auto', and 'required'"),
    (VALUE, "/assistants", A | {"response_format": "json"}, "response_format", "json", "'auto'"),
    (
        VALUE,
        "/assistants",
        A | {"response_format": {"type": "xml"}},
        "response_format.type",
        "xml",
        "'text', 'json_object', and 'json_schema'",
    ),
    (
        VALUE,
        "/runs",
        R | {"truncation_strategy": {"type": "middle"}},
        "truncation_strategy.type",
        "middle",
        "'auto' and 'last_messages'",
    ),
    (UNICODE, "/messages", M | {"role": "\ud800"}, "role"),
    (PREFIX, "/runs", {"assistant_id": "wf_x"}, "assistant_id", "wf_x", "asst"),
    (
        (
            (
                "Invalid 'assistant_id': 'asst_/x'. Expected an ID that contains letters, numbers, underscores, "
                "or dashes, but this value contained additional characters."
            ),
            "invalid_value",
        ),
        "/runs",
        {"assistant_id": "asst_/x"},
        "assistant_id",
    ),
    (
        PREFIX,
        "/messages",
        M | {"attachments": [{"file_id": "doc", "tools": []}]},
        "attachments[0].file_id",
        "doc",
        "file",
    ),
    (
        PREFIX,
        "/assistants",
        kept({"vector_store_ids": ["x"]}),
        "tool_resources.file_search.vector_store_ids[0]",
        "x",
        "vs",
    ),
    (TOO_LONG, "/messages", M | {"content": "x" * 256_001}, "content", "256000", "256001"),
    (EMPTY, "/messages", M | {"content": ""}, "content"),
    (EMPTY, "/assistants", {"model": ""}, "model"),
    (
        (
            (
                "Invalid 'tools[0].function.name': string does not match pattern. Expected a string that matches "
                "the pattern '^[a-zA-Z0-9_-]+$'."
            ),
            "invalid_value",
        ),
        "/assistants",
        tools(function(name="a b")),
        "tools[0].function.name",
    ),
    (UNICODE, "/assistants", A | {"name": "\ud800"}, "name"),
    (UNICODE, "/assistants", A | {"metadata": {"\ud800": ""}}, "metadata"),
    (
        (
            (
                "Invalid 'content[0].image_url.url': invalid URL. Expected a valid URL that begins with "
                "'http://' or 'https://'."
            ),
            "invalid_value",
        ),
        "/messages",
        M | {"content": [{"type": "image_url", "image_url": {"url": "ftp://x"}}]},
        "content[0].image_url.url",
    ),
    (ABOVE_DECIMAL, "/assistants", A | {"temperature": 3}, "temperature", "2", "3"),
    (BELOW_DECIMAL, "/assistants", A | {"top_p": -0.5}, "top_p", "0", "-0.5"),
    (BELOW_INTEGER, "/runs", R | {"max_prompt_tokens": 16}, "max_prompt_tokens", "256", "16"),
    (
        BELOW_INTEGER,
        "/runs",
        R | {"truncation_strategy": {"type": "last_messages", "last_messages": 0}},
        "truncation_strategy.last_messages",
        "1",
        "0",
    ),
    (
        ABOVE_INTEGER,
        "/assistants",
        tools({"type": "file_search", "file_search": {"max_num_results": 51}}),
        "tools[0].file_search.max_num_results",
        "50",
        "51",
    ),
    (
        (
            (
                "Invalid 'tools': array too long. Expected an array with maximum length 128, but got an array "
                "with length 129 instead."
            ),
            "array_above_max_length",
        ),
        "/assistants",
        tools(*[function(name="f")] * 129),
        "tools",
    ),
    (
        (
            "Invalid 'content': empty array. Expected an array with minimum length 1, but got an empty array instead.",
            "empty_array",
        ),
        "/messages",
        M | {"content": []},
        "content",
    ),
    (
        (
            (
                "Invalid 'metadata': too many properties. Expected an object with at most 16 properties, but got "
                "an object with 17 properties instead."
            ),
            "object_above_max_properties",
        ),
        "/assistants",
        A | {"metadata": {str(n): "" for n in range(17)}},
        "metadata",
    ),
    (
        (
            (
                "Invalid property name in 'messages[0].metadata': 'kkk...kkk' is too long. Expected a string "
                "with maximum length 64, but got a string with length 65 instead."
            ),
            "property_name_above_max_length",
        ),
        "/threads",
        {"messages": [M | {"metadata": {"k" * 60 + ".kkkk": ""}}]},
        "messages[0].metadata",
    ),
    (
        (
            (
                "Invalid 'tools[0].function.parameters': invalid JSON. Expected text without lone surrogates and "
                "finite numbers."
            ),
            "invalid_value",
        ),
        "/assistants",
        tools(function(name="f", parameters={"a": "\ud800"})),
        "tools[0].function.parameters",
    ),
    (
        (
            (
                "Mutually exclusive parameters. Ensure you are only providing one of: "
                "'tool_resources.file_search.vector_store_ids' or 'tool_resources.file_search.vector_stores'."
            ),
            "mutually_exclusive_parameters",
        ),
        "/assistants",
        kept({"vector_store_ids": [], "vector_stores": []}),
        None,
    ),
    (
        ("file_search tool configuration is invalid. file_ids must be non-empty", None),
        "/assistants",
        kept({"vector_stores": [{}]}),
        None,
    ),
    (
        (
            (
                "Invalid "
                "'tool_resources.file_search.vector_stores[0].chunking_strategy.static.chunk_overlap_tokens': "
                "overlap too large. Expected at most half of 'max_chunk_size_tokens'."
            ),
            "invalid_value",
        ),
        "/assistants",
        kept(
            {
                "vector_stores": [
                    {
                        "file_ids": ["file-1"],
                        "chunking_strategy": {
                            "type": "static",
                            "static": {"max_chunk_size_tokens": 100, "chunk_overlap_tokens": 51},
                        },
                    }
                ]
            }
        ),
        "tool_resources.file_search.vector_stores[0].chunking_strategy.static.chunk_overlap_tokens",
    ),
    (
        BELOW_INTEGER,
        "/assistants",
        kept(
            {
                "vector_stores": [
                    {
                        "file_ids": ["file-1"],
                        "chunking_strategy": {
                            "type": "static",
                            "static": {"max_chunk_size_tokens": 99, "chunk_overlap_tokens": 0},
                        },
                    }
                ]
            }
        ),
        "tool_resources.file_search.vector_stores[0].chunking_strategy.static.max_chunk_size_tokens",
        "100",
        "99",
    ),
    (VALUE, "/messages", {"x": 1, "content": "", "role": "tool"}, "role", "tool", "'user' and 'assistant'"),
]


@pytest.mark.parametrize("row", BODIES)
def test_a_body_is_refused_with_the_message_of_the_catalogue(row: tuple[Any, ...]) -> None:
    (message, code), route, body, param, *values = row
    answer = client.post(route, content=json.dumps(body), headers={"content-type": "application/json"})
    assert (answer.status_code, answer.json()) == (400, error(message.format(*values, param=param), param, code))


@pytest.mark.parametrize(
    ("content", "media_type"),
    [
        (b"{", "application/json"),
        (b"\xff", "application/json"),
        (b"", "application/json"),
        (b"null", "application/json"),
        (b'{"\\ud800": 1, "model": "m"}', "application/json"),
        (b"model=m", "application/x-www-form-urlencoded"),
    ],
)
def test_a_body_that_is_no_json_is_refused_as_such(content: bytes, media_type: str) -> None:
    answer = client.post("/assistants", content=content, headers={"content-type": media_type})
    if content == b"\xff":
        assert answer.status_code == 400  # FastAPI raises an HTTPException here, which the application answers
    else:
        assert (answer.status_code, answer.json()) == (400, MALFORMED)


QUERIES: list[tuple[Any, ...]] = [
    (ABOVE_INTEGER, "/steps/step_1?limit=101", "limit", "100", "101"),
    (BELOW_INTEGER, "/steps/step_1?limit=0", "limit", "1", "0"),
    (TYPE, "/steps/step_1?limit=abc", "limit", "an integer", "a string"),
    (VALUE, "/steps/step_1?order=up", "order", "up", "'asc' and 'desc'"),
    (PREFIX, "/steps/step_1?after=x", "after", "x", "thread"),
    (VALUE, "/steps/step_1?include[]=x", "include[0]", "x", "'a[*].b'"),
    (PREFIX, "/steps/undefined", "step_id", "undefined", "step"),
]


@pytest.mark.parametrize("row", QUERIES)
def test_a_path_or_query_is_refused_with_the_message_of_the_catalogue(row: tuple[Any, ...]) -> None:
    (message, code), url, param, *values = row
    answer = client.get(url)
    assert (answer.status_code, answer.json()) == (400, error(message.format(*values, param=param), param, code))


def test_an_error_outside_the_table_is_still_an_invalid_value() -> None:
    unknown = {"type": "new_in_pydantic", "loc": ("query", "limit"), "msg": "?", "input": "1"}
    answer = translate([unknown])
    assert (answer.status, answer.param, answer.code) == (400, "limit", "invalid_value")


CATALOGUE: list[tuple[errors.ApiError, int, str, str | None, str | None]] = [
    (
        errors.missing_beta(),
        400,
        (
            "You must provide the 'OpenAI-Beta' header to access the Assistants API. Please try again by setting "
            "the header 'OpenAI-Beta: assistants=v2'."
        ),
        None,
        "invalid_beta",
    ),
    (
        errors.malformed_beta("v1"),
        400,
        "Invalid beta header provided: 'v1'. The header should be in the format 'OpenAI-Beta: example_beta=v1'.",
        None,
        "invalid_beta",
    ),
    (errors.unknown_beta("vector_stores"), 400, "Unknown beta requested: 'vector_stores'.", None, "invalid_beta"),
    (
        errors.incorrect_key("sk-ab" + "c" * 40 + "yz"),
        401,
        (
            "Incorrect API key provided: sk-ab***yz. You can find your API key at "
            "https://platform.openai.com/account/api-keys."
        ),
        None,
        "invalid_api_key",
    ),
    (
        errors.incorrect_key("secret"),
        401,
        "Incorrect API key provided: ***. You can find your API key at https://platform.openai.com/account/api-keys.",
        None,
        "invalid_api_key",
    ),
    (errors.not_found("assistant", "asst_x"), 404, "No assistant found with id 'asst_x'.", None, None),
    (errors.not_found("thread", "thread_x"), 404, "No thread found with id 'thread_x'.", None, None),
    (errors.not_found("run", "run_x"), 404, "No run found with id 'run_x'.", None, None),
    (errors.not_found("run step", "step_123"), 404, "No run step found with id 'step_123'.", None, None),
    (errors.not_found("message", "msg_x"), 404, "No message found with id 'msg_x'.", None, None),
    (errors.not_found("file", "file-x"), 404, "No such File object: file-x", "id", None),
    (errors.unknown_url("POST", "/v1/foo"), 404, "Invalid URL (POST /v1/foo)", None, None),
    (errors.wrong_method("PUT", "/v1/assistants"), 405, "Invalid method for URL (PUT /v1/assistants)", None, None),
    (
        errors.thread_locked("thread_x", "run_y"),
        400,
        "Can't add messages to thread_x while a run run_y is active.",
        None,
        None,
    ),
    (
        errors.run_already_active("thread_x", "run_y"),
        400,
        "Thread thread_x already has an active run run_y.",
        None,
        None,
    ),
    (
        errors.nothing_to_run_on(),
        400,
        "Run creation requires a Thread with a user message or an assistant with instructions.",
        None,
        "invalid_thread",
    ),
    (
        errors.outputs_not_accepted("completed"),
        400,
        'Runs in status "completed" do not accept tool outputs.',
        None,
        None,
    ),
    (
        errors.outputs_mismatch(["call_a", "call_b"], ["call_a"]),
        400,
        "Expected tool outputs for call_ids ['call_a', 'call_b'], got ['call_a']",
        None,
        None,
    ),
    (errors.cannot_cancel("completed"), 400, "Cannot cancel run with status 'completed'.", None, None),
    (errors.cannot_update("in_progress"), 400, "Cannot update run with status 'in_progress'.", None, None),
]


@pytest.mark.parametrize(("answer", "status", "message", "param", "code"), CATALOGUE)
def test_the_catalogue_is_answered_word_for_word(
    answer: errors.ApiError, status: int, message: str, param: str | None, code: str | None
) -> None:
    assert (answer.status, answer.body()) == (status, error(message, param, code))


def test_without_a_key_the_answer_says_how_to_send_one() -> None:
    answer = errors.missing_key()
    assert (answer.status, answer.code, answer.param) == (401, None, None)
    assert "You didn't provide an API key." in answer.message


def test_a_failing_server_names_the_request_and_the_time_to_retry() -> None:
    assert errors.server_error("req_1").body()["error"]["type"] == "server_error"
    assert "(Please include the request ID req_1 in your email.)" in errors.server_error("req_1").message
    assert (errors.unavailable(7).status, errors.unavailable(7).headers) == (503, {"Retry-After": "7"})


def test_quotes_of_a_clients_text_are_bounded() -> None:
    answer = errors.unknown_parameter("x" * 10_000_000)
    assert len(answer.message) == len(answer.param or "") == errors.MAX_SHOWN
