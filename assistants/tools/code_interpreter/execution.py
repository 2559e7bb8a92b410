"""A call of the code interpreter: its code is executed at most once, however often the call is delivered."""

import asyncio
import logging
from collections.abc import Iterator, Sequence
from contextlib import suppress

from assistants.schema.errors import ApiError
from assistants.schema.runs import RunStatus
from assistants.state.code import code_of
from assistants.state.runs import ImageOutput, LogOutput, Ran, RunRecord
from assistants.state.sessions import (
    LIFETIME,
    Outcome,
    SessionRecord,
    Step,
    begun,
    freed,
    outcome_name,
    session_name,
    settled,
    snapshot_name,
    step,
)
from assistants.state.store import RunKey
from assistants.storage.concurrency import for_each
from assistants.storage.documents import Document
from assistants.storage.errors import TRANSIENT, Conflict
from assistants.storage.ids import derived
from assistants.tools.code_interpreter.engine import (
    Call,
    Engine,
    EngineBusy,
    EngineFailed,
    Execution,
    Image,
    InputFile,
    Logs,
    OutcomeLost,
    OutputFile,
)
from assistants.tools.code_interpreter.files import inputs, only, put_out
from assistants.tools.code_interpreter.interpreter import session_of
from assistants.tools.code_interpreter.purging import purge_session
from assistants.tools.servertool import Question, ToolFailed

log = logging.getLogger("assistants.tools")

PAUSE = 0.25
"""Seconds before the second read of the run, or of the execution in progress. Later pauses are longer."""

_LATER = 1.0
"""Seconds between later reads, two tries of a busy engine, or two reads of another delivery's execution."""

_BESIDES = 60.0
"""Seconds that an execution may take besides the code: to start a process, and to store the outputs."""

INTERRUPTED = (
    "The execution was interrupted: it is not known how far the code came, and it is not executed again by itself. "
    "Look at variables and files before you rely on them; files that the code has made are not stored."
)

_ENDED = "The run has ended."


class CodeCall:
    """A delivery of a call, the first or a repeated one."""

    def __init__(self, question: Question) -> None:
        self._store, self._question = question.store, question
        self._project, self._thread = question.project, question.run.thread_id
        self._key = RunKey(self._project, self._thread, question.run.id)
        # The model may give calls of two turns the same id.
        self._id = derived("", question.run.id, len(question.run.turns), question.call.id)
        self._session = session_name(self._project, self._thread)
        self._name = outcome_name(self._project, self._thread, self._id)

    async def outcome(self) -> Outcome:
        """The outcome of the code, which is executed unless it has been.

        Raises
        ------
        ToolFailed
            No engine can execute code here, or the run has ended.
        """
        engine = await self._question.interpreter.engine()
        if isinstance(engine, str):
            raise ToolFailed(engine)
        waits = pauses()
        while await self._awaited() is not None:
            session = await self._store.sessions.read(self._session)
            record = session.value if session else SessionRecord(began_at=self._now())
            underway = record.underway and record.underway.id
            mine, other = await asyncio.gather(self._outcome_of(self._id), self._outcome_of(underway))
            match step(record, mine, other, self._now()):
                case Step.TAKE if mine:
                    return mine
                case Step.SETTLE if underway and other:
                    await self._settle(underway, other)
                case Step.INTERRUPT if underway:
                    await self._give(underway, _without_effect(INTERRUPTED, record))
                case Step.BEGIN if await self._is_next():
                    await self._begin(engine, session, record)
                case _:
                    await asyncio.sleep(_LATER if underway == self._id else next(waits))
        if await self._store.runs.read(self._key.name) is None:  # writes may have followed the thread's purge
            await purge_session(self._store, self._project, self._thread)
        raise ToolFailed(_ENDED)

    @property
    def _has_files(self) -> bool:
        """Whether an earlier call of the run has recorded the session's files: one such record is enough."""
        return any(call.ran is not None for turn in self._question.run.turns for call in turn.calls)

    async def _awaited(self) -> RunRecord | None:
        """The run while it awaits this call; None: it has ended, or was deleted."""
        document = await self._store.runs.read(self._key.name)
        run = document.value if document is not None else None
        if run is None or not run.active or run.status is RunStatus.CANCELLING or self._now() >= run.expires_at:
            return None
        return run if self._question.call.id in {call.id for call in run.unanswered} else None

    async def _is_next(self) -> bool:
        """Whether the preceding calls of code in the same turn have been answered."""
        run = await self._awaited()
        calls = [call.id for call in run.unanswered if call.type == self._question.call.type] if run else []
        return calls[:1] == [self._question.call.id]

    async def _outcome_of(self, execution: str | None) -> Outcome | None:
        if execution is None:
            return None
        document = await self._store.outcomes.read(outcome_name(self._project, self._thread, execution))
        return document and document.value

    async def _begin(self, engine: Engine, known: Document[SessionRecord] | None, record: SessionRecord) -> None:
        """Record the execution as in progress, then execute the code; no effect if another process was first."""
        files, now = await inputs(self._store, self._project, self._question.run, record), self._now()
        until = now + self._store.settings.code_interpreter_timeout + _BESIDES
        noted = begun(record, self._id, now, until)
        try:
            if known is None:
                await self._store.sessions.create(self._session, noted)
            else:
                await self._store.sessions.replace(known, noted)
        except Conflict:
            return
        if record.snapshot is not None and now >= record.began_at + LIFETIME:
            await engine.end(session_of(self._project, self._thread))
        outcome = await self._watched(engine, files, record, until)
        if outcome is None:
            await self._store.sessions.change(self._session, lambda session: freed(session, self._id))
            await asyncio.sleep(_LATER)
        else:
            await self._settle(self._id, await self._give(self._id, outcome))
            if record.snapshot is not None and outcome.executed:
                await self._store.snapshots.delete(snapshot_name(self._project, self._thread, record.snapshot))

    async def _watched(
        self, engine: Engine, files: Sequence[InputFile], record: SessionRecord, until: float
    ) -> Outcome | None:
        """The outcome; None: the engine was busy. The end of the run ends the execution."""
        work = asyncio.create_task(self._execute(engine, files, record))
        watch = asyncio.create_task(self._watch(until))
        try:
            await asyncio.wait({work, watch}, return_when=asyncio.FIRST_COMPLETED)
            return work.result() if work.done() else _without_effect(INTERRUPTED, record)
        except (*TRANSIENT, ApiError) as error:
            log.warning("run %s: the outcome of its code is lost: %s", self._key.run, error)
            return _without_effect(INTERRUPTED, record)
        except asyncio.CancelledError:  # the process is stopping; the outcome frees the session for other executions
            work.cancel()
            await asyncio.gather(work, return_exceptions=True)
            await self._give(self._id, _without_effect(INTERRUPTED, record))
            raise
        finally:
            for task in (work, watch):
                task.cancel()
            await asyncio.gather(work, watch, return_exceptions=True)

    async def _watch(self, until: float) -> None:
        waits = pauses()
        while (left := until - PAUSE - self._now()) > 0:
            with suppress(*TRANSIENT):
                if await self._awaited() is None:
                    return
            await asyncio.sleep(min(next(waits), left))

    async def _execute(self, engine: Engine, files: Sequence[InputFile], record: SessionRecord) -> Outcome | None:
        store, project = self._store, self._project

        async def restore() -> bytes | None:
            if record.snapshot is None:
                return None
            return await store.snapshots.read(snapshot_name(project, self._thread, record.snapshot))

        call = Call(
            session=session_of(project, self._thread),
            id=self._id,
            code=code_of(self._question.call.arguments),
            files=files,
            after=record.last,
            restore=restore,
        )
        try:
            execution = await engine.execute(call)
        except EngineBusy:
            return None
        except EngineFailed as error:
            return _without_effect(str(error), record)
        except OutcomeLost as error:
            return _without_effect(str(error), record).model_copy(update={"executed": True})
        return await self._kept(execution, record)

    async def _kept(self, execution: Execution, record: SessionRecord) -> Outcome:
        """The outcome, after its images, files and variables are stored."""
        notices = [*execution.notices]

        async def output_of(output: Logs | Image) -> LogOutput | ImageOutput:
            if isinstance(output, Logs):
                return LogOutput(logs=output.text)
            return ImageOutput(file_id=await put_out(self._store, self._project, "figure.png", only(output.png)))

        async def stored(file: OutputFile) -> str | None:
            try:
                return await put_out(self._store, self._project, file.name, file.content())
            except (EngineBusy, EngineFailed, OutcomeLost, OSError) as error:  # it can no longer be read
                notices.append(f"The file {file.name} could not be stored: {error}")
                return None

        outputs = await for_each(output_of, execution.outputs)
        ids = await for_each(stored, execution.files)
        files = {file.name: id_ for file, id_ in zip(execution.files, ids, strict=True) if id_ is not None}
        if notices:
            outputs.append(LogOutput(logs=" ".join(notices)))
        if execution.snapshot is not None:
            name = snapshot_name(self._project, self._thread, self._id)
            await self._store.snapshots.write(name, execution.snapshot)
        return Outcome(
            output=told(outputs, list(files)),
            ran=Ran(outputs=outputs, files=files if self._has_files else record.files | files),
            snapshot=execution.snapshot is not None,
            files=files,
        )

    async def _give(self, execution: str, outcome: Outcome) -> Outcome:
        """Store an outcome; return the one that was stored first."""
        name = outcome_name(self._project, self._thread, execution)
        try:
            return (await self._store.outcomes.create(name, outcome)).value
        except Conflict:
            found = await self._outcome_of(execution)
            return found or outcome

    async def _settle(self, execution: str, outcome: Outcome) -> None:
        await self._store.sessions.change(self._session, lambda session: settled(session, execution, outcome))

    def _now(self) -> float:
        return self._store.clock.now()


def pauses() -> Iterator[float]:
    """Seconds between two reads while code runs: short at first, as most executions are short; at most a second."""
    pause = PAUSE
    while True:
        yield pause
        pause = min(1.5 * pause, _LATER)


def told(outputs: Sequence[LogOutput | ImageOutput], paths: Sequence[str]) -> str:
    """The text for the model: the outputs, and the files that code has made or changed."""
    lines = [
        output.logs.rstrip("\n")
        if isinstance(output, LogOutput)
        else f"[An image, which the user sees: {output.file_id}]"
        for output in outputs
    ]
    if paths:
        links = ", ".join(f"sandbox:/mnt/data/{path}" for path in paths)
        lines.append(f"[Files that were made or changed, to be linked like this: {links}]")
    return "\n".join(lines) or "[There is no output.]"


def _without_effect(output: str, record: SessionRecord) -> Outcome:
    """The outcome of code that leaves no variables."""
    ran = Ran(outputs=[LogOutput(logs=output)], files=record.files)
    return Outcome(output=output, ran=ran, executed=False)
