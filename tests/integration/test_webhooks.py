"""Webhooks over real sockets and queues: every event arrives, whatever the receiver does, and no run waits for it."""

import base64
import json
from collections.abc import AsyncIterator, Callable, Iterator
from typing import Any

import httpx2
import pytest
from openai import OpenAI

from assistants.local.azurite import Storage
from assistants.notify import webhooks
from assistants.notify.items import ATTEMPTS, WEBHOOKS, Tell
from assistants.notify.webhooks import Webhooks
from assistants.storage.queues import Queues
from tests.support.sdk.conversation import WEATHER, call
from tests.support.service.attending import ScriptedModel
from tests.support.service.inprocess import InProcess, in_process
from tests.support.service.upstream import Answer, Upstream
from tests.support.storage.stored import queue_of

SECRET = "whsec_" + base64.b64encode(b"0123456789abcdef0123456789abcdef").decode()
EVENT = Tell(
    project="default", id="evt_1", type="thread.run.queued", created_at=1, sequence_number=0, data={"id": "run_1"}
)


@pytest.fixture
def receiver() -> Iterator[Upstream]:
    with Upstream() as receiver:
        yield receiver


def settings(url: str, project: str = "default") -> dict[str, str]:
    return {
        "WEBHOOKS": json.dumps({project: {"url": url, "secret": SECRET}}),
        "WEBHOOK_HOSTS": "127.0.0.1",
        "LOOK_AGAIN": "1",
        "CLAIM": "1",
    }


@pytest.fixture
async def service(idle: Storage, receiver: Upstream) -> AsyncIterator[InProcess[ScriptedModel]]:
    model = ScriptedModel({"text": "Let me see.", "tool_calls": [call("get_weather", "call_w")]}, {"text": "Sunny."})
    async with in_process(idle, model, None, **settings(f"{receiver.url}/hook")) as service:
        for queue in (WEBHOOKS, f"{WEBHOOKS}-poison", "work", "ingest"):
            await service.store.queues.send(queue, {})
            queue_of(idle, queue).clear_messages()
        yield service


def told(receiver: Upstream) -> list[Any]:
    """The events that were received, each verified by the SDK."""
    sdk = OpenAI(api_key="none", webhook_secret=SECRET).webhooks
    return [sdk.unwrap(bytes(asked.body), asked.headers) for asked in receiver.asked]


def waiting(storage: Storage, queue: str = WEBHOOKS) -> int:
    return queue_of(storage, queue).get_queue_properties().approximate_message_count or 0


async def test_every_state_and_every_message_of_a_run_is_sent_once_and_numbered(
    idle: Storage, service: InProcess[ScriptedModel], receiver: Upstream
):
    client = service.client
    assistant = await client.beta.assistants.create(model="demo", tools=[WEATHER])
    thread = await client.beta.threads.create(messages=[{"role": "user", "content": "Where?"}])
    others = waiting(idle, "work")
    run = await client.beta.threads.runs.create(thread.id, assistant_id=assistant.id)
    await service.attend()
    outputs: Any = [{"tool_call_id": "call_w", "output": "sunny"}]
    await client.beta.threads.runs.submit_tool_outputs(run.id, thread_id=thread.id, tool_outputs=outputs)
    await service.attend()
    for _ in range(waiting(idle)):
        await service.attend(WEBHOOKS)
    events = sorted(told(receiver), key=lambda event: event.sequence_number)
    assert [event.type for event in events] == [
        "thread.run.queued", "thread.run.in_progress", "thread.message.completed", "thread.run.requires_action",
        "thread.run.queued", "thread.run.in_progress", "thread.message.completed", "thread.run.completed",
    ]  # fmt: skip
    assert [event.sequence_number for event in events] == list(range(8))
    assert len({event.id for event in events}) == 8
    assert {event.data.thread_id for event in events} == {thread.id}
    messages = [event.data.id for event in events if event.type == "thread.message.completed"]
    said = (await client.beta.threads.messages.list(thread.id, run_id=run.id, order="asc")).data
    assert messages == [message.id for message in said]
    assert waiting(idle, "work") == others, "the look-again item is deleted as ever"


async def test_events_of_files_of_a_vector_store_are_sent(
    idle: Storage, service: InProcess[ScriptedModel], receiver: Upstream
):
    files = [
        (await service.client.files.create(file=(name, content), purpose="assistants")).id
        for name, content in (("one.txt", b"It is sunny."), ("two.txt", b""))
    ]
    store = await service.client.vector_stores.create(file_ids=files)
    items = await service.store.services[1].receive("ingest", 1, 600)
    content = base64.b64decode(items[0].text)
    await service.ingestion.handle(content)
    await service.ingestion.handle(content)  # as after a crash before the events were sent
    for _ in range(waiting(idle)):
        await service.attend(WEBHOOKS)
    events = told(receiver)
    assert sorted({(event.type, event.data.id) for event in events}) == [
        ("vector_store.file.completed", files[0]),
        ("vector_store.file.failed", files[1]),
    ]
    assert {event.data.vector_store_id for event in events} == {store.id}
    assert (len(events), len({event.id for event in events})) == (4, 2)


@pytest.mark.parametrize(
    "answer",
    [
        Answer([b"no"], 500),
        Answer([b""], 302, headers={"location": "/elsewhere"}),
        Answer([b"yes"], silence=0.6),
    ],
    ids=["an error", "a redirect", "silence"],
)
async def test_an_event_that_was_not_accepted_is_sent_again_later(
    idle: Storage,
    service: InProcess[ScriptedModel],
    receiver: Upstream,
    answer: Answer,
    monkeypatch: pytest.MonkeyPatch,
):
    monkeypatch.setattr(webhooks, "TIMEOUT", 0.3)
    sent = noted_sends(service, monkeypatch)
    receiver.first.append(answer)
    handler = service.queues[WEBHOOKS]
    await handler.handle(EVENT.model_dump_json().encode())
    ((queue, item, delay),) = sent
    assert (queue, item["attempt"]) == (WEBHOOKS, 1)
    assert 4 < delay < 6
    await handler.handle(json.dumps(item).encode())
    assert [event.id for event in told(receiver)] == ["evt_1", "evt_1"]
    assert [asked.path for asked in receiver.asked] == ["/v1/hook", "/v1/hook"]
    assert len(sent) == 1, "the second time it was taken"


async def test_after_a_day_an_event_ends_as_poison(
    service: InProcess[ScriptedModel], receiver: Upstream, monkeypatch: pytest.MonkeyPatch, caplog: Any
):
    sent = noted_sends(service, monkeypatch)
    receiver.answer = Answer([b"no"], 500)
    item: dict[str, Any] = EVENT.model_dump()
    handler = service.queues[WEBHOOKS]
    for _ in range(ATTEMPTS):
        await handler.handle(json.dumps(item).encode())
        item = sent[-1][1]
    pauses = [delay for _, _, delay in sent]
    assert pauses[:7] == sorted(pauses[:7])
    assert 20 * 3600 < sum(pauses) < 28 * 3600
    assert [queue for queue, _, _ in sent] == [WEBHOOKS] * (ATTEMPTS - 1) + [f"{WEBHOOKS}-poison"]
    await handler.give_up(json.dumps(item).encode())
    assert len(sent) == ATTEMPTS
    assert "gave up thread.run.queued of default (evt_1)" in caplog.text


async def test_an_item_that_could_not_be_handled_is_sent_again_and_another_one_is_dropped(
    service: InProcess[ScriptedModel], monkeypatch: pytest.MonkeyPatch
):
    sent = noted_sends(service, monkeypatch)
    await service.queues[WEBHOOKS].give_up(EVENT.model_dump_json().encode())
    await service.queues[WEBHOOKS].give_up(b"{}")
    assert [(queue, item["attempt"]) for queue, item, _ in sent] == [(WEBHOOKS, 1)]


async def test_a_private_address_is_not_connected_to_unless_its_host_is_listed(
    idle: Storage, receiver: Upstream, monkeypatch: pytest.MonkeyPatch
):
    hook = {
        "WEBHOOKS": json.dumps({"default": {"url": f"https://{receiver.url.partition('//')[2]}", "secret": SECRET}})
    }
    async with in_process(idle, ScriptedModel(), None, **hook) as service:
        sent = noted_sends(service, monkeypatch)
        await service.queues[WEBHOOKS].handle(EVENT.model_dump_json().encode())
    assert receiver.asked == []
    assert len(sent) == 1


async def test_the_connection_goes_to_the_address_that_was_checked_and_the_name_stays_the_hosts(
    service: InProcess[ScriptedModel], monkeypatch: pytest.MonkeyPatch
):
    requests: list[httpx2.Request] = []

    def answer(request: httpx2.Request) -> httpx2.Response:
        requests.append(request)
        return httpx2.Response(204)

    async def resolved(host: str, port: int, listed: bool) -> str:
        assert (host, port, listed) == ("hooks.example.com", 8443, False)
        return "2606:4700::1111"

    monkeypatch.setattr(webhooks, "address_of", resolved)
    hook = settings("https://hooks.example.com:8443/hook")
    store = service.store
    changed = type(store.settings).model_validate({"AzureWebJobsStorage": "x", **hook})
    monkeypatch.setattr(store.settings, "webhooks", changed.webhooks)
    handler = Webhooks(store, httpx2.MockTransport(answer))
    await handler.handle(EVENT.model_dump_json().encode())
    await handler.close()
    (request,) = requests
    assert str(request.url) == "https://[2606:4700::1111]:8443/hook"
    assert request.headers["host"] == "hooks.example.com:8443"
    assert request.extensions["sni_hostname"] == "hooks.example.com"


async def test_a_project_without_a_webhook_has_no_notices_and_no_items(idle: Storage, receiver: Upstream):
    hook = settings(f"{receiver.url}/hook", project="another")
    async with in_process(idle, ScriptedModel({"text": "Hello."}), None, **hook) as service:
        queue_of(idle, WEBHOOKS).clear_messages()
        assistant = await service.client.beta.assistants.create(model="demo")
        thread = await service.client.beta.threads.create(messages=[{"role": "user", "content": "Where?"}])
        await service.client.beta.threads.runs.create(thread.id, assistant_id=assistant.id)
        await service.attend()
        (name,) = [name async for name in service.store.runs.names(f"default/{thread.id}/")]
        document = await service.store.runs.read(name)
        assert document is not None
        assert (document.value.status.value, document.value.notices) == ("completed", None)
    assert waiting(idle) == 0


def noted_sends(service: InProcess[Any], monkeypatch: pytest.MonkeyPatch) -> list[tuple[str, dict[str, Any], float]]:
    """Records every item that is sent from now on: queue, item and delay."""
    sent: list[tuple[str, dict[str, Any], float]] = []
    send: Callable[..., Any] = Queues.send

    async def noted(self: Queues, queue: str, item: dict[str, Any], delay: float = 0) -> Any:
        sent.append((queue, dict(item), delay))
        return await send(self, queue, item, delay)

    monkeypatch.setattr(Queues, "send", noted)
    return sent
