"""The loop of a run: call the model, record the turn, publish it, then park the run or end it.

One driver at a time holds a run, by a claim in the run's document. Every step is a conditional write under that claim,
and the loop can be entered again at any point by another process: it goes on from what is recorded.
"""

import asyncio
import logging
from collections.abc import Sequence

from azure.core.exceptions import AzureError

from assistants.engine import machine, outcome, tokens
from assistants.engine.endpoint import Model
from assistants.engine.hold import Hold
from assistants.engine.items import WORK, Call
from assistants.engine.machine import Event
from assistants.engine.modelcall import ModelCall
from assistants.engine.publication import publish
from assistants.schema.messages import Message
from assistants.schema.runs import RunStatus
from assistants.state.runs import FUNCTION, Finish, Look, RunRecord, ToolCall
from assistants.state.store import RunKey, Store
from assistants.storage.queues import Receipt
from assistants.tools.registry import SERVER_TOOLS

log = logging.getLogger("assistants.engine")

WATCH = 1.0
"""Seconds between two looks for a cancellation while the model works."""


class Driver:
    """Drives runs that it is handed under a claim."""

    def __init__(self, store: Store, model: Model) -> None:
        self._store = store
        self._model = model

    async def drive(self, hold: Hold, thread: Sequence[Message], look: Look | None) -> None:
        """Go on with a run until it is parked or has ended.

        Parameters
        ----------
        thread
            The messages that belong to the run's prompt.
        look
            The run's look-again item, deleted when the run has ended.

        Raises
        ------
        ClaimLost
            Another attendance has the run.
        ThreadGone
            The thread has been deleted.
        """
        run = hold.run
        while True:
            if run.unpublished is None:
                if run.status is RunStatus.CANCELLING:
                    return await self._end(hold, Event.STOP, None, look)
                call = ModelCall(self._store, self._model, run, thread)
                used_up = tokens.used_up(run) or ("max_prompt_tokens" if call.over_budget else None)
                if used_up is not None:
                    return await self._end(hold, Event.INCOMPLETE, used_up, look)
                run = await self._take_turn(hold, call)
                continue
            run = await self._publish(hold)
            assert run.turn is not None
            conclusion = machine.conclusion(run.turn)
            if conclusion is not None:
                return await self._end(hold, *conclusion, look)
            run = await hold.write(lambda run: machine.park(run, self._now(), look), "tools called")
            if run.turn and run.turn.parked:
                return await call_server_tools(self._store, hold.key, run.unanswered)
            if run.status is RunStatus.CANCELLING:
                return await self._end(hold, Event.STOP, None, look)

    async def _take_turn(self, hold: Hold, call: ModelCall) -> RunRecord:
        """Ask the model, until a cancellation or the run's expiry cuts it off, and record what it said."""
        run, started = hold.run, self._now()
        answer = asyncio.create_task(call.make())
        watch = asyncio.create_task(self._watch(hold))
        try:
            await asyncio.wait({answer, watch}, return_when=asyncio.FIRST_COMPLETED)
            cut_off = answer.result() if answer.done() else watch.result()
        finally:
            for task in (answer, watch):
                task.cancel()
            await asyncio.gather(answer, watch, return_exceptions=True)
        turn = outcome.turn(run, call.completion, started, self._now(), cut_off)
        recorded = machine.bounded(run, outcome.measured(turn, call.completion, call.prompt))
        return await hold.write(lambda run: machine.record(run, recorded, self._now()), "turn recorded")

    async def _watch(self, hold: Hold) -> Finish:
        """Keep the claim alive until the run is cancelled or expires."""
        length = self._store.settings.claim
        while True:
            run = hold.run
            left = run.expires_at - self._now()
            if left <= 0:
                return "expired"
            await asyncio.sleep(min(WATCH, length / 3, left))
            try:
                due = run.claim is None or run.claim.until - self._now() < length * 2 / 3
                run = await (hold.renew() if due else hold.refresh())
            except AzureError as error:
                log.warning("run %s: could not look after the claim: %s", hold.key.run, error)
                continue
            if run.status is RunStatus.CANCELLING:
                return "cancelled"

    async def _publish(self, hold: Hold) -> RunRecord:
        segments = await publish(self._store, hold.key, hold.run)
        if segments == hold.run.segments:
            return hold.run
        return await hold.write(lambda run: run.model_copy(update={"segments": segments}), "log rolled")

    async def _end(self, hold: Hold, event: Event, reason: str | None, look: Look | None) -> None:
        error = hold.run.turn.error if hold.run.turn else None
        await hold.write(lambda run: machine.end(run, event, self._now(), error, reason), event.value)
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
