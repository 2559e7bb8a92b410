"""The engine of the code interpreter: it records each execution instead of executing code."""

import asyncio
import random
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from typing import Any

from assistants.tools.code_interpreter.engine import (
    Call,
    EngineBusy,
    EngineFailed,
    Execution,
    Image,
    Logs,
    OutcomeLost,
    OutputFile,
)
from assistants.tools.code_interpreter.files import only
from tests.simulation.invariants import Watch
from tests.simulation.loop import LANE
from tests.simulation.model import HANGS

_FATES = {"works": 72, "is busy": 6, "fails": 3, "is lost": 4, "hangs": 4, "kills": 5, "pauses": 6}
_SECONDS = (0, 0.05, 0.5, 3, 12)


@dataclass
class Executed:
    """An execution that has begun. Its code is the id of its call: run, turn, number within the turn."""

    id: str
    session: str
    code: str
    process: Any

    @property
    def turn(self) -> str:
        return self.code.rpartition("-")[0]

    @property
    def place(self) -> int:
        return int(self.code.rpartition("-")[2])


class Executions:
    """All executions of a schedule, in all processes."""

    def __init__(self, chance: random.Random, watch: Watch, calm: bool, killed: Callable[[Any], bool]) -> None:
        self.chance = chance
        self.calm = calm
        self.killed = killed
        self.abandoned: Callable[[str], None] = lambda run: None
        """Has a client delete the thread of a run, which the run's mark identifies."""
        self._watch = watch
        self._begun: list[Executed] = []
        self._under_way: list[Executed] = []

    def begin(self, call: Call) -> Executed:
        """Record that an execution begins."""
        new = Executed(call.id, call.session, call.code, LANE.get())
        for problem in self._problems(new):
            self._watch.problem(f"{new.code}: {problem}")
        self._begun.append(new)
        self._under_way.append(new)
        return new

    def pause(self, executed: Executed) -> None:
        """Suspend its process, in most cases long enough for the thread to be deleted and purged meanwhile."""
        executed.process.pause(self.chance.choice((10, 150, 150)))
        if self.chance.random() < 0.5:
            self.abandoned(executed.code.split("-")[1])

    def end(self, executed: Executed) -> None:
        """Record that it has ended, in a process that lives."""
        self._under_way.remove(executed)
        self._watch.code_ended(executed.code)

    def _problems(self, new: Executed) -> Iterator[str]:
        of_session = [other for other in self._begun if other.session == new.session]
        if any(new.id == other.id or new.code == other.code for other in of_session):
            yield "it was executed twice"
        if self._watch.is_overdue(new.id):
            return
        for other in self._under_way:
            if other.session == new.session and not (other.process.dead or self._watch.is_overdue(other.id)):
                yield f"it was executed while {other.code} was"
        if any(new.turn == other.turn and new.place < other.place for other in of_session):
            yield "it was executed after a later call of its turn"


class Counted:
    """The engine of one process. A session's variables are the id of its last execution."""

    def __init__(self, executions: Executions) -> None:
        self._all = executions
        self._variables: dict[str, str] = {}

    async def execute(self, call: Call) -> Execution:
        chance = self._all.chance
        fate = chance.choices(list(_FATES), list(_FATES.values()))[0]
        seconds = chance.choice(_SECONDS)
        if fate == "is busy":
            raise EngineBusy
        if fate == "fails":
            raise EngineFailed("There is no room.")
        if call.after is not None and self._variables.get(call.session) != call.after:
            kept = await call.restore()
            assert kept in (None, call.after.encode()), f"the variables of {kept!r} in place of those of {call.after}"
        executed = self._all.begin(call)
        try:
            await asyncio.sleep(HANGS if fate == "hangs" and not self._all.calm else seconds)
            if fate == "pauses" and not self._all.calm:
                self._all.pause(executed)
                await asyncio.sleep(0)
            if fate == "kills" and self._all.killed(executed.process):
                await asyncio.sleep(HANGS)
        finally:
            self._all.end(executed)
        if fate == "is lost":
            raise OutcomeLost("The outcome is lost.")
        self._variables[call.session] = call.id
        outputs = [Logs(f"ran {call.id}\n"), *([Image(b"figure")] if chance.random() < 0.1 else [])]
        files = [OutputFile(f"{call.code}.txt", 4, lambda: only(b"made"))] if chance.random() < 0.6 else []
        return Execution(outputs, files, snapshot=call.id.encode() if chance.random() < 0.8 else None)

    async def end(self, session: str) -> None:
        self._variables.pop(session, None)

    async def close(self) -> None:
        self._variables.clear()
