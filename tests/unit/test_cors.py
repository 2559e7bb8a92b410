"""Requests from pages of other origins: preflights without a key, headers of errors; all of it is off by default."""

from collections.abc import AsyncIterator

import httpx2
import pytest

from assistants.api.app import create_api
from assistants.api.cors import EXPOSED
from tests.unit.conftest import ReadSettings

ORIGIN = "https://app.example.com"
ASKED = {"access-control-request-method": "POST", "access-control-request-headers": "authorization,openai-beta"}


async def client_of(read_settings: ReadSettings, monkeypatch: pytest.MonkeyPatch, origins: str) -> httpx2.AsyncClient:
    settings = read_settings({"API_KEYS": "key=project", "CORS_ORIGINS": origins})
    for module in ("api.app", "api.gate"):
        monkeypatch.setattr(f"assistants.{module}.settings", lambda: settings)
    return httpx2.AsyncClient(transport=httpx2.ASGITransport(app=create_api()), base_url="http://localhost")


@pytest.fixture
async def client(read_settings: ReadSettings, monkeypatch: pytest.MonkeyPatch) -> AsyncIterator[httpx2.AsyncClient]:
    async with await client_of(read_settings, monkeypatch, f"{ORIGIN}, http://localhost:*") as client:
        yield client


@pytest.mark.parametrize("origin", [ORIGIN, "http://localhost", "http://localhost:5173"])
async def test_a_preflight_needs_no_key(client: httpx2.AsyncClient, origin: str):
    answer = await client.options("/v1/threads", headers={"origin": origin, **ASKED})
    assert answer.status_code == 200
    assert answer.headers["access-control-allow-origin"] == origin
    assert "authorization" in answer.headers["access-control-allow-headers"]
    assert "POST" in answer.headers["access-control-allow-methods"]
    assert "origin" in answer.headers["vary"].lower()


@pytest.mark.parametrize(
    "origin", ["https://evil.example", f"{ORIGIN}.evil.example", "http://localhost:1.evil.example"]
)
async def test_another_origin_is_not_allowed(client: httpx2.AsyncClient, origin: str):
    answer = await client.options("/v1/threads", headers={"origin": origin, **ASKED})
    assert answer.status_code == 400
    assert "access-control-allow-origin" not in answer.headers


async def test_a_page_may_read_errors_and_their_request_ids(client: httpx2.AsyncClient):
    answer = await client.get("/v1/threads/thread_1", headers={"origin": ORIGIN})
    assert answer.status_code == 401
    assert answer.headers["access-control-allow-origin"] == ORIGIN
    assert answer.headers["access-control-expose-headers"].split(", ") == list(EXPOSED)
    assert answer.headers["x-request-id"]


async def test_without_origins_an_answer_has_no_cors_headers(
    read_settings: ReadSettings, monkeypatch: pytest.MonkeyPatch
):
    async with await client_of(read_settings, monkeypatch, "") as client:
        answer = await client.options("/v1/threads", headers={"origin": ORIGIN, **ASKED})
    assert not [name for name in answer.headers if name.startswith("access-control")]
    assert answer.status_code == 401
