"""Server tools that fail: finally, for the present, or after another delivery has answered."""

from collections.abc import Awaitable, Callable
from dataclasses import replace

import pytest

from assistants.schema.runs import RunStatus
from assistants.state.runs import Found
from assistants.state.store import Store
from assistants.tools.registry import SERVER_TOOLS
from assistants.tools.servertool import Answer, Question, ToolFailed
from tests.support.sdk.conversation import RETRIEVAL, call
from tests.support.service.attending import Handlers, ScriptedModel, answer, attend, new_run_on, run_of, said

Behave = Callable[[Callable[[Question], Awaitable[Answer]]], None]


@pytest.fixture
def behave(monkeypatch: pytest.MonkeyPatch) -> Behave:
    """Replaces the answer of retrieval."""

    def replace_answer(other: Callable[[Question], Awaitable[Answer]]) -> None:
        monkeypatch.setitem(SERVER_TOOLS, "retrieval", replace(SERVER_TOOLS["retrieval"], answer=other))  # type: ignore[arg-type]

    return replace_answer


def asking(*call_ids: str) -> ScriptedModel:
    """A model that calls retrieval, and then answers."""
    return ScriptedModel({"tool_calls": [call("retrieval", each, q="?") for each in call_ids]}, {"text": "Who knows?"})


async def test_the_error_of_a_tool_that_fails_finally_is_its_output_and_the_run_continues(store: Store, behave: Behave):
    async def refuse(_: Question) -> Answer:
        raise ToolFailed("The index is gone.")

    behave(refuse)
    key, model = await new_run_on(store, RETRIEVAL), asking("call_r")
    handlers = Handlers(store, model)
    await attend(handlers, store, key)
    await answer(handlers, key, "call_r")
    await attend(handlers, store, key)

    assert model.requests[1]["messages"][-1] == {
        "role": "tool",
        "tool_call_id": "call_r",
        "content": "The index is gone.",
    }
    assert (await run_of(store, key)).status is RunStatus.COMPLETED
    assert await said(store, key) == ["Who knows?"]


async def test_a_tool_in_passing_trouble_leaves_its_item_to_be_delivered_again(store: Store, behave: Behave):
    async def break_down(_: Question) -> Answer:
        raise OSError("no route to the index")

    async def recover(_: Question) -> Answer:
        return Answer("Oslo")

    key, handlers = await new_run_on(store, RETRIEVAL), Handlers(store, asking("call_r"))
    await attend(handlers, store, key)
    behave(break_down)
    with pytest.raises(OSError, match="no route to the index"):
        await answer(handlers, key, "call_r")
    assert (await run_of(store, key)).unanswered
    behave(recover)
    await answer(handlers, key, "call_r")
    assert not (await run_of(store, key)).unanswered


async def test_the_first_of_two_answers_to_a_call_wins(store: Store, behave: Behave):
    key, model = await new_run_on(store, RETRIEVAL), asking("call_r")
    handlers = Handlers(store, model)
    await attend(handlers, store, key)

    async def overtaken(question: Question) -> Answer:
        behave(SERVER_TOOL.answer)
        await answer(handlers, key, "call_r")
        return Answer("too late", [Found(file_id="file-1", file_name="late.txt", score=1, start=0, end=3)])

    behave(overtaken)
    await answer(handlers, key, "call_r")
    turn = (await run_of(store, key)).turn
    assert turn is not None
    assert [(each.output, each.found) for each in turn.calls] == [("Oslo", None)]


async def test_a_run_continues_only_when_every_tool_has_answered(store: Store):
    key, model = await new_run_on(store, RETRIEVAL), asking("call_1", "call_2")
    handlers = Handlers(store, model)
    await attend(handlers, store, key)
    await answer(handlers, key, "call_2")
    await attend(handlers, store, key)
    assert len(model.requests) == 1
    await answer(handlers, key, "call_1")
    await attend(handlers, store, key)
    assert len(model.requests) == 2


async def test_an_item_of_an_unknown_call_is_harmless(store: Store):
    key, handlers = await new_run_on(store, RETRIEVAL), Handlers(store, asking("call_r"))
    await attend(handlers, store, key)
    parked = await run_of(store, key)
    await answer(handlers, key, "call_unknown")
    assert await run_of(store, key) == parked


SERVER_TOOL = SERVER_TOOLS["retrieval"]
