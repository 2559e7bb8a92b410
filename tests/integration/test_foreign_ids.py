"""Ids of other services, of any form, in every route."""

import base64
import random
from typing import Any

import pytest
from openai import BadRequestError, NotFoundError

from assistants.ingestion.items import INGEST
from assistants.storage.clock import Clock
from assistants.storage.ids import IdSource
from tests.support.service import foreign
from tests.support.service.foreign import (
    OLD,
    Imported,
    asked,
    assistant,
    completed,
    file,
    member,
    message,
    ndjson,
    run,
    step,
    store,
    thread,
    why,
)
from tests.support.service.inprocess import InProcess

service, imported = foreign.service, foreign.imported

SAFE = "ABCXYZabcxyz0123456789_-"


def forms(prefix: str) -> list[str]:
    """Ids with a prefix: short and long, of OpenAI's form, of our own form with another time, and by chance."""
    chance = random.Random(prefix)
    ours = [
        IdSource(Clock(lambda at=at: at)).new(f"{prefix}_") for at in (OLD - 10**6, OLD + 400_000_000, 1_760_000_000.0)
    ]
    return [
        f"{prefix}-abc", f"{prefix}_abc", f"{prefix}_ABC", f"{prefix}0", f"{prefix}_" + "Zz9" * 8,
        f"{prefix}_" + "_" * 128, *ours,
        *(f"{prefix}_" + "".join(chance.choices(SAFE, k=chance.randrange(1, 129))) for _ in range(8)),
    ]  # fmt: skip


async def ids(service: InProcess[Any], path: str, order: str) -> list[str]:
    """All ids of a list, in pages of three."""
    found, after = list[str](), ""
    while True:
        answer = (await asked(service, "GET", f"{path}?order={order}&limit=3{after}")).json()
        found += [each["id"] for each in answer["data"]]
        if not answer["has_more"]:
            return found
        after = f"&after={answer['last_id']}"


@pytest.mark.parametrize("kind", ["assistants", "threads", "vector_stores", "files"])
async def test_they_are_listed_changed_and_deleted(service: InProcess[Any], imported: Imported, kind: str):
    make: Any = {
        "assistants": lambda name, at: [assistant(name, at)],
        "threads": lambda name, at: [thread(name, at)],
        "vector_stores": lambda name, at: [store(name, created_at=at)],
        "files": lambda name, at: [file(name, b"x")[0] | {"created_at": at}, file(name, b"x")[1]],
    }[kind]
    made = forms({"assistants": "asst", "threads": "thread", "vector_stores": "vs", "files": "file"}[kind])
    made += ["assistant-AbC"] * (kind == "files")
    told = await imported(*(each for number, name in enumerate(made) for each in make(name, OLD + number // 2)))
    assert [each.result for each in told] == ["imported"] * len(made)
    assert await ids(service, f"/{kind}", "asc") == made
    assert await ids(service, f"/{kind}", "desc") == made[::-1]
    for number, name in enumerate(made):
        shown = (await asked(service, "GET", f"/{kind}/{name}")).json()
        assert (shown["id"], shown["created_at"]) == (name, OLD + number // 2)
        if kind != "files":
            changed = await asked(service, "POST", f"/{kind}/{name}", b'{"metadata": {"a": "b"}}')
            assert changed.json()["metadata"] == {"a": "b"}
    for name in made[::2]:
        assert (await asked(service, "DELETE", f"/{kind}/{name}")).json()["deleted"]
        assert (await asked(service, "GET", f"/{kind}/{name}")).status_code == 404
    assert await ids(service, f"/{kind}", "asc") == made[1::2]


async def test_they_are_named_by_runs_messages_and_stores(service: InProcess[Any], imported: Imported):
    assistant_id, thread_id, store_id, file_id = "asst-Ab-C", "thread0", "vs-" + "x" * 128, "assistant-_1"
    resources = {"file_search": {"vector_store_ids": [store_id]}}
    objects = [
        assistant(assistant_id, tool_resources=resources, tools=[{"type": "file_search"}]), thread(thread_id),
        message(0, thread_id, id="msg-0"), message(1, thread_id, id="msg-1"),
        run("run-0", thread_id=thread_id, assistant_id=assistant_id),
        step("step-0", thread_id=thread_id, run_id="run-0", assistant_id=assistant_id),
        *file(file_id, b"It is sunny."), store(store_id), member(file_id, store_id),
    ]  # fmt: skip
    assert why(await imported(*objects)) == []
    threads, stores = service.client.beta.threads, service.client.vector_stores
    while (await stores.retrieve(store_id)).file_counts.in_progress:
        await service.attend(INGEST)
    tools: Any = [{"type": "file_search"}]
    said = await threads.messages.create(
        thread_id, role="user", content="Hello", attachments=[{"file_id": file_id, "tools": tools}]
    )
    new = await threads.runs.create(thread_id, assistant_id=assistant_id)
    await service.attend(INGEST)
    await completed(service, thread_id, new.id)
    assert [each.id for each in (await threads.runs.list(thread_id, order="asc")).data] == ["run-0", new.id]
    messages = (await threads.messages.list(thread_id, order="asc", limit=100)).data
    assert [each.id for each in messages][:3] == ["msg-0", "msg-1", said.id]
    before = await threads.messages.list(thread_id, order="desc", after=said.id)
    assert [each.id for each in before.data] == ["msg-1", "msg-0"]
    assert (await threads.messages.update("msg-0", thread_id=thread_id, metadata={"a": "b"})).metadata == {"a": "b"}
    assert (await threads.messages.delete("msg-1", thread_id=thread_id)).deleted
    assert (await threads.runs.steps.retrieve("step-0", thread_id=thread_id, run_id="run-0")).id == "step-0"
    assert (await threads.runs.update("run-0", thread_id=thread_id, metadata={"a": "b"})).metadata == {"a": "b"}
    with pytest.raises(BadRequestError, match="Cannot cancel run with status 'completed'"):
        await threads.runs.cancel("run-0", thread_id=thread_id)
    batch = await stores.file_batches.create(store_id, file_ids=[file_id])
    assert batch.vector_store_id == store_id
    assert (await stores.files.retrieve(file_id, vector_store_id=store_id)).id == file_id
    assert (await stores.files.delete(file_id, vector_store_id=store_id)).deleted


@pytest.mark.parametrize(
    ("identifier", "status", "said"),
    [
        ("asst_none", 404, "No assistant found with id 'asst_none'."),
        ("assistant_x", 400, "Invalid 'assistant_id': 'assistant_x'. Expected an ID that begins with 'asst'."),
        ("6f9619ff-8b86-d011-b42d-00cf4fc964ff", 400, "Expected an ID that begins with 'asst'."),
        ("asst_a.b", 400, "Expected an ID that contains letters, numbers, underscores, or dashes"),
        ("asst_a%20b", 400, "Expected an ID that contains letters, numbers, underscores, or dashes"),
        ("asst_%00", 400, "Expected an ID that contains letters, numbers, underscores, or dashes"),
        ("asst_é", 400, "Expected an ID that contains letters, numbers, underscores, or dashes"),
        ("asst_%2e%2e%2fx", 404, ""),
        ("..%2fx", 404, ""),
        ("asst_" + "x" * 140, 400, "string too long. Expected a string with maximum length 144"),
    ],
)
async def test_what_is_no_id_has_openais_error(service: InProcess[Any], identifier: str, status: int, said: str):
    answer = await asked(service, "GET", f"/assistants/{identifier}")
    assert (answer.status_code, answer.json()["error"]["type"]) == (status, "invalid_request_error")
    assert said in answer.json()["error"]["message"]


async def test_projects_with_the_same_ids_have_nothing_in_common(service: InProcess[Any], imported: Imported):
    def objects(name: str) -> list[dict[str, Any]]:
        content = {"object": "file.content", "file_id": "file-1", "data": base64.b64encode(name.encode()).decode()}
        of_file = file("file-1")[0] | {"bytes": len(name)}
        return [
            assistant("asst-1", name=name),
            thread("thread-1"),
            message(0, "thread-1", content=name),
            of_file,
            content,
        ]

    await imported(*objects("One"))
    await asked(service, "POST", "/import", ndjson(objects("Another")), key="other")
    for key, name in (("key", "One"), ("other", "Another")):
        service.client.api_key = key
        client = service.client
        assert (await client.beta.assistants.retrieve("asst-1")).name == name
        assert (await client.files.content("file-1")).text == name
        (said,) = (await client.beta.threads.messages.list("thread-1")).data
        assert name in said.to_json()
        await client.beta.threads.delete("thread-1")
        await client.files.delete("file-1")
        with pytest.raises(NotFoundError):
            await client.beta.threads.retrieve("thread-1")
