"""The service's processes, and the Functions host that delivers queue items to them."""

import base64
import json
import random
from collections.abc import Awaitable, Callable, Mapping
from contextlib import suppress
from dataclasses import MISSING, fields
from typing import Any

from azure.core.exceptions import AzureError

from assistants.engine.items import WORK
from assistants.engine.toolcalls import ToolCalls
from assistants.engine.worker import Worker
from assistants.ingestion.ingestion import Ingestion
from assistants.ingestion.items import INGEST
from assistants.model.embedder import NoEmbedder
from assistants.model.endpoint import Model
from assistants.search.searcher import Searcher
from assistants.service import Service
from assistants.settings import Settings
from assistants.state.store import Store
from assistants.storage.clock import Clock
from assistants.tools.code_interpreter.engine import Engine
from assistants.tools.code_interpreter.interpreter import Interpreter
from assistants.tools.registry import QUEUES
from tests.simulation.clients import BlobService, QueueService
from tests.simulation.faults import Plan
from tests.simulation.loop import LANE, Lane, SimulatedLoop
from tests.simulation.network import EPOCH, Network
from tests.simulation.storage import Account, Message

MAX_DEQUEUE_COUNT = 5
VISIBILITY_TIMEOUT = 15.0
LEASE = 600.0
"""Seconds; the host renews a lease at half time while its process lives."""

POISON = "-poison"


class Gone(Exception):
    """The process that was called has died, or has told its caller to disconnect."""


class Process(Lane):
    """A process of the service: its memory is lost with it."""

    def __init__(
        self,
        name: str,
        loop: SimulatedLoop,
        network: Network,
        account: Account,
        model: Model,
        settings: Settings,
        skew: float,
        died: Callable[["Process"], None],
        engine: Engine,
    ) -> None:
        super().__init__(name)
        self._loop = loop
        self._network = network
        self._skew = skew
        self._died = died
        self._answers: dict[Any, None] = {}
        self.handling: dict[Any, None] = {}
        self.stopping = False
        self.clock = Clock(self.local)
        blobs: Any = BlobService(account, network)
        queues: Any = QueueService(account, network)
        store = Store.over(settings, self.clock, blobs, queues)
        parts: Any = {"store": store, "endpoint": model, "worker": Worker(store, model)}
        interpreter = parts["interpreter"] = Interpreter(settings, engine)
        store.hosting.missing, store.hosting.end = interpreter.missing, interpreter.end
        parts["tool_calls"] = ToolCalls(store, Searcher(store, NoEmbedder()), interpreter)
        parts["ingestion"] = Ingestion(store, _cut)
        # Runs do not use the other parts of a service.
        needed = (field.name for field in fields(Service) if field.default_factory is MISSING)
        self.service = Service(**{name: parts.get(name) for name in needed})

    def local(self) -> float:
        return EPOCH + self._loop.time() + self._skew

    def observe(self, date: float, sent: float) -> None:
        self.clock.observe(date, sent, self.local())

    def run(self, work: Callable[[], Awaitable[Any]]) -> Any:
        """Run work in this process, until it ends or the returned task, its answer, is cancelled."""
        answer = self._loop.create_future()
        if self.dead:
            answer.set_exception(Gone())
            return answer
        self._answers[answer] = None

        async def working() -> Any:
            return await work()

        def done(task: Any) -> None:
            self._answers.pop(answer, None)
            self.handling.pop(task, None)
            if answer.done():
                return
            if task.cancelled():
                answer.set_exception(Gone())
            elif error := task.exception():
                answer.set_exception(error)
            else:
                answer.set_result(task.result())

        task = self._loop.create_task(working(), context=self.context)
        self.handling[task] = None
        task.add_done_callback(done, context=self.context)
        answer.add_done_callback(lambda answer: answer.cancelled() and task.cancel(), context=self.context)
        return answer

    def pause(self, seconds: float) -> None:
        """Suspend the process for a time."""
        if not self.dead:
            self.paused_until = max(self.paused_until, self._loop.time() + seconds)
            self._network.troubles(seconds + 1)

    def crash(self) -> None:
        """Die at once. No callback of the process runs again."""
        if self.dead:
            return
        self.dead = True
        self._note("dies")
        self._network.later(0, self._hang_up)
        self._died(self)

    def stop(self) -> None:
        """Stop in order: tasks in progress are cancelled, then the process ends."""
        if self.dead or self.stopping:
            return
        self.stopping = True
        self._note("stops")
        self._loop.call_later(0, self._cancel, context=self.context)
        self._network.later(5, self.crash)
        self._network.troubles(6)

    def _cancel(self) -> None:
        for task in list(self.handling):
            task.cancel()
        self._loop.create_task(self.service.close(), context=self.context)

    def _hang_up(self) -> None:
        for answer in list(self._answers):
            if not answer.done():
                answer.set_exception(Gone())
        self._answers.clear()

    def _note(self, what: str) -> None:
        if self._network.trace:
            self._network.trace(f"{self} {what}")


class Host:
    """Delivers the items of the queues to processes, as the Functions host does."""

    def __init__(
        self,
        loop: SimulatedLoop,
        chance: random.Random,
        network: Network,
        plan: Plan,
        account: Account,
        living: Callable[[], list[Process]],
    ) -> None:
        self._loop = loop
        self._chance = chance
        self._network = network
        self._plan = plan
        self._account = account
        self._living = living
        self._leases: dict[Process, dict[str, tuple[str, Message]]] = {}
        self.lost: set[str] = set()
        """Runs whose look-again item a process had received when it died."""
        self.problems: list[str] = []
        self.expected: tuple[type[Exception], ...] = (AzureError,)

    def shown(self, queue: str, visible_at: float) -> None:
        """Deliver an item when it becomes visible, or within the half second of the host's polling."""
        delay = max(visible_at - self._network.now, 0)
        if delay < LEASE:
            self._network.later(delay + 0.5 * self._chance.random() ** 3, self._deliver, queue)

    def died(self, process: Process) -> None:
        """Make its items visible again when their leases are over, some of which were renewed long ago."""
        for queue, message in self._leases.pop(process, {}).values():
            again = LEASE * self._chance.uniform(0.5, 1)
            if run := _looked_for(message):
                self.lost.add(run)
            self._account.update(queue, message.id, message.pop_receipt, again)
            self._network.later(again + 0.1, self._deliver, queue)

    def _deliver(self, queue: str) -> None:
        living = self._living()
        if not living:
            self._network.later(1, self._deliver, queue)
            return
        message = self._account.receive(queue, 10 * LEASE)
        if message is None:
            return
        odd = self._chance.random() < self._plan.delivers_oddly
        if odd and self._chance.random() < 0.5:  # delivered late
            delay = self._chance.choice((1, 20, 90))
            self._network.troubles(delay)
            self._account.update(queue, message.id, message.pop_receipt, delay)
            message.dequeue_count -= 1
            return
        process = self._chance.choice(living)
        receipt = message.pop_receipt
        if odd and self._chance.random() < 0.4:  # to a process that dies of it
            self._leases.setdefault(process, {})[receipt] = (queue, message)
            process.crash()
            return
        if odd:  # and delivered to another process as well
            self._account.update(queue, message.id, receipt, self._chance.choice((0, 0.1, 5, 20)))
            self._network.troubles(21)
        else:
            self._leases.setdefault(process, {})[receipt] = (queue, message)
        if self._network.trace:
            self._network.trace(f"{process} gets {queue} {_text(message)} for time {message.dequeue_count}")
        content, count = base64.b64decode(message.content), message.dequeue_count
        attending = process.run(lambda: self._handler(process, queue)(content))
        attending.add_done_callback(
            lambda done: self._settle(process, queue, message, receipt, count, done),
            context=self._network.server.context,
        )

    def _handler(self, process: Process, queue: str) -> Callable[[bytes], Awaitable[None]]:
        service = process.service
        handlers: Mapping[str, Any] = {WORK: service.worker, INGEST: service.ingestion}
        handler = handlers.get(queue.removesuffix(POISON), service.tool_calls)
        return handler.give_up if queue.endswith(POISON) else handler.handle

    def _settle(self, process: Process, queue: str, message: Message, receipt: str, count: int, done: Any) -> None:
        """Delete, return or poison the item when its function has ended."""
        error = done.exception()
        if process.dead:
            return
        self._leases.get(process, {}).pop(receipt, None)
        if error is not None and not isinstance(error, (Gone, *self.expected)):
            self.problems.append(f"an item of {queue} raised {error!r}")
        with suppress(AzureError):  # another process has received it since
            if error is None:
                self._account.remove(queue, message.id, receipt)
            elif isinstance(error, Gone):
                self._account.update(queue, message.id, receipt, 0)
            elif count < MAX_DEQUEUE_COUNT and not queue.endswith(POISON):
                self._account.update(queue, message.id, receipt, VISIBILITY_TIMEOUT)
            elif queue.endswith(POISON):
                self._account.update(queue, message.id, receipt, LEASE)
                self._network.later(LEASE + 0.1, self._deliver, queue)
            else:
                if self._network.trace:
                    self._network.trace(f"{queue} {_text(message)} is poison")
                self._account.remove(queue, message.id, receipt)
                self._account.send(queue + POISON, message.content, 0)

    @staticmethod
    def queues() -> list[str]:
        return [name + suffix for name in (WORK, INGEST, *QUEUES) for suffix in ("", POISON)]


async def _cut(*_: object) -> bytes:
    """Replaces the reading of a file: none is added to a vector store."""
    raise NotImplementedError


def _text(message: Message) -> str:
    return base64.b64decode(message.content).decode()


def _looked_for(message: Message) -> str | None:
    """The run of a look-again item."""
    item: Mapping[str, Any] = json.loads(_text(message))
    return item["run"] if item.get("kind") == "look" else None


class Services:
    """Replaces the services of event loops by that of the running process."""

    def __contains__(self, loop: object) -> bool:
        return True

    def __getitem__(self, loop: object) -> Service:
        process = LANE.get()
        assert isinstance(process, Process)
        return process.service
