"""/health and /health/ready: without a key, and without the reason of a failure."""

from collections.abc import AsyncIterator

import httpx2
import pytest

from assistants.api.health import Readiness
from assistants.local.azurite import Storage
from tests.support.service.attending import ScriptedModel
from tests.support.service.inprocess import InProcess, in_process


@pytest.fixture
async def service(azurite: Storage) -> AsyncIterator[InProcess[ScriptedModel]]:
    async with in_process(azurite, ScriptedModel()) as service:
        service.api.state.loopback = False  # keys would be needed
        yield service


async def get(service: InProcess[ScriptedModel], path: str) -> httpx2.Response:
    transport = httpx2.ASGITransport(app=service.api)
    async with httpx2.AsyncClient(transport=transport, base_url="http://localhost") as http:
        return await http.get(path)


async def test_the_process_answers_without_a_key(service: InProcess[ScriptedModel]):
    answer = await get(service, "/health")
    assert (answer.status_code, answer.json()) == (200, {"status": "ok"})
    assert (await get(service, "/v1/assistants")).status_code == 401


async def test_it_is_ready_when_its_storage_can_be_reached(service: InProcess[ScriptedModel]):
    answer = await get(service, "/health/ready")
    assert (answer.status_code, answer.json()) == (200, {"status": "ok", "checks": {"storage": "ok"}})
    assert answer.headers["cache-control"] == "no-store"


async def test_a_part_that_fails_is_named_and_its_reason_is_not(service: InProcess[ScriptedModel]):
    async def fails() -> None:
        raise ConnectionError("https://secret.example/?sig=secret")

    async def works() -> None: ...

    service.api.state.readiness = Readiness({"storage": works, "model": fails})
    answer = await get(service, "/health/ready")
    assert answer.status_code == 503
    assert answer.json() == {"status": "unavailable", "checks": {"storage": "ok", "model": "unreachable"}}


async def test_a_part_is_checked_once_for_many_requests():
    tried = list[int]()

    async def check() -> None:
        tried.append(1)

    readiness = Readiness({"storage": check})
    for _ in range(20):
        assert await readiness.parts() == {"storage": True}
    assert tried == [1]


@pytest.mark.parametrize(("status", "reached"), [(200, True), (404, True), (401, False), (503, False)])
async def test_a_model_that_answers_and_accepts_the_key_is_reachable(
    monkeypatch: pytest.MonkeyPatch, status: int, reached: bool
):
    from assistants.api import backend
    from assistants.model.endpoint import Endpoint
    from assistants.settings import Settings

    settings = Settings.model_validate({"OPENAI_API_KEY": "sk-key"})
    endpoint = Endpoint(settings, httpx2.MockTransport(lambda _: httpx2.Response(status, json={})))
    monkeypatch.setattr(backend, "endpoint", lambda: endpoint)
    checks = backend.Blob(settings).checks
    assert set(checks) == {"storage", "model"}
    assert await Readiness({"model": checks["model"]}).parts() == {"model": reached}
    await endpoint.close()
