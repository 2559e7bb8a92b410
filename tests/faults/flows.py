"""The flows whose every call meets every fault. A flow is one function in this table: a client's actions, step by step.

It is played again from its beginning if the process died, so it acts only through its `Play`.
"""

import asyncio
import base64
import json
from collections.abc import Awaitable, Callable, Mapping
from typing import NamedTuple

from assistants.storage.ids import beginning
from tests.faults.play import Play
from tests.support.sdk.conversation import RETRIEVAL, WEATHER, call


class Flow(NamedTuple):
    """The steps of a client, and the service's settings besides those of all tries."""

    play: Callable[[Play], Awaitable[None]]
    settings: Mapping[str, str]


FLOWS: dict[str, Flow] = {}

Played = Callable[[Play], Awaitable[None]]


def flow(**settings: str) -> Callable[[Played], Played]:
    """Add a function to the table, under its name."""

    def enter(play: Played) -> Played:
        FLOWS[play.__name__] = Flow(play, settings)
        return play

    return enter


ANSWER = {"text": "It is sunny in Oslo today."}
ENDLESS = {"text": "Let me think about that. " * 200, "chunk_delay": 0.05}
TWO_CALLS = {"tool_calls": [call("get_weather", "call_1", city="Oslo"), call("get_weather", "call_2", city="Bergen")]}
TWO_OUTPUTS = {"call_1": "sunny", "call_2": "rain"}
MIXED = {
    "text": "Let me look that up.",
    "tool_calls": [call("get_weather", "call_w", city="Oslo"), call("retrieval", "call_r", q="Where?")],
}
SEARCH = {"tool_calls": [{"id": "call_s", "name": "file_search", "arguments": {"queries": ["Where is it sunny?"]}}]}
CODE = {"id": "call_c", "name": "code_interpreter", "arguments": {"code": "1 + 2"}}
INTERPRETER = {"type": "code_interpreter"}
CITED = {
    "text": "It is sunny in Oslo【1:0†one.txt】.",
    "chunks": ["It is sunny", " in Oslo", "【1:0†one", ".txt】", "."],
}
OWN_RUN, OWN_STORE = (beginning(prefix, 1_700_000_000) + "A" * 15 for prefix in ("run_", "vs_"))
"""Ids that contain a time."""
ENDED = {"status": "completed", "model": "demo", "completed_at": 1_700_000_001}
ASSISTANTS_FILE = {"purpose": "assistants", "filename": "one.txt"}
WEBHOOK = {
    "WEBHOOKS": json.dumps({"PROJECT": {"url": "https://127.0.0.1/hook", "secret": f"whsec_{'A' * 32}"}}),
    "WEBHOOK_HOSTS": "127.0.0.1",
}


@flow()
async def thread_create(play: Play) -> None:
    await play.create_assistant(ANSWER)
    await play.unused(["threads", "messages"], ["work"])
    play.begin()
    await play.new_thread()


@flow()
async def create_run(play: Play) -> None:
    thread = await play.setting(ANSWER)
    await play.unused(["runs"], ["work"])
    play.begin(asleep=True)
    run = await play.create(thread, additional_messages=[{"role": "user", "content": "Be brief."}])
    play.end()
    await play.ends(run, "completed")


@flow()
async def text_run(play: Play) -> None:
    thread = await play.setting(ANSWER)
    play.begin()
    await play.ends(await play.create(thread), "completed")


@flow()
async def thread_and_run(play: Play) -> None:
    await play.create_assistant(ANSWER)
    play.begin(asleep=True)
    run = await play.create_with_thread()
    play.end()
    await play.ends(run, "completed")


@flow()
async def functions_and_submit(play: Play) -> None:
    run = await play.create(await play.setting(TWO_CALLS, ANSWER, tools=[WEATHER]))
    play.begin()
    await play.reaches(run, "requires_action")
    await play.submit(run, TWO_OUTPUTS)
    await play.ends(run, "completed")


@flow()
async def server_and_client_tools(play: Play) -> None:
    run = await play.create(await play.setting(MIXED, ANSWER, tools=[WEATHER, RETRIEVAL]))
    await play.unused([], ["retrieval"])
    play.begin()
    await play.reaches(run, "requires_action")
    await play.submit(run, {"call_w": "sunny"})
    await play.ends(run, "completed")


@flow()
async def streamed_run(play: Play) -> None:
    thread = await play.setting(ANSWER)
    play.begin()
    await play.ends(await play.create(thread, stream=True), "completed")


@flow()
async def streamed_tools(play: Play) -> None:
    thread = await play.setting(MIXED, ANSWER, tools=[WEATHER, RETRIEVAL])
    play.begin()
    run = await play.create(thread, stream=True)
    await play.reaches(run, "requires_action")
    await play.submit(run, {"call_w": "sunny"}, stream=True)
    await play.ends(run, "completed")


@flow()
async def streamed_thread_and_run(play: Play) -> None:
    await play.create_assistant(ANSWER)
    play.begin()
    await play.ends(await play.create_with_thread(stream=True), "completed")


@flow()
async def file_search(play: Play) -> None:
    thread = await searcher(play)
    play.begin()
    await play.ends(await play.create(thread), "completed")


@flow()
async def streamed_file_search(play: Play) -> None:
    thread = await searcher(play)
    play.begin()
    await play.ends(await play.create(thread, stream=True), "completed")


async def searcher(play: Play) -> str:
    """A thread, and an assistant that finds and cites a file."""
    store, _ = await stored(play, "one.txt")
    resources = {"file_search": {"vector_store_ids": [store]}}
    return await play.setting(SEARCH, CITED, tools=[{"type": "file_search"}], tool_resources=resources)


async def stored(play: Play, *names: str) -> list[str]:
    """A vector store, and its files with these names, ingested."""
    files = [await play.upload(name) for name in names]
    store = await play.vector_store(*files)
    play.wake()
    await play.ingested(store, *files)
    return [store, *files]


@flow(CODE_INTERPRETER_TIMEOUT="1")
async def code_interpreter(play: Play) -> None:
    calls = [call("get_weather", "call_w", city="Oslo"), CODE]
    thread = await play.setting({"tool_calls": calls}, ANSWER, tools=[WEATHER, INTERPRETER])
    await play.unused(["code"], ["code-interpreter"])
    play.begin()
    run = await play.create(thread, stream=True)
    await play.reaches(run, "requires_action")
    await play.submit(run, {"call_w": "sunny"})
    await play.ends(run, "completed")


@flow(CODE_INTERPRETER_TIMEOUT="1")
async def thread_with_code_delete(play: Play) -> None:
    thread = await play.setting({"tool_calls": [CODE]}, ANSWER, tools=[INTERPRETER])
    play.wake()
    await play.ends(await play.create(thread), "completed")
    play.begin()
    await play.delete(f"threads/{thread}")
    await play.vanishes("code", thread)


@flow()
async def cancel_queued(play: Play) -> None:
    run = await play.create(await play.setting(ENDLESS))
    play.begin()
    await play.cancel(run)
    await play.ends(run, "cancelled")


@flow()
async def cancel_in_progress(play: Play) -> None:
    thread = await play.setting(ENDLESS)
    play.wake()
    run = await play.create(thread)
    await play.reaches(run, "in_progress")
    play.begin()
    await play.cancel(run)
    await play.ends(run, "cancelled")


@flow()
async def cancel_requires_action(play: Play) -> None:
    thread = await play.setting(TWO_CALLS, ANSWER, tools=[WEATHER])
    play.wake()
    run = await play.create(thread)
    await play.reaches(run, "requires_action")
    play.begin()
    await play.cancel(run)
    await play.ends(run, "cancelled")


@flow()
async def cancel_streamed(play: Play) -> None:
    thread = await play.setting(ENDLESS)
    play.wake()
    streamed = asyncio.create_task(play.create(thread, stream=True))
    run = await play.appears(thread, "in_progress")
    play.begin()
    await play.cancel(run)
    await play.ends(run, "cancelled")
    await streamed


@flow(RUN_LIFETIME="4")
async def expiry_in_requires_action(play: Play) -> None:
    thread = await play.setting(TWO_CALLS, ANSWER, tools=[WEATHER])
    play.wake()
    run = await play.create(thread)
    await play.reaches(run, "requires_action", "expired")
    play.begin()
    await play.ends(run, "expired")


@flow(RUN_LIFETIME="4")
async def expiry_in_progress(play: Play) -> None:
    thread = await play.setting(ENDLESS)
    play.wake()
    run = await play.create(thread)
    await play.reaches(run, "in_progress", "expired")
    play.begin()
    await play.ends(run, "expired")


@flow()
async def thread_delete(play: Play) -> None:
    thread = await play.setting(ENDLESS)
    play.wake()
    run = await play.create(thread)
    await play.reaches(run, "in_progress")
    play.begin()
    await play.delete(f"threads/{thread}")
    await play.vanishes("runs", thread)


@flow(THREAD_TTL_DAYS="0.00001")
async def thread_retired(play: Play) -> None:
    thread = await play.setting(ANSWER)
    play.wake()
    await play.ends(await play.create(thread), "completed")
    play.begin()
    await play.retire(thread)
    await play.vanishes("runs", thread)


@flow()
async def message_add(play: Play) -> None:
    thread = await play.setting(ANSWER)
    play.begin()
    await play.add(thread)


@flow()
async def file_upload(play: Play) -> None:
    await play.unused(["files", "file-contents"], ["ingest"])
    play.begin()
    await play.upload("one.txt")


@flow()
async def file_into_store(play: Play) -> None:
    file = await play.upload("one.txt")
    store = await play.vector_store()
    await play.unused(["vector-store-chunks"], [])
    play.begin()
    await play.attach(store, file)
    await play.ingested(store, file)


@flow()
async def file_into_store_again(play: Play) -> None:
    store, file = await stored(play, "one.txt")
    play.begin()
    await play.attach(store, file)
    await play.ingested(store, file)


@flow()
async def files_as_batch(play: Play) -> None:
    files = [await play.upload("one.txt"), await play.upload("two.txt")]
    store = await play.vector_store()
    play.begin()
    await play.attach_all(store, *files)
    await play.ingested(store, *files)


@flow()
async def store_with_files(play: Play) -> None:
    file = await play.upload("one.txt")
    await play.unused(["vector-stores"], [])
    play.begin(asleep=True)
    store = await play.vector_store(file)
    play.end()
    await play.ingested(store, file)


@flow()
async def file_out_of_store(play: Play) -> None:
    store, file = await stored(play, "one.txt")
    play.begin()
    await play.delete(f"vector_stores/{store}/files/{file}")
    await play.ingested(store)


@flow()
async def file_delete(play: Play) -> None:
    store, file, other = await stored(play, "one.txt", "two.txt")
    play.begin()
    await play.delete(f"files/{file}")
    await play.vanishes("files", file)
    await play.ingested(store, other)


@flow()
async def store_delete(play: Play) -> None:
    store, _ = await stored(play, "one.txt")
    play.begin()
    await play.delete(f"vector_stores/{store}")
    await play.vanishes("vector-store-chunks", store)


@flow()
async def store_delete_while_ingesting(play: Play) -> None:
    file = await play.upload("one.txt")
    play.begin()
    store = await play.vector_store(file)
    await play.delete(f"vector_stores/{store}")
    await play.vanishes("vector-store-chunks", store)


@flow(RUNS_DRIVEN_BY="creator")
async def run_by_its_creator(play: Play) -> None:
    thread = await play.setting(ANSWER)
    play.begin()
    await play.ends(await play.create(thread), "completed")


@flow(RUNS_DRIVEN_BY="creator")
async def thread_and_run_by_its_creator(play: Play) -> None:
    await play.create_assistant(ANSWER)
    play.begin()
    await play.ends(await play.create_with_thread(), "completed")


@flow(RUNS_DRIVEN_BY="creator")
async def tools_by_the_creator(play: Play) -> None:
    thread = await play.setting(MIXED, ANSWER, tools=[WEATHER, RETRIEVAL])
    play.begin()
    run = await play.create(thread)
    await play.reaches(run, "requires_action")
    await play.submit(run, {"call_w": "sunny"})
    await play.ends(run, "completed")


@flow(API_KEYS="PROJECT=PROJECT+import")
async def import_of_others(play: Play) -> None:
    play.assistant = "asst_elsewhere"
    thread = {"thread_id": "thread_elsewhere", "created_at": 1_700_000_000}
    text = base64.b64encode(b"It is sunny in Oslo. " * 20).decode()
    play.begin()
    await play.import_(
        {"object": "assistant", "id": play.assistant, "created_at": 1_700_000_000, "model": "demo"},
        {"object": "thread", "id": "thread_elsewhere", "created_at": 1_700_000_000},
        *(
            {"object": "thread.message", "id": f"msg_{number}", **thread, "role": "user", "content": []}
            for number in range(3)
        ),
        {"object": "thread.run", "id": OWN_RUN, **thread, "assistant_id": play.assistant, **ENDED},
        {"object": "file", "id": "file-elsewhere", "created_at": 1_700_000_000, "bytes": 420, **ASSISTANTS_FILE},
        {"object": "file.content", "file_id": "file-elsewhere", "data": text},
        {"object": "vector_store", "id": OWN_STORE, "created_at": 1_700_000_000},
        {"object": "vector_store.file", "id": "file-elsewhere", "created_at": 1, "vector_store_id": OWN_STORE},
    )
    play.threads.append("thread_elsewhere")
    play.said += [("thread_elsewhere", f"msg_{number}") for number in range(3)]
    await play.ingested(OWN_STORE, "file-elsewhere")


@flow()
async def thread_export(play: Play) -> None:
    thread = await play.setting(ANSWER)
    play.wake()
    await play.ends(await play.create(thread), "completed")
    play.begin()
    kinds = ["thread", "thread.message", "thread.message", "thread.run", "thread.run.step", "export"]
    assert await play.export(thread) == kinds


@flow(**WEBHOOK)
async def told_functions(play: Play) -> None:
    thread = await play.setting(TWO_CALLS, ANSWER, tools=[WEATHER])
    play.begin()
    run = await play.create(thread)
    await play.reaches(run, "requires_action")
    await play.submit(run, TWO_OUTPUTS)
    await play.ends(run, "completed")
    await play.told(run)


@flow(**WEBHOOK)
async def told_streamed(play: Play) -> None:
    thread = await play.setting(ANSWER)
    play.begin()
    run = await play.create(thread, stream=True)
    await play.ends(run, "completed")
    await play.told(run)


@flow(**WEBHOOK)
async def told_file(play: Play) -> None:
    file = await play.upload("one.txt")
    store = await play.vector_store()
    play.begin()
    await play.attach(store, file)
    await play.ingested(store, file)
    await play.told_of_file(file, "vector_store.file.completed")
