"""The engine in this process, over real storage: the model follows a script, and tests deliver the items."""

import asyncio
import json
import time
from collections.abc import AsyncIterator, Mapping
from dataclasses import replace
from typing import Any, Protocol

from assistants.engine.creation import start_thread_and_run
from assistants.engine.items import Call, attend_item
from assistants.engine.toolcalls import ToolCalls
from assistants.engine.worker import Worker
from assistants.local.azurite import Storage
from assistants.local.reply import Completion, Reply
from assistants.model.answers import Chunk
from assistants.model.embedder import NoEmbedder
from assistants.model.endpoint import Model
from assistants.model.learnt import Learnt
from assistants.schema.assistants import CreateAssistant
from assistants.schema.messages import CreateMessage
from assistants.schema.runs import CreateThreadAndRun
from assistants.search.searcher import Searcher
from assistants.settings import Settings
from assistants.state.messages import put_record
from assistants.state.paging import Cursors
from assistants.state.runs import RunRecord
from assistants.state.snapshots import new_assistant, new_message, new_run, new_thread
from assistants.state.store import RunKey, Store
from assistants.storage.clock import Clock
from assistants.storage.connection import MakeTransport
from assistants.storage.transport import Transport


class ScriptedModel:
    """A chat-completions endpoint in this process: one reply per call, none before `answer` is set."""

    def __init__(self, *replies: Mapping[str, Any], silent: bool = False) -> None:
        self._replies = [Reply.model_validate(reply) for reply in replies]
        self.learnt = Learnt()
        self.requests: list[dict[str, Any]] = []
        self.asked = asyncio.Event()
        self.answer = asyncio.Event()
        if not silent:
            self.answer.set()

    async def stream(self, body: dict[str, Any]) -> AsyncIterator[Chunk]:
        self.requests.append(body)
        self.asked.set()
        await self.answer.wait()
        *events, _ = Completion(self._replies.pop(0), body).events()
        for event in events:
            yield json.loads(event.removeprefix("data: "))


class Handlers:
    """The handlers of the engine's queues, over a store and with a model, without embeddings."""

    def __init__(self, store: Store, model: Model) -> None:
        self.worker = Worker(store, model)
        self.tool_calls = ToolCalls(store, Searcher(store, NoEmbedder()))


class Handling(Protocol):
    """An object with the handlers of the engine's queues, such as a service."""

    worker: Worker
    tool_calls: ToolCalls


class Killed(BaseException):
    """The end of the process, raised in a request."""


async def killed(*_: Any) -> None:
    raise Killed


def open_store(storage: Storage, transport: MakeTransport = Transport, /, **settings: str) -> Store:
    """The store of an instance with these settings, and no others; `transport` makes the transport of its requests."""
    read = Settings.model_validate({"AzureWebJobsStorage": storage.connection_string, **settings})
    return Store.open(read, transport)


def later(store: Store, seconds: float) -> Store:
    """The same store for another instance, whose time is later by some seconds."""
    return replace(store, clock=Clock(lambda: time.time() + seconds))


async def new_run_on(store: Store, *tools: Any, project: str = "default") -> RunKey:
    """A queued run on a thread with one message. Its items are in the queue; tests deliver them themselves."""
    assistant = new_assistant(store, CreateAssistant.model_validate({"model": "demo", "tools": list(tools)}))
    request = CreateThreadAndRun.model_validate({"assistant_id": assistant.id, "thread": {}})
    assert request.thread is not None
    thread = new_thread(store, request.thread)
    said = new_message(store, thread.id, CreateMessage(role="user", content="Where is it sunny?"))
    run = new_run(store, thread.id, assistant, request)
    key = RunKey(project, thread.id, run.id)
    await start_thread_and_run(store, key, thread, run, [put_record(said)])
    return key


async def run_of(store: Store, key: RunKey) -> RunRecord:
    document = await store.runs.read(key.name)
    assert document is not None
    return document.value


async def said(store: Store, key: RunKey) -> list[str]:
    """The assistant's texts in the run's thread, oldest first."""
    transcript = await store.messages.read(key.project, key.thread, 1)
    found, _ = await transcript.page(Cursors(limit=1000, order="asc"), ValueError)
    parts = [message.content[0] for message in found if message.role == "assistant"]
    return [part["text"]["value"] for part in parts if part["type"] == "text"]


async def attend(handlers: Handling, store: Store, key: RunKey) -> None:
    """Deliver the item that has the run attended to now."""
    await handlers.worker.handle(attend_item(key, await run_of(store, key)).model_dump_json().encode())


async def hang(store: Store, key: RunKey, model: ScriptedModel) -> "asyncio.Task[None]":
    """A driver that has claimed the run and waits for its model."""
    driver = asyncio.create_task(attend(Handlers(store, model), store, key))
    await asyncio.wait_for(model.asked.wait(), 10)
    return driver


async def answer(handlers: Handling, key: RunKey, call_id: str) -> None:
    """Deliver the item of a tool call."""
    await handlers.tool_calls.handle(call_item(key, call_id))


def call_item(key: RunKey, call_id: str) -> bytes:
    return Call(project=key.project, thread=key.thread, run=key.run, call=call_id).model_dump_json().encode()
