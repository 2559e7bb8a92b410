"""The environment's proxies in requests to storage."""

import asyncio

import pytest

from assistants.local.azurite import Storage
from assistants.settings import Settings
from assistants.state.store import Store
from tests.support.service.attending import open_store

PROXIES = [name for each in ("http_proxy", "https_proxy", "all_proxy", "no_proxy") for name in (each, each.upper())]
ELSEWHERE = (
    "AccountName=a;AccountKey=c2VjcmV0;BlobEndpoint=http://storage.invalid/a;QueueEndpoint=http://storage.invalid/a"
)


@pytest.fixture(autouse=True)
def no_proxy(monkeypatch: pytest.MonkeyPatch) -> None:
    for name in PROXIES:
        monkeypatch.delenv(name, raising=False)


async def test_a_proxy_that_the_environment_names_is_used(monkeypatch: pytest.MonkeyPatch):
    asked: list[str] = []

    async def answer(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        asked.append((await reader.readline()).decode().strip())
        writer.write(b"HTTP/1.1 404 Not Found\r\nContent-Length: 0\r\nx-ms-error-code: BlobNotFound\r\n\r\n")
        await writer.drain()
        writer.close()

    async with await asyncio.start_server(answer, "127.0.0.1", 0) as proxy:
        monkeypatch.setenv("http_proxy", "http://{}:{}".format(*proxy.sockets[0].getsockname()))
        store = Store.open(Settings.model_validate({"AzureWebJobsStorage": ELSEWHERE}))
        assert await store.assistants.read("default/asst_1") is None
        await store.close()
    assert asked[0] == "GET http://storage.invalid/a/assistants/default/asst_1 HTTP/1.1"


async def test_without_a_proxy_no_worker_thread_is_used(azurite: Storage, monkeypatch: pytest.MonkeyPatch):
    store = open_store(azurite)
    await store.hear_time()

    def ask(*_: object) -> None:
        pytest.fail("a thread was asked")

    monkeypatch.setattr(asyncio.get_running_loop(), "run_in_executor", ask)
    assert await store.assistants.read("default/asst_1") is None
    await store.close()
