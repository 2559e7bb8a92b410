"""Calls of one session, one after the other, as the tool makes them."""

import time
from collections.abc import AsyncIterator, Sequence

from assistants.tools.code_interpreter.engine import Call, Engine, Execution, InputFile, Logs, OutputFile

SESSION = "0011223344556677"


class Talk:
    """Keeps the state that the tool keeps between two calls."""

    def __init__(self, engine: Engine, session: str = SESSION) -> None:
        self.engine, self.session = engine, session
        self.last: str | None = None
        self.snapshot: bytes | None = None

    async def say(self, code: str, files: Sequence[InputFile] = ()) -> Execution:
        async def restore() -> bytes | None:
            return self.snapshot

        name = f"call_{time.monotonic_ns()}"
        execution = await self.engine.execute(Call(self.session, name, code, files, self.last, restore))
        self.last, self.snapshot = name, execution.snapshot
        return execution


def file(id_: str, name: str, content: bytes) -> InputFile:
    async def pieces() -> AsyncIterator[bytes]:
        yield content

    return InputFile(id_, name, len(content), pieces)


def printed(execution: Execution) -> str:
    return "".join(output.text for output in execution.outputs if isinstance(output, Logs))


async def content(output: OutputFile) -> bytes:
    return b"".join([piece async for piece in output.content()])
