"""What is done when a queue item arrives. Items may come twice, late, out of order or never: none is trusted."""

import asyncio
import logging
import secrets
from collections.abc import Sequence

from azure.core.exceptions import AzureError

from assistants.engine import machine
from assistants.engine.driver import Driver, call_server_tools
from assistants.engine.ending import end_unheld
from assistants.engine.events import NOBODY, Listener
from assistants.engine.hold import ClaimLost, Hold
from assistants.engine.items import (
    WORK,
    Call,
    LookAfterThreads,
    LookAgain,
    Purge,
    WorkItem,
    attend_item,
    run_key,
    work_item,
)
from assistants.engine.machine import Event
from assistants.engine.publication import publish
from assistants.engine.removal import look_after_threads, purge_thread
from assistants.engine.transitions import change_run
from assistants.model.embedder import NoEmbedder
from assistants.model.endpoint import Model
from assistants.schema.runs import MAX_OUTPUT, LastError
from assistants.search.searcher import Searcher
from assistants.state.messages import Fold, ThreadGone, put_record
from assistants.state.runs import Look, RunRecord
from assistants.state.store import RunKey, Store
from assistants.state.threads import ThreadRecord
from assistants.storage.documents import Document
from assistants.storage.patience import patiently
from assistants.storage.queues import Receipt
from assistants.tools.registry import SERVER_TOOLS
from assistants.tools.servertool import Answer, Question, ToolFailed

log = logging.getLogger("assistants.engine")


class Attendance:
    """Attends to what the queues bring. What server tools search without a `searcher` is found by its words."""

    def __init__(self, store: Store, model: Model, searcher: Searcher | None = None) -> None:
        self._store = store
        self._searcher = searcher or Searcher(store, NoEmbedder())
        self._driver = Driver(store, model)

    async def work(self, content: bytes) -> None:
        """An item of the queue `work`.

        Raises
        ------
        pydantic.ValidationError
            The item is none of ours; repeated, it ends as poison.
        AzureError
            Storage failed; the item is to be delivered again.
        """
        item = work_item.validate_json(content)
        if isinstance(item, Purge):
            await purge_thread(self._store, item)
        elif isinstance(item, LookAfterThreads):
            await look_after_threads(self._store, item)
        elif isinstance(item, LookAgain):
            await self._look_again(item)
        else:
            key = run_key(item)
            # Read at the same time: both lie on the way to the first word of the model.
            document, parts = await asyncio.gather(self._store.runs.read(key.name), self._log(key, item.segments))
            if document is not None:
                await self._attend(key, document, item.look, parts)

    async def tool(self, content: bytes) -> None:
        """An item of a server tool's queue: answer the call, and set the run going if that was the last answer."""
        item = Call.model_validate_json(content)
        key = run_key(item)
        document = await self._store.runs.read(key.name)
        if document is None:
            return
        awaited = next((call for call in document.value.unanswered if call.id == item.call), None)
        if awaited is not None and document.value.active:
            question = Question(self._store, self._searcher, item.project, document.value, awaited)
            try:
                answer = await SERVER_TOOLS[awaited.type].answer(question)
            except ToolFailed as failure:
                answer = Answer(str(failure))
            document = await self._store_answer(key, item.call, answer, document)
        # Whoever finds the last output stored nudges the run, whether it was stored by this delivery or an earlier one.
        if document is not None and machine.ready(document.value, self._now()):
            await self._nudge(key, document.value)

    async def give_up_work(self, content: bytes) -> None:
        """An item that failed again and again: the run behind it ends `failed`, unless a live claim holds it."""
        await patiently(lambda: self._give_up_work(content))

    async def give_up_tool(self, content: bytes) -> None:
        """A call whose item failed again and again: its run ends `failed`, if the call is still unanswered."""
        await patiently(lambda: self._give_up_tool(content))

    async def _give_up_work(self, content: bytes) -> None:
        try:
            item = work_item.validate_json(content)
        except ValueError:
            log.error("dropped an item of the queue %s that nobody can read", WORK)
            return
        if isinstance(item, Purge | LookAfterThreads):
            await self._send(item, self._store.settings.purge_again)
            return
        await self._give_up(run_key(item), item.segments, None)

    async def _give_up_tool(self, content: bytes) -> None:
        try:
            item = Call.model_validate_json(content)
        except ValueError:
            log.error("dropped an item of a tool's queue that nobody can read")
            return
        await self._give_up(run_key(item), 1, item.call)

    async def _attend(
        self, key: RunKey, document: Document[RunRecord], look: Look | None, parts: list[bytes] | None
    ) -> None:
        run, now = document.value, self._now()
        if machine.overdue(run, now):
            await end_unheld(self._store, key, document, Event.EXPIRE, "expires_at has passed", look)
        elif machine.abandoned(run, now):
            await end_unheld(self._store, key, document, Event.STOP, "cancelled", look)
        elif late := {call.id for call in machine.unheard(run, now, self._store.settings.look_again)}:
            await self._call_again(key, document, late)
        elif machine.ready(run, now):
            await self._drive(key, document, look, parts)

    async def _call_again(self, key: RunKey, document: Document[RunRecord], late: set[str]) -> None:
        """The items of server tools may be lost: after a while they are sent again."""
        again = await change_run(
            self._store, key, lambda run: machine.sent_again(run, late, self._now()), "tools called again", document
        )
        if again is not None and again.value.active:
            await call_server_tools(self._store, key, [call for call in again.value.unanswered if call.id in late])

    async def _drive(
        self, key: RunKey, document: Document[RunRecord], look: Look | None, parts: list[bytes] | None
    ) -> None:
        if parts is None:
            return  # the thread is gone, and the run with it
        token = secrets.token_hex(8)
        lengths = [len(part) for part in parts]

        def claim(run: RunRecord) -> RunRecord | None:
            return machine.claim(run, token, self._now(), self._store.settings.claim, lengths)

        claimed = await change_run(self._store, key, claim, "claimed", document)
        if claimed is None or not machine.holds(claimed.value, token):
            return
        await self.carry_on(Hold(self._store, key, claimed, token), parts, look)

    async def carry_on(
        self,
        hold: Hold,
        parts: Sequence[bytes],
        look: Look | None,
        listener: Listener = NOBODY,
        stay: bool = False,
    ) -> None:
        """Drive a run that is held, and see to it that whatever goes wrong ends it or lets it go.

        Parameters
        ----------
        parts
            The segments of the thread's log, of which the run knows how much belongs to its prompt.
        look, listener, stay
            As `Driver.drive` has them.

        Raises
        ------
        AzureError
            Storage failed; the run has been let go as far as possible.
        """
        try:
            if hold.run.takeovers >= machine.MAX_TAKEOVERS:
                await self._fail(hold, f"The run was taken up {hold.run.takeovers} times without making progress.")
            else:
                fold = Fold([part[:length] for part, length in zip(parts, hold.run.prompt or (), strict=False)])
                await self._add_missing(hold.key, hold.run, fold)
                await self._driver.drive(hold, fold.messages(), look, listener, stay)
        except ClaimLost:
            log.warning("run %s: another attendance has it now", hold.key.run)
        except ThreadGone:
            log.info("run %s: its thread is gone", hold.key.run)
        except AzureError as error:
            await self._let_go(hold, f"{type(error).__name__}: {error}".splitlines()[0])
            raise
        except asyncio.CancelledError:
            await self._let_go(hold, "the process that drove the run was stopped")
            raise
        except Exception as error:
            log.exception("run %s failed", hold.key.run)
            await self._fail(hold, f"The run could not be completed: {type(error).__name__}: {error}")

    async def _look_again(self, item: LookAgain) -> None:
        """See how the run is getting on. The successor is sent before anything is done: the chain must not break."""
        key = run_key(item)
        document = await self._store.runs.read(key.name)
        if document is None:
            await self._thread_is_there(key)
            return
        if not document.value.active:
            return
        run, now = document.value, self._now()
        ends = [run.claim.until] if run.claim and machine.held(run, now) else []
        delay = min(self._store.settings.look_again, *(end - now for end in [*ends, run.expires_at] if end > now), 60)
        sent = await self._send(item, max(delay, 1))
        look = Look(id=sent.id, pop_receipt=sent.pop_receipt)
        if await self._was_created(key, document):
            await self._attend(key, document, look, await self._log(key, item.segments))

    async def _was_created(self, key: RunKey, document: Document[RunRecord]) -> bool:
        """Whether the run's creation was committed; what is left of one that was not is cleared away."""
        if document.value.committed:
            return True
        thread = await self._thread_is_there(key)
        if thread is None:
            return False
        if thread.value.last_run_id == key.run:
            return True
        await change_run(self._store, key, lambda run: machine.discard(run, self._now()), "never committed", document)
        return False

    async def _thread_is_there(self, key: RunKey) -> Document[ThreadRecord] | None:
        """The run's thread. Where it is gone, or was to be created with the run, what is left of it is cleared away."""
        thread = await self._store.threads.read(key.thread_name)
        if thread is None:
            await purge_thread(self._store, Purge(project=key.project, thread=key.thread))
        return thread

    async def _give_up(self, key: RunKey, segments: int, call_id: str | None) -> None:
        document = await self._store.runs.read(key.name)
        if document is None or not document.value.active:
            return
        run = document.value
        if call_id is not None and call_id not in {call.id for call in run.unanswered}:
            return
        if not await self._was_created(key, document):
            return
        what = "The run" if call_id is None else f"The tool call {call_id}"
        why = f"{what} could not be attended to after several attempts" + (f": {run.trouble}" if run.trouble else ".")
        if machine.held(run, self._now()) and call_id is not None:
            await self._store_answer(key, call_id, Answer(why), document)  # the holder of the run waits for it
        elif machine.held(run, self._now()):
            again = LookAgain(project=key.project, thread=key.thread, run=key.run, segments=segments)
            await self._send(again, self._store.settings.look_again)
        else:
            await end_unheld(self._store, key, document, Event.FAIL, why, run.look)

    async def _store_answer(
        self, key: RunKey, call_id: str, answer: Answer, known: Document[RunRecord]
    ) -> Document[RunRecord] | None:
        output = answer.output[:MAX_OUTPUT]
        return await change_run(
            self._store,
            key,
            lambda run: machine.answer(run, call_id, output, self._now(), answer.found),
            "tool answered",
            known,
        )

    async def _nudge(self, key: RunKey, run: RunRecord) -> None:
        await self._send(attend_item(key, run))

    async def _send(self, item: WorkItem, delay: float = 0) -> Receipt:
        return await self._store.queues.send(WORK, item.model_dump(), delay)

    async def _add_missing(self, key: RunKey, run: RunRecord, fold: Fold) -> None:
        """The messages that came with the run are appended by the HTTP side, or here if that died."""
        missing = [put_record(message) for message in run.additional_messages if message.id not in fold]
        if missing:
            await self._store.messages.append(key.project, key.thread, run.segments, missing)

    async def _fail(self, hold: Hold, why: str) -> None:
        error = LastError(code="server_error", message=why)
        try:
            await publish(self._store, hold.key, hold.run)
            await hold.write(lambda run: machine.end(run, Event.FAIL, self._now(), error), why)
        except (ClaimLost, ThreadGone):
            pass  # whoever has the run now answers for it

    async def _let_go(self, hold: Hold, trouble: str) -> None:
        """Let the item's next delivery try again at once, and leave word of what went wrong."""
        try:
            await hold.write(lambda run: machine.let_go(run, trouble, self._now()), trouble)
        except (AzureError, ClaimLost) as again:
            log.warning("run %s: could not let go of it: %s", hold.key.run, again)

    async def _log(self, key: RunKey, segments: int) -> list[bytes] | None:
        try:
            return await self._store.messages.fetch(key.project, key.thread, segments)
        except ThreadGone:
            return None

    def _now(self) -> float:
        return self._store.clock.now()
