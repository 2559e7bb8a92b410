"""The network between the processes and the storage account: latency, and the faults of the plan."""

import random
from collections.abc import Callable
from contextlib import suppress
from typing import Any, TypeVar

from azure.core.exceptions import AzureError, ServiceRequestError, ServiceResponseError

from tests.simulation.faults import Fault, Plan
from tests.simulation.loop import LANE, Lane, SimulatedLoop
from tests.simulation.storage import refusal

T = TypeVar("T")

EPOCH = 1_700_000_000.0
"""The account's time when the loop's is 0."""


class Network:
    """A `Wire` between a process and the account.

    It repeats requests, and fails in the end, as the retries do.
    """

    def __init__(self, loop: SimulatedLoop, chance: random.Random, plan: Plan) -> None:
        self._loop = loop
        self._chance = chance
        self._plan = plan
        self.server = Lane("storage")
        self._pace = chance.choice((0.002, 0.02, 0.1))
        self.calls = 0
        self.caller: Lane | None = None
        """The process whose request is executed at present."""
        self.disturbed = False
        """Whether that request has a fault."""
        self.trouble_until = 0.0
        """The end of the last effect of a fault so far."""
        self.trace: Callable[[str], None] | None = None

    @property
    def now(self) -> float:
        """The account's time."""
        return EPOCH + self._loop.time()

    def later(self, delay: float, act: Callable[..., object], *args: Any) -> None:
        """Call `act` later, for no process."""
        self._loop.call_later(delay, act, *args, context=self.server.context)

    def troubles(self, seconds: float) -> None:
        """Record that a fault has effects for `seconds` seconds."""
        self.trouble_until = max(self.trouble_until, self._loop.time() + seconds)

    async def __call__(self, operation: str, target: str, act: Callable[[], T]) -> T:
        process: Any = LANE.get()
        self.calls += 1
        fault = self._plan.next(operation)
        if self.trace:
            self.trace(f"{operation} {target}" + (f"  !! {fault.value}" if fault else ""))
            act = self._traced(process, operation, target, act)
        if self._plan.outages and self._plan.out_of_order(self._loop.time(), "/" not in target):
            await self._wait(self._chance.uniform(0, 3))
            raise refusal(503, "ServerBusy")
        if fault is None:
            return await self._request(process, act)
        return await self._disturbed(process, act, fault)

    async def _disturbed(self, process: Any, act: Callable[[], T], fault: Fault) -> T:
        chance, act = self._chance, self._marked(act)
        if fault in (Fault.CRASH_BEFORE, Fault.PAUSE_BEFORE, Fault.STOP):
            self._strike(process, fault)
            await self._wait(0)
            return await self._request(process, act)
        if fault in (Fault.CRASH_AFTER, Fault.PAUSE_AFTER):

            def last_act() -> T:
                try:
                    return act()
                finally:
                    self._strike(process, fault)

            return await self._request(process, last_act)
        if fault is Fault.SLOW:
            return await self._request(process, act, self._takes(chance.choice((1, 4, 15))))
        if fault is Fault.RETRIED:
            return await self._request(process, act, self._takes(chance.uniform(0.5, 12)))
        if fault is Fault.TWICE:
            with suppress(AzureError):
                await self._request(process, act)
            return await self._request(process, act, self._takes(chance.uniform(0.5, 4)))
        if fault is Fault.LATE:
            self.later(self._takes(chance.uniform(0, 20)), self._quietly, process, act)
        elif fault is Fault.LOST:
            with suppress(AzureError):
                await self._request(process, act)
        await self._wait(self._takes(chance.choice((0, 1, 10))))
        if fault is Fault.REFUSED and chance.random() < 0.5:
            raise refusal(503, "ServerBusy")
        raise chance.choice((ServiceRequestError, ServiceResponseError))("given up")

    def _marked(self, act: Callable[[], T]) -> Callable[[], T]:
        def marked() -> T:
            self.disturbed = True
            try:
                return act()
            finally:
                self.disturbed = False

        return marked

    def _takes(self, seconds: float) -> float:
        self.troubles(seconds + 1)
        return seconds

    def _strike(self, process: Any, fault: Fault) -> None:
        if fault is Fault.STOP:
            process.stop()
        elif fault in (Fault.PAUSE_BEFORE, Fault.PAUSE_AFTER):
            process.pause(self._chance.choice((1, 35, 75, 120)))
        else:
            process.crash()

    async def _request(self, process: Any, act: Callable[[], T], delay: float = 0.0) -> T:
        answer = self._loop.create_future()
        sent = process.local()
        context = self.server.context
        latency = self._pace * self._chance.random()
        self._loop.call_later(delay + latency, self._arrive, answer, process, act, context=context)
        value, error, date = await answer
        process.observe(date, sent)
        if error is not None:
            raise error
        return value

    def _arrive(self, answer: Any, process: Any, act: Callable[[], object]) -> None:
        self.caller, value, error = process, None, None
        try:
            value = act()
        except AzureError as refused:
            error = refused
        latency, context = self._pace * self._chance.random(), self.server.context
        self._loop.call_later(latency, _set_result, answer, (value, error, int(self.now)), context=context)

    def _quietly(self, process: Any, act: Callable[[], object]) -> None:
        self.caller = process
        with suppress(AzureError):
            act()

    async def _wait(self, seconds: float) -> None:
        answer = self._loop.create_future()
        self._loop.call_later(seconds, _set_result, answer, None, context=self.server.context)
        await answer

    def _traced(self, process: Any, operation: str, target: str, act: Callable[[], T]) -> Callable[[], T]:
        def traced() -> T:
            assert self.trace
            try:
                value = act()
            except AzureError as error:
                self.trace(f"    {process}: {operation} {target} -> {getattr(error, 'error_code', error)}")
                raise
            self.trace(f"    {process}: {operation} {target} has acted")
            return value

        return traced


def _set_result(answer: Any, value: object) -> None:
    if not answer.done():
        answer.set_result(value)
