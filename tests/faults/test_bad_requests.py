"""Malformed and hostile requests: refused with OpenAI's errors, or accepted, and all later requests succeed."""

import json
import re
import socket
from collections import Counter
from collections.abc import AsyncIterator, Iterator, Mapping, Sequence
from typing import Any

import httpx2
import pytest
from openai import OpenAI

from assistants.api import models
from assistants.api.app import create_api
from assistants.local.azurite import Storage
from assistants.model.answers import Chunk
from assistants.settings import settings
from assistants.state.store import RunKey
from tests.support.fuzz.badinput import BadRequests, Got, Sent, ask
from tests.support.fuzz.cases import Fuzz
from tests.support.reference.routes import ROUTES
from tests.support.sdk.client import Error, strict, strict_object
from tests.support.service.attending import ScriptedModel, attend
from tests.support.service.inprocess import InProcess, in_process
from tests.support.service.processes import Service, eventually
from tests.support.service.upstream import Answer, Upstream

CASES = 12
PROXIED = 5
"""Requests of each route; `--fuzz-cases` multiplies them."""

PASSED_ON = [(method, route.path) for route in models.router.routes for method in route.methods]  # type: ignore[reportAttributeAccessIssue]
EVERY = [*((route.method, route.path) for route in ROUTES), *PASSED_ON]

READ: Mapping[str, str] = {
    "assistant": "/assistants/{id}",
    "thread": "/threads/{id}",
    "thread.message": "/threads/{thread_id}/messages/{id}",
    "thread.run": "/threads/{thread_id}/runs/{id}",
    "file": "/files/{id}",
    "vector_store": "/vector_stores/{id}",
    "vector_store.file": "/vector_stores/{vector_store_id}/files/{id}",
    "vector_store.files_batch": "/vector_stores/{vector_store_id}/file_batches/{id}",
}
"""The paths of objects."""


class Echo(ScriptedModel):
    """Answers every valid request."""

    async def stream(self, body: dict[str, Any]) -> AsyncIterator[Chunk]:
        json.dumps(body, ensure_ascii=False, allow_nan=False).encode()
        yield {"choices": [{"index": 0, "delta": {"content": "Done."}, "finish_reason": "stop"}]}


class World:
    """A service with an object of each kind; every accepted object is used."""

    def __init__(self, running: InProcess, ids: Mapping[str, str]) -> None:
        self._running, self.ids = running, ids

    @classmethod
    async def made(cls, running: InProcess) -> "World":
        client = running.client
        assistant = await client.beta.assistants.create(model="m")
        thread = await client.beta.threads.create()
        message = await client.beta.threads.messages.create(thread.id, role="user", content="Hello")
        file = await client.files.create(file=("hello.txt", b"Hello"), purpose="assistants")
        upload = await client.uploads.create(filename="a.txt", purpose="vision", bytes=1, mime_type="text/plain")
        store = await client.vector_stores.create()
        batch = await client.vector_stores.file_batches.create(store.id, file_ids=[file.id])
        ids = {
            "assistant_id": assistant.id, "thread_id": thread.id, "message_id": message.id, "file_id": file.id,
            "upload_id": upload.id, "vector_store_id": store.id, "batch_id": batch.id, "step_id": "step_1",
            "model": "m", "response_id": "resp_1",
        }  # fmt: skip
        made = cls(running, ids)
        run = await made.run(thread.id)
        return cls(running, {**ids, "run_id": run["id"]})

    async def ask(self, sent: Sent) -> Got:
        got = await ask(self._running.api, sent)
        payload = checked(sent, got)
        if sent.method == "POST" and got.status == 200 and payload is not None:
            await self._use(payload)
        return got

    async def run(self, thread_id: str, assistant_id: str = "") -> dict[str, Any]:
        """A run that has ended."""
        body = {"assistant_id": assistant_id or self.ids["assistant_id"], "instructions": "Be brief."}
        run = await self._post(f"/threads/{thread_id}/runs", body)
        return await self._ended(run)

    async def every_list(self) -> None:
        for route in ROUTES:
            if route.lists:
                await self._get(route.path.format_map(self.ids) + "?limit=100")

    async def _use(self, payload: dict[str, Any]) -> None:
        kind = str(payload.get("object"))
        if kind == "thread.run":
            payload = await self._ended(payload)
        elif kind == "assistant":
            await self.run((await self._post("/threads", {}))["id"], payload["id"])
        elif kind == "thread" and payload["id"] != self.ids["thread_id"]:
            await self.run(payload["id"])
        if kind in READ and payload["id"] not in self.ids.values():
            assert await self._get(READ[kind].format_map(payload)) == payload

    async def _ended(self, run: dict[str, Any]) -> dict[str, Any]:
        key = RunKey("default", run["thread_id"], run["id"])
        await attend(self._running, self._running.store, key)
        ended = await self._get(READ["thread.run"].format_map(run))
        assert ended["status"] in ("completed", "incomplete"), ended["last_error"]
        return ended

    async def _get(self, path: str) -> dict[str, Any]:
        return await self._sure(Sent("GET", f"/v1{path}".encode(), (), b""))

    async def _post(self, path: str, body: object) -> dict[str, Any]:
        return await self._sure(Sent("POST", f"/v1{path}".encode(), (), json.dumps(body).encode()))

    async def _sure(self, sent: Sent) -> dict[str, Any]:
        got = await ask(self._running.api, sent)
        assert got.status == 200, (str(sent), got)
        return checked(sent, got) or {}


def checked(sent: Sent, got: Got) -> dict[str, Any] | None:
    """The JSON of an answer, checked against the SDK's type; None if it is v1's, a stream, or a file."""
    assert got.status < 500
    if got.status >= 400:
        error = json.loads(got.body)
        if not (sent.target.startswith(b"/openai") and error["error"].keys() == {"code", "message"}):
            strict(Error, error)
        return None
    if not got.headers[b"content-type"].startswith(b"application/json"):
        return None
    payload = json.loads(got.body)
    json.dumps(payload, ensure_ascii=False, allow_nan=False).encode()
    if "object" not in payload or any(b"v1" in value for name, value in sent.headers if name == b"openai-beta"):
        return None
    strict_object(payload)
    return payload


@pytest.fixture
def upstream(monkeypatch: pytest.MonkeyPatch) -> Iterator[Upstream]:
    """The model's endpoint, and the proxy's upstream, which accepts every request."""
    with Upstream() as running:
        running.answer = Answer([b"{}"])
        monkeypatch.setenv("OPENAI_BASE_URL", running.url)
        monkeypatch.setenv("OPENAI_API_KEY", "test")
        monkeypatch.setenv("PROXY_BASE_URL", running.url)
        settings.cache_clear()
        yield running
    settings.cache_clear()


async def test_no_request_breaks_the_service(idle: Storage, upstream: Upstream, fuzz: Fuzz):
    async with in_process(idle, Echo()) as running:
        world = await World.made(running)
        answers: Counter[int] = Counter()
        for method, path in EVERY:
            for case in fuzz.cases(f"{method} {path}", CASES):
                sent = BadRequests(method, path, world.ids, case.rng).one()
                with case.shown(sent):
                    answers[(await world.ask(sent)).status] += 1
        await world.run(world.ids["thread_id"])
        await world.every_list()
    print(f"{sum(answers.values())} requests to {len(EVERY)} routes, answered {dict(sorted(answers.items()))}")


RAW: Sequence[tuple[bytes, bytes]] = (
    (b"GET http://elsewhere/v1/assistants HTTP/1.1", b""),
    (b"GET * HTTP/1.1", b""),
    (b"CONNECT elsewhere:1 HTTP/1.1", b""),
    (b"BREW /v1/assistants HTTP/1.1", b""),
    (b"GET /v1/assistants/%00%ff HTTP/1.1", b""),
    (b"GET /v1/" + b"a" * 60_000 + b" HTTP/1.1", b""),
    (b"GET /v1/assistants HTTP/1.1", b"openai-beta: \xff\x01\r\n"),
    (b"POST /v1/threads HTTP/1.1", b"transfer-encoding: chunked\r\n\r\n1\r\n{\r\n0\r\n"),
    (b"POST /v1/files HTTP/1.1", b"content-type: multipart/form-data; boundary=b\r\ncontent-length: 5\r\n\r\n--b--"),
)
"""The request line, and the rest after the common headers."""


@pytest.mark.parametrize(("line", "rest"), RAW, ids=[str(line[:40]) for line, _ in RAW])
def test_a_bad_request_that_the_server_passes_on_gets_openais_error(service: Service, line: bytes, rest: bytes):
    got = sent_raw(service, line + b"\r\nhost: x\r\nconnection: close\r\n" + rest + b"\r\n")
    head, _, body = got.partition(b"\r\n\r\n")
    assert 400 <= int(head.split()[1]) < 500
    strict(Error, json.loads(body))


def test_an_upload_that_breaks_off_has_no_effect(service: Service, client: OpenAI):
    known = len(service.lines)
    part = b'--b\r\ncontent-disposition: form-data; name="file"\r\n\r\nHel'
    form = b"content-type: multipart/form-data; boundary=b\r\ncontent-length: 999\r\n\r\n"
    sent_raw(service, b"POST /v1/files HTTP/1.1\r\nhost: x\r\n" + form + part, wait=False)
    eventually(lambda: any("the client disconnected" in line for line in service.lines[known:]))
    client.files.list()
    assert not [line for line in service.lines[known:] if " ERROR " in line]


def sent_raw(service: Service, content: bytes, wait: bool = True) -> bytes:
    url = httpx2.URL(service.url)
    with socket.create_connection((url.host, url.port or 80), timeout=10) as connection:
        connection.sendall(content)
        return b"".join(iter(lambda: connection.recv(65_536), b"")) if wait else b""


async def test_no_request_breaks_a_proxy(upstream: Upstream, monkeypatch: pytest.MonkeyPatch, fuzz: Fuzz):
    monkeypatch.setenv("BACKEND", "proxy")
    settings.cache_clear()
    api, answers = create_api(), Counter[int]()
    api.state.loopback = True
    ids = {name: f"{name}_1" for _, path in EVERY for name in re.findall(r"{(\w+)}", path)}
    for method, path in EVERY:
        for case in fuzz.cases(f"{method} {path}", PROXIED):
            sent = BadRequests(method, path, ids, case.rng).one()
            with case.shown(sent):
                got = await ask(api, sent)
                assert got.status < 500
                answers[got.status] += 1
    report = await ask(api, Sent("GET", b"/proxy/report", (), b""))
    await api.state.backend.close()
    assert json.loads(report.body)["calls"] > answers[200] / 2
    print(f"{sum(answers.values())} requests through a proxy, answered {dict(sorted(answers.items()))}")
