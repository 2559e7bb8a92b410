"""The queue pump: runs an app's queue functions as the Functions host does, by host.json's `extensions.queues`.

Not implemented: `functionTimeout`, bindings other than the trigger, and connections other than `AzureWebJobsStorage`.
"""

import asyncio
import base64
import contextlib
import enum
import inspect
import logging
import math
import re
import time
from collections.abc import Callable, Generator, Iterable, Mapping
from dataclasses import dataclass
from typing import Any, NamedTuple

from azure.core.exceptions import AzureError, ResourceNotFoundError
from azure.functions.queue import QueueMessage

from assistants.storage.connection import made_on_first_use
from assistants.storage.services import QueueService, Received

LEASE = 600.0
"""Seconds for which a received item is hidden from others; renewed at half time while its function runs."""

FIRST_POLL = 0.1
"""Seconds after which an idle queue is polled again for the first time."""

POISON_DELAY_FACTOR = 10
"""Factor by which idle poison queues are polled more rarely than others; the host has none."""

CALM = 5.0
"""Seconds without activity in this process after which queues are polled less often."""

CALM_POLLING_INTERVAL = 2.0
"""Seconds between two polls of a queue while the process is calm; the host has no such interval."""

_LONGEST_TROUBLE = 5.0
_SETTLE = 5.0
_SUFFIX = "-poison"
_DURATION = re.compile(r"(?:(\d+)\.)?(\d+):(\d{1,2}):(\d{1,2}(?:\.\d+)?)")

logger = logging.getLogger(__name__)


class Outcome(enum.Enum):
    """The action for a received item."""

    RUN = "its function is called"
    DELETE = "it is done"
    RETRY = "it appears again after the visibility timeout"
    POISON = "it moves to the poison queue"
    LEAVE = "it stays hidden until its lease ends: a poison queue has no poison queue"


@dataclass(frozen=True)
class QueueOptions:
    """`extensions.queues` of host.json; times in seconds."""

    batch_size: int = 16
    new_batch_threshold: int = 8
    max_polling_interval: float = 60.0
    visibility_timeout: float = 0.0
    max_dequeue_count: int = 5
    base64: bool = True

    @classmethod
    def from_host(cls, host: Mapping[str, Any]) -> "QueueOptions":
        """Read a parsed host.json; missing values have the host's defaults."""
        queues = host.get("extensions", {}).get("queues", {})
        batch_size = int(queues.get("batchSize", cls.batch_size))
        return cls(
            batch_size=batch_size,
            new_batch_threshold=int(queues.get("newBatchThreshold", batch_size // 2)),
            max_polling_interval=seconds(queues.get("maxPollingInterval", "00:01:00")),
            visibility_timeout=seconds(queues.get("visibilityTimeout", "00:00:00")),
            max_dequeue_count=int(queues.get("maxDequeueCount", cls.max_dequeue_count)),
            base64=queues.get("messageEncoding", "base64").lower() == "base64",
        )


class QueueFunction(NamedTuple):
    """A function with a queue trigger: its name, its queue, the name of its argument, and the function."""

    name: str
    queue: str
    argument: str
    call: Callable[..., Any]


def queue_functions(functions: Iterable[Any]) -> list[QueueFunction]:
    """The queue functions among those of an app.

    Raises
    ------
    ValueError
        A trigger has another connection than `AzureWebJobsStorage`.
    """
    found: list[QueueFunction] = []
    for function in functions:
        trigger: Any = function.get_trigger()
        if trigger is None or trigger.get_binding_name() != "queueTrigger":
            continue
        name = str(function.get_function_name())
        if trigger.connection not in {"AzureWebJobsStorage", "", None}:
            raise ValueError(f"{name}: the local runner knows only the connection AzureWebJobsStorage")
        found.append(QueueFunction(name, trigger.queue_name, trigger.name, function.get_user_function()))
    return found


def seconds(duration: str) -> float:
    """The length of a .NET time span, `[d.]hh:mm:ss[.fff]`.

    Raises
    ------
    ValueError
        The text is no time span.
    """
    match = _DURATION.fullmatch(duration)
    if match is None:
        raise ValueError(f"not a time span such as 00:00:30: {duration!r}")
    days, hours, minutes, rest = match.groups()
    return int(days or 0) * 86400 + int(hours) * 3600 + int(minutes) * 60 + float(rest)


def next_delay(delay: float, longest: float) -> float:
    """The wait after a poll without items, given the previous wait (0: the queue was not idle)."""
    return min(delay * 2 or FIRST_POLL, longest)


def before(dequeue_count: int, maximum: int, has_poison: bool) -> Outcome:
    """The outcome for an item that was just received for the nth time."""
    return Outcome.RUN if dequeue_count <= maximum else _given_up(has_poison)


def after(succeeded: bool, dequeue_count: int, maximum: int, has_poison: bool) -> Outcome:
    """The outcome for an item whose function has ended."""
    if succeeded:
        return Outcome.DELETE
    return Outcome.RETRY if has_poison and dequeue_count < maximum else _given_up(has_poison)


def _given_up(has_poison: bool) -> Outcome:
    return Outcome.POISON if has_poison else Outcome.LEAVE


class Activity:
    """The activity of this process, from which most items come."""

    def __init__(self) -> None:
        self._in_progress = 0
        self._last = time.monotonic()
        self._busy = asyncio.Event()

    @contextlib.contextmanager
    def active(self) -> Generator[None]:
        """Count as activity during the `with` block."""
        self._in_progress += 1
        self._busy.set()
        try:
            yield
        finally:
            self._in_progress -= 1
            self._last = time.monotonic()
            if not self._in_progress:
                self._busy.clear()

    @property
    def calm(self) -> bool:
        """Whether there was no activity for `CALM` seconds."""
        return not self._in_progress and time.monotonic() - self._last > CALM

    async def begun(self) -> None:
        """Wait for the next activity."""
        await self._busy.wait()


class Pump:
    """Runs queue functions until it is stopped.

    Parameters
    ----------
    functions
        From `queue_functions`; a queue may have one function.
    service
        The account's queues; the pump does not close them.
    lease
        Seconds for which an item is hidden at a time; the host's is ten minutes.
    activity
        The other activity of this process.
    """

    def __init__(
        self,
        functions: Iterable[QueueFunction],
        service: QueueService,
        options: QueueOptions | None = None,
        lease: float = LEASE,
        activity: Activity | None = None,
    ) -> None:
        options, activity = options or QueueOptions(), activity or Activity()
        self._listeners = [_Listener(function, service, options, lease, activity) for function in functions]
        self._tasks: list[asyncio.Task[None]] = []
        self._hurry = asyncio.Event()

    def start(self) -> None:
        """Begin to receive."""
        self._tasks = [asyncio.create_task(listener.listen()) for listener in self._listeners]

    async def stop(self, grace: float = 10.0) -> None:
        """Stop receiving, wait `grace` seconds at most, cancel functions, and make their items visible at once."""
        for listener in self._listeners:
            listener.stop()
        end_grace = asyncio.create_task(self._hurry.wait())
        ended = asyncio.gather(*self._tasks, return_exceptions=True)
        await asyncio.wait({end_grace, ended}, timeout=grace, return_when=asyncio.FIRST_COMPLETED)
        end_grace.cancel()
        for listener in self._listeners:
            listener.cancel()
        await asyncio.wait({ended}, timeout=_SETTLE)
        for task in self._tasks:
            task.cancel()
        await ended

    def poll(self, queue: str) -> None:
        """Poll a queue at once, as an item was sent to it."""
        for listener in self._listeners:
            if listener.queue == queue:
                listener.poll()

    def end_grace(self) -> None:
        """End the grace period of a current or later `stop`."""
        self._hurry.set()


class _Item:
    """A received message, and its latest receipt."""

    def __init__(self, message: Received) -> None:
        self.message, self.receipt = message, message.receipt
        self.lock = asyncio.Lock()

    @property
    def id(self) -> str:
        return self.receipt.id


class _Listener:
    def __init__(
        self,
        function: QueueFunction,
        service: QueueService,
        options: QueueOptions,
        lease: float,
        activity: Activity,
    ) -> None:
        self._function = function
        self._activity = activity
        self._options = options
        self._lease = lease
        self._service = service
        self._poison = None if function.queue.endswith(_SUFFIX) else function.queue + _SUFFIX
        self._longest = options.max_polling_interval * (1 if self._poison else POISON_DELAY_FACTOR)
        self._deliveries: set[asyncio.Task[None]] = set()
        self._stopping = asyncio.Event()
        self._sent = asyncio.Event()

    @property
    def queue(self) -> str:
        return self._function.queue

    def poll(self) -> None:
        self._sent.set()

    def stop(self) -> None:
        self._stopping.set()

    def cancel(self) -> None:
        for delivery in self._deliveries:
            delivery.cancel()

    async def listen(self) -> None:
        """Receive and handle items until stopped; returns when the last delivery has ended."""
        stopped = asyncio.create_task(self._stopping.wait())
        delay = 0.0
        try:
            while not stopped.done():
                while len(self._deliveries) > self._options.new_batch_threshold and not stopped.done():
                    await asyncio.wait({*self._deliveries, stopped}, return_when=asyncio.FIRST_COMPLETED)
                if stopped.done():
                    break
                self._sent.clear()
                try:
                    items = await self._receive()
                except Exception as error:
                    delay = next_delay(delay, _LONGEST_TROUBLE)
                    logger.warning("queue=%s cannot be read: %s", self._function.queue, _first_line(error))
                else:
                    delay = 0.0 if items else next_delay(delay, self._longest)
                    for item in items:
                        delivery = asyncio.create_task(self._deliver(item))
                        self._deliveries.add(delivery)
                        delivery.add_done_callback(self._deliveries.discard)
                if delay and self._activity.calm:
                    delay = await self._wait_while_calm(delay, stopped)
                elif delay:
                    delay = await self._wait(delay, stopped)
        finally:
            stopped.cancel()
        while self._deliveries:
            await asyncio.wait(self._deliveries)

    async def _wait(self, delay: float, stopped: "asyncio.Task[Any]") -> float:
        """Wait for the delay, or until this process sends an item; return the next delay."""
        sent = asyncio.create_task(self._sent.wait())
        try:
            await asyncio.wait({stopped, sent}, timeout=delay, return_when=asyncio.FIRST_COMPLETED)
            return 0.0 if sent.done() else delay
        finally:
            sent.cancel()

    async def _wait_while_calm(self, delay: float, stopped: "asyncio.Task[Any]") -> float:
        """Wait for the interval of a calm process, or for activity; return the next delay."""
        begun = asyncio.create_task(self._activity.begun())
        try:
            longest = max(self._longest, CALM_POLLING_INTERVAL)
            await asyncio.wait({stopped, begun}, timeout=longest, return_when=asyncio.FIRST_COMPLETED)
            return 0.0 if begun.done() else delay
        finally:
            begun.cancel()

    async def _receive(self) -> list[_Item]:
        batch, lease = self._options.batch_size, math.ceil(self._lease)
        try:
            return [_Item(message) for message in await self._service.receive(self._function.queue, batch, lease)]
        except ResourceNotFoundError:
            return []

    async def _deliver(self, item: _Item) -> None:
        with self._activity.active():
            await self._deliver_one(item)

    async def _deliver_one(self, item: _Item) -> None:
        try:
            if self._stopping.is_set():
                await self._show(item, 0)
                return
            maximum, has_poison = self._options.max_dequeue_count, self._poison is not None
            count = item.message.dequeue_count
            outcome = before(count, maximum, has_poison)
            if outcome is Outcome.RUN:
                try:
                    body = self._decode(item.message.text)
                except ValueError:
                    logger.error("queue=%s id=%s is not base64", self._function.queue, item.id)
                    outcome = _given_up(has_poison)
                else:
                    outcome = after(await self._run(item, body), count, maximum, has_poison)
            await self._settle(item, outcome)
        except asyncio.CancelledError:
            with contextlib.suppress(AzureError):
                await self._show(item, 0)
        except AzureError as error:
            # At least once: the item appears again when its lease ends.
            logger.warning("queue=%s id=%s cannot be settled: %s", self._function.queue, item.id, _first_line(error))

    def _decode(self, content: str) -> bytes:
        return base64.b64decode(content, validate=True) if self._options.base64 else content.encode()

    async def _run(self, item: _Item, body: bytes) -> bool:
        message = QueueMessage(
            id=item.id,
            body=body,
            dequeue_count=item.message.dequeue_count,
            expiration_time=item.message.expires_on,
            insertion_time=item.message.inserted_on,
            time_next_visible=item.message.next_visible_on,
            pop_receipt=item.receipt.pop_receipt,
        )
        keeper = asyncio.create_task(self._keep(item))
        call, arguments = self._function.call, {self._function.argument: message}
        try:
            if inspect.iscoroutinefunction(call):
                await call(**arguments)
            else:
                await asyncio.to_thread(call, **arguments)
        except Exception:
            count = item.message.dequeue_count
            logger.exception("function=%s id=%s failed, dequeue_count=%d", self._function.name, item.id, count)
            return False
        finally:
            # Not during a renewal: it changes the pop receipt.
            async with item.lock:
                keeper.cancel()
        return True

    async def _keep(self, item: _Item) -> None:
        while True:
            await asyncio.sleep(self._lease / 2)
            async with item.lock:
                try:
                    await self._show(item, self._lease)
                except AzureError as error:
                    logger.warning("queue=%s id=%s lease: %s", self._function.queue, item.id, _first_line(error))

    async def _settle(self, item: _Item, outcome: Outcome) -> None:
        if outcome is Outcome.RETRY:
            await self._show(item, self._options.visibility_timeout)
            return
        if outcome is Outcome.POISON and self._poison is not None:
            logger.error("queue=%s id=%s moves to %s", self._function.queue, item.id, self._poison)
            await self._give_up(item, self._poison)
        if outcome in {Outcome.DELETE, Outcome.POISON}:
            await self._service.delete(self._function.queue, item.receipt)

    async def _show(self, item: _Item, delay: float) -> None:
        item.receipt = await self._service.update(self._function.queue, item.receipt, math.ceil(delay))

    async def _give_up(self, item: _Item, poison: str) -> None:
        await made_on_first_use(
            lambda: self._service.send(poison, item.message.text),
            lambda: self._service.client.create_queue(poison),
        )


def _first_line(error: BaseException) -> str:
    return (str(error) or type(error).__name__).splitlines()[0]
