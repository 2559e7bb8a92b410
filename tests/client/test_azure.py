"""The Azure flavour: the SDK's own client needs only its endpoint and its key."""

import asyncio
import json
from collections.abc import Iterator
from typing import Any

import httpx2
import openai
import pytest
from openai import AsyncAzureOpenAI, AzureOpenAI, OpenAI

from tests.client.conftest import ALICE, BOB
from tests.support.sdk.client import connect, refused, strict_object
from tests.support.sdk.talk import POLL, ask, calls_of, function, submit, text_of, texts, upload
from tests.support.service.processes import Service

V1_ERA, V2_ERA = "2024-02-15-preview", "2024-05-01-preview"
DENIED = (
    "Access denied due to invalid subscription key or wrong API endpoint. Make sure to provide a valid key for an "
    "active subscription and use a correct regional API endpoint for your resource."
)
NOT_FOUND = {"error": {"code": "404", "message": "Resource not found"}}


@pytest.fixture(scope="module")
def endpoint(configured: Service) -> str:
    return configured.url.removesuffix("/v1")


@pytest.fixture(scope="module")
def azure(endpoint: str) -> Iterator[AzureOpenAI]:
    """Azure's client; every successful answer is validated."""

    def validate(response: httpx2.Response) -> None:
        if response.is_success:
            strict_object(json.loads(response.read()))

    http = openai.DefaultHttpxClient(event_hooks={"response": [validate]})
    with AzureOpenAI(
        azure_endpoint=endpoint, api_key=ALICE, api_version=V2_ERA, max_retries=0, http_client=http
    ) as client:
        yield client


def test_a_text_run(azure: AzureOpenAI):
    assistant = azure.beta.assistants.create(model="gpt-4o")
    run = ask(azure, assistant.id, "Hello")
    assert run.status == "completed"
    assert texts(azure, run.thread_id) == ["Hello", "You said: Hello"]


def test_a_function_run(azure: AzureOpenAI):
    assistant = azure.beta.assistants.create(model="gpt-4o", tools=[function("get_time", "city")])
    run = ask(azure, assistant.id, "get_time city=Oslo")
    assert json.loads(calls_of(run)[0].function.arguments) == {"city": "Oslo"}
    assert submit(azure, run, "half past ten").status == "completed"
    assert "half past ten" in texts(azure, run.thread_id)[-1]
    assert len(azure.beta.threads.runs.steps.list(run.id, thread_id=run.thread_id, limit=1).data) == 1


async def test_an_asynchronous_client(endpoint: str):
    async with AsyncAzureOpenAI(azure_endpoint=endpoint, api_key=ALICE, api_version=V2_ERA, max_retries=0) as client:
        tools = [function("get_time", "city")]
        assistant = await client.beta.assistants.create(model="gpt-4o", tools=tools)
        said, called = await asyncio.gather(
            *(
                client.beta.threads.create_and_run_poll(
                    assistant_id=assistant.id,
                    thread={"messages": [{"role": "user", "content": text}]},
                    poll_interval_ms=POLL,
                )
                for text in ("Hello", "get_time city=Oslo")
            )
        )
        assert said.status == "completed"
        done = await client.beta.threads.runs.submit_tool_outputs_and_poll(
            run_id=called.id,
            thread_id=called.thread_id,
            tool_outputs=[{"tool_call_id": calls_of(called)[0].id, "output": "half past ten"}],
            poll_interval_ms=POLL,
        )
        assert done.status == "completed"
        answer, _ = [message async for message in client.beta.threads.messages.list(said.thread_id)]
        assert text_of(answer) == "You said: Hello"


def test_a_token_of_entra_is_a_bearer(endpoint: str, alice: OpenAI):
    with AzureOpenAI(azure_endpoint=endpoint, azure_ad_token=ALICE, api_version=V2_ERA) as client:
        thread = client.beta.threads.create()
    assert alice.beta.threads.retrieve(thread.id).id == thread.id


def test_both_flavours_show_the_same_objects(azure: AzureOpenAI, alice: OpenAI, bob: OpenAI):
    thread = azure.beta.threads.create(metadata={"from": "azure"})
    assert alice.beta.threads.retrieve(thread.id).to_dict() == thread.to_dict()
    with refused(404, f"No thread found with id '{thread.id}'."):
        bob.beta.threads.retrieve(thread.id)


@pytest.mark.parametrize("query", [{}, {"api-version": "preview"}, {"api-version": "v1"}])
def test_the_newer_surface_needs_no_version(endpoint: str, query: dict[str, str]):
    with connect(f"{endpoint}/openai/v1", ALICE).with_options(default_query=query) as client:
        run = ask(client, client.beta.assistants.create(model="gpt-4o").id, "Hello")
        assert texts(client, run.thread_id) == ["Hello", "You said: Hello"]


def test_the_version_of_early_2024_shows_v1(endpoint: str, alice: OpenAI):
    with AzureOpenAI(azure_endpoint=endpoint, api_key=ALICE, api_version=V1_ERA, max_retries=0) as client:
        file_id = upload(alice)
        body: Any = {"model": "gpt-4o", "tools": [{"type": "retrieval"}], "file_ids": [file_id]}
        made: Any = client.post("/assistants", cast_to=object, body=body)
        assert (made["tools"], made["file_ids"]) == ([{"type": "retrieval"}], [file_id])
        assert alice.beta.assistants.retrieve(made["id"]).to_dict()["tools"] == [{"type": "file_search"}]
        with refused(400, "Unknown parameter: 'tool_resources'.", "tool_resources", "unknown_parameter"):
            client.beta.assistants.create(model="gpt-4o", tool_resources={})


def test_an_error_of_the_service_has_its_usual_shape(azure: AzureOpenAI):
    with refused(404, "No assistant found with id 'asst_1'."):
        azure.beta.assistants.retrieve("asst_1")


@pytest.mark.parametrize("headers", [{"api-key": BOB[:-1]}, {"Authorization": "Bearer wrong"}, {}])
@pytest.mark.parametrize("path", ["assistants?api-version=2024-05-01-preview", "v1/assistants", "assistants"])
def test_a_wrong_key_is_refused_by_the_gateway(endpoint: str, headers: dict[str, str], path: str):
    answer = httpx2.get(f"{endpoint}/openai/{path}", headers=headers)
    assert (answer.status_code, answer.json()) == (401, {"error": {"code": "401", "message": DENIED}})


@pytest.mark.parametrize(
    ("method", "path"),
    [
        ("GET", "assistants"),
        ("GET", "assistants?api-version=latest"),
        ("GET", "nowhere?api-version=2024-05-01-preview"),
        ("PUT", "assistants?api-version=2024-05-01-preview"),
        ("GET", "v1/nowhere"),
    ],
)
def test_an_unknown_path_gets_the_gateways_error(endpoint: str, method: str, path: str):
    answer = httpx2.request(method, f"{endpoint}/openai/{path}", headers={"api-key": ALICE})
    assert (answer.status_code, answer.json()) == (404, NOT_FOUND)
    assert answer.headers["x-request-id"].startswith("req_")
