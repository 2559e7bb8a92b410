"""The objects round-trip and satisfy the SDK; the requests hold every limit of the contract."""

import json
from collections.abc import Sequence
from typing import Any

import pytest
from openai.types import beta
from openai.types.beta import threads
from openai.types.beta.threads import runs
from pydantic import BaseModel, ValidationError

from assistants.schema.assistants import Assistant, CreateAssistant, ModifyAssistant
from assistants.schema.base import MAX_DEPTH
from assistants.schema.lists import Deleted, Page
from assistants.schema.messages import CreateMessage, Message, ModifyMessage
from assistants.schema.runs import CreateRun, CreateThreadAndRun, ModifyRun, Run, RunStatus, SubmitToolOutputs
from assistants.schema.steps import RunStep
from assistants.schema.threads import CreateThread, ModifyThread, Thread
from assistants.schema.vector_stores import CreateVectorStore, FileCounts, VectorStore
from tests.support.sdk.client import strict

FUNCTION = {
    "type": "function",
    "function": {"name": "f", "description": "d", "parameters": {"type": "object", "properties": {}}, "strict": None},
}
TOOLS = [
    {"type": "code_interpreter"},
    {"type": "file_search"},
    {
        "type": "file_search",
        "file_search": {
            "max_num_results": 5,
            "ranking_options": {"ranker": "default_2024_08_21", "score_threshold": 0.0},
        },
    },
    FUNCTION,
]
RESOURCES = {"code_interpreter": {"file_ids": ["file-1"]}, "file_search": {"vector_store_ids": ["vs_1"]}}
SCHEMA_FORMAT = {"type": "json_schema", "json_schema": {"name": "n", "schema": {"type": "object"}, "strict": True}}
USAGE = {"prompt_tokens": 1, "completion_tokens": 2, "total_tokens": 3}

ASSISTANT = {
    "id": "asst_1",
    "object": "assistant",
    "created_at": 1710352448,
    "name": None,
    "description": None,
    "model": "gpt-4o",
    "instructions": None,
    "tools": [],
    "top_p": 1.0,
    "temperature": 1.0,
    "reasoning_effort": None,
    "tool_resources": {},
    "metadata": {},
    "response_format": "auto",
}
THREAD = {"id": "thread_1", "object": "thread", "created_at": 1, "metadata": {}, "tool_resources": {}}
MESSAGE = {
    "id": "msg_1",
    "object": "thread.message",
    "created_at": 1,
    "assistant_id": None,
    "thread_id": "thread_1",
    "run_id": None,
    "status": "completed",
    "incomplete_details": None,
    "incomplete_at": None,
    "completed_at": None,
    "role": "user",
    "content": [{"type": "text", "text": {"value": "hi", "annotations": []}}],
    "attachments": [],
    "metadata": {},
}
ANNOTATION = {"text": "【4:0†source】", "start_index": 33, "end_index": 45}
RUN = {
    "id": "run_1",
    "object": "thread.run",
    "created_at": 1,
    "assistant_id": "asst_1",
    "thread_id": "thread_1",
    "status": "queued",
    "started_at": None,
    "expires_at": 601,
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
STEP = {
    "id": "step_1",
    "object": "thread.run.step",
    "created_at": 1,
    "run_id": "run_1",
    "assistant_id": "asst_1",
    "thread_id": "thread_1",
    "type": "tool_calls",
    "status": "in_progress",
    "cancelled_at": None,
    "completed_at": None,
    "expires_at": 601,
    "expired_at": None,
    "failed_at": None,
    "last_error": None,
    "step_details": {"type": "tool_calls", "tool_calls": []},
    "usage": None,
    "metadata": {},
}


def call(kind: str, **content: Any) -> dict[str, Any]:
    return {"id": "call_1", "type": kind, kind: content}


RESULT = {"file_id": "file-1", "file_name": "a.txt", "score": 0.5}
CALLS = [
    call("function", name="f", arguments="{}", output=None),
    call("function", name="f", arguments="{", output="1"),
    call("code_interpreter", input="1", outputs=[{"type": "logs", "logs": "1"}]),
    call("code_interpreter", input="", outputs=[{"type": "image", "image": {"file_id": "file-1"}}]),
    call("file_search"),
    call(
        "file_search",
        ranking_options={"ranker": "auto", "score_threshold": 0.0},
        results=[RESULT, RESULT | {"content": [{"type": "text", "text": "t"}]}],
    ),
]

OBJECTS: list[tuple[type[BaseModel], type[BaseModel], dict[str, Any]]] = [
    (Assistant, beta.Assistant, ASSISTANT),
    (
        Assistant,
        beta.Assistant,
        ASSISTANT
        | {
            "name": "n",
            "description": "d",
            "instructions": "i",
            "tools": TOOLS,
            "tool_resources": RESOURCES,
            "metadata": {"k": "v"},
            "response_format": SCHEMA_FORMAT,
            "reasoning_effort": "high",
        },
    ),
    (Thread, beta.Thread, THREAD),
    (Thread, beta.Thread, THREAD | {"tool_resources": RESOURCES, "metadata": {"k": "v"}}),
    (Message, threads.Message, MESSAGE),
    (
        Message,
        threads.Message,
        MESSAGE
        | {
            "assistant_id": "asst_1",
            "run_id": "run_1",
            "role": "assistant",
            "status": "incomplete",
            "incomplete_at": 2,
            "incomplete_details": {"reason": "max_tokens"},
            "content": [
                {"type": "image_file", "image_file": {"file_id": "file-1", "detail": "auto"}},
                {"type": "image_url", "image_url": {"url": "https://a.test/b.png"}},
                {"type": "refusal", "refusal": "no"},
                {
                    "type": "text",
                    "text": {
                        "value": "v",
                        "annotations": [
                            {"type": "file_citation", **ANNOTATION, "file_citation": {"file_id": "file-1"}},
                            {"type": "file_path", **ANNOTATION, "file_path": {"file_id": "file-2"}},
                        ],
                    },
                },
            ],
            "attachments": [
                {"file_id": "file-1", "tools": [{"type": "code_interpreter"}, {"type": "file_search"}]},
            ],
        },
    ),
    *[(Run, threads.Run, RUN | {"status": status.value}) for status in RunStatus],
    (
        Run,
        threads.Run,
        RUN
        | {
            "status": "requires_action",
            "started_at": 2,
            "required_action": {
                "type": "submit_tool_outputs",
                "submit_tool_outputs": {"tool_calls": [call("function", name="f", arguments="{}")]},
            },
            "tools": TOOLS,
            "tool_choice": {"type": "function", "function": {"name": "f"}},
            "truncation_strategy": {"type": "last_messages", "last_messages": 3},
            "max_prompt_tokens": 256,
            "max_completion_tokens": 256,
            "response_format": {"type": "json_object"},
        },
    ),
    (Run, threads.Run, RUN | {"status": "failed", "last_error": {"code": "server_error", "message": "m"}}),
    (Run, threads.Run, RUN | {"status": "incomplete", "incomplete_details": {"reason": "max_prompt_tokens"}}),
    (Run, threads.Run, RUN | {"status": "completed", "usage": USAGE, "tool_choice": "none"}),
    *[(RunStep, runs.RunStep, STEP | {"step_details": {"type": "tool_calls", "tool_calls": [c]}}) for c in CALLS],
    (
        RunStep,
        runs.RunStep,
        STEP
        | {
            "type": "message_creation",
            "status": "failed",
            "failed_at": 3,
            "last_error": {"code": "rate_limit_exceeded", "message": "m"},
            "step_details": {"type": "message_creation", "message_creation": {"message_id": "msg_1"}},
            "usage": USAGE,
        },
    ),
]


@pytest.mark.parametrize(("ours", "theirs", "example"), OBJECTS)
def test_an_object_is_dumped_as_the_wire_shows_it_and_satisfies_the_sdk(
    ours: type[BaseModel], theirs: type[BaseModel], example: dict[str, Any]
) -> None:
    loaded = ours.model_validate(example)
    dumped = loaded.model_dump_json()
    assert json.dumps(json.loads(dumped)) == json.dumps(example)
    assert ours.model_validate_json(dumped) == loaded
    strict(theirs, json.loads(dumped))


@pytest.mark.parametrize(("ours", "theirs", "example"), OBJECTS)
def test_an_unknown_field_is_dropped_on_load_at_any_place(
    ours: type[BaseModel], theirs: type[BaseModel], example: dict[str, Any]
) -> None:
    def extended(value: Any, free: bool = False) -> Any:
        if isinstance(value, list):
            return [extended(item) for item in value]
        if not isinstance(value, dict) or free:
            return value
        children = {k: extended(v, k in ("metadata", "parameters", "schema")) for k, v in value.items()}
        return children | {"of_the_future": 1}

    assert ours.model_validate(extended(example)) == ours.model_validate(example)


@pytest.mark.parametrize(
    ("least", "full"),
    [
        (Assistant(id="asst_1", created_at=1710352448, model="gpt-4o"), ASSISTANT),
        (Thread(id="thread_1", created_at=1), THREAD),
        (
            Run(
                id="run_1",
                created_at=1,
                expires_at=601,
                assistant_id="asst_1",
                thread_id="thread_1",
                status=RunStatus.QUEUED,
                model="gpt-4o",
            ),
            RUN,
        ),
    ],
)
def test_a_missing_field_is_shown_with_its_default(least: BaseModel, full: dict[str, Any]) -> None:
    assert least.model_dump(mode="json") == full


def test_metadata_is_shown_as_an_empty_object_when_there_is_none() -> None:
    assert Thread.model_validate(THREAD | {"metadata": None}).metadata == {}


def test_the_services_own_retrieval_call_is_a_step_of_its_own_kind() -> None:
    step = STEP | {"step_details": {"type": "tool_calls", "tool_calls": [call("retrieval")]}}
    assert RunStep.model_validate(step).model_dump(mode="json") == step


def test_a_status_reads_as_its_value_in_a_text() -> None:
    assert f"{RunStatus.IN_PROGRESS}" == str(RunStatus.IN_PROGRESS) == "in_progress"


def test_a_page_names_its_first_and_last_object_and_an_empty_one_none() -> None:
    items = [Thread(id=f"thread_{n}", created_at=n) for n in range(3)]
    page = Page.of(items, has_more=True)
    assert list(page.model_dump()) == ["object", "data", "first_id", "last_id", "has_more"]
    assert (page.object, page.first_id, page.last_id, page.has_more) == ("list", "thread_0", "thread_2", True)
    assert page.model_dump()["data"][0] == THREAD | {"id": "thread_0", "created_at": 0}
    empty = Page.of([], has_more=False)
    assert (empty.data, empty.first_id, empty.last_id) == ([], None, None)


@pytest.mark.parametrize(
    ("kind", "theirs"),
    [
        ("assistant.deleted", beta.AssistantDeleted),
        ("thread.deleted", beta.ThreadDeleted),
        ("thread.message.deleted", threads.MessageDeleted),
    ],
)
def test_the_answer_to_a_deletion_names_the_object(kind: Any, theirs: type[BaseModel]) -> None:
    dumped = Deleted(id="x", object=kind).model_dump()
    assert list(dumped.items()) == [("id", "x"), ("object", kind), ("deleted", True)]
    strict(theirs, dumped)


A = {"model": "m"}
M = {"role": "user", "content": "hi"}
R = {"assistant_id": "asst_1"}
S = {"tool_outputs": [{"tool_call_id": "call_1", "output": "1"}]}
Row = tuple[type[BaseModel], dict[str, Any], str, Any, Any]


def function(name: str) -> list[Any]:
    return [{"type": "function", "function": {"name": name}}]


def search(**options: Any) -> list[Any]:
    return [{"type": "file_search", "file_search": options}]


def ranked(score: Any) -> list[Any]:
    return search(ranking_options={"score_threshold": score})


def schema(name: str) -> dict[str, Any]:
    return {"type": "json_schema", "json_schema": {"name": name}}


def files(count: int) -> list[str]:
    return [f"file-{n}" for n in range(count)]


def helper(**store: Any) -> dict[str, Any]:
    return {"file_search": {"vector_stores": [{"file_ids": ["file-1"]} | store]}}


def chunks(size: int, overlap: int) -> dict[str, Any]:
    static = {"max_chunk_size_tokens": size, "chunk_overlap_tokens": overlap}
    return helper(chunking_strategy={"type": "static", "static": static})


def nested(levels: int) -> dict[str, Any]:
    value: dict[str, Any] = {}
    for _ in range(levels - 1):
        value = {"a": value}
    return value


def parameters(value: dict[str, Any]) -> list[Any]:
    return [{"type": "function", "function": {"name": "f", "parameters": value}}]


def metadata(model: type[BaseModel], base: dict[str, Any]) -> list[Row]:
    return [
        (model, base, "metadata", {str(n): "" for n in range(16)}, {str(n): "" for n in range(17)}),
        (model, base, "metadata", {"k" * 64: "v"}, {"k" * 65: "v"}),
        (model, base, "metadata", {"k": "v" * 512}, {"k": "v" * 513}),
        (model, base, "metadata", None, {"k": 1}),
        (model, base, "metadata", {"k": "\0"}, {"k": "\ud800"}),
    ]


def sampled(model: type[BaseModel], base: dict[str, Any]) -> list[Row]:
    return [
        (model, base, "temperature", 2, 2.1),
        (model, base, "temperature", 0, -0.1),
        (model, base, "temperature", None, "1"),
        (model, base, "temperature", 1.5, float("nan")),
        (model, base, "top_p", 1, 1.1),
        (model, base, "top_p", 0, -0.1),
        (model, base, "top_p", None, True),
        (model, base, "response_format", "auto", "json"),
        (model, base, "response_format", {"type": "text"}, {"type": "xml"}),
        (model, base, "response_format", {"type": "json_object"}, {"type": "json_object", "x": 1}),
        (model, base, "response_format", schema("n" * 64), schema("n" * 65)),
        (model, base, "response_format", schema("a_Z-9"), schema("a b")),
        (model, base, "response_format", schema("n"), {"type": "json_schema"}),
        (model, base, "response_format", None, 5),
        (model, base, "tools", function("n" * 64), function("n" * 65)),
        (model, base, "tools", function("a_Z-9"), function("a.b")),
        (model, base, "tools", function("f"), function("")),
        (model, base, "tools", parameters(nested(MAX_DEPTH)), parameters(nested(MAX_DEPTH + 1))),
        (model, base, "tools", parameters({"a": 1e9}), parameters({"a": float("inf")})),
        (model, base, "tools", parameters({"a": "\u20ac"}), parameters({"a": "\udfff"})),
        (model, base, "tools", [{"type": "retrieval"}], [{"type": "browser"}]),
        (model, base, "tools", [{"type": "code_interpreter"}], [{"type": "code_interpreter", "x": 1}]),
        (model, base, "tools", search(max_num_results=50), search(max_num_results=51)),
        (model, base, "tools", search(max_num_results=1), search(max_num_results=0)),
        (model, base, "tools", ranked(1), ranked(1.1)),
        (model, base, "tools", ranked(0), ranked(-0.1)),
        (model, base, "tools", ranked(0.5), search(ranking_options={"ranker": "auto"})),
        (
            model,
            base,
            "tools",
            search(ranking_options={"ranker": "auto", "score_threshold": 0}),
            search(ranking_options={"ranker": "best", "score_threshold": 0}),
        ),
        (model, base, "instructions", "i" * 256_000, "i" * 256_001),
        (model, base, "instructions", None, 1),
    ]


def resourced(model: type[BaseModel], base: dict[str, Any]) -> list[Row]:
    def code(ids: Any) -> dict[str, Any]:
        return {"code_interpreter": {"file_ids": ids}}

    def stores(ids: Any) -> dict[str, Any]:
        return {"file_search": {"vector_store_ids": ids}}

    return [
        (model, base, "tool_resources", code(files(20)), code(files(21))),
        (model, base, "tool_resources", code([]), code(["doc-1"])),
        (model, base, "tool_resources", stores(["vs_1"]), stores(["vs_1", "vs_2"])),
        (model, base, "tool_resources", stores([]), stores(["store_1"])),
        (model, base, "tool_resources", None, {"retrieval": {}}),
    ]


def new_resources(model: type[BaseModel], base: dict[str, Any]) -> list[Row]:
    both = {"file_search": {"vector_store_ids": ["vs_1"], "vector_stores": [{"file_ids": ["file-1"]}]}}
    two = {"file_search": {"vector_stores": [{"file_ids": ["file-1"]}] * 2}}
    return [
        *resourced(model, base),
        (model, base, "tool_resources", helper(), both),
        (model, base, "tool_resources", helper(metadata=None), two),
        (model, base, "tool_resources", {}, {"file_search": {}}),
        (model, base, "tool_resources", helper(file_ids=files(10_000)), helper(file_ids=[])),
        (model, base, "tool_resources", helper(chunking_strategy={"type": "auto"}), helper(name="n")),
        (model, base, "tool_resources", chunks(4096, 2048), chunks(4097, 0)),
        (model, base, "tool_resources", chunks(100, 50), chunks(99, 0)),
        (model, base, "tool_resources", chunks(100, 0), chunks(100, 51)),
        (model, base, "tool_resources", chunks(800, 400), chunks(800, -1)),
    ]


def run(model: type[BaseModel]) -> list[Row]:
    return [
        *metadata(model, R),
        *sampled(model, R),
        (model, R, "assistant_id", "asst_abc", "wf_x"),
        (model, R, "assistant_id", "asst" + "a" * 140, "asst" + "a" * 141),
        (model, R, "assistant_id", "asst_-", "asst_../x"),
        (model, R, "model", None, ""),
        (model, R, "tools", [FUNCTION] * 20, [FUNCTION] * 21),
        (model, R, "tools", None, {}),
        (model, R, "stream", None, "true"),
        (model, R, "max_prompt_tokens", 256, 255),
        (model, R, "max_completion_tokens", 256, 255),
        (model, R, "max_completion_tokens", None, 256.0),
        (model, R, "truncation_strategy", {"type": "auto"}, {"type": "middle"}),
        (
            model,
            R,
            "truncation_strategy",
            {"type": "last_messages", "last_messages": 1},
            {"type": "last_messages", "last_messages": 0},
        ),
        (model, R, "truncation_strategy", {"type": "auto", "last_messages": None}, {"last_messages": 1}),
        (model, R, "truncation_strategy", None, "auto"),
        (model, R, "tool_choice", "none", "any"),
        (model, R, "tool_choice", "required", 1),
        (model, R, "tool_choice", {"type": "file_search"}, {"type": "browser"}),
        (model, R, "tool_choice", function("f")[0], {"type": "function"}),
        (model, R, "tool_choice", None, {"type": "function", "function": {}}),
        (model, R, "parallel_tool_calls", False, None),
    ]


def message(model: type[BaseModel], wrap: Any, field: str, base: dict[str, Any]) -> list[Row]:
    def text(value: Any) -> list[Any]:
        return [{"type": "text", "text": value}]

    def url(value: Any, **more: Any) -> list[Any]:
        return [{"type": "image_url", "image_url": {"url": value} | more}]

    def file(value: Any, **more: Any) -> list[Any]:
        return [{"type": "image_file", "image_file": {"file_id": value} | more}]

    def attached(*tools: Any, file_id: str = "file-1") -> list[Any]:
        return [{"file_id": file_id, "tools": list(tools)}]

    pairs: list[tuple[str, Any, Any]] = [
        ("role", "user", "system"),
        ("role", "assistant", "tool"),
        ("content", "x" * 256_000, "x" * 256_001),
        ("content", "\U0001f600" * 256_000, ""),
        ("content", "\0", "\ud83d"),
        ("content", text("x" * 256_000), text("x" * 256_001)),
        ("content", text("x"), text("")),
        ("content", text("x"), []),
        ("content", text("x") * 500, text("x") * 501),
        ("content", text("x"), text({"value": "x"})),
        ("content", text("x"), None),
        ("content", text("x"), [{"type": "refusal", "refusal": "no"}]),
        ("content", url("http://a.test/b"), url("data:image/png;base64,AA")),
        ("content", url("HTTPS://a.test", detail="low"), url("https://a.test", detail="big")),
        ("content", file("file-1"), file("img-1")),
        ("content", file("file-1", detail="high"), file("file-1", detail=None)),
        ("attachments", None, attached(file_id="doc")),
        ("attachments", attached({"type": "file_search"}), attached({"type": "function"})),
        ("attachments", attached({"type": "code_interpreter"}), attached({"type": "file_search", "file_search": {}})),
        ("attachments", attached(), [{"file_id": "file-1"}]),
        ("metadata", {"k": "v"}, {"k": True}),
    ]
    return [(model, base, field, wrap(M | {key: good}), wrap(M | {key: bad})) for key, good, bad in pairs]


ROWS: list[Row] = [
    *metadata(CreateAssistant, A),
    *sampled(CreateAssistant, A),
    *new_resources(CreateAssistant, A),
    (CreateAssistant, A, "model", "any-model", ""),
    (CreateAssistant, A, "model", "m", None),
    (CreateAssistant, A, "name", "n" * 256, "n" * 257),
    (CreateAssistant, A, "description", "d" * 512, "d" * 513),
    (CreateAssistant, A, "tools", [FUNCTION] * 128, [FUNCTION] * 129),
    (CreateAssistant, A, "tools", [], None),
    *[(CreateAssistant, A, "reasoning_effort", effort, "huge") for effort in ("none", "minimal", "xhigh", "max", None)],
    *metadata(ModifyAssistant, {}),
    *sampled(ModifyAssistant, {}),
    *resourced(ModifyAssistant, {}),
    (ModifyAssistant, {}, "tool_resources", {"file_search": {}}, helper()),
    (ModifyAssistant, {}, "model", "m", None),
    (ModifyAssistant, {}, "tools", [], None),
    (ModifyAssistant, {}, "name", None, "n" * 257),
    (ModifyAssistant, {}, "description", None, "d" * 513),
    (ModifyAssistant, {}, "reasoning_effort", "low", "huge"),
    *metadata(CreateThread, {}),
    *new_resources(CreateThread, {}),
    *message(CreateThread, lambda m: [m], "messages", {}),
    (CreateThread, {}, "messages", [], None),
    *metadata(ModifyThread, {}),
    *resourced(ModifyThread, {}),
    (ModifyThread, {}, "tool_resources", {"file_search": {}}, helper()),
    *metadata(CreateMessage, M),
    *metadata(ModifyMessage, {}),
    *metadata(ModifyRun, {}),
    *run(CreateRun),
    *message(CreateRun, lambda m: [m], "additional_messages", R),
    (CreateRun, R, "additional_messages", None, {}),
    (CreateRun, R, "additional_instructions", None, 1),
    (CreateRun, R, "reasoning_effort", "high", "huge"),
    *run(CreateThreadAndRun),
    *resourced(CreateThreadAndRun, R),
    *message(CreateThreadAndRun, lambda m: {"messages": [m]}, "thread", R),
    (CreateThreadAndRun, R, "thread", {}, None),
    (CreateThreadAndRun, R, "tool_resources", {"file_search": {}}, helper()),
    (SubmitToolOutputs, S, "tool_outputs", [{"tool_call_id": "c"}], [{"output": "1"}]),
    (
        SubmitToolOutputs,
        S,
        "tool_outputs",
        [{"tool_call_id": "c", "output": "x" * 524_288}],
        [{"tool_call_id": "c", "output": "x" * 524_289}],
    ),
    (SubmitToolOutputs, S, "tool_outputs", [], [{"tool_call_id": "c", "output": None}]),
    (SubmitToolOutputs, S, "stream", None, 1),
]


@pytest.mark.parametrize(("model", "base", "field", "good", "bad"), ROWS)
def test_a_value_on_the_limit_passes_and_one_beyond_is_refused(
    model: type[BaseModel], base: dict[str, Any], field: str, good: Any, bad: Any
) -> None:
    accepted = model.model_validate(base | {field: good})
    assert accepted.model_dump(exclude_unset=True)[field] == good
    accepted.model_dump_json()
    with pytest.raises(ValidationError):
        model.model_validate(base | {field: bad})


@pytest.mark.parametrize(
    ("model", "base"),
    [
        (CreateAssistant, A),
        (ModifyAssistant, {}),
        (CreateThread, {}),
        (ModifyThread, {}),
        (CreateMessage, M),
        (ModifyMessage, {}),
        (CreateRun, R),
        (CreateThreadAndRun, R),
        (ModifyRun, {}),
        (SubmitToolOutputs, S),
    ],
)
def test_a_request_needs_its_required_fields_and_knows_no_others(model: type[BaseModel], base: dict[str, Any]) -> None:
    assert model.model_validate(base).model_fields_set == set(base)
    with pytest.raises(ValidationError):
        model.model_validate(base | {"file_ids": []})
    for field in base:
        with pytest.raises(ValidationError):
            model.model_validate({k: v for k, v in base.items() if k != field})


@pytest.mark.parametrize("field", ["additional_instructions", "additional_messages", "reasoning_effort"])
def test_a_run_with_its_thread_has_no_additions(field: str) -> None:
    with pytest.raises(ValidationError):
        CreateThreadAndRun.model_validate(R | {field: None})


def test_null_and_absent_differ() -> None:
    assert ModifyAssistant.model_validate({"name": None}).model_fields_set == {"name"}
    assert ModifyAssistant.model_validate({}).model_fields_set == set()


def test_the_schemas_of_requests_distinguish_optional_from_nullable() -> None:
    properties = ModifyAssistant.model_json_schema()["properties"]
    assert {"type": "null"} not in properties["model"].get("anyOf", [])
    assert {"type": "null"} in properties["name"]["anyOf"]


SPARSE_TOOLS: Any = [
    {"type": "code_interpreter"},
    {"type": "file_search"},
    {"type": "file_search", "file_search": {}},
    {"type": "file_search", "file_search": {"ranking_options": {"score_threshold": 0.5}}},
    {"type": "function", "function": {"name": "f", "strict": None}},
]
SPARSE_FORMAT: Any = {"type": "json_schema", "json_schema": {"name": "n", "strict": None}}


def resent(read: type[BaseModel], answer: BaseModel, fields: set[str]) -> dict[str, Any]:
    """The request of a client that has read an answer into the SDK's class, and sends fields of it back."""
    return read.model_validate(answer.model_dump(mode="json")).model_dump(mode="json", include=fields, by_alias=True)


@pytest.mark.parametrize("resources", [{}, {"code_interpreter": {"file_ids": ["file-1"]}}, {"code_interpreter": {}}])
@pytest.mark.parametrize(
    ("read", "answered", "fields", "given", "requests"),
    [
        (
            beta.Assistant,
            Assistant(id="asst_1", created_at=1, model="m"),
            {"model", "tool_resources", "tools", "response_format"},
            {"model": "m", "tools": SPARSE_TOOLS, "response_format": SPARSE_FORMAT},
            (CreateAssistant, ModifyAssistant),
        ),
        (
            beta.Thread,
            Thread(id="thread_1", created_at=1),
            {"tool_resources", "metadata"},
            {"metadata": {}},
            (CreateThread, ModifyThread),
        ),
        (
            threads.Run,
            Run(
                id="run_1",
                created_at=1,
                assistant_id="asst_1",
                thread_id="thread_1",
                status=RunStatus.QUEUED,
                model="m",
            ),
            {"assistant_id", "tools", "tool_resources", "tool_choice", "response_format", "truncation_strategy"},
            {
                "assistant_id": "asst_1",
                "tools": SPARSE_TOOLS,
                "tool_choice": {"type": "file_search"},
                "response_format": SPARSE_FORMAT,
                "truncation_strategy": {"type": "auto", "last_messages": None},
            },
            (CreateThreadAndRun,),
        ),
    ],
)
def test_a_client_may_send_back_the_objects_that_it_reads(
    read: type[BaseModel],
    answered: BaseModel,
    fields: set[str],
    given: dict[str, Any],
    requests: Sequence[type[BaseModel]],
    resources: Any,
) -> None:
    expected = {**given, "tool_resources": resources}
    body = resent(read, answered.model_copy(update=expected), fields)
    assert "null" in json.dumps(body)
    for request in requests:
        assert request.model_validate(body).model_dump(exclude_unset=True) == expected


def test_a_vector_store_is_read_and_made_again_without_a_name() -> None:
    store = VectorStore(id="vs_1", created_at=1, file_counts=FileCounts(), status="completed")
    body = store.model_dump(include={"name", "description", "expires_after", "metadata"})
    assert CreateVectorStore.model_validate(body).name is None


@pytest.mark.parametrize("absent", ["code_interpreter", "file_search"])
def test_a_null_among_tool_resources_is_left_out(absent: str) -> None:
    resources = {"code_interpreter": {"file_ids": ["file-1"]}, "file_search": {"vector_store_ids": ["vs_1"]}}
    left = {name: value for name, value in resources.items() if name != absent}
    for model, base in [(CreateAssistant, A), (ModifyAssistant, {}), (CreateThread, {}), (ModifyThread, {})]:
        found = model.model_validate(base | {"tool_resources": resources | {absent: None}})
        assert found.tool_resources == left
    run = CreateThreadAndRun.model_validate(
        R | {"thread": {"tool_resources": resources | {absent: None}}, "tool_resources": resources | {absent: None}}
    )
    assert run.thread is not None
    assert (run.tool_resources, run.thread.tool_resources) == (left, left)


@pytest.mark.parametrize(
    ("model", "body"),
    [
        (SubmitToolOutputs, {"tool_outputs": [0] * 1_000}),
        (CreateThread, {"metadata": {str(number): 0 for number in range(1_000)}}),
        (CreateThread, {str(number): 0 for number in range(1_000)}),
        (CreateMessage, {"role": "user", "content": [0] * 400}),
    ],
)
def test_of_many_mistakes_one_is_reported(model: type[BaseModel], body: dict[str, Any]) -> None:
    with pytest.raises(ValidationError) as caught:
        model.model_validate(body)
    assert caught.value.error_count() == 1
