"""Documents, logs and queue items of version 0.1.0 can be read: `tests/data/stored` has them as written by it.

The set was made by that version's own service: a completed run, a run that waits for two tools, and a queued run.
Only `expires_at` of the runs was moved to the year 2100, as they have yet to continue.
"""

import base64
import json
from collections.abc import AsyncIterator
from contextlib import suppress
from pathlib import Path
from typing import Any

import pytest
from azure.core.exceptions import ResourceExistsError

from assistants.local.azurite import Storage
from assistants.state.store import RunKey
from tests.support.service.attending import ScriptedModel
from tests.support.service.inprocess import InProcess, in_process

STORED: dict[str, Any] = json.loads((Path(__file__).parents[1] / "data" / "stored" / "0.1.0.json").read_text())
IDS: dict[str, str] = STORED["ids"]


@pytest.fixture
async def running(idle: Storage) -> AsyncIterator[InProcess[ScriptedModel]]:
    """The service over the stored set."""
    async with in_process(idle, ScriptedModel({"text": "It is."})) as running:
        blobs = running.store.services[0].client
        for container, found in STORED["blobs"].items():
            client = blobs.get_container_client(container)
            with suppress(ResourceExistsError):
                await client.create_container()
            for name, blob in found.items():
                binary = container == "vector-store-chunks"
                content = base64.b64decode(blob["content"]) if binary else blob["content"].encode()
                await client.upload_blob(name, content, blob_type=blob["type"], overwrite=True)
        yield running


async def deliver(running: InProcess[ScriptedModel], queue: str, item: dict[str, Any]) -> None:
    await running.queues[queue].handle(json.dumps(item).encode())


async def test_every_object_is_there_as_it_was(running: InProcess[ScriptedModel]):
    beta, stores = running.client.beta, running.client.vector_stores
    assistant = await beta.assistants.retrieve(IDS["assistant"])
    assert (assistant.name, assistant.temperature, assistant.metadata) == ("Weather", 0.5, {"team": "sky"})
    assert [message.role async for message in beta.threads.messages.list(IDS["thread"], order="asc")] == [
        "user", "assistant", "user", "assistant",
    ]  # fmt: skip
    completed = await beta.threads.runs.retrieve(IDS["completed"], thread_id=IDS["thread"])
    waiting = await beta.threads.runs.retrieve(IDS["waiting"], thread_id=IDS["thread"])
    assert (completed.status, waiting.status) == ("completed", "requires_action")
    assert len((await beta.threads.runs.steps.list(IDS["waiting"], thread_id=IDS["thread"])).data) == 2
    assert (await stores.retrieve(IDS["store"])).file_counts.completed == 1
    found = await stores.search(IDS["store"], query="How is the filter cleaned?")
    assert "warm water" in found.data[0].content[0].text
    assert (await running.client.files.content(IDS["file"])).content == b"The filter is cleaned with warm water."


async def test_runs_continue_from_their_documents_and_items(running: InProcess[ScriptedModel]):
    runs = running.client.beta.threads.runs
    [search] = STORED["items"]["retrieval"]
    await deliver(running, "retrieval", search)
    outputs: Any = [{"tool_call_id": "call_w", "output": "sunny"}]
    await runs.submit_tool_outputs(IDS["waiting"], thread_id=IDS["thread"], tool_outputs=outputs)
    attend = STORED["items"]["work"][0]
    await deliver(running, "work", {**attend, "thread": IDS["thread"], "run": IDS["waiting"]})
    assert (await runs.retrieve(IDS["waiting"], thread_id=IDS["thread"])).status == "completed"


@pytest.mark.parametrize("queue", STORED["items"])
async def test_every_item_is_understood(running: InProcess[ScriptedModel], queue: str):
    for item in STORED["items"][queue]:
        await deliver(running, queue, item)


async def test_a_document_is_written_as_the_earlier_version_reads_it(running: InProcess[ScriptedModel]):
    key = RunKey("default", IDS["other_thread"], IDS["queued"])
    await deliver(running, "work", STORED["items"]["work"][0])
    content = await (await running.store.services[0].client.get_blob_client("runs", key.name).download_blob()).readall()
    before = json.loads(STORED["blobs"]["runs"][key.name]["content"])["value"]
    after = json.loads(content)["value"]
    assert (before["status"], after["status"]) == ("queued", "completed")
    assert before.keys() <= after.keys()
    assert after["prompt"] == [len(STORED["blobs"]["messages"][f"default/{key.thread}/00000"]["content"])]
