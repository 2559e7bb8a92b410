"""The engine on this machine: a confined process per session."""

import asyncio
from collections.abc import Coroutine, Sequence
from contextlib import suppress
from dataclasses import dataclass, field

from assistants.settings import Settings
from assistants.tools.code_interpreter.engine import (
    Call,
    EngineBusy,
    EngineFailed,
    Execution,
    InputFile,
)
from assistants.tools.code_interpreter.install import environment
from assistants.tools.code_interpreter.local import notices, snapshots
from assistants.tools.code_interpreter.local.outputs import State, changed
from assistants.tools.code_interpreter.local.process import FILES, Confined, Ended, NotConfined
from assistants.tools.code_interpreter.local.transcript import Transcript

_SNAPSHOT_SECONDS = 10.0
"""The most seconds for making a snapshot of the variables."""


@dataclass
class _Session:
    process: Confined
    last: str | None
    """The execution whose variables it has."""
    put_out: dict[str, State] = field(default_factory=dict[str, State])
    """The files that the last call made or changed."""
    ends: asyncio.TimerHandle | None = None


@dataclass
class _Outcome:
    error: str | None = None
    """The name of the exception that the code ended with."""
    timed_out: bool = False
    died: str | None = None
    """How the process ended, if it did."""
    snapshot: bytes | None = None


class Local:
    """Confined processes, as many as the settings allow; the one idle for longest is ended for a new session."""

    def __init__(self, settings: Settings) -> None:
        self._settings = settings
        self._idle: dict[str, _Session] = {}
        self._busy: dict[str, _Session | None] = {}
        self._ending = set[asyncio.Task[object]]()

    async def execute(self, call: Call) -> Execution:
        if call.session in self._busy:
            raise EngineBusy("The session executes another call.")
        if len(self._busy) >= self._settings.code_interpreter_sessions:
            raise EngineBusy("Every process that may be there executes code.")
        self._busy[call.session] = None
        session: _Session | None = None
        try:
            session, restored, told = await self._session(call)
            if call.session not in self._busy:
                raise EngineFailed("The session was ended.")
            self._busy[call.session] = session
            await _put(session, call.files)
            execution = await self._run(session, call, restored, told)
        except BaseException:
            if session:
                await _end(session)
            raise
        finally:
            ended = call.session not in self._busy
            self._busy.pop(call.session, None)
        if ended:
            await _end(session)
        else:
            self._keep(call.session, session)
        return execution

    async def end(self, session: str) -> None:
        self._busy_ends(session)
        if found := self._idle.pop(session, None):
            await _end(found)

    async def close(self) -> None:
        for session in [*self._busy, *self._idle]:
            await self.end(session)
        if self._ending:
            await asyncio.wait(self._ending)

    def _busy_ends(self, session: str) -> None:
        """End the process, and with it the execution."""
        found = self._busy.pop(session, None)
        if found:
            self._later(found.process.kill())

    def _later(self, ending: Coroutine[None, None, object]) -> None:
        task = asyncio.create_task(ending)
        self._ending.add(task)
        task.add_done_callback(self._ending.discard)

    def _keep(self, name: str, session: _Session) -> None:
        session.process.pause()
        self._idle[name] = session

        def expire() -> None:
            if self._idle.get(name) is session:
                self._later(_end(self._idle.pop(name)))

        session.ends = asyncio.get_running_loop().call_later(self._settings.code_interpreter_idle, expire)

    async def _session(self, call: Call) -> tuple[_Session, bytes | None, list[str]]:
        """The call's session, the snapshot that its variables were restored from, and notices on this for the model."""
        found = self._idle.pop(call.session, None)
        if found and found.ends:
            found.ends.cancel()
        if found and found.process.is_alive and found.last is not None and found.last == call.after:
            found.process.resume()
            return found, None, []
        if found:
            await _end(found)
        while self._idle and len(self._idle) + len(self._busy) > self._settings.code_interpreter_sessions:
            await _end(self._idle.pop(next(iter(self._idle))))
        snapshot = await call.restore() if call.after is not None else None
        place = await asyncio.to_thread(environment)
        if place is None:
            raise EngineFailed("The packages of the code interpreter are not installed.")
        try:
            process = await Confined.start(call.session, self._settings, place)
        except NotConfined as error:
            raise EngineFailed(f"No confined process can be started: {error}") from None
        session = _Session(process, None)
        try:
            told = [] if call.after is None else await self._restore(process, call.id, snapshot)
        except BaseException:
            await _end(session)
            raise
        return session, snapshot, told

    async def _restore(self, process: Confined, call: str, snapshot: bytes | None) -> list[str]:
        kept = snapshots.read(snapshot)
        if kept is None:
            return [notices.ALL_LOST]
        try:
            async with asyncio.timeout(_SNAPSHOT_SECONDS):
                await process.send("load", call, kept.content)
                loaded = await process.receive("loaded", call)
        except (Ended, TimeoutError):
            raise EngineFailed(notices.NOT_RESTORED) from None
        if loaded.told.get("lost") is not False:
            return [notices.ALL_LOST]
        return [notices.some_lost(kept.lost)] if kept.lost else []

    async def _run(self, session: _Session, call: Call, restored: bytes | None, told: list[str]) -> Execution:
        process, transcript = session.process, Transcript()
        before = process.folder.states(FILES)
        outcome = await self._outcome(process, call, transcript)
        if not process.is_alive or outcome.died:
            outcome.snapshot = restored
            if restored is None and call.after is not None:
                outcome.snapshot = await call.restore()
        session.last = call.id
        process.pause()
        after = process.folder.states(FILES)
        found = changed(before, after)
        most = self._settings.code_interpreter_files
        out = dict(list(found.items())[-most:] if most else [])
        session.put_out = out
        told += notices.of(outcome.error, outcome.timed_out, outcome.died, self._settings)
        if left := [name for name in found if name not in out]:
            told.append(notices.files_left_out(left, most))
        return Execution(
            outputs=transcript.outputs(process.printed()),
            files=[process.folder.output(name, state) for name, state in out.items()],
            notices=told,
            snapshot=outcome.snapshot,
            timed_out=outcome.timed_out,
        )

    async def _outcome(self, process: Confined, call: Call, transcript: Transcript) -> _Outcome:
        outcome = _Outcome()
        try:
            await process.send("run", call.id, call.code.encode(errors="replace"))
            async with asyncio.timeout(self._settings.code_interpreter_timeout):
                outcome.error = await _until_done(process, call.id, transcript)
        except TimeoutError:
            outcome.timed_out, outcome.died = True, await process.kill()
            return outcome
        except Ended:
            outcome.died = await process.kill()
            return outcome
        try:
            async with asyncio.timeout(_SNAPSHOT_SECONDS):
                message = await process.receive("snapshot", call.id)
            if message.told.get("whole") is True:
                outcome.snapshot = snapshots.written(message.body, message.told.get("lost"))
        except (Ended, TimeoutError):
            outcome.died = await process.kill()
        return outcome


async def _until_done(process: Confined, call: str, transcript: Transcript) -> str | None:
    async for message in process.messages(call):
        match message.kind:
            case "log":
                transcript.log(message.body)
            case "image":
                transcript.image(message.body)
            case "done":
                error = message.told.get("error")
                return error if isinstance(error, str) else None
            case _:
                pass
        if transcript.is_full:  # the code sends false messages
            await asyncio.sleep(0.02)
    raise Ended


async def _put(session: _Session, files: Sequence[InputFile]) -> None:
    """Write these files into the folder; it may have some of them already."""
    folder = session.process.folder
    ids, names = {file.id for file in files}, {file.name for file in files}
    try:
        for old in list(folder.inputs.values()):
            if old.id not in ids:
                folder.forget(old, keep_name=old.name in names)
        for file in files:
            if file.id in folder.inputs:
                continue
            made = session.put_out.get(file.name)
            if made and made.size == file.size:
                folder.adopt(file)
            else:
                await folder.put(file)
    except OSError as error:
        raise EngineFailed(f"The files of the session cannot be put into its folder: {error.strerror}.") from None


async def _end(session: _Session) -> None:
    if session.ends:
        session.ends.cancel()
    with suppress(OSError):
        await session.process.kill()
    session.process.folder.close()
