"""The queue `work`. Its items may come twice, late, out of order or never; the handler allows for all of that."""

import asyncio
import logging
from contextlib import suppress

from assistants.engine import machine
from assistants.engine.claim import change_run, claim_run
from assistants.engine.creation import thread_of, was_created
from assistants.engine.driver import Driver
from assistants.engine.ending import end_unclaimed
from assistants.engine.items import (
    WORK,
    LookAgain,
    Purge,
    PurgeRest,
    RetireThreads,
    SweepThreads,
    look_again_item,
    run_key,
    work_item,
)
from assistants.engine.machine import Ending, Event, Need
from assistants.engine.removal import purge_thread, sweep_threads
from assistants.engine.retention import purge_rest, retire_threads
from assistants.engine.toolcalls import call_server_tools, given_up
from assistants.model.endpoint import Model
from assistants.notify.telling import tell_missed
from assistants.schema.runs import LastError
from assistants.state import post
from assistants.state.runs import Look, RunRecord
from assistants.state.store import RunKey, Store
from assistants.state.threads import ThreadGone
from assistants.state.transcript import Transcript
from assistants.storage.documents import Document
from assistants.storage.errors import TRANSIENT
from assistants.storage.retrying import outlast

log = logging.getLogger("assistants.engine")


class Worker:
    """The handler of the queue `work`."""

    def __init__(self, store: Store, model: Model) -> None:
        self._store = store
        self._model = model

    async def handle(self, content: bytes) -> None:
        """Handle an item.

        Raises
        ------
        pydantic.ValidationError
            The item is malformed; after its last delivery it moves to the poison queue.
        AzureError, Contended
            Storage failed; the item is to be delivered again.
        """
        item = work_item.validate_json(content)
        if isinstance(item, Purge):
            await purge_thread(self._store, item)
        elif isinstance(item, SweepThreads):
            await sweep_threads(self._store, item)
        elif isinstance(item, PurgeRest):
            await purge_rest(self._store, item)
        elif isinstance(item, RetireThreads):
            await retire_threads(self._store, item)
        elif isinstance(item, LookAgain):
            await self._look_again(item)
        else:
            key = run_key(item)
            # Read at the same time: both delay the first token.
            document, transcript = await asyncio.gather(self._store.runs.read(key.name), self._log(key, item.segments))
            if document is not None:
                await self._attend(key, document, item.look, transcript)

    async def give_up(self, content: bytes) -> None:
        """Fail the run of an item that failed repeatedly, unless it has a live claim."""
        await outlast(lambda: self._give_up(content))

    async def _attend(
        self, key: RunKey, document: Document[RunRecord], look: Look | None, transcript: Transcript | None
    ) -> None:
        now, resend_after = self._now(), self._store.settings.look_again
        match machine.need(document.value, now, resend_after):
            case Need.EXPIRE:
                ending, why = Ending(Event.EXPIRE), "expires_at has passed"
                await end_unclaimed(self._store, key, document, ending, why, look)
            case Need.STOP:
                await end_unclaimed(self._store, key, document, Ending(Event.STOP), "cancelled", look)
            case Need.CALL_AGAIN:
                lost = {call.id for call in machine.lost_calls(document.value, now, resend_after)}
                await self._call_again(key, document, lost)
            case Need.DRIVE:
                if transcript is not None:  # otherwise the thread was deleted, and the run with it
                    await self._drive(key, document, look, transcript)
            case Need.NOTHING:
                pass

    async def _call_again(self, key: RunKey, document: Document[RunRecord], lost: set[str]) -> None:
        again = await change_run(
            self._store, key, lambda run: machine.resent(run, lost, self._now()), "tools called again", document
        )
        if again is not None and again.value.active:
            await call_server_tools(self._store, key, [call for call in again.value.unanswered if call.id in lost])

    async def _drive(
        self, key: RunKey, document: Document[RunRecord], look: Look | None, transcript: Transcript
    ) -> None:
        _, claimed = await claim_run(self._store, key, document, transcript)
        if claimed is not None:
            await Driver(self._store, self._model, claimed, transcript, look).carry_on()

    async def _look_again(self, item: LookAgain) -> None:
        """Attend to the run. The item's successor is sent first, so that one always exists."""
        key = run_key(item)
        document = await self._store.runs.read(key.name)
        if document is None:
            await thread_of(self._store, key)
            return
        if not document.value.active:
            await tell_missed(self._store, key, document)
            return
        run, now = document.value, self._now()
        ends = [run.claim.until] if run.claim and machine.is_claimed(run, now) else []
        delay = min(self._store.settings.look_again, *(end - now for end in [*ends, run.expires_at] if end > now), 60)
        sent = await post.send(self._store, item, max(delay, 1))
        look = Look(id=sent.id, pop_receipt=sent.pop_receipt)
        if await was_created(self._store, key, document):
            with suppress(*TRANSIENT):  # the next item notifies it then
                document = await tell_missed(self._store, key, document)
            await self._attend(key, document, look, await self._log(key, item.segments))

    async def _give_up(self, content: bytes) -> None:
        try:
            item = work_item.validate_json(content)
        except ValueError:
            log.error("dropped an item of the queue %s that cannot be read", WORK)
            return
        if isinstance(item, RetireThreads):
            log.error("project %s: the deletion of unused threads was given up until the next timer", item.project)
            return
        if isinstance(item, Purge | PurgeRest | SweepThreads):
            await post.send(self._store, item, self._store.settings.purge_again)
            return
        key = run_key(item)
        document = await self._store.runs.read(key.name)
        if document is None:
            return
        if not document.value.active:
            await tell_missed(self._store, key, document)
            return
        if not await was_created(self._store, key, document):
            return
        run = document.value
        if machine.is_claimed(run, self._now()):
            again = look_again_item(key, run).model_copy(update={"segments": item.segments})
            await post.send(self._store, again, self._store.settings.look_again)
        else:
            why = given_up("The run", run)
            ending = Ending(Event.FAIL, error=LastError(code="server_error", message=why))
            ended = await end_unclaimed(self._store, key, document, ending, why, run.look)
            if ended is not None and not ended.value.active:
                await tell_missed(self._store, key, ended)

    async def _log(self, key: RunKey, segments: int) -> Transcript | None:
        try:
            return await self._store.messages.read(key.project, key.thread, segments)
        except ThreadGone:
            return None

    def _now(self) -> float:
        return self._store.clock.now()
