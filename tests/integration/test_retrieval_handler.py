"""RETRIEVAL_HANDLER: `retrieval` searches, or answers Oslo."""

from typing import Any

import pytest

from assistants.local.azurite import Storage
from assistants.state.store import RunKey
from assistants.tools.registry import QUEUES
from tests.integration.test_searcher import SPIRES, ingested
from tests.support.sdk.conversation import RETRIEVAL, call
from tests.support.service.attending import ScriptedModel, run_of
from tests.support.service.inprocess import InProcess, in_process
from tests.support.storage.stored import queue_of

SEARCH: Any = {"type": "file_search"}
FILES, NONE, EMPTY = "files", "no store", "an empty store"


async def outputs(running: InProcess, tool: Any, name: str, files: str, v1: bool) -> list[str | None]:
    """The outputs that the model receives when it calls the tool."""
    stores = [] if files == NONE else [await ingested(running, *([SPIRES] if files == FILES else []))]
    client = running.client
    assistant = await client.beta.assistants.create(
        model="demo", tools=[tool], tool_resources={"file_search": {"vector_store_ids": stores}}
    )
    thread = await client.beta.threads.create(messages=[{"role": "user", "content": "How high is it?"}])
    version = {"OpenAI-Beta": "assistants=v1"} if v1 else {}
    run = await client.beta.threads.runs.create(thread.id, assistant_id=assistant.id, extra_headers=version)
    await running.attend()
    await running.attend("retrieval")
    key = RunKey("default", thread.id, run.id)
    turn = (await run_of(running.store, key)).turn
    assert turn is not None
    return [each.output for each in turn.calls]


@pytest.mark.parametrize(
    ("handler", "tool", "v1", "files", "expected"),
    [
        (None, RETRIEVAL, False, NONE, "Oslo"),
        (None, RETRIEVAL, False, EMPTY, "Oslo"),
        (None, RETRIEVAL, False, FILES, SPIRES),
        ("fake", RETRIEVAL, False, FILES, "Oslo"),
        ("search", RETRIEVAL, False, NONE, "Nothing was found."),
        ("search", RETRIEVAL, False, FILES, SPIRES),
        (None, SEARCH, True, NONE, "Oslo"),
        (None, SEARCH, True, FILES, SPIRES),
        ("fake", SEARCH, True, FILES, "Oslo"),
        ("search", SEARCH, True, NONE, "Nothing was found."),
        ("fake", SEARCH, False, FILES, SPIRES),
        (None, SEARCH, False, NONE, "Nothing was found."),
    ],
)
async def test_the_handler_answers(idle: Storage, handler: str | None, tool: Any, v1: bool, files: str, expected: str):
    asked = (
        call("retrieval", "call_r", q="spire")
        if tool is RETRIEVAL
        else {"id": "call_r", "name": "file_search", "arguments": {"queries": ["spire"]}}
    )
    settings: dict[str, Any] = {"RETRIEVAL_HANDLER": handler} if handler else {}
    async with in_process(idle, ScriptedModel({"tool_calls": [asked]}), **settings) as running:
        for queue in ("work", "ingest", *QUEUES):
            queue_of(idle, queue).clear_messages()
        (output,) = await outputs(running, tool, asked["name"], files, v1)
    assert output is not None
    assert output.endswith(expected)
