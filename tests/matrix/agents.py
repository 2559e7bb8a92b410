"""A conversation through the installed clients of Azure AI Agents: `python agents.py CLIENT URL`.

It runs in a separate environment, in which this project is not installed, and prints each stage.
"""

import sys
import tempfile
from pathlib import Path
from typing import Any

from azure.ai.agents import AgentsClient
from azure.ai.agents import models as agents
from azure.ai.projects import AIProjectClient
from azure.core.credentials import AzureKeyCredential
from azure.core.exceptions import HttpResponseError
from azure.core.pipeline.policies import AzureKeyCredentialPolicy

POLL = 0.05
"""Seconds between two reads of a run."""
CONTENT: Any = ["step_details.tool_calls[*].file_search.results[*].content"]


def get_time() -> str:
    """The time."""
    return "noon"


def connect(kind: str, url: str) -> Any:
    """The client of agents, or that of a project's agents."""
    key: Any = AzureKeyCredential("any")
    endpoint = f"{url[: -len('/v1')]}/api/projects/any"
    policy = AzureKeyCredentialPolicy(key, "api-key")
    if kind == "AIProjectClient":
        return AIProjectClient(endpoint, key, authentication_policy=policy).agents
    return AgentsClient(endpoint, key, authentication_policy=policy)


class Heard(agents.AgentEventHandler):
    """Records the events of a stream."""

    text = ""

    def on_message_delta(self, delta: Any) -> None:
        self.text += delta.text


def converse(client: Any) -> None:
    """Print each stage of the conversation."""
    tools = agents.ToolSet()
    tools.add(agents.FunctionTool({get_time}))
    agent = client.create_agent(model="gpt-4o", name="Clock", toolset=tools)
    thread = client.threads.create()

    def say(text: str) -> None:
        client.messages.create(thread.id, role="user", content=text)

    say("Hello")
    run = client.runs.create_and_process(thread.id, agent_id=agent.id, polling_interval=POLL)
    print("run:", run.status.value, run.usage.total_tokens > 0)

    say("Please get_time")
    run = client.runs.create(thread.id, agent_id=agent.id)
    while run.status in ("queued", "in_progress"):
        run = client.runs.get(thread.id, run.id)
    (call,) = run.required_action.submit_tool_outputs.tool_calls
    print("by hand:", run.status.value, call.function.name)
    output = agents.ToolOutput(tool_call_id=call.id, output="one o'clock")
    run = client.runs.submit_tool_outputs(thread.id, run.id, tool_outputs=[output])
    while run.status in ("queued", "in_progress"):
        run = client.runs.get(thread.id, run.id)

    client.enable_auto_function_calls(tools)
    say("Again get_time")
    with client.runs.stream(thread.id, agent_id=agent.id, event_handler=Heard()) as heard:
        heard.until_done()
    print("streamed:", heard.text)
    listed = client.messages.list(thread.id, order=agents.ListSortOrder.ASCENDING)
    print("messages:", [message.text_messages[0].text.value for message in listed])
    print("steps:", [step.type.value for step in client.run_steps.list(thread.id, run.id, include=CONTENT)])

    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / "spire.txt"
        path.write_text("The spire is high.", encoding="utf-8")
        file = client.files.upload_and_poll(
            file_path=str(path), purpose=agents.FilePurpose.AGENTS, polling_interval=POLL
        )
    print("content:", b"".join(client.files.get_content(file.id)))
    store = client.vector_stores.create_and_poll(name="Facts", file_ids=[], polling_interval=POLL)
    batch = client.vector_store_file_batches.create_and_poll(store.id, file_ids=[file.id], polling_interval=POLL)
    print("batch:", batch.status.value, batch.file_counts.completed)
    search = agents.FileSearchTool(vector_store_ids=[store.id])
    searcher = client.create_agent(model="gpt-4o", tools=search.definitions, tool_resources=search.resources)
    print("search:", searcher.tool_resources.file_search.vector_store_ids == [store.id])

    say("Finally get_time")
    run = client.runs.create(thread.id, agent_id=agent.id)
    print("cancel:", client.runs.cancel(thread.id, run.id).status.value in ("cancelling", "cancelled"))
    try:
        other = agents.ConnectedAgentTool(id=agent.id, name="other", description="Another one.")
        client.create_agent(model="gpt-4o", tools=other.definitions)
    except HttpResponseError as error:
        print("hosted:", error.status_code, error.error and error.error.code)
    client.delete_agent(agent.id)
    try:
        client.get_agent(agent.id)
    except HttpResponseError as error:
        print("missing:", type(error).__name__, str(error.error and error.error.message).replace(agent.id, "AGENT"))


if __name__ == "__main__":
    with connect(*sys.argv[1:]) as connected:
        converse(connected)
