"""The engine over a pool of dynamic sessions: refusals, lost answers, lost sessions, and its requests."""

import asyncio
from collections.abc import AsyncIterator
from types import SimpleNamespace

import httpx2
import pytest
from azure.core.exceptions import ClientAuthenticationError

from assistants.local.azurite import Storage
from assistants.state.store import RunKey
from assistants.storage.transport import Transport
from assistants.tools.code_interpreter import notices
from assistants.tools.code_interpreter.engine import (
    EngineBusy,
    EngineFailed,
    InputFile,
    OutcomeLost,
)
from assistants.tools.code_interpreter.interpreter import Interpreter
from assistants.tools.code_interpreter.local.availability import available
from assistants.tools.code_interpreter.sessions import host, pool
from assistants.tools.code_interpreter.sessions.host import Sessions
from tests.support.interpreter.pool import TOKEN, VERSION, FakePool, Fault, served_pool
from tests.support.interpreter.talk import SESSION, Talk, content, file, printed
from tests.support.service.attending import ScriptedModel, answer, attend
from tests.support.service.inprocess import in_process

pytestmark = pytest.mark.skipif(bool(available()), reason=str(available()))

COUNT = "open('/tmp/count', 'a').write('x'); len(open('/tmp/count').read())"
"""Code whose value is the number of its executions."""

Served = tuple[FakePool, Talk]


@pytest.fixture
async def served(monkeypatch: pytest.MonkeyPatch) -> AsyncIterator[Served]:
    monkeypatch.setattr(pool, "_WAITS", (0.0, 0.0, None))
    async with served_pool() as (fake, engine):
        yield fake, Talk(engine)


async def test_a_warm_call_is_one_request(served: Served):
    fake, talk = served
    await talk.say("x = 1", [file("file-abc", "in.txt", b"in")])
    assert fake.asked == ["POST files 200", "POST executions 200"]
    fake.asked.clear()
    assert printed(await talk.say("x", [file("file-abc", "in.txt", b"in")])) == "1\n"
    assert fake.asked == ["POST executions 200"]


async def test_a_report_that_is_too_long_for_stdout_is_read_from_a_file(served: Served):
    fake, talk = served
    fake.wrapped = True  # this form truncates at 4,096 characters
    text = printed(await talk.say("print('begin', 'é' * 50_000, 'end')"))
    assert text == f"begin {'é' * 50_000} end\n"
    assert fake.asked == ["POST executions 400", "POST executions 200", "GET files/output-*-report/content 200"]
    fake.asked.clear()
    assert printed(await talk.say("1")) == "1\n"
    assert fake.asked == ["POST executions 200"]


async def test_the_models_names_of_files_never_reach_the_pool(served: Served):
    _, talk = served
    name = "Übersicht (1) & ; $x.csv"
    execution = await talk.say(f"open({name!r}).read(), open('ö ö', 'w').write('o')", [file("file-abc", name, b"1,2")])
    assert printed(execution) == "('1,2', 1)\n"
    assert [(output.name, await content(output)) for output in execution.files] == [("ö ö", b"o")]


async def test_a_lost_session_gets_its_files_back_and_the_model_learns_of_the_loss(served: Served):
    fake, talk = served
    given = [file("file-abc", "in.txt", b"in")]
    await talk.say("x = 1", given)
    await fake.lose(SESSION)
    fake.asked.clear()
    execution = await talk.say("print(open('in.txt').read())\nx", given)
    assert printed(execution).startswith("in\n")
    assert "NameError" in printed(execution)
    assert execution.notices == [notices.ALL_LOST]
    assert fake.asked == ["POST executions 200", "POST files 200", "POST executions 200"]


async def test_another_process_uses_the_same_session(served: Served):
    _, talk = served
    await talk.say("x = 1")
    assert isinstance(talk.engine, Sessions)
    other = Talk(Sessions(talk.engine._settings))
    other.last = talk.last
    assert printed(await other.say("x")) == "1\n"
    await other.engine.close()
    assert printed(await other.say("x")) == "1\n"
    await other.engine.close()


async def test_the_model_learns_of_an_earlier_call_whose_outcome_was_lost(served: Served):
    _, talk = served
    await talk.say("x = 1")
    before = talk.last
    await talk.say("x = 2")
    talk.last = before
    execution = await talk.say("x")
    assert printed(execution) == "2\n"
    assert execution.notices == [notices.ANOTHER]


@pytest.mark.parametrize("status", [0, 500, 503])
async def test_an_answer_that_is_lost_is_fetched_and_the_code_runs_once(served: Served, status: int):
    fake, talk = served
    await talk.say("1")
    fake.faults.append(Fault("POST", "executions", status, executes=True))
    assert printed(await talk.say(COUNT)) == "1\n"
    assert printed(await talk.say(COUNT)) == "2\n"


async def test_an_answer_that_comes_before_the_end_is_awaited(served: Served):
    fake, talk = served
    fake.unfinished = True
    assert printed(await talk.say("import time; time.sleep(0.1); 7")) == "7\n"


@pytest.mark.parametrize("status", [0, 502])
async def test_an_outcome_that_cannot_be_read_is_not_requested_twice(served: Served, status: int):
    fake, talk = served
    await talk.say("1")
    fake.asked.clear()
    fake.faults.append(Fault("POST", "executions", status))
    with pytest.raises(OutcomeLost, match="not known"):
        await talk.say(COUNT)
    assert [line for line in fake.asked if line.startswith("POST")] == [f"POST executions {status or 200}"]


async def test_a_pool_that_is_busy_is_asked_again_for_a_while(served: Served):
    fake, talk = served
    fake.faults += [Fault("POST", "executions", 429, {"retry-after": "0"}), Fault("POST", "executions", 429)]
    assert printed(await talk.say(COUNT)) == "1\n"
    fake.faults += [Fault("POST", "executions", 429)] * 3
    with pytest.raises(EngineBusy, match="429"):
        await talk.say(COUNT)
    assert printed(await talk.say(COUNT)) == "2\n"


async def test_files_are_put_and_read_again_after_a_failure(served: Served):
    fake, talk = served
    fake.faults += [Fault("POST", "files", 503), Fault("POST", "files", 0), Fault("GET", "files/", 500)]
    execution = await talk.say("open('out', 'w').write(open('in.txt').read())", [file("file-abc", "in.txt", b"in")])
    assert [await content(output) for output in execution.files] == [b"in"]


async def test_outputs_that_cannot_be_downloaded_after_the_execution_are_lost(served: Served):
    fake, talk = served
    execution = await talk.say("open('out', 'w').write('o')")
    fake.faults += [Fault("GET", "files/", 500)] * 3
    with pytest.raises(OutcomeLost, match="the file out cannot be read"):
        await content(execution.files[0])
    fake.faults += [Fault("GET", "files/", 500)] * 3
    with pytest.raises(OutcomeLost, match="was executed"):
        await talk.say("print('x' * 9000)")


async def test_the_model_gets_the_pools_error_and_the_remedy(served: Served):
    fake, talk = served
    fake.granted = False
    with pytest.raises(EngineFailed, match=r"403.*Session Executor"):
        await talk.say("1")
    fake.granted, fake.most = True, 0
    with pytest.raises(EngineBusy, match="404"):
        await talk.say("1")


async def test_an_unreachable_pool_is_busy(served: Served):
    _, talk = served
    assert isinstance(talk.engine, Sessions)
    talk.engine._pool._endpoint = "http://127.0.0.1:9/sessionPools/pool"
    with pytest.raises(EngineBusy, match="cannot be reached"):
        await talk.say("1")
    await talk.engine.end(SESSION)


async def test_a_file_that_is_too_large_for_the_pool_is_left_out(served: Served):
    _, talk = served
    large = InputFile("file-abc", "large.bin", 129 * 1024 * 1024, file("", "", b"").content)
    execution = await talk.say("import os; os.listdir()", [large])
    assert printed(execution) == "[]\n"
    assert execution.notices == [notices.too_large(["large.bin"], 128 * 1024 * 1024)]


async def test_code_that_cannot_be_stopped_ends_with_its_session(monkeypatch: pytest.MonkeyPatch):
    monkeypatch.setattr(host, "_GRACE", 0)
    async with served_pool(CODE_INTERPRETER_TIMEOUT="0.2") as (fake, engine):
        talk = Talk(engine)
        await talk.say("x = 1")
        stopped = await talk.say("import time\nwhile True:\n    try: time.sleep(9)\n    except BaseException: pass")
        assert stopped.timed_out
        assert stopped.notices == [notices.stopped(0.2, notices.SESSION_LOST)]
        assert not fake.containers
        assert (await talk.say("1")).notices == [notices.ALL_LOST]


async def test_ending_a_session_ends_its_container_and_closing_the_engine_none(served: Served):
    fake, talk = served
    await talk.say("1")
    await talk.engine.close()
    assert fake.containers
    await talk.engine.end(SESSION)
    assert not fake.containers
    await talk.engine.end(SESSION)


async def test_a_cancelled_call_ends_its_container(served: Served):
    fake, talk = served
    await talk.say("1")
    call = asyncio.create_task(talk.say("while True: pass"))
    while len(fake.containers[SESSION].executions) < 2:  # noqa: ASYNC110
        await asyncio.sleep(0.01)
    call.cancel()
    with pytest.raises(asyncio.CancelledError):
        await call
    assert not fake.containers


async def test_a_session_that_still_executes_other_code_is_ended(served: Served):
    fake, talk = served
    await talk.say("1")
    fake.containers[SESSION].executing = asyncio.create_task(asyncio.Event().wait())
    with pytest.raises(OutcomeLost, match="other code"):
        await talk.say(COUNT)
    execution = await talk.say(COUNT)
    assert printed(execution) == "1\n"
    assert execution.notices == [notices.ALL_LOST]


async def test_a_request_that_the_service_repeats_executes_its_code_once(served: Served):
    fake, talk = served
    fake.repeats = True
    execution = await talk.say(f"open('out', 'w').write('o')\n{COUNT}")
    assert printed(execution) == "1\n"
    assert [await content(output) for output in execution.files] == [b"o"]


async def test_an_app_without_an_identity_gets_an_error_that_says_so(served: Served, monkeypatch: pytest.MonkeyPatch):
    _, talk = served

    async def get_token(_: str) -> None:
        raise ClientAuthenticationError("secret")

    assert isinstance(talk.engine, Sessions)
    monkeypatch.setattr(talk.engine._pool, "_credential", SimpleNamespace(get_token=get_token))
    with pytest.raises(EngineFailed, match="no identity") as raised:
        await talk.say("1")
    assert "secret" not in str(raised.value)
    monkeypatch.undo()


async def test_a_call_begins_in_the_folder_in_which_the_last_one_ended(served: Served):
    _, talk = served
    await talk.say("import os; os.mkdir('d'); os.chdir('d')")
    execution = await talk.say("open('made', 'w').write('m')")
    assert [output.name for output in execution.files] == ["d/made"]


async def test_the_fake_answers_as_the_service_is_documented_to(served: Served):
    fake, _ = served
    headers = {"authorization": f"Bearer {TOKEN}"}
    query = {"api-version": VERSION, "identifier": SESSION}

    async with httpx2.AsyncClient(headers=headers) as http:

        async def asked(path: str, **changed: str) -> tuple[int, str]:
            answer = await http.get(f"{fake.endpoint}/{path}", params={**query, **changed})
            return answer.status_code, answer.json().get("error", {}).get("code", "")

        assert (await http.get(f"{fake.url}/files", params=query)).status_code == 401
        assert await asked("files", **{"api-version": "2024-02-02-preview"}) == (400, "InvalidApiVersion")
        assert await asked("files", identifier="a_b") == (400, "SessionIdentifierInvalid")
        assert await asked("session") == (404, "SessionNotFound")
        for name, status in (("a.txt", 200), ("b", 200), ("c-d", 200), ("é (1).txt", 400)):
            sent = await http.post(f"{fake.endpoint}/files", params=query, files={"file": (name, b"12")})
            assert sent.status_code == status
        first = (await http.get(f"{fake.endpoint}/files", params=query)).json()
        assert [(each["name"], each["sizeInBytes"], each["directory"]) for each in first["value"]] == [
            ("a.txt", 2, "."),
            ("b", 2, "."),
        ]
        rest = (await http.get(first["nextLink"])).json()
        assert [each["name"] for each in rest["value"]] == ["c-d"]
        assert "nextLink" not in rest
        etag = (await http.get(f"{fake.endpoint}/session", params=query)).json()["etag"]
        await fake.lose(SESSION)
        assert await asked("files") == (200, "")
        assert (await http.get(f"{fake.endpoint}/session", params=query)).json()["etag"] != etag
        assert (await http.delete(f"{fake.endpoint}/files/b", params=query)).json()["error"][
            "code"
        ] == "DeleteFileError"


async def test_a_file_that_was_made_in_a_folder_is_restored_into_it(served: Served):
    fake, talk = served
    made = file("file-made", "out/deep/made.txt", b"made")
    code = "open('out/deep/made.txt').read() + open('file-made').read()"
    assert printed(await talk.say(code, [made])) == "'mademade'\n"
    await fake.lose(SESSION)
    assert printed(await talk.say(code, [made])) == "'mademade'\n"


async def test_a_run_has_its_code_executed_by_the_pool(served: Served, idle: Storage):
    _, talk = served
    path = "sandbox:/mnt/data/out.txt"
    arguments = {"code": "print(open('in.txt').read())\nopen('out.txt', 'w').write('out')"}
    call = {"id": "call_a", "name": "code_interpreter", "arguments": arguments}
    model = ScriptedModel({"tool_calls": [call]}, {"text": f"It is in [a file]({path})."})
    async with in_process(idle, model, None, Transport, talk.engine) as service:
        given = await service.client.files.create(file=("in.txt", b"in"), purpose="assistants")
        assistant = await service.client.beta.assistants.create(
            model="demo",
            tools=[{"type": "code_interpreter"}],
            tool_resources={"code_interpreter": {"file_ids": [given.id]}},
        )
        threads = service.client.beta.threads
        thread = await threads.create(messages=[{"role": "user", "content": "Read it."}])
        run = await threads.runs.create(thread.id, assistant_id=assistant.id)
        key = RunKey("default", thread.id, run.id)
        await attend(service, service.store, key)
        await answer(service, key, "call_a")
        await attend(service, service.store, key)
        (message, _) = (await threads.messages.list(thread.id)).data
        (link,) = message.model_dump()["content"][0]["text"]["annotations"]
        assert link["text"] == path
        assert (await service.client.files.content(link["file_path"]["file_id"])).content == b"out"
        assert "in\n" in model.requests[1]["messages"][-1]["content"]
        await threads.delete(thread.id)


async def test_a_process_without_executions_ends_the_session_of_a_deleted_thread(
    served: Served, monkeypatch: pytest.MonkeyPatch
):
    _, talk = served
    ended: list[str] = []

    async def end(_: Sessions, session: str) -> None:
        ended.append(session)

    monkeypatch.setattr(Sessions, "end", end)
    assert isinstance(talk.engine, Sessions)
    await Interpreter(talk.engine._settings).end("default", "thread_a")
    assert len(ended) == 1
