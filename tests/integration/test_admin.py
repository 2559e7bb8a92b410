"""The operator's commands, over the storage of the tests: their JSON output, and their changes."""

import asyncio
import json
import re
import uuid
from collections.abc import Awaitable, Callable, Iterator
from pathlib import Path
from typing import Any, NamedTuple, TypeVar

import pytest

from assistants.admin.__main__ import main
from assistants.engine.items import Purge
from assistants.local.azurite import Storage
from assistants.notify.items import WEBHOOKS
from assistants.schema.runs import RunStatus
from assistants.service import QUEUES
from assistants.settings import settings
from assistants.state.runs import Claim, RunRecord
from assistants.state.store import RunKey, Store
from tests.support.sdk.conversation import WEATHER, call
from tests.support.service.attending import Handlers, ScriptedModel, attend, new_run_on, open_store
from tests.support.storage.stored import left_of, queue_of

T = TypeVar("T")

UNREACHABLE = (
    "DefaultEndpointsProtocol=http;AccountName=a;AccountKey=YQ==;"
    "BlobEndpoint=http://127.0.0.1:1/a;QueueEndpoint=http://127.0.0.1:1/a"
)
PAST = 100_000.0
"""Seconds."""


class Admin(NamedTuple):
    """The command, as an operator runs it beside a service."""

    storage: Storage
    capsys: pytest.CaptureFixture[str]

    def __call__(self, *arguments: str, code: int = 0) -> Any:
        """The command's output."""
        assert main([*arguments, "--json"]) == code, self.capsys.readouterr()
        return json.loads(self.capsys.readouterr().out)

    def fails(self, *arguments: str, code: int = 1) -> str:
        """The message on standard error."""
        assert main([*arguments]) == code
        return self.capsys.readouterr().err

    def beside(self, act: Callable[[Store], Awaitable[T]]) -> T:
        """Call `act` as another process would."""

        async def acted() -> T:
            store = open_store(self.storage)
            try:
                return await act(store)
            finally:
                await store.close()

        return asyncio.run(acted())


@pytest.fixture
def admin(
    idle: Storage, monkeypatch: pytest.MonkeyPatch, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> Iterator[Admin]:
    monkeypatch.chdir(tmp_path)
    for name in ("OPENAI_API_KEY", "OPENAI_BASE_URL", "AZURE_OPENAI_ENDPOINT"):
        monkeypatch.delenv(name, raising=False)
    monkeypatch.setenv("AzureWebJobsStorage", idle.connection_string)
    settings.cache_clear()
    yield Admin(idle, capsys)
    settings.cache_clear()


@pytest.fixture
def project() -> str:
    return uuid.uuid4().hex


async def changed(store: Store, key: RunKey, **fields: Any) -> RunRecord:
    document = await store.runs.change(key.name, lambda run: run.model_copy(update=fields))
    assert document is not None
    return document.value


def new(admin: Admin, project: str, *tools: Any) -> RunKey:
    return admin.beside(lambda store: new_run_on(store, *tools, project=project))


def completed(admin: Admin, key: RunKey) -> None:
    reply = {"text": "In Oslo.", "usage": {"prompt_tokens": 7, "completion_tokens": 3, "total_tokens": 10}}
    admin.beside(lambda store: attend(Handlers(store, ScriptedModel(reply)), store, key))


def stale(admin: Admin, key: RunKey) -> None:
    """Change the run as if no process had attended to it for long."""

    async def act(store: Store) -> None:
        then = store.clock.now() - PAST
        await changed(store, key, touched_at=then, committed=True)

    admin.beside(act)


def test_active_runs_are_listed_and_those_that_have_ended_are_not(admin: Admin, project: str):
    waiting, ended = new(admin, project), new(admin, project)
    completed(admin, ended)
    (row,) = admin("runs", "active", "--project", project)
    assert (row["run"], row["status"], row["note"]) == (waiting.run, "queued", "waits for a driver")
    assert admin("runs", "stuck", "--project", project) == []
    (counted,) = admin("runs", "projects", "--project", project)
    assert counted == {"project": project, "status": "queued", "runs": 1, "stuck": 0}


def test_a_stuck_run_is_found_with_the_reason_and_attended_to_again(admin: Admin, project: str):
    key = new(admin, project)
    stale(admin, key)
    (row,) = admin("runs", "stuck", "--project", project, code=1)
    assert (row["run"], row["note"]) == (key.run, "no process drives it")
    queue_of(admin.storage, "work").clear_messages()
    for _ in range(2):  # a repetition is harmless
        (again,) = admin("runs", "retry", "--stuck", "--project", project)
        assert again["run"] == key.run
    (item, _) = queue_of(admin.storage, "work").receive_messages(messages_per_page=32)
    assert json.loads(item.content)["run"] == key.run

    async def attended(store: Store) -> None:
        await Handlers(store, ScriptedModel({"text": "In Oslo."})).worker.handle(item.content)

    admin.beside(attended)
    assert admin("runs", "active", "--project", project) == []


def test_a_run_is_shown_with_its_history(admin: Admin, project: str):
    key = new(admin, project, WEATHER)
    model = ScriptedModel({"text": "One moment.", "tool_calls": [call("get_weather", "call_w", city="Oslo")]})
    admin.beside(lambda store: attend(Handlers(store, model), store, key))
    shown = admin("runs", "show", key.run, "--project", project)
    assert (shown["project"], shown["run"]["status"], shown["stuck"]) == (project, "requires_action", None)
    events = [each["event"] for each in shown["history"]]
    assert events[:2] == ["created", "started"]
    assert {"turn 1 began", "turn 1 ended", "call call_w", "last write"} <= set(events)
    assert "One moment" not in json.dumps(shown["history"])
    assert shown["trace"] is None
    admin.beside(lambda store: changed(store, key, trace=f"00-{'a1' * 16}-{'b2' * 8}-01"))
    shown = admin("runs", "show", key.run, "--project", project)
    assert shown["trace"] == "a1" * 16
    assert admin("runs", "show", key.run, "--project", project, "--thread", key.thread) == shown
    assert main(["runs", "show", key.run, "--project", project]) == 0
    assert "call_w" in admin.capsys.readouterr().out


def test_a_run_that_no_process_drives_is_ended(admin: Admin, project: str):
    key = new(admin, project)
    (row,) = admin("runs", "fail", key.run, "--project", project, "--reason", "Stopped for maintenance.")
    assert row["status"] == "failed"
    shown = admin("runs", "show", key.run, "--project", project)
    assert shown["run"]["last_error"] == {"code": "server_error", "message": "Stopped for maintenance."}
    assert "has ended: failed" in admin.fails("runs", "fail", key.run, "--project", project)
    assert "has ended: failed" in admin.fails("runs", "retry", key.run, "--project", project)
    assert "There is no run" in admin.fails("runs", "show", "run_none", "--project", project)


def test_a_run_with_a_live_claim_is_left_to_its_driver(admin: Admin, project: str):
    key = new(admin, project)

    async def claim(store: Store) -> None:
        until = store.clock.now() + 30
        await changed(store, key, claim=Claim(token="t", until=until), status=RunStatus.IN_PROGRESS)

    admin.beside(claim)
    assert "driven, claim until" in admin.fails("runs", "fail", key.run, "--project", project)


def test_usage_is_summed_by_day_project_and_model(admin: Admin, project: str):
    for _ in range(2):
        completed(admin, new(admin, project))
    new(admin, project)
    (row,) = admin("usage", "--project", project)
    assert (row["project"], row["model"]) == (project, "demo")
    assert (row["runs"], row["completed"], row["failed"]) == (3, 2, 0)
    assert row["total_tokens"] == row["prompt_tokens"] + row["completion_tokens"] > 0


def test_a_purge_is_dry_until_it_is_confirmed_and_spares_active_runs(admin: Admin):
    async def other_threads(store: Store) -> None:
        async for name in store.threads.names("default/"):
            await store.threads.delete(name)

    admin.beside(other_threads)
    idle_one, busy = new(admin, "default"), new(admin, "default")
    completed(admin, idle_one)
    asked = ("purge", "--older-than", "0", "--project", "default")
    assert admin("purge", "--older-than", "1", "--project", "default", "--yes") == []
    rows = _eventually(lambda: admin(*asked))
    assert [row["thread"] for row in rows] == [idle_one.thread]
    assert left_of(admin.storage, idle_one.thread) != []
    assert [row["thread"] for row in admin(*asked, "--yes")] == [idle_one.thread]
    assert left_of(admin.storage, idle_one.thread) == []
    assert left_of(admin.storage, busy.thread) != []
    assert admin(*asked, "--yes") == []


def _eventually(act: Callable[[], Any]) -> Any:
    """The result of `act`, repeated: times of writes are whole seconds, and the purge deletes only earlier ones."""
    while not (found := act()):
        pass
    return found


def test_poison_items_are_listed_shown_retried_and_dropped(admin: Admin, project: str):
    poison, work = queue_of(admin.storage, "work-poison"), queue_of(admin.storage, "work")
    for queue in (poison, work):
        queue.clear_messages()
    items = [Purge(project=project, thread=f"thread_{number}").model_dump_json() for number in range(3)]
    ids = [poison.send_message(item.encode()).id for item in items]
    assert [row["id"] for row in admin("poison", "list", "--queue", "work")] == ids

    shown = admin("poison", "show", ids[1])
    assert (shown["id"], json.loads(shown["item"])["thread"], shown["queue"]) == (ids[1], "thread_1", "work")
    (retried,) = admin("poison", "retry", ids[1])
    assert (retried["id"], retried["done"]) == (ids[1], "retried")
    (back,) = work.receive_messages()
    assert json.loads(back.content) == json.loads(items[1])
    assert "has the item" in admin.fails("poison", "drop", ids[1])
    assert [row["id"] for row in admin("poison", "drop", "--all", "--queue", "work")] == [ids[0], ids[2]]
    assert admin("poison", "list", "--queue", "work") == []
    assert "Name an item, or --all." in admin.fails("poison", "retry", code=2)


def test_the_doctor_finds_an_account_in_order_and_says_what_is_missing(admin: Admin):
    checks = {row["check"]: row for row in admin("doctor")}
    assert {checks[name]["state"] for name in ("settings", "blobs: read", "blobs: write", "queues: write")} == {"ok"}
    assert (checks["keys"]["state"], checks["keys"]["mend"].partition(",")[0]) == ("warning", "set API_KEYS")
    assert {name for name in checks if name.startswith("queue ")} == {f"queue {name}" for name in (*QUEUES, WEBHOOKS)}
    assert checks["model"]["state"] == "warning"


def test_the_doctor_writes_nothing(admin: Admin):
    admin("doctor")
    assert admin.beside(lambda store: store.threads.read("doctor")) is None


def test_the_doctor_names_a_key_that_the_model_refuses_and_never_shows_it(
    admin: Admin, monkeypatch: pytest.MonkeyPatch
):
    monkeypatch.setenv("OPENAI_BASE_URL", "http://127.0.0.1:1/v1")
    monkeypatch.setenv("OPENAI_API_KEY", "sk-secret")
    settings.cache_clear()
    rows = admin("doctor", code=1)
    (model,) = [row for row in rows if row["check"] == "model"]
    assert (model["state"], model["mend"]) == ("failed", "the base URL and the network")
    assert "sk-secret" not in json.dumps(rows)


@pytest.mark.parametrize(
    ("name", "value", "check"),
    [
        ("LOOK_AGAIN", "0", "settings"),
        ("AzureWebJobsStorage", "DefaultEndpointsProtocol=http", "storage"),
        (
            "AzureWebJobsStorage",
            UNREACHABLE,
            "blobs: read",
        ),
    ],
)
def test_the_doctor_continues_after_a_failed_check(
    admin: Admin, monkeypatch: pytest.MonkeyPatch, name: str, value: str, check: str
):
    monkeypatch.setenv(name, value)
    monkeypatch.setenv("STORAGE_BACKOFF", "0.001")
    settings.cache_clear()
    rows = admin("doctor", code=1)
    assert [row["check"] for row in rows if row["state"] == "failed"] == [check]


def test_a_table_has_no_character_that_a_terminal_obeys(admin: Admin, project: str):
    key = new(admin, project)
    admin("runs", "fail", key.run, "--project", project, "--reason", "red \x1b[31m alert")
    assert main(["runs", "show", key.run, "--project", project]) == 0
    printed = admin.capsys.readouterr().out
    assert "alert" in printed
    assert "\x1b" not in printed


def test_tokens_are_as_good_as_keys_for_the_doctor(admin: Admin, monkeypatch: pytest.MonkeyPatch):
    monkeypatch.setenv("ENTRA_TENANT", tenant := str(uuid.uuid4()))
    monkeypatch.setenv("ENTRA_PROJECTS", "*=default")
    settings.cache_clear()
    (keys,) = [row for row in admin("doctor") if row["check"] == "keys"]
    assert (keys["state"], keys["found"]) == ("ok", f"keys: 0, projects: 1; tokens of the tenant {tenant}")


@pytest.mark.parametrize("command", ["usage", "doctor"])
def test_an_invalid_setting_is_reported_in_one_line(admin: Admin, monkeypatch: pytest.MonkeyPatch, command: str):
    monkeypatch.setenv("RUN_LIFETIME", "900")
    monkeypatch.setenv("AzureFunctionsJobHost__functionTimeout", "00:10:00")
    settings.cache_clear()
    said = "RUN_LIFETIME has to be 10 seconds less than functionTimeout, which is 600"
    if command == "doctor":
        assert admin("doctor", code=1)[0]["found"] == said
    else:
        assert admin.fails("usage") == f"{said}\n"


def test_an_error_of_storage_is_one_line_that_names_the_doctor(admin: Admin, monkeypatch: pytest.MonkeyPatch):
    monkeypatch.setenv(
        "AzureWebJobsStorage", re.sub("AccountKey=[^;]+", "AccountKey=YQ==", admin.storage.connection_string)
    )
    settings.cache_clear()
    (line,) = admin.fails("usage").splitlines()
    assert "Authorization" in line
    assert line.endswith("(python -m assistants.admin doctor proposes corrections)")


def test_without_storage_a_command_says_which_setting_is_missing(admin: Admin, monkeypatch: pytest.MonkeyPatch):
    monkeypatch.delenv("AzureWebJobsStorage")
    settings.cache_clear()
    assert "AzureWebJobsStorage" in admin.fails("usage")
