"""Objects of another service, and a service that imports them."""

import base64
import io
import json
from collections.abc import AsyncIterator, Iterable
from typing import Any

import httpx2
import pytest

from assistants.engine.items import WORK
from assistants.ingestion.items import INGEST
from assistants.local.azurite import Storage
from assistants.migrate.importing import import_lines
from assistants.migrate.lines import read_text
from assistants.migrate.target import Target
from assistants.migrate.told import Report, Told
from assistants.settings import settings
from tests.support.service.attending import ScriptedModel
from tests.support.service.inprocess import InProcess, in_process
from tests.support.storage.stored import queue_of

OLD = 1_700_000_000
THREAD, OTHER = "thread_AbCdEfGhIjKlMnOpQrStUvWx", "thread_zzz-" + "9" * 110
ASSISTANT, RUN = "asst_QrStUvWxYzAbCdEfGhIjKlMn", "run_zYxWvUtSrQpOnMlKjIhGfEdC"


def assistant(identifier: str = ASSISTANT, created: int = OLD, **more: Any) -> dict[str, Any]:
    return {"id": identifier, "object": "assistant", "created_at": created, "model": "gpt-4o", "tools": [], **more}


def thread(identifier: str = THREAD, created: int = OLD, **more: Any) -> dict[str, Any]:
    return {"id": identifier, "object": "thread", "created_at": created, "metadata": {}, "tool_resources": {}, **more}


def message(number: int, identifier: str = THREAD, **more: Any) -> dict[str, Any]:
    text = {"value": f"Text {number}", "annotations": []}
    return {
        "id": f"msg_foreign{number}",
        "object": "thread.message",
        "created_at": OLD + number // 10,
        "thread_id": identifier,
        "role": "assistant" if number % 2 else "user",
        "content": [{"type": "text", "text": text}],
        "status": "completed",
        **more,
    }


def run(identifier: str = RUN, **more: Any) -> dict[str, Any]:
    return {
        "id": identifier,
        "object": "thread.run",
        "created_at": OLD + 5,
        "assistant_id": ASSISTANT,
        "thread_id": THREAD,
        "status": "completed",
        "model": "gpt-4o",
        "completed_at": OLD + 9,
        "usage": {"prompt_tokens": 7, "completion_tokens": 5, "total_tokens": 12},
        **more,
    }


def step(identifier: str = "step_1", **more: Any) -> dict[str, Any]:
    results = [{"file_id": "file-1", "file_name": "a.txt", "score": 0.5, "content": [{"type": "text", "text": "sun"}]}]
    search = {"id": "call_1", "type": "file_search", "file_search": {"results": results}}
    return {
        "id": identifier,
        "object": "thread.run.step",
        "created_at": OLD + 6,
        "run_id": RUN,
        "assistant_id": ASSISTANT,
        "thread_id": THREAD,
        "type": "tool_calls",
        "status": "completed",
        "step_details": {"type": "tool_calls", "tool_calls": [search]},
        **more,
    }


def file(identifier: str, content: bytes | None = None, name: str = "a.txt") -> list[dict[str, Any]]:
    shown = {"id": identifier, "object": "file", "created_at": OLD, "purpose": "assistants", "filename": name}
    shown |= {"bytes": len(content or b"x"), "status": "processed"}
    if content is None:
        return [shown]
    return [shown, {"object": "file.content", "file_id": identifier, "data": base64.b64encode(content).decode()}]


def store(identifier: str = "vs_foreign", **more: Any) -> dict[str, Any]:
    return {"id": identifier, "object": "vector_store", "created_at": OLD, "name": "Old", **more}


def member(identifier: str, store_id: str = "vs_foreign", **more: Any) -> dict[str, Any]:
    return {"id": identifier, "object": "vector_store.file", "created_at": OLD + 1, "vector_store_id": store_id, **more}


def ndjson(objects: Iterable[dict[str, Any]]) -> bytes:
    return b"".join(json.dumps(each).encode() + b"\n" for each in objects)


WHOLE = [thread(), *map(message, range(25)), run(), step()]


@pytest.fixture
async def service(
    idle: Storage, fresh: str, monkeypatch: pytest.MonkeyPatch
) -> AsyncIterator[InProcess[ScriptedModel]]:
    keys = f"key={fresh}+import,other={fresh}2+import,weak={fresh}3"
    monkeypatch.setenv("API_KEYS", keys)
    settings.cache_clear()
    for queue in (WORK, INGEST):  # runs left by other tests would use the model's reply
        queue_of(idle, queue).clear_messages()
    async with in_process(idle, ScriptedModel({"text": "Hello."}), API_KEYS=keys) as running:
        running.client.api_key = "key"
        yield running
    settings.cache_clear()


class Imported:
    """An import into the project of the tests."""

    def __init__(self, service: InProcess[Any], project: str) -> None:
        self._service, self._project = service, project

    async def __call__(self, *objects: dict[str, Any], text: bytes = b"", **how: bool) -> list[Told]:
        told = list[Told]()

        async def tell(each: Told) -> None:
            told.append(each)

        self.report = Report(tell)
        target = Target(self._service.store, self._project, self.report, **how)
        await import_lines(target, read_text(io.BytesIO(text or ndjson(objects)), "x"))
        return [each for each in told if each.object != "export" or self.tells_ends]

    tells_ends = False


@pytest.fixture
def imported(service: InProcess[Any], fresh: str) -> Imported:
    return Imported(service, fresh)


async def asked(
    service: InProcess[Any], method: str, path: str, content: bytes = b"", key: str = "key"
) -> httpx2.Response:
    """The service's answer to a request."""
    transport = httpx2.ASGITransport(app=service.api)
    async with httpx2.AsyncClient(transport=transport, base_url="http://localhost/v1") as client:
        return await client.request(method, path, content=content, headers={"authorization": f"Bearer {key}"})


async def exported(service: InProcess[Any], thread_id: str = THREAD) -> bytes:
    """The thread as NDJSON, after a check that it exists."""
    answer = await asked(service, "GET", f"/threads/{thread_id}/export")
    return answer.content if answer.status_code == 200 else b""


async def completed(service: InProcess[Any], thread_id: str, run_id: str) -> None:
    """Handle the items of the queue, which may have other items, until the run is completed."""
    while (await service.client.beta.threads.runs.retrieve(run_id, thread_id=thread_id)).status != "completed":
        await service.attend()


def why(told: list[Told], result: str = "noted") -> list[str]:
    return [each.why for each in told if each.result == result]
