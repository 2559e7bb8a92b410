"""The code interpreter in runs, with an engine that counts executions."""

import asyncio
import json
from collections.abc import AsyncIterator
from typing import Any

import pytest

from assistants.local.azurite import Storage
from assistants.schema.errors import ApiError, unavailable
from assistants.schema.runs import RunStatus
from assistants.state.sessions import session_name
from assistants.state.store import RunKey
from assistants.storage.transport import Transport
from assistants.tools.code_interpreter import execution, purging
from assistants.tools.code_interpreter.engine import (
    Call,
    EngineBusy,
    EngineFailed,
    Execution,
    Image,
    Logs,
    OutcomeLost,
    OutputFile,
)
from assistants.tools.code_interpreter.files import only
from tests.support.service.attending import Killed, ScriptedModel, answer, attend, new_run_on, run_of
from tests.support.service.inprocess import InProcess, in_process

TOOL = {"type": "code_interpreter"}
PNG = b"\x89PNG\r\n\x1a\n"


class Counting:
    """An engine that counts the calls instead of executing them; its session has a snapshot of the calls so far."""

    def __init__(self) -> None:
        self.calls: list[Call] = []
        self.ended: list[str] = []
        self.errors: list[BaseException] = []
        self.may_end = asyncio.Event()
        self.begun = asyncio.Event()
        self.may_end.set()

    async def execute(self, call: Call) -> Execution:
        if self.errors:
            raise self.errors.pop(0)
        self.calls.append(call)
        self.begun.set()
        await self.may_end.wait()
        file = OutputFile("out/table.csv", 3, lambda: only(b"a,b"))
        return Execution([Logs("3\n"), Image(PNG)], [file], ["Something is lost."], call.code.encode())

    async def end(self, session: str) -> None:
        self.ended.append(session)

    async def close(self) -> None:
        pass


Served = InProcess[ScriptedModel]


def code(text: str = "1 + 2", call: str = "call_a") -> dict[str, Any]:
    return {"id": call, "name": "code_interpreter", "arguments": {"code": text}}


@pytest.fixture
def engine() -> Counting:
    return Counting()


@pytest.fixture
async def served(idle: Storage, engine: Counting) -> AsyncIterator[Served]:
    model = ScriptedModel(
        {"tool_calls": [code()]}, {"text": "[It](sandbox:/mnt/data/out/table.csv)."}, {"text": "Again."}
    )
    async with in_process(idle, model, None, Transport, engine) as served:
        yield served


async def called(served: Served) -> RunKey:
    """A run that awaits the output of its code."""
    key = await new_run_on(served.store, TOOL)
    await attend(served, served.store, key)
    return key


async def test_the_outputs_of_code_are_in_the_step_the_message_and_the_files(served: Served, engine: Counting):
    key = await called(served)
    await answer(served, key, "call_a")
    await attend(served, served.store, key)

    steps = await served.client.beta.threads.runs.steps.list(key.run, thread_id=key.thread, order="asc")
    details = steps.data[0].step_details.model_dump()["tool_calls"][0]["code_interpreter"]
    logs, image, notice = details["outputs"]
    assert (details["input"], logs["logs"], notice["logs"]) == ("1 + 2", "3\n", "Something is lost.")
    messages = await served.client.beta.threads.messages.list(key.thread)
    shown, text = messages.data[0].model_dump()["content"]
    assert shown["image_file"]["file_id"] == image["image"]["file_id"]
    link = text["text"]["annotations"][0]
    assert text["text"]["value"][link["start_index"] : link["end_index"]] == link["text"]
    assert link["text"] == "sandbox:/mnt/data/out/table.csv"
    for file, content in ((image["image"]["file_id"], PNG), (link["file_path"]["file_id"], b"a,b")):
        described = await served.client.files.retrieve(file)
        assert (described.purpose, described.bytes) == ("assistants_output", len(content))
        assert (await served.client.files.content(file)).content == content
    told = served.model.requests[1]["messages"][-1]["content"]
    assert [part in told for part in ("3\n", "Something is lost.", "sandbox:/mnt/data/out/table.csv")] == [True] * 3


async def test_a_call_that_is_delivered_again_is_not_executed_again(served: Served, engine: Counting):
    engine.may_end.clear()
    key = await called(served)
    deliveries = [asyncio.create_task(answer(served, key, "call_a")) for _ in range(3)]
    await engine.begun.wait()
    engine.may_end.set()
    await asyncio.gather(*deliveries)
    await answer(served, key, "call_a")
    assert len(engine.calls) == 1
    assert not (await run_of(served.store, key)).unanswered


async def test_the_outcome_that_a_dead_process_has_stored_is_used(
    served: Served, engine: Counting, monkeypatch: pytest.MonkeyPatch
):
    key = await called(served)

    async def killed(*_: Any) -> None:
        raise Killed

    with monkeypatch.context() as patched:
        patched.setattr(execution.CodeCall, "_settle", killed)
        with pytest.raises(Killed):
            await answer(served, key, "call_a")
    await answer(served, key, "call_a")
    (turn,) = (await run_of(served.store, key)).turns
    assert len(engine.calls) == 1
    assert "3\n" in (turn.calls[0].output or "")


async def test_the_model_learns_that_an_execution_was_interrupted_by_the_death_of_its_process(
    served: Served, engine: Counting, monkeypatch: pytest.MonkeyPatch
):
    key = await called(served)

    async def killed(*_: Any) -> None:
        raise Killed

    with monkeypatch.context() as patched:
        patched.setattr(execution.CodeCall, "_give", killed)
        with pytest.raises(Killed):
            await answer(served, key, "call_a")
    name = session_name(key.project, key.thread)

    def overdue(session: Any) -> Any:
        return session.model_copy(update={"underway": session.underway.model_copy(update={"until": 0})})

    await served.store.sessions.change(name, overdue)
    await answer(served, key, "call_a")
    (turn,) = (await run_of(served.store, key)).turns
    assert len(engine.calls) == 1
    assert turn.calls[0].output == execution.INTERRUPTED


async def test_the_end_of_a_run_ends_its_code(served: Served, engine: Counting):
    engine.may_end.clear()
    key = await called(served)
    delivery = asyncio.create_task(answer(served, key, "call_a"))
    await engine.begun.wait()
    await served.client.beta.threads.runs.cancel(key.run, thread_id=key.thread)
    await delivery
    session = await served.store.sessions.read(session_name(key.project, key.thread))
    assert session is not None
    assert session.value.underway is None
    await attend(served, served.store, key)
    assert (await run_of(served.store, key)).status is RunStatus.CANCELLED


async def test_a_deleted_thread_leaves_no_session_and_no_files(served: Served, engine: Counting):
    key = await called(served)
    await answer(served, key, "call_a")
    (turn,) = (await run_of(served.store, key)).turns
    assert turn.calls[0].ran is not None
    files = list(turn.calls[0].ran.files.values())
    await served.client.beta.threads.delete(key.thread)
    assert [name async for name in served.store.snapshots.names(f"{key.project}/{key.thread}/")] == []
    assert engine.ended == [engine.calls[0].session]
    assert not {each.id for each in (await served.client.files.list()).data} & set(files)


async def test_a_session_is_kept_until_its_files_could_be_deleted(served: Served, monkeypatch: pytest.MonkeyPatch):
    key = await called(served)
    await answer(served, key, "call_a")
    (turn,) = (await run_of(served.store, key)).turns
    assert turn.calls[0].ran is not None
    files = set(turn.calls[0].ran.files.values())

    async def failing(*_: Any) -> None:
        raise unavailable()

    with monkeypatch.context() as patched:
        patched.setattr(purging, "delete_file", failing)
        with pytest.raises(ApiError):
            await purging.purge_session(served.store, key.project, key.thread)
    assert await purging.purge_session(served.store, key.project, key.thread)
    assert not {each.id async for each in served.client.files.list()} & files


async def test_the_model_learns_why_the_engine_did_not_execute_its_code(served: Served, engine: Counting):
    engine.errors = [EngineBusy("later"), EngineFailed("No room.")]
    key = await called(served)
    await answer(served, key, "call_a")
    (turn,) = (await run_of(served.store, key)).turns
    assert (turn.calls[0].output, engine.calls) == ("No room.", [])


async def test_code_whose_outcome_is_lost_is_not_executed_again(served: Served, engine: Counting):
    engine.errors = [OutcomeLost("It may have been executed.")]
    key = await called(served)
    await answer(served, key, "call_a")
    await answer(served, key, "call_a")
    (turn,) = (await run_of(served.store, key)).turns
    assert (turn.calls[0].output, engine.calls) == ("It may have been executed.", [])


async def test_a_session_continues_in_the_next_run(idle: Storage, engine: Counting):
    model = ScriptedModel(
        {"tool_calls": [code()]}, {"text": "Done."}, {"tool_calls": [code("2 + 3", "call_b")]}, {"text": "Done."}
    )
    async with in_process(idle, model, None, Transport, engine) as served:
        threads = served.client.beta.threads
        assistant = await served.client.beta.assistants.create(model="demo", tools=[{"type": "code_interpreter"}])
        thread = await threads.create(messages=[{"role": "user", "content": "Reckon."}])
        for call in ("call_a", "call_b"):
            run = await threads.runs.create(thread.id, assistant_id=assistant.id)
            key = RunKey("default", thread.id, run.id)
            await attend(served, served.store, key)
            await answer(served, key, call)
            await attend(served, served.store, key)
    first, second = engine.calls
    assert (first.after, [file.name for file in first.files]) == (None, [])
    assert (second.after, [file.name for file in second.files]) == (first.id, ["out/table.csv"])
    assert second.session == first.session
    assert "out/table.csv" in json.dumps(model.requests[2]["tools"])


async def test_calls_of_one_turn_are_executed_in_their_order(idle: Storage, engine: Counting):
    model = ScriptedModel({"tool_calls": [code("1", "call_a"), code("2", "call_b")]})
    async with in_process(idle, model, None, Transport, engine) as served:
        key = await called(served)
        second = asyncio.create_task(answer(served, key, "call_b"))
        await answer(served, key, "call_a")
        await second
    assert [call.code for call in engine.calls] == ["1", "2"]


async def test_a_run_without_an_engine_fails_at_once(idle: Storage):
    model = ScriptedModel({"text": "Never."})
    async with in_process(idle, model, CODE_INTERPRETER="off") as served:
        key = await new_run_on(served.store, TOOL)
        await attend(served, served.store, key)
        run = await run_of(served.store, key)
        assert run.status is RunStatus.FAILED
        assert run.last_error is not None
        assert "CODE_INTERPRETER" in run.last_error.message
        assert model.requests == []
