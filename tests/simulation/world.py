"""A whole schedule: processes, storage, model and clients, from a seed to the problems."""

import asyncio
import gc
import random
import secrets
import string
import sys
import time
import types
from collections.abc import Callable, Iterator
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass, replace
from functools import cache
from typing import Any

from assistants import service
from assistants.schema.assistants import CreateAssistant
from assistants.schema.tools import AssistantTool
from assistants.settings import Settings
from assistants.state.assistants import AssistantRecord
from assistants.state.snapshots import new_assistant
from assistants.storage.ids import blob_name
from assistants.tools.registry import SERVER_TOOLS
from assistants.tools.servertool import Answer, Question, ToolFailed
from tests.simulation.code import Counted, Executions
from tests.simulation.faults import Plan
from tests.simulation.invariants import Watch, verdict
from tests.simulation.loop import Lane, SimulatedLoop
from tests.simulation.model import CODE, FUNCTION, RETRIEVAL, Model
from tests.simulation.network import EPOCH, Network
from tests.simulation.processes import Host, Process, Services
from tests.simulation.storage import Account
from tests.simulation.users import PROJECT, Users

CONTAINERS = ("assistants", "threads", "messages", "runs", "code", "files", "file-contents")
ACTING = 600.0
"""Seconds after which the users stop."""

LONGEST = 2_000.0

_WITH_CODE = (3, 12)


def calls_code(seed: int) -> bool:
    """Whether the model of this schedule calls code: an eighth, with both kinds of drivers, even and odd."""
    return seed % 16 in _WITH_CODE


@dataclass(frozen=True)
class Report:
    """The result of a schedule."""

    seed: int
    problems: tuple[str, ...]
    calls: int
    """The number of calls of storage."""
    steps: int
    runs: int
    """The number of committed runs."""
    seconds: float
    """Simulated seconds."""


class Broken(Exception):
    """The error of a tool that fails."""


class World:
    """The parts of a schedule. A calm one has no faults."""

    def __init__(self, seed: int) -> None:
        self.chance = random.Random(seed)
        # A random source of its own, so that the other schedules, and their results, are the same as without code.
        code = random.Random(f"code {seed}") if calls_code(seed) else None
        chance = self.chance
        self.loop = SimulatedLoop(chance)
        self.plan = Plan(chance)
        self.settings = _settings(
            chance.choice(("60", "180", "600", "600")),
            chance.choice(("2", "49000")),
            chance.choice(("0", "0", "1", "35")),
            "creator" if seed % 4 > 1 else "queue",  # both in the even and in the odd seeds
        )
        self.network = Network(self.loop, chance, self.plan)
        self.watch = Watch(self.network, self.settings, self.plan.calm)
        self.account = Account(lambda: self.network.now, self.watch.written, lambda *args: self.host.shown(*args))
        self.model = Model(self._killed)
        self.processes: list[Process] = []
        self.host = Host(self.loop, chance, self.network, self.plan, self.account, self.living)
        self.host.expected = (*self.host.expected, Broken)
        self.watch.lost = self.host.lost
        self._tool_is_broken = chance.random() < 0.06
        self._executions = Executions(code or chance, self.watch, self.plan.calm, self._killed)
        self._dead = 0
        self._started = chance.randint(2, 3)
        self._clients = Lane("clients")
        self._prepare(code is not None)
        for number in range(self._started):
            self._start(f"{string.ascii_uppercase[number]}1")
        self.users = Users(self.loop, chance, self.model, self.assistant.id, self.living, self.plan.calm, code)
        self._executions.abandoned = self._abandoned

    def _prepare(self, with_code: bool) -> None:
        """Make the containers, the queues, and an assistant."""
        for container in CONTAINERS:
            self.account.create_container(container)
        for queue in Host.queues():
            self.account.create_queue(queue)
        self.assistant = _assistant(with_code)
        content = b'{"writes":[],"value":' + self.assistant.model_dump_json().encode() + b"}"
        self.account.upload("assistants", blob_name(PROJECT, self.assistant.id), content, None, True)

    def living(self) -> list[Process]:
        """The processes that accept requests and items."""
        return [process for process in self.processes if not process.dead and not process.stopping]

    def _start(self, name: str) -> None:
        skew = self.chance.choice((0, 0, self.chance.uniform(-30, 30)))
        parts = (self.loop, self.network, self.account, self.model, self.settings)
        self.processes.append(Process(name, *parts, skew, self._died, Counted(self._executions)))

    def _died(self, process: Process) -> None:
        self.processes.remove(process)
        self.host.died(process)
        self._dead += 1
        delay = self.chance.choice((0.1, 1, 5, 20))
        self.network.troubles(delay + 1)
        self.network.later(delay, self._start, f"{process.name[0]}{self._dead + self._started}")

    def _killed(self, process: Process) -> bool:
        """Whether a model kills its caller; not in a calm schedule."""
        if self.plan.calm:
            return False
        process.crash()
        return True

    def _abandoned(self, run: str) -> None:
        self.loop.create_task(self.users.abandon(run), context=self._clients.context)

    def _blow(self) -> None:
        if living := self.living():
            process = self.chance.choice(living)
            if self.chance.random() < 0.6:
                process.crash()
            else:
                process.pause(self.chance.choice((10, 35, 75)))

    async def answer(self, question: Question) -> Answer:
        """The tool retrieval, which succeeds in most cases."""
        await asyncio.sleep(self.settings.retrieval_delay)
        fate = self.chance.random()
        if not self.plan.calm and (self._tool_is_broken or fate < 0.04):
            raise Broken
        if fate > 0.96:
            raise ToolFailed("Nothing was found.")
        return Answer(f"Oslo {self.chance.random()}")

    def run(self) -> list[str]:
        """Run the schedule, and return the problems."""
        chance, loop = self.chance, self.loop
        if self.plan.blows:
            for blow in self.plan.blows:
                self.network.later(blow, self._blow)
        acting = [
            loop.create_task(self.users.act(chance.randint(2, 6)), context=self._clients.context)
            for _ in range(chance.choices((1, 2, 3), (3, 4, 2))[0])
        ]
        if chance.random() < 0.3:
            acting.append(loop.create_task(self.users.create_thread(), context=self._clients.context))
        loop.run(ACTING, loop.create_task(_all(acting), context=self._clients.context).done)
        if not self.plan.calm and chance.random() < 0.35:
            loop.run(chance.uniform(60, 130))
        self.plan.end()
        self.plan.outages = [(begins, min(ends, loop.time()), both) for begins, ends, both in self.plan.outages]
        self.watch.quiet_since = loop.time()
        if chance.random() < 0.5:
            self.watch.polled = True
            loop.create_task(self.users.finish(LONGEST), context=self._clients.context)
        loop.run(loop.time() + LONGEST)
        return list(self._verdict())

    def _verdict(self) -> Iterator[str]:
        contents = {name: dict(self.account.contents(name)) for name in CONTAINERS}
        yield from verdict(self.watch, self.users, self.model, contents)
        yield from self.host.problems
        yield from self.loop.problems
        left = {queue: len(items) for queue, items in self.account.queues.items() if items}
        if left:
            yield f"items are left in queues: {left}"


async def _all(tasks: list[Any]) -> None:
    await asyncio.wait(tasks)


def simulate(seed: int, trace: Callable[[str], None] | None = None) -> Report:
    """Simulate one schedule. A seed always determines the same one, as long as the code is the same."""
    with _determined(random.Random(seed ^ 0x5EED)) as patches, ExitStack() as stack:
        world = World(seed)
        patches(world)
        if trace is not None:
            _trace(world, trace)
        stack.enter_context(world.loop)
        problems = world.run()
        return Report(
            seed, tuple(problems), world.network.calls, world.loop.steps, len(world.watch.commits), world.loop.time()
        )


def _trace(world: World, trace: Callable[[str], None]) -> None:
    def write(text: str) -> None:
        trace(f"{world.loop.time():9.3f}  {text}")

    world.network.trace = world.users.trace = write


@contextmanager
def _determined(chance: random.Random) -> Iterator[Callable[[World], None]]:
    """Replace random numbers and time in all modules of the service by the seed's and the loop's."""
    now: list[Callable[[], float]] = [lambda: 0.0]
    letters = string.ascii_letters + string.digits
    fakes: dict[types.ModuleType, types.SimpleNamespace] = {
        time: types.SimpleNamespace(monotonic=lambda: now[0](), time=lambda: EPOCH + now[0]()),
        secrets: types.SimpleNamespace(
            token_hex=lambda size=8: f"{chance.getrandbits(size * 8):0{size * 2}x}",
            choice=lambda of=letters: of[int(chance.random() * len(of))],
        ),
        random: types.SimpleNamespace(uniform=chance.uniform, random=chance.random),
    }
    replaced: list[tuple[Any, str, object]] = []
    for module, name, real in _uses():
        replaced.append((module, name, real))
        setattr(module, name, fakes[real])
    services, tools = service._services, dict(SERVER_TOOLS)
    service._services = Services()  # pyright: ignore[reportAttributeAccessIssue]
    collecting = gc.isenabled()
    gc.disable()
    hook, sys.unraisablehook = sys.unraisablehook, lambda _: None

    def belong(world: World) -> None:
        now[0] = world.loop.time
        SERVER_TOOLS[RETRIEVAL] = replace(tools[RETRIEVAL], answer=world.answer)  # pyright: ignore[reportIndexIssue]

    try:
        yield belong
    finally:
        sys.unraisablehook = hook
        if collecting:
            gc.enable()
        SERVER_TOOLS.update(tools)  # pyright: ignore[reportAttributeAccessIssue]
        service._services = services
        for module, name, real in replaced:
            setattr(module, name, real)


@cache
def _uses() -> list[tuple[types.ModuleType, str, types.ModuleType]]:
    """The modules of the service that use time and random numbers."""
    return [
        (module, name, value)
        for key, module in sorted(sys.modules.items())
        if key.startswith("assistants.")
        for name, value in sorted(vars(module).items())
        if value in (time, secrets, random)
    ]


@cache
def _settings(lifetime: str, blocks: str, delay: str, driven_by: str) -> Settings:
    return Settings.model_validate(
        {
            "RUN_LIFETIME": lifetime,
            "AzureFunctionsJobHost__functionTimeout": "-1",
            "LOG_SEGMENT_BLOCKS": blocks,
            "RETRIEVAL_DELAY": delay,
            "LOOK_AGAIN": "60",
            "CODE_INTERPRETER_TIMEOUT": "2",
            "RUNS_DRIVEN_BY": driven_by,
        }
    )


@cache
def _assistant(with_code: bool) -> AssistantRecord:
    function: AssistantTool = {"type": "function", "function": {"name": FUNCTION}}
    tools: list[Any] = [function, {"type": RETRIEVAL}, *([{"type": CODE}] if with_code else [])]
    store: Any = types.SimpleNamespace(
        ids=types.SimpleNamespace(new=lambda prefix: f"{prefix}1"), clock=types.SimpleNamespace(now=lambda: EPOCH)
    )
    return new_assistant(store, CreateAssistant.model_validate({"model": "none", "tools": tools}))
