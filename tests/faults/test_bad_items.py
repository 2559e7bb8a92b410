"""Queue items that the service did not send: each is handled, or dropped by the poison queue, without harm."""

import asyncio
import json
from collections import Counter
from collections.abc import Awaitable, Callable, Sequence
from typing import Any

import pytest
from azure.storage.queue import QueueClient
from openai import OpenAI
from pydantic import ValidationError

from assistants.engine.items import WORK
from assistants.ingestion.items import INGEST
from assistants.local.azurite import Storage
from assistants.state.store import RunKey
from assistants.storage import retrying
from assistants.tools.registry import QUEUES
from tests.support.fuzz.badinput import TEXTS, VALUES, bent, spoiled
from tests.support.fuzz.cases import Case, Fuzz
from tests.support.sdk.conversation import RETRIEVAL, WEATHER, Conversation, call, unique
from tests.support.service.attending import ScriptedModel, attend, new_run_on, run_of
from tests.support.service.inprocess import in_process
from tests.support.service.processes import Service, eventually
from tests.support.storage.stored import queue_of

CASES = 200
"""Items for each queue; `--fuzz-cases` multiplies them."""

TIMEOUT = 30
"""Seconds within which any handler has ended."""

LONGEST = 48 * 1024
"""The most bytes of an item: 64 KB in base64."""

ODD: Sequence[bytes] = (
    *(b'"' + text + b'"' for text in TEXTS), b"-1", b"0", b"2", b"100", b"%d" % 10**9, b"%d" % 2**63, b"0.5", b"1e308",
    b"-1e308", b"1e400", b"NaN", b'"\\u0000"', b'"\\ud83d"', b'"../default"', b'"default/x"', b'"a?b#c"', b'"\\\\"',
    b'"\\r\\nx: y"', b'["../x"]', b'["vs_1","\\ud83d"]', b'{"\\ud83d":"v"}', b'{"":""}', b'{"id":"","pop_receipt":""}',
    b'{"id":"../x?y","pop_receipt":"\\u0000"}',
)  # fmt: skip
"""Wrong values of ids and numbers."""

Handler = Callable[[bytes], Awaitable[None]]


def items(ended: RunKey, waiting: RunKey, store_id: str, file_id: str) -> dict[str, list[dict[str, Any]]]:
    """The items of each queue: for a run that has ended, deleted objects, and those of another project."""
    run = {"project": "default", "thread": ended.thread, "run": ended.run}
    others = {"project": "other", "thread": waiting.thread, "run": waiting.run}
    gone = {"project": "default", "thread": "thread_gone", "run": "run_gone"}
    look = {"id": "6b2c4ad0-0000-4000-8000-000000000000", "pop_receipt": "AgAAAAMAAAAAAAAA"}
    store, file = {"project": "default", "store": store_id}, {"project": "default", "file": file_id}
    attends = [{"kind": "attend", **each, "segments": 1, "look": look} for each in (run, others, gone)]
    looks = [{"kind": "look", **each, "segments": 1} for each in (run, others, gone)]
    return {
        WORK: [
            *attends,
            *looks,
            {"kind": "purge", "project": "default", "thread": "thread_gone"},
            {"kind": "look_after_threads", "project": "default", "newest": "thread_0", "oldest": "thread_1"},
            {"kind": "purge_rest", "project": "default", "thread": ended.thread},
            {"kind": "retire_threads", "project": "default", "start": "default/thread_0"},
        ],
        **{queue: [{**each, "call": "call_r"} for each in (run, others, gone)] for queue in QUEUES},
        INGEST: [
            {"kind": "ingest", **store, "files": {file_id: "v"}},
            {"kind": "ingest", **store, "project": "other", "files": {file_id: "v"}},
            {"kind": "look", **store, "token": "t", "waiting": 1, "delay": 1.0},
            {"kind": "purge_store", **store, "project": "other"},
            {"kind": "purge_file", **file, "project": "other"},
            {"kind": "retire_files", "project": "default", "start": "default/file-0"},
            {"kind": "retire_stores", "project": "default", "start": "default/vs_0"},
            {"kind": "free_store", **store},
            {"kind": "look_after_file", **file},
        ],
    }


def bad(found: Sequence[dict[str, Any]], case: Case) -> bytes:
    item = case.rng.choice(found)
    if case.rng.random() < 0.2:
        return spoiled(json.dumps(item).encode(), case.rng)[:LONGEST]
    return bent(item, case.rng, ODD if case.rng.random() < 0.7 else VALUES)[:LONGEST]


async def test_no_item_is_stuck_or_does_any_harm(
    idle: Storage, fuzz: Fuzz, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
):
    monkeypatch.setattr(retrying, "_PAUSES", ())
    calls = [call("get_weather", "call_w"), call("retrieval", "call_r")]
    async with in_process(idle, ScriptedModel({"tool_calls": calls}, {"text": "Done."})) as running:
        store, ingestion = running.store, running.ingestion
        waiting, ended = await new_run_on(store, RETRIEVAL, WEATHER), await new_run_on(store)
        await attend(running, store, waiting)
        await attend(running, store, ended)
        found = await running.client.vector_stores.create()
        file = await running.client.files.create(file=("a.txt", b"Hello"), purpose="assistants")
        handlers: dict[str, tuple[Handler, Handler]] = {
            WORK: (running.worker.handle, running.worker.give_up),
            **dict.fromkeys(QUEUES, (running.tool_calls.handle, running.tool_calls.give_up)),
            INGEST: (ingestion.handle, ingestion.give_up),
        }
        before, ends = [await run_of(store, key) for key in (waiting, ended)], Counter[str]()
        for queue in (WORK, INGEST, *QUEUES):
            queue_of(idle, queue).clear_messages()
        for queue, possible in items(ended, waiting, found.id, file.id).items():
            for case in fuzz.cases(queue, CASES):
                content = bad(possible, case)
                with case.shown(content[:400]):
                    ends[await delivered(*handlers[queue], content)] += 1

        assert [await run_of(store, key) for key in (waiting, ended)] == before
        assert await running.client.vector_stores.retrieve(found.id) == found
        assert (await running.client.files.content(file.id)).content == b"Hello"
    dropped = [record for record in caplog.records if "that cannot be read" in record.message]
    assert len(dropped) == ends["dropped"]
    left = [queue_of(idle, queue).get_queue_properties().approximate_message_count for queue in (WORK, INGEST, *QUEUES)]
    assert left == [0] * len(left)
    print(f"{ends.total()} items, {dict(ends)}")


async def delivered(handle: Handler, give_up: Handler, content: bytes) -> str:
    """Deliver an item as the host does: a malformed one moves to the poison queue, whose handler drops it."""
    try:
        await asyncio.wait_for(handle(content), TIMEOUT)
        return "done"
    except ValidationError:
        await asyncio.wait_for(give_up(content), TIMEOUT)
        return "dropped"


@pytest.mark.parametrize("queue", [WORK, INGEST, *QUEUES])
def test_an_item_that_cannot_be_decoded_moves_to_the_poison_queue_at_once(
    client: OpenAI, azurite: Storage, service: Service, queue: str
):
    queue_of(azurite, queue)
    QueueClient.from_connection_string(azurite.connection_string, queue).send_message("not base64 !")
    eventually(lambda: any(f"moves to {queue}-poison" in line for line in service.lines))
    Conversation(client, unique("use retrieval"), RETRIEVAL).reaches("completed")
