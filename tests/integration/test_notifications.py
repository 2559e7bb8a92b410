"""Notifications to the standard client of SignalR: by a fake of Azure SignalR Service, and by this service's hub."""

import asyncio
import json
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager, suppress
from types import SimpleNamespace
from typing import Any

import httpx2
import pytest

from assistants.api import gate, notifications
from assistants.local import npm
from assistants.local.azurite import Storage
from assistants.local.server import serving
from assistants.notify import feed, signalr
from assistants.notify.hub import Hub, Listener, listener_of, token_for
from assistants.settings import Settings
from tests.node.packages import SIGNALR, has_signalr
from tests.node.packages import signalr as folder
from tests.support.service.attending import Handlers, ScriptedModel, attend, new_run_on, open_store
from tests.support.service.inprocess import InProcess, in_process
from tests.support.service.processes import ROOT
from tests.support.service.signalr import IDENTITY, KEY, FakeSignalR

KEYS = {"alice": "alice-0123456789", "bob": "bob-0123456789"}
SETTINGS = {"API_KEYS": ",".join(f"{key}={project}" for project, key in KEYS.items())}
STATES = ["queued", "in_progress", "completed"]
ENDLESS = [{"text": "Hello."}] * 20


class Client:
    """The standard client in a separate process."""

    def __init__(self, process: asyncio.subprocess.Process) -> None:
        self._process = process

    async def heard(self) -> Any:
        """The next line of its output; None at the end."""
        assert self._process.stdout is not None
        line = await asyncio.wait_for(self._process.stdout.readline(), 20)
        return json.loads(line) if line else None

    async def states(self) -> list[str]:
        """The states that it receives until it ends."""
        return [heard["status"] async for heard in self.rest()]

    async def rest(self) -> AsyncIterator[Any]:
        while (heard := await self.heard()) is not None:
            yield heard


@asynccontextmanager
async def listening(
    url: str, key: str, version: str = SIGNALR[-1], transport: str = "", runs: int = 1, thread: str = ""
) -> AsyncIterator[Client]:
    if not has_signalr(version):
        pytest.skip(f"@microsoft/signalr {version} is not installed: make node")
    script = str(ROOT / "tests" / "node" / "notifications.mjs")
    process = await asyncio.create_subprocess_exec(
        npm.node(), script, str(folder(version)), url, key, transport, str(runs), thread, stdout=asyncio.subprocess.PIPE
    )
    client = Client(process)
    try:
        assert await client.heard() == "connected"
        yield client
    finally:
        with suppress(ProcessLookupError):
            process.kill()
        await process.wait()


@pytest.fixture
def keys(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(gate, "settings", lambda: Settings.model_validate(SETTINGS))


@asynccontextmanager
async def served(idle: Storage, **settings: str) -> AsyncIterator[tuple[InProcess[ScriptedModel], str]]:
    """The service, and its address."""
    async with (
        in_process(idle, ScriptedModel(*ENDLESS), None, **SETTINGS, **settings) as service,
        serving(service.api) as url,
    ):
        yield service, url.removesuffix("/v1")


async def run_elsewhere(idle: Storage, project: str) -> str:
    """Run on another instance, which has notifications on; return the run's thread."""
    other = open_store(idle, NOTIFICATIONS="true")
    try:
        hub = Hub(other)
        key = await new_run_on(other, project=project)
        await attend(Handlers(other, ScriptedModel(*ENDLESS)), other, key)
        await hub.close()
        return key.thread
    finally:
        await other.close()


@pytest.mark.usefixtures("keys")
class TestOwnHub:
    @pytest.mark.parametrize("version", SIGNALR)
    @pytest.mark.parametrize("transport", ["ServerSentEvents", "LongPolling"])
    async def test_every_state_of_a_run_of_another_instance_arrives_and_none_of_another_project(
        self, idle: Storage, version: str, transport: str
    ):
        async with (
            served(idle, NOTIFICATIONS="true") as (_, url),
            listening(url, KEYS["alice"], version, transport) as client,
        ):
            await run_elsewhere(idle, "bob")
            thread = await run_elsewhere(idle, "alice")
            heard = [each async for each in client.rest()]
        assert [each["status"] for each in heard] == STATES
        assert {each["thread_id"] for each in heard} == {thread}

    async def test_a_client_may_listen_to_one_thread(self, idle: Storage):
        async with served(idle, NOTIFICATIONS="true") as (service, url):
            key = await new_run_on(service.store, project="alice")
            async with listening(url, KEYS["alice"], thread=key.thread) as client:
                await run_elsewhere(idle, "alice")
                await attend(service, service.store, key)
                heard = [each async for each in client.rest()]
        assert [(each["thread_id"], each["status"]) for each in heard] == [
            (key.thread, "in_progress"), (key.thread, "completed"),
        ]  # fmt: skip

    async def test_a_stream_that_the_service_ends_is_followed_by_another(
        self, idle: Storage, monkeypatch: pytest.MonkeyPatch
    ):
        monkeypatch.setattr(notifications, "_in_azure", lambda: True)
        monkeypatch.setattr(notifications, "LONGEST", 0.5)
        async with served(idle, NOTIFICATIONS="true") as (_, url), listening(url, KEYS["alice"]) as client:
            monkeypatch.setattr(notifications, "LONGEST", 60.0)
            heard = await client.heard()
            assert heard == "reconnected"
            await run_elsewhere(idle, "alice")
            assert await client.states() == STATES

    async def test_listeners_follow_the_feed_into_the_next_blob(self, idle: Storage, monkeypatch: pytest.MonkeyPatch):
        store = open_store(idle)
        found = feed.Feed(store)
        now = 7_000_000 * feed.SPAN - 1.0
        monkeypatch.setattr(type(store.clock), "now", lambda _: now)
        cursor = await found.end("alice")
        state = feed.State("alice", "thread_1", "run_1", "queued")
        await found.send([state])
        now += 3
        await found.send([state._replace(status="in_progress")])
        first, cursor = await found.after("alice", cursor)
        none, same = await found.after("alice", cursor)
        assert (none, same) == ([], cursor)
        now += feed._BEHIND
        none, cursor = await found.after("alice", cursor)
        second, _ = await found.after("alice", cursor)
        assert [each["status"] for each in first + none + second] == ["queued"]
        assert cursor.span == 7_000_000
        now += 1
        await found.end("alice")
        await found.send([state._replace(status="completed")])
        third, _ = await found.after("alice", cursor)
        assert [each["status"] for each in third] == ["completed"]
        await store.close()

    async def test_the_hub_needs_a_key_to_negotiate_and_a_token_to_connect(self, idle: Storage):
        async with served(idle, NOTIFICATIONS="true") as (service, url), httpx2.AsyncClient() as http:
            assert (await http.post(f"{url}/notificationhub/negotiate")).status_code == 401
            for path in ("client", f"client?access_token={KEYS['alice']}", "client/negotiate"):
                method = "POST" if path.endswith("negotiate") else "GET"
                headers = {"authorization": f"Bearer {KEYS['alice']}", "accept": "text/event-stream"}
                refused = await http.request(method, f"{url}/notificationhub/{path}", headers=headers)
                assert refused.status_code == 401
                assert KEYS["alice"] not in refused.text
            others = Settings.model_validate({**SETTINGS, "API_KEYS": f"{KEYS['alice']}=bob"})
            forged = token_for(others, Listener("bob", None))
            assert listener_of(service.store.settings, forged) is None

    async def test_without_the_setting_there_is_no_hub_and_no_state_is_sent(self, idle: Storage):
        async with served(idle) as (service, url), httpx2.AsyncClient() as http:
            headers = {"api-key": KEYS["alice"]}
            refused = await http.post(f"{url}/notificationhub/negotiate?negotiateVersion=1", headers=headers)
            assert refused.status_code == 404
            assert "NOTIFICATIONS=true" in refused.json()["error"]["message"]
            assert service.store.changes._subscribed == []


@pytest.fixture
async def azure() -> AsyncIterator[FakeSignalR]:
    fake = FakeSignalR()
    async with serving(fake.api) as url:
        fake.url = url.removesuffix("/v1")
        yield fake


@pytest.mark.usefixtures("keys")
class TestAzureSignalR:
    @pytest.mark.parametrize("version", SIGNALR)
    @pytest.mark.parametrize("transport", ["ServerSentEvents", "LongPolling"])
    async def test_every_state_arrives_and_none_of_another_project(
        self, idle: Storage, azure: FakeSignalR, version: str, transport: str
    ):
        connection = f"Endpoint={azure.url};AccessKey={KEY};Version=1.0;"
        async with (
            served(idle, SIGNALR_CONNECTION=connection) as (service, url),
            listening(url, KEYS["alice"], version, transport) as client,
        ):
            for project in ("bob", "alice"):
                key = await new_run_on(service.store, project=project)
                await attend(service, service.store, key)
            assert await client.states() == STATES

    async def test_a_client_may_listen_to_one_thread_and_connects_again(self, idle: Storage, azure: FakeSignalR):
        connection = f"Endpoint={azure.url}/;AccessKey={KEY};Version=1.0;"
        async with served(idle, SIGNALR_CONNECTION=connection) as (service, url):
            key = await new_run_on(service.store, project="alice")
            async with listening(url, KEYS["alice"], thread=key.thread) as client:
                azure.close_all()
                assert await client.heard() == "reconnected"
                await attend(service, service.store, await new_run_on(service.store, project="alice"))
                await attend(service, service.store, key)
                assert await client.states() == STATES[1:]

    async def test_by_identity_the_service_makes_the_tokens(
        self, idle: Storage, azure: FakeSignalR, monkeypatch: pytest.MonkeyPatch
    ):
        async def get_token(scope: str) -> Any:
            assert scope == "https://signalr.azure.com/.default"
            return SimpleNamespace(token=IDENTITY)

        async def close() -> None:
            pass

        monkeypatch.setattr(signalr, "identity", lambda _: SimpleNamespace(get_token=get_token, close=close))
        async with (
            served(idle, SIGNALR_CONNECTION=azure.url) as (service, url),
            listening(url, KEYS["alice"]) as client,
        ):
            await attend(service, service.store, await new_run_on(service.store, project="alice"))
            assert await client.states() == STATES

    async def test_a_service_that_does_not_answer_costs_no_run_anything(self, idle: Storage):
        connection = f"Endpoint=http://127.0.0.1:9;AccessKey={KEY};"
        async with served(idle, SIGNALR_CONNECTION=connection) as (service, _):
            key = await new_run_on(service.store, project="alice")
            await attend(service, service.store, key)
            document = await service.store.runs.read(key.name)
            assert document is not None
            assert document.value.status.value == "completed"
