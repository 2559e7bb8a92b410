"""The loop of a run: call the model, record the turn, publish it, then park the run or end it.

One driver at a time has a run, by a claim in the run's document. Every step is a conditional write under that claim.
Another process can enter the loop at any point: it continues from the recorded state.
"""

import asyncio
import logging
from collections.abc import Mapping

from assistants.engine import machine
from assistants.engine.claim import ClaimedRun, ClaimLost
from assistants.engine.ending import delete_last_look, publish
from assistants.engine.events import NO_LISTENER, Listener
from assistants.engine.machine import Ending, Event
from assistants.engine.requests import queue_run
from assistants.engine.toolcalls import call_server_tools
from assistants.engine.turn import outcome, tokens
from assistants.engine.turn.asking import ModelCall
from assistants.engine.turn.completion import Completion
from assistants.engine.turn.images import load
from assistants.engine.turn.preparation import Preparation, may_wait
from assistants.engine.turn.prompt import recent
from assistants.engine.turn.reading import Reading, read_back
from assistants.model.contexts import longest_prompt
from assistants.model.endpoint import Model
from assistants.schema.runs import LastError, RunStatus
from assistants.state.messages import put_record
from assistants.state.resources import runs_code
from assistants.state.runs import Finish, Look, RunRecord
from assistants.state.store import Store
from assistants.state.threads import ThreadGone
from assistants.state.transcript import Transcript
from assistants.storage.errors import TRANSIENT
from assistants.telemetry import record as telemetry
from assistants.telemetry.names import AGENT, CLAIMS_LOST, FIRST_WORD, OPERATION, PROJECT, REQUEST_MODEL, RUN_STATUS
from assistants.telemetry.scope import scoped
from assistants.tools.code_interpreter.files import told_files

log = logging.getLogger("assistants.engine")

WATCH = 1.0
"""Seconds between two reads of the run while the model works; they detect a cancellation."""

WATCH_TOOLS = 0.2
"""Seconds between two reads of the run while server tools work, for a driver that waits for their outputs."""

MANY_MESSAGES = 500
"""A prompt of more messages is made in a thread, not on the event loop."""

WATCH_FILES = 0.25
"""Seconds between two reads of the vector stores that a run waits for."""


async def drive(
    store: Store, model: Model, claimed: ClaimedRun, transcript: Transcript, look: Look | None, listener: Listener
) -> None:
    """Drive a run in the process of a request. If that fails, or the process stops, the queue has it driven.

    Raises
    ------
    asyncio.CancelledError
        The process is stopping.
    """
    key = claimed.key
    try:
        await Driver(store, model, claimed, transcript, look, listener, stay=True).carry_on()
    except TRANSIENT as error:
        log.warning("run %s: its creator no longer drives it: %s", key.run, error)
        await queue_run(store, key, claimed.run)  # only the look-again item would be delivered again
    except asyncio.CancelledError:
        await queue_run(store, key, claimed.run)
        raise


class Driver:
    """Drives one run that this process has claimed.

    Parameters
    ----------
    transcript
        The thread's messages; the run records how much of the log belongs to the prompt.
    look
        The run's look-again item, deleted when the run has ended.
    listener
        Receives the run's updates.
    stay
        Wait for the outputs of server tools instead of parking the run.
    """

    def __init__(
        self,
        store: Store,
        model: Model,
        claimed: ClaimedRun,
        transcript: Transcript,
        look: Look | None,
        listener: Listener = NO_LISTENER,
        stay: bool = False,
    ) -> None:
        self._store = store
        self._model = model
        self._claimed = claimed
        self._key = claimed.key
        self._transcript = transcript
        self._look = look
        self._listener = listener
        self._stay = stay

    @property
    def _run(self) -> RunRecord:
        return self._claimed.run

    async def carry_on(self) -> None:
        """Drive the run until it is parked or has ended. Every failure ends the run or releases the claim.

        Raises
        ------
        AzureError, Contended
            Storage failed; the claim has been released, if that was possible.
        """
        run, key = self._run, self._key
        seen = {OPERATION: "invoke_agent", AGENT: run.assistant_id, REQUEST_MODEL: run.model}
        with (
            scoped(project=key.project, thread=key.thread, run=key.run),
            telemetry.span("invoke_agent", "internal", seen, origin=run.trace) as span,
        ):
            try:
                await self._carry_on()
            finally:
                span.set({RUN_STATUS: self._run.status.value})
                if self._run.status is RunStatus.FAILED:
                    span.fail(self._run.last_error.code if self._run.last_error else "failed")

    async def _carry_on(self) -> None:
        run, key = self._run, self._key
        try:
            if run.takeovers >= machine.MAX_TAKEOVERS:
                await self._fail(f"The run was taken up {run.takeovers} times without making progress.")
            else:
                transcript = self._transcript.until(run.prompt_lengths or ())
                await self._add_missing(transcript)
                await self._drive(transcript)
        except ClaimLost:
            telemetry.add(CLAIMS_LOST, 1, {PROJECT: key.project})
            log.warning("run %s: the claim is lost", key.run)
        except ThreadGone:
            log.info("run %s: its thread was deleted", key.run)
        except TRANSIENT as error:
            await self._release(f"{type(error).__name__}: {error}".splitlines()[0])
            raise
        except asyncio.CancelledError:
            await self._release("the process that drove the run was stopped")
            raise
        except Exception as error:
            log.exception("run %s failed", key.run)
            await self._fail(f"The run could not be completed: {type(error).__name__}: {error}")

    async def _drive(self, transcript: Transcript) -> None:
        """Continue from the recorded state; `transcript` has the messages of the prompt."""
        reading: Reading | None = None
        images: Mapping[str, str] = {}
        files = ""
        while True:
            if self._run.unpublished is None:
                expired = await self._prepare()
                if expired is not None:
                    return await self._end(Ending(Event.FAIL, error=expired))
                if reading is None:
                    reading = await read_back(transcript, self._run, self._longest_prompt())
                    images = await load(self._store, self._key.project, recent(self._run, reading.messages))
                    files = await told_files(self._store, self._key, self._run)
                call = await self._call(reading, images, files)
                ending = self._cut_off(self._run) or self._out_of_tokens(call)
                if ending is not None:
                    return await self._end(ending)
                await self._take_turn(call)
            if self._run.unpublished is not None:
                await self._publish()
                self._listener.updated(self._run)
                ending = machine.conclusion(self._run.unpublished) or self._cut_off(self._run)
                if ending is not None:
                    return await self._end(ending)
                parked = await self._claimed.write(self._parked, "tools called")
                if parked.unpublished is not None:
                    continue  # cancelled just now
            run = self._run
            await call_server_tools(self._store, self._key, run.unanswered)
            self._listener.updated(run)
            if run.claim is None:
                return None
            await self._await_outputs()
            self._listener.updated(self._run)

    async def _prepare(self) -> LastError | None:
        """Keep the claim alive until the thread's files can be searched, for a minute at most.

        The result is the error that ends the run, if there is one.
        """
        if runs_code(self._run.tools) and (missing := await self._store.hosting.missing()):
            return LastError(code="server_error", message=missing)
        preparation = Preparation(self._store, self._key.project, self._run)
        error = await preparation.begin()
        if error is not None or not preparation.waits:
            return error
        while preparation.waits and may_wait(self._run, self._now()) and self._cut_off(self._run) is None:
            await self._keep_claim(WATCH_FILES)
            await preparation.look()
        self._listener.updated(self._run)
        return None

    async def _call(self, reading: Reading, images: Mapping[str, str], files: str) -> ModelCall:
        """The call for the next turn. A long prompt is made in a thread, as it would hold up the event loop."""
        settings, clock, run = self._store.settings, self._store.clock, self._run

        def made() -> ModelCall:
            return ModelCall(settings, clock, self._model, run, reading.messages, images, reading.skipped, files)

        return await asyncio.to_thread(made) if len(reading.messages) > MANY_MESSAGES else made()

    def _longest_prompt(self) -> int:
        settings, model = self._store.settings, self._run.model
        return longest_prompt(settings, model, self._model.learnt.of(settings.endpoint_model(model)))

    def _cut_off(self, run: RunRecord) -> Ending | None:
        """The ending that a cancellation or the expiry requires; None: the run continues."""
        if run.status is RunStatus.CANCELLING:
            return Ending(Event.STOP)
        return Ending(Event.EXPIRE) if self._now() >= run.expires_at else None

    def _out_of_tokens(self, call: ModelCall) -> Ending | None:
        used_up = tokens.used_up(self._run) or ("max_prompt_tokens" if call.over_budget else None)
        return Ending(Event.INCOMPLETE, used_up) if used_up else None

    async def _take_turn(self, call: ModelCall) -> None:
        """Call the model, until a cancellation or the run's expiry stops it, and record its answer.

        An answer of tool calls only has no message to publish, so the same write parks the run.
        """
        run, started = self._run, self._now()
        first = not run.turns

        def on_chunk(said: Completion) -> None:
            nonlocal first
            if first and said.begun:
                first = False
                waited = self._now() - run.created_at
                telemetry.add(FIRST_WORD, waited, {PROJECT: self._key.project, REQUEST_MODEL: run.model})
            self._listener.received(run, said, started)

        asked = call.make(on_chunk, self._store.slices)
        answer = asyncio.create_task(asked)
        watch = asyncio.create_task(self._watch())
        try:
            await asyncio.wait({answer, watch}, return_when=asyncio.FIRST_COMPLETED)
            cut_off = answer.result() if answer.done() else watch.result()
        finally:
            for task in (answer, watch):
                task.cancel()
            await asyncio.gather(answer, watch, return_exceptions=True)
        if cut_off == "cancelled":
            self._listener.updated(self._run)
        turn = outcome.turn(run, call.completion, started, self._now(), cut_off)
        turn = outcome.numbered(run, turn, call.thread)
        turn = machine.bounded(run, outcome.measured(turn, call.completion, call.prompt, call.skipped))

        def record(run: RunRecord) -> RunRecord:
            recorded = machine.recorded(run, turn, self._now())
            goes_on = machine.conclusion(turn) is None and self._cut_off(run) is None
            return (turn.silent and goes_on and self._parked(recorded)) or recorded

        await self._claimed.write(record, "tools called")

    def _parked(self, run: RunRecord) -> RunRecord | None:
        return machine.parked(run, self._now(), self._look, self._stay)

    async def _watch(self) -> Finish:
        """Keep the claim alive until the run is cancelled or expires."""
        while True:
            ending = self._cut_off(self._run)
            if ending is not None:
                return "cancelled" if ending.event is Event.STOP else "expired"
            await self._keep_claim(WATCH)

    async def _await_outputs(self) -> None:
        """Keep the claim alive until the server tools have answered, or the run is cancelled or expires."""
        answered = self._store.answered[self._key.name] = asyncio.Event()
        try:
            while self._run.unanswered and self._cut_off(self._run) is None:
                await self._keep_claim(WATCH_TOOLS, answered)
        finally:
            del self._store.answered[self._key.name]

    async def _keep_claim(self, interval: float, until: asyncio.Event | None = None) -> None:
        """Wait `interval` seconds at most, then read the run again, or renew the claim if a third of it is over.

        `until` ends the wait.
        """
        length, run = self._store.settings.claim, self._run
        pause = max(min(interval, length / 3, run.expires_at - self._now()), 0)
        if until is None:
            await asyncio.sleep(pause)
        else:
            waiting = asyncio.create_task(until.wait())
            try:
                await asyncio.wait({waiting}, timeout=pause)
            finally:
                waiting.cancel()
            until.clear()
        due = run.claim is None or run.claim.until - self._now() < length * 2 / 3
        try:
            await (self._claimed.renew() if due else self._claimed.refresh())
        except TRANSIENT as error:
            log.warning("run %s: could not keep its claim: %s", self._key.run, error)

    async def _add_missing(self, transcript: Transcript) -> None:
        """Append the messages that came with the run, if the process that created it died before appending them."""
        run = self._run
        missing = [put_record(message) for message in run.additional_messages if message.id not in transcript]
        if missing:
            await self._store.messages.append(self._key.project, self._key.thread, run.segments, missing)

    async def _publish(self) -> None:
        segments = await publish(self._store, self._key, self._run)
        if segments != self._run.segments:
            await self._claimed.write(lambda run: run.model_copy(update={"segments": segments}), "log rolled")

    async def _end(self, ending: Ending) -> None:
        run = await self._claimed.write(lambda run: machine.ended(run, ending, self._now()), ending.event.value)
        self._listener.updated(run)
        await delete_last_look(self._store, run, self._look)

    async def _fail(self, why: str) -> None:
        ending = Ending(Event.FAIL, error=LastError(code="server_error", message=why))
        try:
            await publish(self._store, self._key, self._run)
            await self._claimed.write(lambda run: machine.ended(run, ending, self._now()), why)
        except (ClaimLost, ThreadGone):
            pass  # the process that has claimed the run since then ends it

    async def _release(self, trouble: str) -> None:
        """Release the claim, so that the next delivery of the item can try again at once, and record the error."""
        try:
            await self._claimed.write(lambda run: machine.released(run, trouble, self._now()), trouble)
        except (*TRANSIENT, ClaimLost) as again:
            log.warning("run %s: could not release its claim: %s", self._key.run, again)

    def _now(self) -> float:
        return self._store.clock.now()
