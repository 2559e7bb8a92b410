"""The HTTP functions through the worker's own application, over real storage."""

from collections.abc import AsyncIterator

import httpx2
import pytest

from assistants.local.azurite import Storage
from assistants.service import close_service
from assistants.settings import settings
from tests.support.service.worker import load_function_app, worker

ORIGIN = "https://app.example.com"


@pytest.fixture
async def client(azurite: Storage, monkeypatch: pytest.MonkeyPatch) -> AsyncIterator[httpx2.AsyncClient]:
    monkeypatch.setenv("AzureWebJobsStorage", azurite.connection_string)
    monkeypatch.setenv("API_KEYS", "key=through-the-worker")
    monkeypatch.setenv("CORS_ORIGINS", ORIGIN)
    monkeypatch.setenv("OPENAI_BASE_URL", "http://127.0.0.1:1/v1")
    monkeypatch.setenv("MODEL_RETRIES", "0")
    settings.cache_clear()
    async with worker(load_function_app()) as client:
        client.headers["api-key"] = "key"
        yield client
    await close_service()
    settings.cache_clear()


async def test_bodies_paths_and_queries_reach_the_api_through_the_worker(client: httpx2.AsyncClient):
    created = (await client.post("/v1/assistants", json={"model": "gpt-4o", "name": "Grüße 🦀"})).json()
    assert created["name"] == "Grüße 🦀"

    path = f"/v1/assistants/{created['id']}"
    assert (await client.get(path)).json() == created
    modified = (await client.post(path, json={"metadata": {"a": "b"}})).json()
    assert modified == created | {"metadata": {"a": "b"}}

    other = (await client.post("/v1/assistants", json={"model": "gpt-4o"})).json()
    page = (await client.get("/v1/assistants", params={"order": "asc", "limit": 1, "after": created["id"]})).json()
    assert page["data"] == [other]

    assert (await client.delete(path)).json() == {"id": created["id"], "object": "assistant.deleted", "deleted": True}
    gone = await client.get(path)
    assert gone.status_code == 404
    assert gone.json()["error"]["message"] == f"No assistant found with id '{created['id']}'."


async def test_a_body_may_be_left_out_and_a_route_may_be_nested(client: httpx2.AsyncClient):
    thread = (await client.post("/v1/threads")).json()
    messages = f"/v1/threads/{thread['id']}/messages"
    message = (await client.post(messages, json={"role": "user", "content": "Hello"})).json()
    assert (await client.get(messages)).json()["data"] == [message]
    assert (await client.get(f"{messages}/{message['id']}")).json() == message


async def test_a_form_reaches_the_api_through_the_worker(client: httpx2.AsyncClient):
    content = bytes(range(256)) * 20_000
    form = {"file": ("a.bin", content), "purpose": (None, "user_data")}
    made = (await client.post("/v1/files", files=form)).json()
    assert (made["bytes"], made["filename"]) == (len(content), "a.bin")
    assert (await client.get(f"/v1/files/{made['id']}/content")).content == content


async def test_a_page_of_another_origin_may_read_a_stream_and_its_request_id(client: httpx2.AsyncClient):
    path, page = "/v1/threads/runs", {"origin": ORIGIN}
    asked = {"access-control-request-method": "POST", "access-control-request-headers": "authorization"}
    preflight = await client.options(path, headers={**page, **asked, "api-key": ""})
    assert (preflight.status_code, preflight.headers["access-control-allow-origin"]) == (200, ORIGIN)

    assistant = (await client.post("/v1/assistants", json={"model": "gpt-4o"})).json()["id"]
    thread = {"messages": [{"role": "user", "content": "Hello"}]}
    body = {"assistant_id": assistant, "thread": thread, "stream": True}
    async with client.stream("POST", path, json=body, headers=page) as answer:
        lines = [line async for line in answer.aiter_lines() if line.startswith("event: ")]
    assert (lines[0], lines[-1]) == ("event: thread.created", "event: done")
    assert answer.headers["content-type"].startswith("text/event-stream")
    assert answer.headers["access-control-allow-origin"] == ORIGIN
    assert "x-request-id" in answer.headers["access-control-expose-headers"]
    assert answer.headers["x-request-id"].startswith("req_")
    assert "origin" in answer.headers["vary"].lower()
