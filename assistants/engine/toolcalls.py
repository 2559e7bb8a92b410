"""Sends the calls of server tools to their queues, and answers them from there."""

import asyncio
import logging
from collections.abc import Sequence

from assistants.engine import machine
from assistants.engine.claim import change_run
from assistants.engine.creation import was_created
from assistants.engine.ending import end_unclaimed
from assistants.engine.items import Call, attend_item, run_key
from assistants.engine.machine import Ending, Event, Need
from assistants.schema.runs import MAX_OUTPUT, LastError
from assistants.search.searcher import Searcher
from assistants.state import post
from assistants.state.runs import FUNCTION, RunRecord, ToolCall
from assistants.state.store import RunKey, Store
from assistants.storage.documents import Document
from assistants.storage.retrying import outlast
from assistants.telemetry import record
from assistants.telemetry.names import ARGUMENTS, OPERATION, RESULT, TOOL, TOOL_CALL
from assistants.telemetry.scope import scoped
from assistants.tools.code_interpreter.interpreter import Interpreter
from assistants.tools.registry import SERVER_TOOLS
from assistants.tools.servertool import Answer, Question, ToolFailed

log = logging.getLogger("assistants.engine")


async def call_server_tools(store: Store, key: RunKey, calls: Sequence[ToolCall]) -> None:
    """Send the items of calls of server tools. The look-again item sends a lost one again."""
    items = (
        Call(project=key.project, thread=key.thread, run=key.run, call=call.id, tool=call.type)
        for call in calls
        if call.type != FUNCTION
    )
    await asyncio.gather(*(post.send(store, item) for item in items))


class ToolCalls:
    """The handler of the server tools' queues."""

    def __init__(self, store: Store, searcher: Searcher, interpreter: Interpreter | None = None) -> None:
        self._store = store
        self._searcher = searcher
        self._interpreter = interpreter or Interpreter(store.settings)

    async def handle(self, content: bytes) -> None:
        """Answer the call of an item, and queue the run if that was its last output.

        Raises
        ------
        pydantic.ValidationError
            The item is malformed; repeated, it ends as poison.
        The item is malformed; after its last delivery it moves to the poison queue.
            Storage failed; the item is to be delivered again.
        """
        item = Call.model_validate_json(content)
        key = run_key(item)
        with scoped(project=key.project, thread=key.thread, run=key.run):
            await self._handle(item, key)

    async def _handle(self, item: Call, key: RunKey) -> None:
        document = await self._store.runs.read(key.name)
        if document is None:
            return
        awaited = next((call for call in document.value.unanswered if call.id == item.call), None)
        if awaited is not None and document.value.active:
            question = Question(self._store, self._searcher, item.project, document.value, awaited, self._interpreter)
            answer = await _answer(question)
            document = await self._store_answer(key, item.call, answer, document)
            if answered := self._store.answered.get(key.name):
                answered.set()
        # The delivery that finds the last output stored queues the run, whether it or an earlier delivery stored it.
        if document is not None and self._need(document.value) in (Need.DRIVE, Need.EXPIRE):
            await post.send(self._store, attend_item(key, document.value))

    async def give_up(self, content: bytes) -> None:
        """Fail the run of a call whose item failed repeatedly, if the call is still unanswered."""
        await outlast(lambda: self._give_up(content))

    async def _give_up(self, content: bytes) -> None:
        try:
            item = Call.model_validate_json(content)
        except ValueError:
            log.error("dropped an item of a tool's queue that cannot be read")
            return
        key = run_key(item)
        document = await self._store.runs.read(key.name)
        if document is None or item.call not in {call.id for call in document.value.unanswered}:
            return
        run = document.value
        if not run.active or not await was_created(self._store, key, document):
            return
        why = given_up(f"The tool call {item.call}", run)
        if machine.is_claimed(run, self._store.clock.now()):
            await self._store_answer(key, item.call, Answer(why), document)  # its driver waits for an output
        else:
            ending = Ending(Event.FAIL, error=LastError(code="server_error", message=why))
            await end_unclaimed(self._store, key, document, ending, why, run.look)

    async def _store_answer(
        self, key: RunKey, call_id: str, answer: Answer, known: Document[RunRecord]
    ) -> Document[RunRecord] | None:
        output, now = answer.output[:MAX_OUTPUT], self._store.clock.now
        return await change_run(
            self._store,
            key,
            lambda run: machine.answered(run, call_id, output, now(), answer.found, answer.ran),
            "tool answered",
            known,
        )

    def _need(self, run: RunRecord) -> Need:
        return machine.need(run, self._store.clock.now(), self._store.settings.look_again)


async def _answer(question: Question) -> Answer:
    call = question.call
    seen = {OPERATION: "execute_tool", TOOL: call.type, TOOL_CALL: call.id}
    with record.span(f"execute_tool {call.type}", "internal", seen) as span:
        try:
            answer = await SERVER_TOOLS[call.type].answer(question)
        except ToolFailed as failure:
            span.fail("tool_error")
            answer = Answer(str(failure))
        if record.with_contents():
            span.set({ARGUMENTS: call.arguments, RESULT: answer.output})
        return answer


def given_up(work: str, run: RunRecord) -> str:
    """The message of a run that ends because an item of it was given up."""
    return f"{work} could not be attended to after several attempts" + (f": {run.trouble}" if run.trouble else ".")
