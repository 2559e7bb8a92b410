"""Clients of Azure AI Agents: the SDK's own clients need only their endpoint and a key (contract, 10.1)."""

import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import httpx2
import pytest
from azure.ai.agents import AgentsClient
from azure.ai.agents import models as agents
from azure.ai.projects import AIProjectClient
from azure.core.credentials import AzureKeyCredential
from azure.core.exceptions import HttpResponseError, ResourceNotFoundError
from azure.core.pipeline.policies import AzureKeyCredentialPolicy
from openai import AzureOpenAI, OpenAI

from tests.client.conftest import ALICE
from tests.support.sdk.agents import agents_client
from tests.support.sdk.talk import POLL
from tests.support.service.processes import Model, Service

SPIRE = "The spire of Strasbourg is 142 metres high."
SECONDS: Any = POLL / 1000
CONTENT: Any = ["step_details.tool_calls[*].file_search.results[*].content"]
UNKNOWN_THREAD = "No thread found with id 'thread_1'."


@pytest.fixture(scope="module")
def azure(configured: Service) -> Iterator[AgentsClient]:
    with agents_client(configured.url, ALICE) as client:
        yield client


@pytest.fixture(scope="module")
def endpoint(configured: Service) -> str:
    return configured.url.removesuffix("/v1")


def get_time(city: str) -> str:
    """
    The time in a city.

    :param city: The city.
    """
    return f"half past ten in {city}"


def asked(client: AgentsClient, text: str) -> str:
    """The id of a new thread with this message."""
    thread = client.threads.create()
    client.messages.create(thread.id, role="user", content=text)
    return thread.id


def said(client: AgentsClient, thread_id: str) -> list[str]:
    listed = client.messages.list(thread_id, order=agents.ListSortOrder.ASCENDING)
    return [message.text_messages[0].text.value for message in listed]


def uploaded(client: AgentsClient, folder: Path, text: str = SPIRE) -> str:
    path = folder / "spire.txt"
    path.write_text(text, encoding="utf-8")
    return client.files.upload_and_poll(
        file_path=str(path), purpose=agents.FilePurpose.AGENTS, polling_interval=SECONDS
    ).id


def test_agents_threads_messages_and_runs(azure: AgentsClient, alice: OpenAI):
    agent = azure.create_agent(model="gpt-4o", name="Clock", instructions="Be brief.", metadata={"a": "b"})
    assert azure.update_agent(agent.id, name="Bell").name == "Bell"
    assert (azure.get_agent(agent.id).name, azure.get_agent(agent.id).metadata) == ("Bell", {"a": "b"})
    assert agent.id in [each.id for each in azure.list_agents()]
    thread_id = asked(azure, "Hello")
    run = azure.runs.create_and_process(thread_id, agent_id=agent.id, polling_interval=SECONDS)
    assert (run.status, run.agent_id, run.usage.total_tokens > 0) == (agents.RunStatus.COMPLETED, agent.id, True)
    assert said(azure, thread_id) == ["Hello", "You said: Hello"]
    last = azure.messages.get_last_message_text_by_role(thread_id, agents.MessageRole.AGENT)
    assert last is not None
    assert last.text.value == "You said: Hello"
    assert [step.type for step in azure.run_steps.list(thread_id, run.id)] == [agents.RunStepType.MESSAGE_CREATION]
    assert [each.id for each in azure.runs.list(thread_id)] == [run.id]
    assert azure.runs.update(thread_id, run.id, metadata={"c": "d"}).metadata == {"c": "d"}
    assert azure.threads.update(thread_id, metadata={"e": "f"}).metadata == {"e": "f"}
    assert alice.beta.threads.retrieve(thread_id).metadata == {"e": "f"}
    azure.threads.delete(thread_id)
    azure.delete_agent(agent.id)
    with pytest.raises(ResourceNotFoundError):
        azure.get_agent(agent.id)


def test_functions_are_called_by_the_client_itself(azure: AgentsClient):
    tools = agents.ToolSet()
    tools.add(agents.FunctionTool({get_time}))
    azure.enable_auto_function_calls(tools)
    agent = azure.create_agent(model="gpt-4o", toolset=tools)
    thread_id = asked(azure, "get_time city=Oslo")
    run = azure.runs.create_and_process(thread_id, agent_id=agent.id, polling_interval=SECONDS)
    assert run.status == agents.RunStatus.COMPLETED
    assert "half past ten in Oslo" in said(azure, thread_id)[-1]


def test_functions_are_answered_by_hand_with_the_type_of_an_output(azure: AgentsClient):
    agent = azure.create_agent(model="gpt-4o", tools=agents.FunctionTool({get_time}).definitions)
    thread_id = asked(azure, "get_time city=Oslo")
    run = azure.runs.create(thread_id, agent_id=agent.id)
    while run.status in ("queued", "in_progress"):
        run = azure.runs.get(thread_id, run.id)
    assert isinstance(run.required_action, agents.SubmitToolOutputsAction)
    (call,) = run.required_action.submit_tool_outputs.tool_calls
    assert isinstance(call, agents.RequiredFunctionToolCall)
    assert json.loads(call.function.arguments) == {"city": "Oslo"}
    output: Any = {"tool_call_id": call.id, "type": "function_call_output", "output": "noon"}
    run = azure.runs.submit_tool_outputs(thread_id, run.id, tool_outputs=[output])
    while run.status in ("queued", "in_progress"):
        run = azure.runs.get(thread_id, run.id)
    assert said(azure, thread_id)[-1] == "get_time: noon"


class Heard(agents.AgentEventHandler[str]):
    """Records the events of a stream."""

    def __init__(self) -> None:
        super().__init__()
        self.text, self.status, self.others = "", "", list[str]()

    def on_message_delta(self, delta: agents.MessageDeltaChunk) -> None:
        self.text += delta.text

    def on_thread_run(self, run: agents.ThreadRun) -> None:
        self.status = run.status

    def on_error(self, data: str) -> None:
        self.others.append(data)

    def on_unhandled_event(self, event_type: str, event_data: object) -> None:
        self.others.append(event_type)


def test_a_stream_is_handled_with_its_function_calls(azure: AgentsClient):
    tools = agents.ToolSet()
    tools.add(agents.FunctionTool({get_time}))
    azure.enable_auto_function_calls(tools)
    agent = azure.create_agent(model="gpt-4o", toolset=tools)
    thread_id, heard = asked(azure, "get_time city=Oslo"), Heard()
    with azure.runs.stream(thread_id, agent_id=agent.id, event_handler=heard) as stream:
        stream.until_done()
    assert (heard.status, heard.others) == (agents.RunStatus.COMPLETED, [])
    assert "half past ten in Oslo" in heard.text
    assert said(azure, thread_id)[-1] == heard.text


def test_a_stream_is_read_event_by_event(azure: AgentsClient):
    agent = azure.create_agent(model="gpt-4o")
    with azure.runs.stream(asked(azure, "Hello"), agent_id=agent.id) as stream:
        events = [(name, type(data)) for name, data, _ in stream]
    assert events[0] == ("thread.run.created", agents.ThreadRun)
    assert ("thread.message.completed", agents.ThreadMessage) in events
    assert ("thread.run.step.completed", agents.RunStep) in events
    assert events[-2:] == [("thread.run.completed", agents.ThreadRun), ("done", str)]


def test_a_thread_and_its_run_begin_together(azure: AgentsClient):
    agent = azure.create_agent(model="gpt-4o")
    thread = agents.AgentThreadCreationOptions(messages=[agents.ThreadMessageOptions(role="user", content="Hello")])
    run = azure.create_thread_and_process_run(agent_id=agent.id, thread=thread, polling_interval=SECONDS)
    assert said(azure, run.thread_id) == ["Hello", "You said: Hello"]


def test_a_run_is_cancelled(azure: AgentsClient):
    agent = azure.create_agent(model="gpt-4o", tools=agents.FunctionTool({get_time}).definitions)
    thread_id = asked(azure, "get_time city=Oslo")
    run = azure.runs.create(thread_id, agent_id=agent.id)
    while run.status in ("queued", "in_progress"):
        run = azure.runs.get(thread_id, run.id)
    assert azure.runs.cancel(thread_id, run.id).status in ("cancelling", "cancelled")


def test_files(azure: AgentsClient, tmp_path: Path):
    file_id = uploaded(azure, tmp_path)
    file = azure.files.get(file_id)
    assert (file.filename, file.bytes, file.purpose) == ("spire.txt", len(SPIRE), agents.FilePurpose.AGENTS)
    assert file_id in [each.id for each in azure.files.list(purpose=agents.FilePurpose.AGENTS).data]
    assert b"".join(azure.files.get_content(file_id)) == SPIRE.encode()
    azure.files.save(file_id, file_name="copy.txt", target_dir=tmp_path)
    assert (tmp_path / "copy.txt").read_text(encoding="utf-8") == SPIRE
    azure.files.delete(file_id)
    with pytest.raises(ResourceNotFoundError):
        azure.files.get(file_id)


@pytest.mark.direct("A proxy forwards a form as it is, to OpenAI's path, whose form has no such field.")
@pytest.mark.parametrize(
    ("sent", "name"), [("spire.txt", "spire.txt"), ("päth/to/spiré.txt", "spiré.txt"), ("..", "upload.bin")]
)
def test_a_file_has_the_name_that_the_form_names(azure: AgentsClient, sent: str, name: str):
    content: Any = ("upload.bin", SPIRE.encode())
    assert azure.files.upload(file=content, purpose="assistants", filename=sent).filename == name


def test_vector_stores_their_files_batches_and_searches(azure: AgentsClient, model: Model, tmp_path: Path, topic: str):
    file_id, other = uploaded(azure, tmp_path), uploaded(azure, tmp_path, "The nave was begun in 1015.")
    store = azure.vector_stores.create_and_poll(file_ids=[file_id], name="Facts", polling_interval=SECONDS)
    assert (store.status, store.file_counts.completed) == (agents.VectorStoreStatus.COMPLETED, 1)
    batch = azure.vector_store_file_batches.create_and_poll(store.id, file_ids=[other], polling_interval=SECONDS)
    assert batch.file_counts.completed == 1
    assert {each.id for each in azure.vector_store_files.list(store.id)} == {file_id, other}
    assert [each.id for each in azure.vector_store_file_batches.list_files(store.id, batch.id)] == [other]
    azure.vector_store_files.delete(store.id, other)
    added = azure.vector_store_files.create_and_poll(store.id, file_id=other, polling_interval=SECONDS)
    assert added.status == agents.VectorStoreFileStatus.COMPLETED
    search = agents.FileSearchTool(vector_store_ids=[store.id])
    agent = azure.create_agent(model="gpt-4o", tools=search.definitions, tool_resources=search.resources)
    call = {"name": "file_search", "arguments": json.dumps({"queries": ["spire"]}), "id": "call_1"}
    model.script({"match": topic, "tool_calls": [call]})
    thread_id = asked(azure, f"How high is the spire? {topic}")
    run = azure.runs.create_and_process(thread_id, agent_id=agent.id, polling_interval=SECONDS)
    assert run.status == agents.RunStatus.COMPLETED
    steps = list(azure.run_steps.list(thread_id, run.id, include=CONTENT))
    (details,) = [each.step_details for each in steps if isinstance(each.step_details, agents.RunStepToolCallDetails)]
    (found,) = details.tool_calls
    assert isinstance(found, agents.RunStepFileSearchToolCall)
    assert SPIRE in [result.content[0].text for result in found.file_search.results or [] if result.content]
    azure.vector_stores.delete(store.id)
    with pytest.raises(ResourceNotFoundError):
        azure.vector_stores.get(store.id)


def test_a_message_has_an_attachment(azure: AgentsClient, tmp_path: Path):
    file_id = uploaded(azure, tmp_path)
    thread = azure.threads.create()
    attachment = agents.MessageAttachment(file_id=file_id, tools=[agents.FileSearchToolDefinition()])
    message = azure.messages.create(thread.id, role="user", content="Hello", attachments=[attachment])
    assert message.attachments is not None
    assert [each.file_id for each in message.attachments] == [file_id]


def test_the_client_of_a_project_has_the_same_agents(azure: AgentsClient, endpoint: str):
    credential: Any = AzureKeyCredential(ALICE)
    policy = AzureKeyCredentialPolicy(credential, "api-key")
    with AIProjectClient(f"{endpoint}/api/projects/any", credential, authentication_policy=policy) as project:
        agent = project.agents.create_agent(model="gpt-4o")
    assert azure.get_agent(agent.id).model == "gpt-4o"


SOURCE = agents.VectorStoreDataSource(asset_identifier="azureai://a", asset_type="uri_asset")


def refusal(answer: pytest.ExceptionInfo[HttpResponseError]) -> tuple[int | None, str, str | None]:
    error = answer.value.response.json()["error"]  # type: ignore[union-attr]
    assert answer.value.error is not None
    assert isinstance(answer.value.error.code, str)
    return answer.value.status_code, error["message"], error["param"]


@pytest.mark.parametrize(
    ("tool", "name"),
    [
        (agents.BingGroundingTool(connection_id="c"), "bing_grounding"),
        (agents.ConnectedAgentTool(id="asst_1", name="other", description="Another."), "connected_agent"),
        (agents.OpenApiTool("w", "d", {"paths": {}}, agents.OpenApiAnonymousAuthDetails()), "openapi"),
    ],
)
def test_a_hosted_tool_is_refused_by_its_name(azure: AgentsClient, tool: Any, name: str):
    with pytest.raises(HttpResponseError) as refused:
        azure.create_agent(model="gpt-4o", tools=tool.definitions)
    status, message, param = refusal(refused)
    assert (status, param) == (400, "tools[0].type")
    assert f"The tool '{name}' is hosted by Azure AI Agents" in message
    assert "Use a function tool" in message


def test_data_of_azures_own_storage_is_refused(azure: AgentsClient):
    thread, store = azure.threads.create(), azure.vector_stores.create()
    elsewhere = agents.VectorStoreConfiguration(data_sources=[SOURCE])
    attachment = agents.MessageAttachment(data_source=SOURCE, tools=[agents.FileSearchToolDefinition()])
    calls: list[tuple[Any, str]] = [
        (lambda: azure.vector_stores.create(store_configuration=elsewhere), "configuration"),
        (
            lambda: azure.create_agent(
                model="gpt-4o",
                tools=[agents.FileSearchToolDefinition()],
                tool_resources=agents.ToolResources(
                    file_search=agents.FileSearchToolResource(
                        vector_stores=[agents.VectorStoreConfigurations(store_name="a", store_configuration=elsewhere)]
                    )
                ),
            ),
            "tool_resources.file_search.vector_stores[0].configuration",
        ),
        (lambda: azure.vector_store_files.create(store.id, data_source=SOURCE), "data_source"),
        (lambda: azure.vector_store_file_batches.create(store.id, data_sources=[SOURCE]), "data_sources"),
        (
            lambda: azure.messages.create(thread.id, role="user", content="Hello", attachments=[attachment]),
            "attachments[0].data_source",
        ),
    ]
    for call, where in calls:
        with pytest.raises(HttpResponseError) as refused:
            call()
        status, message, param = refusal(refused)
        assert (status, param) == (400, where)
        assert "Upload the files and name them by 'file_id'" in message


@pytest.mark.parametrize(
    ("query", "body"),
    [("?api-version=v1", {"top_p": 2}), ("?api-version=2025-05-01", {"nonsense": 1}), ("?api-version=v1", b"no JSON")],
)
def test_the_code_of_an_error_is_a_string(endpoint: str, query: str, body: Any):
    content = body if isinstance(body, bytes) else json.dumps({"model": "gpt-4o", **body}).encode()
    answer = httpx2.post(f"{endpoint}/api/projects/any/assistants{query}", content=content, headers={"api-key": ALICE})
    assert answer.status_code == 400
    assert isinstance(answer.json()["error"]["code"], str)
    assert isinstance(answer.json()["error"]["message"], str)


def test_an_error_of_the_service_keeps_its_message(azure: AgentsClient, endpoint: str):
    with pytest.raises(ResourceNotFoundError) as refused:
        azure.threads.get("thread_1")
    assert refusal(refused) == (404, UNKNOWN_THREAD, None)
    answer = httpx2.get(f"{endpoint}/v1/threads/thread_1", headers={"api-key": ALICE})
    assert answer.json()["error"]["code"] is None


@pytest.mark.parametrize(
    ("path", "key", "status"),
    [
        ("any/assistants?api-version=v1", "wrong", 401),
        ("any/assistants", ALICE, 404),
        ("any/assistants?api-version=2023-01-01", ALICE, 404),
        ("any/nowhere?api-version=v1", ALICE, 404),
        ("any?api-version=v1", ALICE, 404),
        ("?api-version=v1", ALICE, 404),
    ],
)
def test_the_gateway_refuses_as_azures(endpoint: str, path: str, key: str, status: int):
    answer = httpx2.get(f"{endpoint}/api/projects/{path}", headers={"api-key": key})
    assert (answer.status_code, answer.json()["error"]["code"]) == (status, str(status))


@pytest.mark.parametrize("path", ["openai", "api/projects/any/openai"])
def test_clients_of_azure_openai_may_name_the_version_v1(endpoint: str, alice: OpenAI, path: str):
    with AzureOpenAI(base_url=f"{endpoint}/{path}", api_key=ALICE, api_version="v1", max_retries=0) as client:
        thread = client.beta.threads.create()
    assert alice.beta.threads.retrieve(thread.id).id == thread.id
