"""Items that fail repeatedly move to a poison queue, and their runs end."""

import json
import logging
from collections.abc import Iterator
from typing import Any

import pytest
from openai import OpenAI

from assistants.engine import machine
from assistants.engine.claim import change_run
from assistants.engine.items import LookAgain, Purge, SweepThreads, attend_item
from assistants.local.azurite import Storage
from assistants.schema.runs import RunStatus
from assistants.state.store import RunKey, Store
from tests.support.sdk.client import connect
from tests.support.sdk.conversation import RETRIEVAL, WEATHER, Conversation, call, unique
from tests.support.service.attending import (
    Handlers,
    ScriptedModel,
    answer,
    attend,
    call_item,
    new_run_on,
    open_store,
    run_of,
)
from tests.support.service.processes import HttpSide, Model, Service, eventually
from tests.support.storage.stored import queue_of

DELIVERIES = 5
"""host.json's maxDequeueCount."""


def work_item(key: RunKey) -> bytes:
    return LookAgain(project=key.project, thread=key.thread, run=key.run).model_dump_json().encode()


def key_of(conversation: Conversation) -> RunKey:
    return RunKey("default", conversation.thread_id, conversation.run_id)


async def parked(store: Store) -> tuple[RunKey, Handlers]:
    """A run that waits for retrieval."""
    handlers = Handlers(store, ScriptedModel({"tool_calls": [call("retrieval", "call_r", q="?")]}))
    key = await new_run_on(store, RETRIEVAL)
    await attend(handlers, store, key)
    return key, handlers


async def assert_failed(store: Store, key: RunKey, why: str) -> None:
    run = await run_of(store, key)
    assert run.status is RunStatus.FAILED
    assert run.last_error is not None
    assert (run.last_error.code, run.last_error.message) == ("server_error", why)


class TestWork:
    async def test_a_run_that_cannot_be_attended_to_ends_failed(self, store: Store):
        key = await new_run_on(store)
        await Handlers(store, ScriptedModel()).worker.give_up(work_item(key))
        await assert_failed(store, key, "The run could not be attended to after several attempts.")

    async def test_the_error_names_the_trouble_of_the_last_attempt(self, store: Store):
        key, now = await new_run_on(store), store.clock.now()
        await change_run(store, key, lambda run: machine.released(run, "ServiceResponseError: no answer", now), "")
        await Handlers(store, ScriptedModel()).worker.give_up(work_item(key))
        await assert_failed(
            store, key, "The run could not be attended to after several attempts: ServiceResponseError: no answer"
        )

    async def test_a_run_that_has_ended_stays_as_it_is(self, store: Store):
        key, handlers = await new_run_on(store), Handlers(store, ScriptedModel({"text": "Done."}))
        await attend(handlers, store, key)
        ended = await run_of(store, key)
        await handlers.worker.give_up(work_item(key))
        assert await run_of(store, key) == ended

    async def test_an_item_of_a_run_that_is_gone_is_harmless(self, store: Store):
        await Handlers(store, ScriptedModel()).worker.give_up(work_item(RunKey("default", "thread_x", "run_x")))

    @pytest.mark.parametrize(
        "item",
        [
            Purge(project="default", thread="thread_x"),
            SweepThreads(project="default", newest="thread_x", oldest="thread_y"),
        ],
    )
    async def test_the_remaining_blobs_of_threads_are_purged_even_if_the_item_fails(
        self, idle: Storage, store: Store, item: Purge | SweepThreads
    ):
        again = open_store(idle, PURGE_AGAIN="1")
        queue_of(idle, "work").clear_messages()
        await Handlers(again, ScriptedModel()).worker.give_up(item.model_dump_json().encode())
        await again.close()
        assert received(idle, "work") == [item.model_dump()]


class TestTool:
    async def test_a_call_that_cannot_be_answered_fails_its_run(self, store: Store):
        key, handlers = await parked(store)
        await handlers.tool_calls.give_up(call_item(key, "call_r"))
        await assert_failed(store, key, "The tool call call_r could not be attended to after several attempts.")

    async def test_the_poison_item_of_a_call_that_was_answered_meanwhile_does_not_fail_the_run(self, store: Store):
        key, handlers = await parked(store)
        await answer(handlers, key, "call_r")
        await handlers.tool_calls.give_up(call_item(key, "call_r"))
        assert (await run_of(store, key)).status is RunStatus.IN_PROGRESS


@pytest.mark.parametrize("content", [b"", b"\xff", b"[]", b'{"kind":"attend"}', b'{"kind":"other","run":"run_x"}'])
async def test_an_item_that_cannot_be_read_is_dropped_with_a_log_line(
    store: Store, caplog: pytest.LogCaptureFixture, content: bytes
):
    handlers = Handlers(store, ScriptedModel())
    await handlers.worker.give_up(content)
    await handlers.tool_calls.give_up(content)
    assert [(record.levelno, record.message) for record in caplog.records if record.name == "assistants.engine"] == [
        (logging.ERROR, "dropped an item of the queue work that cannot be read"),
        (logging.ERROR, "dropped an item of a tool's queue that cannot be read"),
    ]


async def test_a_run_with_a_live_claim_gets_a_look_again_item_instead(idle: Storage, store: Store):
    soon, key = open_store(idle, LOOK_AGAIN="1"), await new_run_on(store)
    now = store.clock.now()
    await change_run(store, key, lambda run: machine.claimed(run, "another", now, 30, [0]), "claimed")
    held = await run_of(store, key)
    queue_of(idle, "work").clear_messages()

    await Handlers(soon, ScriptedModel()).worker.give_up(attend_item(key, held).model_dump_json().encode())
    await soon.close()
    assert await run_of(store, key) == held
    assert received(idle, "work") == [{"kind": "look", **key._asdict(), "segments": 1}]


def received(storage: Storage, queue: str) -> list[Any]:
    """The items of a queue, as soon as any is visible."""
    found = eventually(lambda: list(queue_of(storage, queue).receive_messages()))
    return [json.loads(message.content) for message in found]


class TestEndToEnd:
    """Through the queues and the functions that listen to them."""

    @pytest.fixture
    def asleep(self, idle: Storage, model: Model) -> Iterator[OpenAI]:
        """The SDK, connected to the service's HTTP side, while no process handles the queues."""
        queue_of(idle, "work").clear_messages()
        with HttpSide(idle.connection_string, model.url) as side, connect(side.url) as client:
            yield client

    def test_an_item_that_was_delivered_too_often_fails_its_run(self, idle: Storage, model: Model, asleep: OpenAI):
        conversation, work = Conversation(asleep, unique()), queue_of(idle, "work")
        for _ in range(DELIVERIES):
            (item,) = eventually(lambda: list(work.receive_messages()))
            work.update_message(item, visibility_timeout=0)
        with Service(idle.connection_string, model.url):
            error = conversation.reaches("failed").last_error
        assert error is not None
        assert error.message == "The run could not be attended to after several attempts."
        assert model.requests(conversation.question) == []

    def test_an_item_in_a_poison_queue_fails_its_run_and_unlocks_the_thread(self, client: OpenAI, azurite: Storage):
        conversation = Conversation(client, unique("get weather"), WEATHER)
        conversation.reaches("requires_action")
        queue_of(azurite, "work-poison").send_message(work_item(key_of(conversation)))
        error = conversation.reaches("failed").last_error
        assert error is not None
        assert error.message == "The run could not be attended to after several attempts."
        assert conversation.progress() == [("tool_calls", "failed")]
        conversation.ask("Is anybody there?")
        conversation.reaches("completed")

    @pytest.mark.parametrize(("queue", "named"), [("work", "the queue work"), ("retrieval", "a tool's queue")])
    def test_an_item_that_cannot_be_read_does_no_harm(
        self, client: OpenAI, azurite: Storage, service: Service, queue: str, named: str
    ):
        queue_of(azurite, f"{queue}-poison").send_message(b"no item of ours")
        conversation = Conversation(client, unique("use retrieval"), RETRIEVAL)
        conversation.reaches("completed")
        eventually(lambda: any(f"dropped an item of {named} that cannot be read" in line for line in service.lines))
