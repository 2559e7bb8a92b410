"""The engine over a pool: all processes use the same session of a thread."""

import asyncio
import base64
import binascii
import logging
import math
import secrets
import time
from collections.abc import AsyncIterator, Sequence
from typing import Any, cast

from assistants.settings import Settings
from assistants.tools.code_interpreter import notices
from assistants.tools.code_interpreter.engine import (
    Call,
    EngineBusy,
    EngineFailed,
    Execution,
    InputFile,
    OutcomeLost,
    OutputFile,
)
from assistants.tools.code_interpreter.local.kernel import IMAGE
from assistants.tools.code_interpreter.local.transcript import Transcript
from assistants.tools.code_interpreter.sessions.pool import MAX_SECONDS, MAX_UPLOAD, Pool, Result
from assistants.tools.code_interpreter.sessions.program import Made, Report, printed, program, report, upload_name

_GRACE = 5
"""Seconds until the pool stops code that its own session has not stopped."""

_REPORT = 4 * 1024 * 1024
_STDERR = 2000
_OVER = "timed out waiting"
_ABORTED = "Execution aborted"

_log = logging.getLogger(__name__)


class Sessions:
    """Executes code in the sessions of a pool, which keep variables and files for the pool's cooldown period.

    There are no snapshots: the variables of a session that has ended are lost, and a notice says so.
    """

    def __init__(self, settings: Settings) -> None:
        self._settings = settings
        self._made: Pool | None = None

    @property
    def _pool(self) -> Pool:
        # Made at the first use: its connections belong to an event loop.
        if self._made is None:
            self._made = Pool(self._settings)
        return self._made

    async def execute(self, call: Call) -> Execution:
        files = [file for file in call.files if file.size <= MAX_UPLOAD]
        large = [file.name for file in call.files if file.size > MAX_UPLOAD]
        told = [notices.too_large(large, MAX_UPLOAD)] if large else []
        if call.after is None:
            await self._upload(call.session, files)
        for _ in range(2):
            execution = await self._tried(call, files, secrets.token_hex(16), told)
            if isinstance(execution, Execution):
                return execution
            await self._upload(call.session, [file for file in files if file.id in execution])
        raise EngineBusy("The session does not keep the files that are put into it.")

    async def end(self, session: str) -> None:
        try:
            await self._pool.delete(session)
        except (EngineFailed, EngineBusy) as error:
            # It ends by itself after the pool's cooldown period.
            _log.warning("A session could not be ended: %s", error)

    async def close(self) -> None:
        """Close the connections. The sessions stay, as other processes use them."""
        if self._made is not None:
            await self._made.close()
            self._made = None

    async def _upload(self, session: str, files: Sequence[InputFile]) -> None:
        for file in files:
            await self._pool.upload(session, upload_name(file), file.size, file.content)

    async def _tried(
        self, call: Call, files: Sequence[InputFile], token: str, told: Sequence[str]
    ) -> Execution | Sequence[str]:
        """The outcome; or, if the code was not executed, the ids of files that the session does not have."""
        limit, most = self._settings.code_interpreter_timeout, self._settings.code_interpreter_files
        seconds, begun = min(math.ceil(limit) + _GRACE, MAX_SECONDS), time.monotonic()
        source = program(call, files, token, limit, most)
        try:
            result = await self._pool.execute(call.session, token, source, seconds)
        except asyncio.CancelledError:
            await self.end(call.session)  # there is no other way to stop the execution
            raise
        took = time.monotonic() - begun
        found = printed(result.stdout, token)
        came = found.report
        if found.elsewhere:
            came = await self._long(call.session, found.elsewhere, token)
        if came is None:
            return await self._ended(call, result, found.rest, took, told)
        if came.missing:  # other code of the session may have made any of the ids
            return [file.id for file in files if file.id in came.missing]
        return await self._outcome(call, came, result, found.rest, told)

    async def _long(self, session: str, name: str, token: str) -> Report:
        try:
            text = await self._read(session, name, _REPORT)
        except (EngineFailed, EngineBusy) as error:
            raise OutcomeLost(f"The code was executed, but its output cannot be read. {error}") from None
        found = report(text.decode(errors="replace"), token)
        if found is None:
            raise OutcomeLost("The code was executed, but its output cannot be read.")
        return found

    async def _outcome(self, call: Call, came: Report, result: Result, rest: str, before: Sequence[str]) -> Execution:
        transcript, told = Transcript(), list(before)
        if call.after is not None and came.state == "new":
            told.append(notices.ALL_LOST)
        elif came.state == "other":
            told.append(notices.ANOTHER)
        for kind, value in came.outputs:
            if kind == "log":
                transcript.log(value.encode(errors="replace"))
                continue
            try:
                transcript.image(await self._read(call.session, value, IMAGE + 1))
            except (EngineFailed, EngineBusy) as error:
                told.append(f"An image cannot be read. {error}")
        if shown := _image(result.value):
            transcript.image(shown)
        if came.timed_out:
            told.append(notices.stopped(self._settings.code_interpreter_timeout, notices.KEPT))
        if came.left:
            told.append(notices.files_left_out(came.left, self._settings.code_interpreter_files))
        return Execution(
            outputs=transcript.outputs(_joined(rest, result.stderr)),
            files=[self._output(call.session, file) for file in came.files[: self._settings.code_interpreter_files]],
            notices=told,
            timed_out=came.timed_out,
        )

    async def _ended(self, call: Call, result: Result, rest: str, took: float, before: Sequence[str]) -> Execution:
        """The outcome of code that did not finish; the rest of its session is ended, too."""
        await self.end(call.session)
        if _ABORTED in result.stderr:
            raise OutcomeLost(f"The session executed other code, which did not end. {notices.SESSION_LOST}")
        timed_out = _OVER in result.stderr or took >= self._settings.code_interpreter_timeout
        told = (
            notices.stopped(self._settings.code_interpreter_timeout, notices.SESSION_LOST)
            if timed_out
            else f"The process that executed the code has ended. {notices.SESSION_LOST}"
        )
        transcript = Transcript()
        return Execution(
            outputs=transcript.outputs(_joined(rest, result.stderr)),
            notices=[*before, told],
            timed_out=timed_out,
        )

    def _output(self, session: str, file: Made) -> OutputFile:
        return OutputFile(file.name, file.size, lambda: self._content(session, file))

    async def _content(self, session: str, file: Made) -> AsyncIterator[bytes]:
        try:
            async for piece in self._pool.download(session, file.source, file.size):
                yield piece
        except (EngineFailed, EngineBusy) as error:
            raise OutcomeLost(f"The code was executed, but the file {file.name} cannot be read. {error}") from None

    async def _read(self, session: str, name: str, most: int) -> bytes:
        return b"".join([piece async for piece in self._pool.download(session, name, most)])


def _joined(stdout: str, stderr: str) -> str:
    """The text printed outside the report, and the pool's own messages."""
    return "\n".join(text for text in (stdout.strip("\n"), stderr[:_STDERR].strip("\n")) if text)


def _image(value: Any) -> bytes | None:
    """The image that the pool itself returns if code shows one by means of IPython."""
    shown = cast("dict[str, Any]", value).get("base64_data") if isinstance(value, dict) else None
    try:
        return base64.b64decode(shown, validate=True) if isinstance(shown, str) else None
    except binascii.Error:
        return None
