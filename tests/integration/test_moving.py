"""A project moves to another instance: exported over HTTP, imported into another account, killed in between."""

import asyncio
import json
import re
import time
from collections.abc import AsyncIterator, Iterator
from dataclasses import replace
from pathlib import Path
from typing import Any

import httpx2
import pytest
from azure.core.credentials import AccessToken
from openai import AsyncOpenAI

from assistants.ingestion.items import INGEST
from assistants.local.azurite import Azurite, Storage
from assistants.migrate.__main__ import ids_in, main
from assistants.migrate.folder import KINDS, Folder, Progress
from assistants.migrate.importing import import_lines
from assistants.migrate.lines import raw_line, read
from assistants.migrate.remote import Export
from assistants.migrate.sending import send
from assistants.migrate.source import Credentials, Refused, Source
from assistants.migrate.stored import export_project
from assistants.migrate.target import Target
from assistants.migrate.told import Report, Told
from assistants.settings import settings
from assistants.state.store import Store
from tests.support.service.attending import ScriptedModel, open_store
from tests.support.service.inprocess import InProcess, in_process
from tests.support.storage.calls import tapped

THREADS = 5


class Killed(BaseException):
    """The simulated end of the process."""


@pytest.fixture(scope="module")
def accounts(tmp_path_factory: pytest.TempPathFactory) -> Iterator[tuple[Storage, Storage]]:
    """Two accounts, on which only services of this module run."""
    with Azurite(tmp_path_factory.mktemp("moving"), accounts=("one", "other")) as storage:
        yield replace(storage, account="one"), replace(storage, account="other")


@pytest.fixture(autouse=True)
def keys(fresh: str, monkeypatch: pytest.MonkeyPatch) -> Iterator[str]:
    monkeypatch.setenv("API_KEYS", f"key={fresh}+import")
    settings.cache_clear()
    yield f"key={fresh}+import"
    settings.cache_clear()


@pytest.fixture
async def service(accounts: tuple[Storage, Storage], keys: str) -> AsyncIterator[InProcess[Any]]:
    replies = [{"text": f"Answer {number}"} for number in range(THREADS)]
    async with in_process(accounts[0], ScriptedModel(*replies), RUNS_DRIVEN_BY="creator", API_KEYS=keys) as running:
        running.client.api_key = "key"
        yield running


async def filled(client: AsyncOpenAI) -> None:
    """Fill a project with objects of every kind."""
    file = await client.files.create(file=("a.txt", b"It is sunny in Oslo."), purpose="assistants")
    store = await client.vector_stores.create(name="Weather")
    await client.vector_stores.files.create(store.id, file_id=file.id, attributes={"city": "Oslo"})
    made = await client.beta.assistants.create(
        model="demo", tools=[{"type": "file_search"}], tool_resources={"file_search": {"vector_store_ids": [store.id]}}
    )
    for number in range(THREADS):
        thread = await client.beta.threads.create(messages=[{"role": "user", "content": f"Question {number}"}])
        await client.beta.threads.runs.create_and_poll(thread_id=thread.id, assistant_id=made.id, poll_interval_ms=5)


def source(service: InProcess[Any], kill_at: int = 0) -> Source:
    """The service as the source of an export; the request with that number kills the exporter."""
    number, asgi = 0, httpx2.ASGITransport(app=service.api)

    async def handle(request: httpx2.Request) -> httpx2.Response:
        nonlocal number
        number += 1
        if number == kill_at:
            raise Killed
        return await asgi.handle_async_request(request)

    return Source("http://localhost/v1", Credentials("key"), transport=httpx2.MockTransport(handle))


async def export(service: InProcess[Any], place: Path, kill_at: int = 0) -> None:
    await Export(source(service, kill_at), Folder(place, "test"), lambda _: None).run()


def contents(place: Path) -> dict[str, bytes]:
    files = {path.relative_to(place).as_posix(): path for path in place.rglob("*") if path.is_file()}
    return {name: path.read_bytes() for name, path in files.items() if path.suffix != ".state"}


async def fill(store: Store, project: str, place: Path) -> None:
    async def tell(told: Told) -> None:
        assert told.result in ("imported", "there"), told

    await import_lines(Target(store, project, Report(tell)), read(place), place)


async def test_a_project_moves_with_its_ids_however_often_it_is_killed(
    service: InProcess[Any], accounts: tuple[Storage, Storage], keys: str, fresh: str, tmp_path: Path
):
    await filled(service.client)
    while await _in_progress(service.client):
        await service.attend(INGEST)
    await export(service, tmp_path / "whole")
    whole = contents(tmp_path / "whole")
    assert [whole[f"{kind}.ndjson"].count(b"\n") for kind in KINDS] == [1, 1, 2, 6 * THREADS]

    for kill_at in range(1, 40, 4):
        with pytest.raises(Killed):
            await export(service, tmp_path / "killed", kill_at)
        if kill_at > 12:
            break
    await export(service, tmp_path / "killed")
    assert contents(tmp_path / "killed") == whole

    await service.store.hear_time()
    stored = Folder(tmp_path / "stored", "storage")
    await export_project(service.store, fresh, stored, lambda _: None)
    assert contents(tmp_path / "stored") == whole

    async with in_process(accounts[1], ScriptedModel(), API_KEYS=keys) as other:
        other.client.api_key = "key"
        threads = [
            json.loads(line)["id"] for line in whole["threads.ndjson"].splitlines() if b'"object":"thread",' in line
        ]
        kills, done = 0, False
        while not done:
            left = [3 * kills + 2]

            async def around(request: Any, send: Any, left: list[int] = left) -> Any:
                left[0] -= 1
                if left[0] <= 0:
                    raise Killed
                return await send()

            killed = open_store(accounts[1], tapped(around))
            try:
                await fill(killed, fresh, tmp_path / "whole")
                done = True
            except Killed:
                kills += 1
            finally:
                await killed.close()
            await _whole_or_not_there(other, whole, threads)
        assert kills >= 10
        while await _in_progress(other.client):
            await other.attend(INGEST)
        again = Folder(tmp_path / "again", "storage")
        await export_project(other.store, fresh, again, lambda _: None)
        assert contents(tmp_path / "again") == whole

        (store,) = (await other.client.vector_stores.list()).data
        found = await other.client.vector_stores.search(store.id, query="Where is it sunny?")
        assert found.data[0].attributes == {"city": "Oslo"}
        assert [each["id"] for each in await listed(other, "/threads?order=asc")] == threads
        (file,) = (await other.client.files.list()).data
        assert (await other.client.files.content(file.id)).content == b"It is sunny in Oslo."


async def listed(service: InProcess[Any], path: str) -> list[dict[str, Any]]:
    answer = await source(service).get(path.partition("?")[0], order="asc")
    return answer["data"]


async def _in_progress(client: AsyncOpenAI) -> int:
    (store,) = (await client.vector_stores.list()).data
    return store.file_counts.in_progress


async def _whole_or_not_there(service: InProcess[Any], whole: dict[str, bytes], threads: list[str]) -> None:
    """Check that each thread exists with all of its objects, or not at all."""
    there = {each["id"] for each in await listed(service, "/threads")}
    for thread in threads:
        answer = await source(service)._client.get(
            f"http://localhost/v1/threads/{thread}/export", headers={"authorization": "Bearer key"}
        )
        # A write that was in progress may arrive between the two requests.
        if thread in there or answer.status_code == 200:
            assert answer.content in whole["threads.ndjson"]
            assert answer.content.count(b"\n") == 6
        else:
            assert answer.status_code == 404


async def test_a_folder_is_sent_to_a_running_service(service: InProcess[Any], tmp_path: Path):
    content = bytes(range(256)) * 20_000
    (tmp_path / "contents").mkdir()
    (tmp_path / "contents" / "file-1.bin").write_bytes(content)
    file = {"id": "file-1", "object": "file", "created_at": 1_700_000_000, "bytes": len(content)}
    (tmp_path / "files.json").write_text(json.dumps([file | {"filename": "a.bin", "purpose": "user_data"}], indent=1))
    transport = httpx2.ASGITransport(app=service.api)
    told = [each async for each in send(tmp_path, "http://localhost/v1/", "key", transport, overwrite=True)]
    assert told[0] == Told("imported", "file", "file-1", "line:1")
    assert told[1] == {"object": "import", "status": "completed", "counts": {"file": {"imported": 1}}}
    assert (await service.client.files.content("file-1")).content == content
    with pytest.raises(httpx2.HTTPStatusError, match="401"):
        await anext(send(tmp_path, "http://localhost/v1/", "other", transport))


async def test_an_entra_token_is_sent_and_renewed(monkeypatch: pytest.MonkeyPatch, tmp_path: Path):
    asked = list[str]()

    class Credential:
        async def get_token(self, scope: str) -> AccessToken:
            asked.append(scope)
            return AccessToken(f"token {len(asked)}", int(time.time()) + (10 if len(asked) == 1 else 3600))

        async def close(self) -> None: ...

    monkeypatch.setattr("assistants.migrate.source.identity", lambda _: Credential())
    server, credentials = Server(), Credentials(None, "scope")
    source = Source("https://x/v1", credentials, transport=httpx2.MockTransport(server))
    for _ in range(3):
        await source.get("/threads")
    await source.close()
    assert asked == ["scope", "scope"]
    sent = [request.headers["authorization"] for request in server.asked]
    assert sent == ["Bearer token 1", "Bearer token 2", "Bearer token 2"]


class Server:
    """Another server, whose answers a test sets, one for each request of a path."""

    def __init__(self) -> None:
        self.answers: dict[str, list[httpx2.Response]] = {}
        self.asked: list[httpx2.Request] = []

    def __call__(self, request: httpx2.Request) -> httpx2.Response:
        self.asked.append(request)
        path = request.url.path.removeprefix("/api/projects/p").removeprefix("/v1")
        if self.answers.get(path):
            return self.answers[path].pop(0)
        if re.fullmatch("/(assistants|files|vector_stores|threads)|/threads/[^/]+/(messages|runs)", path):
            return page()
        return httpx2.Response(404, json={"error": {"message": f"No {path}"}})

    def source(self, key: str | None = "key", **more: Any) -> Source:
        url = "https://x.services.ai.azure.com/api/projects/p?api-version=v1"
        return Source(url, Credentials(key), transport=httpx2.MockTransport(self), **more)


def page(*objects: dict[str, Any], more: bool = False) -> httpx2.Response:
    return httpx2.Response(200, json={"object": "list", "data": list(objects), "has_more": more})


@pytest.fixture
def pauses(monkeypatch: pytest.MonkeyPatch) -> list[float]:
    """The pauses between requests, which are recorded instead of waited for."""
    found = list[float]()

    async def sleep(seconds: float) -> None:
        found.append(seconds)

    monkeypatch.setattr(asyncio, "sleep", sleep)
    return found


async def test_a_request_is_repeated_at_the_time_that_the_server_names(pauses: list[float], tmp_path: Path):
    server = Server()
    assistant = {"id": "asst_1", "object": "assistant", "created_at": 5, "unknown": {"kept": "é"}}
    busy = httpx2.Response(429, headers={"retry-after": "17"}), httpx2.Response(503)
    server.answers["/assistants"] = [*busy, page(assistant, more=True), page(assistant | {"id": "asst_2"})]
    await Export(server.source(), Folder(tmp_path, "x"), lambda _: None).run()
    assert pauses[0] == 17
    assert 0 < pauses[1] < 2
    lines = (tmp_path / "assistants.ndjson").read_text().splitlines()
    assert [json.loads(each) for each in lines] == [assistant, assistant | {"id": "asst_2"}]
    first, last = server.asked[0], server.asked[3]
    assert (first.url.params["api-version"], first.headers["api-key"], last.url.params["after"]) == (
        "v1", "key", "asst_1",
    )  # fmt: skip


async def test_an_object_that_could_not_be_exported_is_recorded_with_the_reason(pauses: list[float], tmp_path: Path):
    server, told, folder = Server(), list[Progress](), Folder(tmp_path, "x")
    server.answers["/files"] = [page({"id": "file-1", "created_at": 1}, {"id": "../file", "created_at": 1})]
    server.answers["/threads"] = [httpx2.Response(405, json={"error": {"message": "No list"}})]
    await Export(server.source(), folder, told.append).run()
    assert folder.missing == [
        "file.content file-1: 404 No /files/file-1/content",
        "file.content '../file': its id is no name of a file",
        "threads *: 405 No list Name a file with the ids of threads by --threads.",
    ]

    server.answers["/threads/thread_1"] = [httpx2.Response(200, json={"id": "thread_1", "created_at": 7})]
    server.answers["/threads/thread_1/messages"] = [page({"id": "msg_1"})]
    again = Folder(tmp_path, "x")
    await Export(server.source(), again, told.append, threads=["thread_0", "thread_1"]).run()
    assert again.missing == [*folder.missing[:2], "thread thread_0: 404 No /threads/thread_0"]
    assert (tmp_path / "threads.ndjson").read_text().count("\n") == 3


async def test_an_object_that_could_not_be_exported_is_requested_again(pauses: list[float], tmp_path: Path):
    server, thread = Server(), {"id": "thread_1", "object": "thread", "created_at": 7}
    message = {"id": "msg_1", "object": "thread.message", "thread_id": "thread_1"}
    server.answers["/threads"] = [page(thread)]
    server.answers["/threads/thread_1/messages"] = [httpx2.Response(500)] * 10
    server.answers["/files"] = [page({"id": "file-1", "object": "file", "created_at": 1})]
    folder = Folder(tmp_path, "x")
    await Export(server.source(), folder, lambda _: None).run()
    assert folder.missing == ["file.content file-1: 404 No /files/file-1/content", "thread.message of thread_1: 500"]
    assert b"export" not in (tmp_path / "threads.ndjson").read_bytes()

    server.answers |= {"/threads/thread_1": [httpx2.Response(200, json=thread)]}
    server.answers |= {"/threads/thread_1/messages": [page(message)]}
    server.answers |= {"/files/file-1/content": [httpx2.Response(200, content=b"late")]}
    again = Folder(tmp_path, "x")
    await Export(server.source(), again, lambda _: None).run()
    assert again.missing == []
    assert again.complete
    assert (tmp_path / "missing.txt").read_text() == ""
    assert (tmp_path / "contents" / "file-1").read_bytes() == b"late"
    kinds = [json.loads(each)["object"] for each in (tmp_path / "threads.ndjson").read_bytes().splitlines()]
    assert kinds == ["thread", "thread", "thread.message", "export"]


async def test_an_export_continues_after_its_last_object_was_deleted(pauses: list[float], tmp_path: Path):
    shown = [{"id": f"asst_{number}", "object": "assistant", "created_at": number} for number in range(4)]
    folder = Folder(tmp_path, "x")
    folder.write("assistants", [raw_line(each) for each in shown[:2]], 2, 2, "asst_1")
    server = Server()
    server.answers["/assistants"] = [httpx2.Response(404), page(shown[0], *shown[2:])]
    await Export(server.source(), Folder(tmp_path, "x"), lambda _: None).run()
    assert [request.url.params.get("after") for request in server.asked[:2]] == ["asst_1", None]
    assert (tmp_path / "assistants.ndjson").read_bytes() == b"".join(map(raw_line, shown))


async def test_ids_that_are_added_to_a_file_of_threads_are_read_later(pauses: list[float], tmp_path: Path):
    server, told = Server(), list[Progress]()
    for number in (1, 2, 3):
        shown = {"id": f"thread_{number}", "object": "thread", "created_at": number}
        server.answers[f"/threads/thread_{number}"] = [httpx2.Response(200, json=shown)]
    for ids in (["thread_1", "thread_3"], ["thread_1", "thread_2", "thread_3"]):
        await Export(server.source(), Folder(tmp_path, "x"), told.append, threads=ids).run()
    assert Folder(tmp_path, "x").ids("threads") == {"thread_1", "thread_2", "thread_3"}
    assert [(each.read, each.total) for each in told if each.kind == "threads"] == [(2, 2), (3, 3)]


async def test_totals_are_known_as_soon_as_a_list_is_read(pauses: list[float], tmp_path: Path):
    server, told = Server(), list[Progress]()
    server.answers["/threads"] = [
        page(*({"id": f"thread_{part}{number}"} for number in range(20)), more=part == "a") for part in "ab"
    ]
    await Export(server.source(), Folder(tmp_path, "x"), told.append).run()
    of_threads = [(each.read, each.total, each.objects) for each in told if each.kind == "threads"]
    assert of_threads == [
        (0, None, 20), (0, None, 40), (0, 40, 0), (16, 40, 16), (32, 40, 32), (40, 40, 40)
    ]  # fmt: skip


def test_an_export_into_a_damaged_folder_continues(tmp_path: Path):
    folder = Folder(tmp_path, "x")
    folder.write("threads", [b'{"object":"thread","id":"thread_1"}\n'], 1, 1, "thread_1")
    folder.write("assistants", [b"{}\n"], 1, 1, "asst_1")
    with (tmp_path / "threads.ndjson").open("ab") as file:
        file.write(b'{"object":"thread","id":"thr')  # killed while it was written
    (tmp_path / "assistants.ndjson").unlink()
    (tmp_path / "export.state.part").write_bytes(b"{")
    again = Folder(tmp_path, "x")
    assert (again.done("threads").after, again.done("assistants").after) == ("thread_1", None)
    assert again.ids("threads") == {"thread_1"}
    assert (tmp_path / "assistants.ndjson").read_bytes() == b""


async def test_only_objects_created_since_a_time_are_exported(pauses: list[float], tmp_path: Path):
    server = Server()
    server.answers["/assistants"] = [page({"id": "asst_1", "created_at": 1}, {"id": "asst_2", "created_at": 2})]
    folder = Folder(tmp_path, "x")
    await Export(server.source(project="proj"), folder, lambda _: None, since=2).run()
    assert folder.done("assistants").objects == 1
    assert server.asked[0].headers["openai-project"] == "proj"
    with pytest.raises(ValueError, match="name another folder"):
        Folder(tmp_path, "y")


@pytest.mark.parametrize("status", [401, 403])
async def test_credentials_that_are_not_accepted_stop_an_export(pauses: list[float], tmp_path: Path, status: int):
    server = Server()
    server.answers["/files"] = [httpx2.Response(status, text="no")]
    with pytest.raises(Refused, match=f"{status} no"):
        await Export(server.source(), Folder(tmp_path, "x"), lambda _: None).run()
    assert len(server.asked) == 2


@pytest.mark.parametrize(
    "text",
    [
        "thread_1\nthread_2\n", "\ufeffthread_1,\r\n\"thread_2\"\n", '["thread_1", "thread_2"]',
        '[\n"thread_1",\n"thread_2"]', '{"id": "thread_1"}\n{"id": "thread_2"}\n{}',
        '{"object": "list", "data": [{"id": "thread_1"}, {"id": "thread_2"}]}',
    ],
)  # fmt: skip
def test_ids_of_threads_may_have_any_form(text: str, tmp_path: Path):
    (tmp_path / "ids").write_text(text, encoding="utf-8")
    assert ids_in(str(tmp_path / "ids")) == ["thread_1", "thread_2"]


def test_the_commands_export_and_import(
    accounts: tuple[Storage, Storage],
    fresh: str,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
):
    monkeypatch.setenv("AzureWebJobsStorage", accounts[0].connection_string)
    settings.cache_clear()
    (tmp_path / "in.ndjson").write_text(
        '{"object": "assistant", "id": "asst_1", "created_at": 1700000000, "model": "m"}\n{}'
    )
    how = ["import", str(tmp_path / "in.ndjson"), "--project", fresh]
    assert main([*how, "--dry-run"]) == 1
    assert "in.ndjson:2" in capsys.readouterr().out
    assert main(how) == 1
    assert json.loads(capsys.readouterr().out.partition("\n")[2])["assistant"] == {"imported": 1}
    assert main(["export", str(tmp_path / "out"), "--project", fresh, "--since", "2020-01-01"]) == 0
    assert "assistants.ndjson: 1 objects\n" in capsys.readouterr().out
    assert main(["export", str(tmp_path / "none"), "--project", fresh, "--since", "2024-01-01"]) == 0
    assert "assistants.ndjson: 0 objects\n" in capsys.readouterr().out
    assert main(["export", str(tmp_path / "none"), "--project", fresh, "--since", "2024-01-01"]) == 0
    assert "complete: for what is newer, name another folder" in capsys.readouterr().out
    assert main(["export", str(tmp_path / "none"), "--since", "yesterday"]) == 2
    assert "yesterday is no date" in capsys.readouterr().err
    assert main(["import", str(tmp_path / "missing")]) == 2
