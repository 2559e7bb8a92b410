"""The engine of this process, chosen at the first execution of code, as the choice takes time."""

import asyncio
import hashlib

from assistants.settings import Settings
from assistants.tools.code_interpreter.choice import choose
from assistants.tools.code_interpreter.engine import Engine


def session_of(project: str, thread: str) -> str:
    """The name of a thread's session in engines."""
    return hashlib.sha256(f"{project}/{thread}".encode()).hexdigest()[:32]


class Interpreter:
    """The engine that executes code in this process, or the reason why there is none.

    Parameters
    ----------
    engine
        The engine, instead of the one that the settings name.
    """

    def __init__(self, settings: Settings, engine: Engine | None = None) -> None:
        self.under_local_runner = False
        self._settings = settings
        self._chosen: Engine | str | None = engine
        self._lock = asyncio.Lock()

    async def engine(self) -> Engine | str:
        """The engine, or a sentence that says why there is none and which setting is needed."""
        async with self._lock:
            if self._chosen is None:
                self._chosen = await asyncio.to_thread(choose, self._settings, self.under_local_runner)
            return self._chosen

    async def missing(self) -> str | None:
        """Why there is no engine; None: there is one."""
        engine = await self.engine()
        return engine if isinstance(engine, str) else None

    async def end(self, project: str, thread: str) -> None:
        """End a thread's session, if this process can: it has the session, or the engine is a pool."""
        if self._chosen is None and self._settings.code_interpreter_pool is None:
            return
        engine = await self.engine()
        if not isinstance(engine, str):
            await engine.end(session_of(project, thread))

    async def close(self) -> None:
        """End all sessions of this process."""
        if self._chosen is not None and not isinstance(self._chosen, str):
            await self._chosen.close()
