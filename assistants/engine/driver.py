"""The loop of a run: call the model, record the turn, publish it, then park the run or end it.

One driver at a time holds a run, by a claim in the run's document. Every step is a conditional write under that claim,
and the loop can be entered again at any point by another process: it goes on from what is recorded.
"""

import asyncio
import logging
from collections.abc import Mapping, Sequence

from azure.core.exceptions import AzureError

from assistants.engine import machine
from assistants.engine.events import Listener
from assistants.engine.hold import Hold
from assistants.engine.items import WORK, Call
from assistants.engine.machine import Event
from assistants.engine.publication import publish
from assistants.engine.turn import outcome, tokens
from assistants.engine.turn.asking import ModelCall
from assistants.engine.turn.images import load
from assistants.engine.turn.preparation import Preparation, patient
from assistants.engine.turn.prompt import recent
from assistants.model.endpoint import Model
from assistants.schema.messages import Message
from assistants.schema.runs import LastError, RunStatus
from assistants.state.runs import FUNCTION, Finish, Look, RunRecord, ToolCall
from assistants.state.store import RunKey, Store
from assistants.storage.queues import Receipt
from assistants.tools.registry import SERVER_TOOLS

log = logging.getLogger("assistants.engine")

WATCH = 1.0
"""Seconds between two looks for a cancellation while the model works."""

WATCH_TOOLS = 0.2
"""Seconds between two looks for the answers of server tools, for a driver that waits for them."""


WATCH_FILES = 0.25
"""Seconds between two looks at the files that a run waits for."""


class Driver:
    """Drives runs that it is handed under a claim."""

    def __init__(self, store: Store, model: Model) -> None:
        self._store = store
        self._model = model

    async def drive(
        self, hold: Hold, thread: Sequence[Message], look: Look | None, listener: Listener, stay: bool = False
    ) -> None:
        """Go on with a run until it is parked or has ended.

        Parameters
        ----------
        thread
            The messages that belong to the run's prompt.
        look
            The run's look-again item, deleted when the run has ended.
        listener
            Is told how the run goes on.
        stay
            Wait for the answers of server tools instead of parking the run.

        Raises
        ------
        ClaimLost
            Another attendance has the run.
        ThreadGone
            The thread has been deleted.
        """
        images: Mapping[str, str] | None = None
        while True:
            run = hold.run
            if run.unpublished is None:
                expired = await self._prepare(hold, listener)
                if expired is not None:
                    return await self._end(hold, Event.FAIL, None, look, listener, expired)
                run = hold.run
                if images is None:
                    images = await load(self._store, hold.key.project, recent(run, thread))
                call = ModelCall(self._store, self._model, run, thread, images)
                ended = self._ended(run) or self._out_of_tokens(run, call)
                if ended is not None:
                    return await self._end(hold, *ended, look, listener)
                await self._take_turn(hold, call, look, listener, stay)
            if hold.run.unpublished is not None:
                await self._publish(hold)
                listener.see(hold.run)
                conclusion = machine.conclusion(hold.run.unpublished) or self._ended(hold.run)
                if conclusion is not None:
                    return await self._end(hold, *conclusion, look, listener)
                parked = await hold.write(lambda run: machine.park(run, self._now(), look, stay), "tools called")
                if parked.unpublished is not None:
                    continue  # cancelled in this moment
            run = hold.run
            await call_server_tools(self._store, hold.key, run.unanswered)
            listener.see(run)
            if run.claim is None:
                return None
            await self._await_outputs(hold)
            listener.see(hold.run)

    async def _prepare(self, hold: Hold, listener: Listener) -> LastError | None:
        """Keep the claim alive until the thread's files can be searched, for a minute at most.

        The answer is why the run cannot go on, if it cannot.
        """
        preparation = Preparation(self._store, hold.key.project, hold.run)
        error = await preparation.begin()
        if error is not None or not preparation.waits:
            return error
        while preparation.waits and patient(hold.run, self._now()) and self._ended(hold.run) is None:
            await self._look_after(hold, WATCH_FILES)
            await preparation.look()
        listener.see(hold.run)
        return None

    def _ended(self, run: RunRecord) -> tuple[Event, str | None] | None:
        """What ends the run from outside: a cancellation, or its time."""
        if run.status is RunStatus.CANCELLING:
            return Event.STOP, None
        return (Event.EXPIRE, None) if self._now() >= run.expires_at else None

    def _out_of_tokens(self, run: RunRecord, call: ModelCall) -> tuple[Event, str | None] | None:
        used_up = tokens.used_up(run) or ("max_prompt_tokens" if call.over_budget else None)
        return (Event.INCOMPLETE, used_up) if used_up else None

    async def _take_turn(self, hold: Hold, call: ModelCall, look: Look | None, listener: Listener, stay: bool) -> None:
        """Ask the model, until a cancellation or the run's expiry cuts it off, and record what it said.

        Where it said nothing but calls there is nothing to publish, and the same write parks the run.
        """
        run, started = hold.run, self._now()
        answer = asyncio.create_task(call.make(lambda completion: listener.hear(run, completion, started)))
        watch = asyncio.create_task(self._watch(hold))
        try:
            await asyncio.wait({answer, watch}, return_when=asyncio.FIRST_COMPLETED)
            cut_off = answer.result() if answer.done() else watch.result()
        finally:
            for task in (answer, watch):
                task.cancel()
            await asyncio.gather(answer, watch, return_exceptions=True)
        if cut_off == "cancelled":
            listener.see(hold.run)
        turn = outcome.turn(run, call.completion, started, self._now(), cut_off)
        turn = outcome.numbered(run, turn, call.thread)
        turn = machine.bounded(run, outcome.measured(turn, call.completion, call.prompt))

        def record(run: RunRecord) -> RunRecord:
            recorded = machine.record(run, turn, self._now())
            goes_on = machine.conclusion(turn) is None and self._ended(run) is None
            return (turn.silent and goes_on and machine.park(recorded, self._now(), look, stay)) or recorded

        await hold.write(record, "tools called")

    async def _watch(self, hold: Hold) -> Finish:
        """Keep the claim alive until the run is cancelled or expires."""
        while True:
            ended = self._ended(hold.run)
            if ended is not None:
                return "cancelled" if ended[0] is Event.STOP else "expired"
            await self._look_after(hold, WATCH)

    async def _await_outputs(self, hold: Hold) -> None:
        """Keep the claim alive until the server tools have answered, or the run is cancelled or expires."""
        while hold.run.unanswered and self._ended(hold.run) is None:
            await self._look_after(hold, WATCH_TOOLS)

    async def _look_after(self, hold: Hold, interval: float) -> None:
        """Wait for a moment, then read the run again, or renew the claim where a third of it is over."""
        length, run = self._store.settings.claim, hold.run
        await asyncio.sleep(max(min(interval, length / 3, run.expires_at - self._now()), 0))
        due = run.claim is None or run.claim.until - self._now() < length * 2 / 3
        try:
            await (hold.renew() if due else hold.refresh())
        except AzureError as error:
            log.warning("run %s: could not look after the claim: %s", hold.key.run, error)

    async def _publish(self, hold: Hold) -> None:
        segments = await publish(self._store, hold.key, hold.run)
        if segments != hold.run.segments:
            await hold.write(lambda run: run.model_copy(update={"segments": segments}), "log rolled")

    async def _end(
        self,
        hold: Hold,
        event: Event,
        reason: str | None,
        look: Look | None,
        listener: Listener,
        error: LastError | None = None,
    ) -> None:
        error = error or (hold.run.turn.error if hold.run.turn else None)
        run = await hold.write(lambda run: machine.end(run, event, self._now(), error, reason), event.value)
        listener.see(run)
        await delete_look(self._store, look)

    def _now(self) -> float:
        return self._store.clock.now()


async def call_server_tools(store: Store, key: RunKey, calls: Sequence[ToolCall]) -> None:
    """Send the items of the server tools' calls. One that is lost is sent again by a look-again item."""
    await asyncio.gather(
        *(
            store.queues.send(
                SERVER_TOOLS[call.type].queue,
                Call(project=key.project, thread=key.thread, run=key.run, call=call.id).model_dump(),
            )
            for call in calls
            if call.type != FUNCTION
        )
    )


async def delete_look(store: Store, look: Look | None) -> None:
    """Delete the look-again item of a run that has ended; if that fails, the item finds the run ended."""
    if look is None:
        return
    try:
        await store.queues.delete(WORK, Receipt(look.id, look.pop_receipt))
    except AzureError as error:
        log.warning("could not delete a look-again item: %s", error)
