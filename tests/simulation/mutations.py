"""The rules of the engine, removed one at a time: the simulation has to detect each removal."""

import asyncio
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import AbstractContextManager, ExitStack, contextmanager, nullcontext
from dataclasses import dataclass
from itertools import count
from typing import Any
from unittest import mock

from azure.core.exceptions import ResourceExistsError, ResourceModifiedError, ResourceNotFoundError

from assistants.engine import creation, driver, ending, machine, removal, requests, streaming, toolcalls, worker
from assistants.engine.claim import ClaimedRun
from assistants.engine.driver import Driver
from assistants.engine.ending import publish
from assistants.engine.items import LookAgain, run_key
from assistants.engine.machine import Ending, Need
from assistants.engine.toolcalls import ToolCalls, call_server_tools
from assistants.engine.turn.completion import Completion
from assistants.engine.worker import Worker
from assistants.schema.runs import RunStatus
from assistants.state import logindex, outlines, post
from assistants.state.runs import Look, RunRecord
from assistants.state.sessions import Outcome, SessionRecord, Step
from assistants.state.threads import ThreadRecord
from assistants.storage.documents import Document, Documents
from assistants.storage.errors import Conflict, NoLog
from assistants.storage.ids import derived
from assistants.storage.logs import Logs
from assistants.storage.queues import Queues
from assistants.storage.services import IF_MISSING, Receipt
from assistants.tools.code_interpreter import execution
from assistants.tools.code_interpreter.execution import PAUSE, CodeCall
from tests.simulation import faults, users
from tests.simulation.faults import Fault
from tests.simulation.world import calls_code

Patch = Callable[[], AbstractContextManager[object]]


@dataclass(frozen=True)
class Mutation:
    """A rule of the design, removed."""

    rule: int
    without: str
    patch: Patch
    first: int = 0
    """The first seed to try: the first one that detected it when all were last tried from 0 on."""
    code: bool = False
    """Whether only schedules with calls of code can detect it."""
    schedules: Patch = nullcontext
    """A change of the schedules that makes those which detect it more frequent."""

    def seeds(self) -> Iterator[int]:
        """The schedules that can detect it, from the first one on."""
        return (seed for seed in count(self.first) if calls_code(seed) or not self.code)


def _replaced(owner: Any, name: str, new: Any) -> Patch:
    return lambda: mock.patch.object(owner, name, new)


def _all(*patches: Patch) -> Patch:
    @contextmanager
    def together() -> Iterator[None]:
        with ExitStack() as stack:
            for patch in patches:
                stack.enter_context(patch())
            yield

    return together


async def _nothing(*_: object, **__: object) -> None:
    """Replaces a coroutine that is left out."""


def _none(*_: object, **__: object) -> None:
    """Replaces a function that is left out."""


# 1. One conditional write commits a run's creation.

_write, _replace = Documents._write, Documents.replace


async def _unsettled(self: Any, name: str, value: Any, writes: tuple[str, ...], condition: Mapping[str, str]) -> Any:
    content = self._envelope(writes=writes, value=value).model_dump_json(by_alias=True).encode()
    try:
        etag = await self._service.put(self._name, name, content, condition)
    except (ResourceExistsError, ResourceModifiedError, ResourceNotFoundError):
        raise Conflict(name) from None
    return Document(name, value, etag, writes)


def _blind(model: type, create: bool = False) -> Patch:
    async def replace(self: Any, known: Any, value: Any) -> Any:
        if isinstance(value, model):
            return await self._write(known.name, value, known.writes, {})
        return await _replace(self, known, value)

    async def create_or_replace(self: Any, name: str, value: Any) -> Any:
        return await self._write(name, value, (), {} if isinstance(value, model) else IF_MISSING)

    blind = _replaced(Documents, "replace", replace)
    return _all(blind, _replaced(Documents, "create", create_or_replace)) if create else blind


async def _taken_for_created(store: Any, key: Any, document: Any) -> bool:
    return True


async def _only_if_written(store: Any, key: Any, document: Any) -> bool:
    return document.value.committed


async def _unwritten(store: Any, key: Any, run: RunRecord) -> Document[RunRecord]:
    return Document(key.name, run, '"none"')


_follow_up = creation._follow_up


async def _written_late(store: Any, key: Any, run: RunRecord, look: Look) -> None:
    await store.runs.create(key.name, run)
    await _follow_up(store, key, run, look)


# 2. Announce before commit.


async def _unannounced(store: Any, key: Any, run: RunRecord) -> Look:
    return Look(id="none", pop_receipt="none")


def _look_again(when: str) -> Patch:
    async def look(self: Any, item: LookAgain) -> None:
        key = run_key(item)
        document = await self._store.runs.read(key.name)
        if document is None:
            await worker.thread_of(self._store, key)
            return
        run = document.value
        if not run.active or (when == "not when parked" and run.status is RunStatus.REQUIRES_ACTION):
            return

        async def successor() -> Receipt:
            return await post.send(self._store, item, self._store.settings.look_again)

        first = when in ("not when parked", "not sooner")
        look = Look(id=sent.id, pop_receipt=sent.pop_receipt) if first and (sent := await successor()) else None
        if await worker.was_created(self._store, key, document):
            await self._attend(key, document, look, await self._log(key, item.segments))
        if when == "afterwards":
            await successor()

    return _replaced(Worker, "_look_again", look)


async def _unattended(store: Any, key: Any, document: Any) -> Any:
    return document


# 3. One driver at a time.

_end, _cut_off = machine.ended, Driver._cut_off


def _never_expired(self: Any, run: RunRecord) -> Any:
    found = _cut_off(self, run)
    return None if found and found.event is machine.Event.EXPIRE else found


# 4. Record, then publish.

_claimed_write, _publish, _driver_end, _message = ClaimedRun.write, Driver._publish, Driver._end, ending.message


async def _published_first(self: Any, decide: Any, why: str) -> Any:
    if why == "tools called":
        preview = decide(self.run)
        if preview is not None and len(preview.turns) > len(self.run.turns):
            await publish(self._store, self.key, preview)
    return await _claimed_write(self, decide, why)


async def _published_unless_last(self: Any) -> None:
    assert self._run.unpublished is not None
    if machine.conclusion(self._run.unpublished) is None:
        await _publish(self)


async def _published_last(self: Any, ending: Ending) -> None:
    await _driver_end(self, ending)
    await publish(self._store, self._key, self._run)


async def _unpublished(store: Any, key: Any, run: RunRecord) -> int:
    return run.segments


_times = iter(range(10**9))


def _under_a_new_id(run: RunRecord, number: int) -> Any:
    message = _message(run, number)
    return message and message.model_copy(update={"id": derived("msg_", run.id, number, next(_times))})


# 5. Outputs of parallel tools meet in the run's document.

_parked = machine.parked


def _last_answer(run: RunRecord, call_id: str, output: str, now: float, found: object = None) -> RunRecord | None:
    if not run.active or run.turn is None:
        return None
    calls = [call.model_copy(update={"output": None}) if call.id == call_id else call for call in run.turn.calls]
    turn = run.turn.model_copy(update={"calls": calls})
    forgetful = run.model_copy(update={"turns": [*run.turns[:-1], turn]})
    return machine._write(machine._with_outputs(forgetful, {call_id: {"output": output}}, now), now)


def _ready_before_all_answered(run: RunRecord, now: float) -> bool:
    return run.status in (RunStatus.QUEUED, RunStatus.IN_PROGRESS) and not machine.is_claimed(run, now)


def _parked_under_claim(run: RunRecord, now: float, look: Look | None, stay: bool = False) -> RunRecord | None:
    found = _parked(run, now, look, stay)
    return found and found.model_copy(update={"claim": run.claim})


async def _called_first(self: Any, decide: Any, why: str) -> Any:
    if why == "tools called" and (preview := decide(self.run)) is not None:
        await call_server_tools(self._store, self.key, preview.unanswered)
        await asyncio.sleep(1)
    return await _claimed_write(self, decide, why)


# 6. The prompt is fixed at the first claim.

_claim = machine.claimed


def _claim_with_a_new_prompt(run: RunRecord, *arguments: Any) -> RunRecord | None:
    return _claim(run.model_copy(update={"prompt_lengths": None}), *arguments)


# 7. Failures are reported.


def _end_without_a_word(run: RunRecord, ending: Ending, now: float) -> Any:
    return _end(run, ending._replace(error=None), now)


# 8. Cancel.


async def _watched_for_expiry(self: Any) -> str:
    while self._now() < self._run.expires_at:
        await self._keep_claim(driver.WATCH)
    return "expired"


# 9. Deleting a thread.

_send, _append = Queues.send, Logs.append


async def _send_no_purge(self: Any, queue: str, item: Any, delay: float = 0) -> Receipt:
    if item.get("kind") == "purge":
        return Receipt("none", "none")
    return await _send(self, queue, item, delay)


async def _append_anew(self: Any, name: str, *rest: Any) -> Any:
    try:
        return await _append(self, name, *rest)
    except NoLog:
        await self.create(name)
        return await _append(self, name, *rest)


# 12. Code is executed at most once.

_step = execution.step


def _begin_again(session: SessionRecord, *arguments: Any) -> Step:
    found = _step(session, *arguments)
    return Step.BEGIN if found is Step.WAIT else found


async def _given_in_memory(self: Any, execution: str, outcome: Outcome) -> Outcome:
    return outcome


async def _taken_for_next(self: Any) -> bool:
    return True


async def _watched_for_time(self: Any, until: float) -> None:
    await asyncio.sleep(max(until - PAUSE - self._now(), 0))


_PAUSES = _all(
    _replaced(users, "REQUESTS", {**users.REQUESTS, "create": 40, "both": 20}),
    _replaced(faults, "WEIGHTS", {Fault.PAUSE_BEFORE: 1, Fault.PAUSE_AFTER: 1}),
    _replaced(faults, "POINTS", 12),
)
_FAULTS = _replaced(faults, "POINTS", 12)
_CALM = _replaced(faults, "CALM", 1.0)
_DELETIONS = _replaced(users, "REQUESTS", {**users.REQUESTS, "delete": 20})

MUTATIONS: Sequence[Mutation] = (
    Mutation(
        1,
        "reading the run that locks the thread",
        _all(_replaced(creation, "active_run", _nothing), _replaced(requests, "active_run", _nothing)),
    ),
    Mutation(1, "the condition of the commit", _blind(ThreadRecord)),
    Mutation(1, "settling a lost answer by reading again", _replaced(Documents, "_write", _unsettled), 263),
    Mutation(
        1,
        "the run's document before the commit",
        _all(_replaced(creation, "_create", _unwritten), _replaced(creation, "_follow_up", _written_late)),
    ),
    Mutation(
        1,
        "reading the thread of a run not committed",
        _all(
            _replaced(worker, "was_created", _taken_for_created),
            _replaced(toolcalls, "was_created", _taken_for_created),
        ),
    ),
    Mutation(
        1,
        "attending to a run found committed",
        _all(_replaced(worker, "was_created", _only_if_written), _replaced(toolcalls, "was_created", _only_if_written)),
    ),
    Mutation(1, "giving up a creation never committed", _replaced(machine, "discarded", _none)),
    Mutation(1, "refusing to commit late", _replaced(creation._Deadline, "check", _none), 59, schedules=_PAUSES),
    Mutation(
        1,
        "reading whether a late commit came too late",
        _replaced(creation, "_given_up", _nothing),
        61,
        schedules=_PAUSES,
    ),
    Mutation(1, "a sweep of threads that are begun", _replaced(creation, "_queue_sweep", _nothing)),
    Mutation(2, "a look-again item before the commit", _replaced(creation, "_queue_look_again", _unannounced)),
    Mutation(2, "a successor of the look-again item", _look_again("never")),
    Mutation(2, "the successor being sent first", _look_again("afterwards"), 167, schedules=_CALM),
    Mutation(2, "the successor while outputs are awaited", _look_again("not when parked")),
    Mutation(
        2,
        "requests attending to runs",
        _all(_replaced(requests, "attended", _unattended), _replaced(streaming, "attended", _unattended)),
        238,
    ),
    Mutation(3, "respecting a live claim", _replaced(machine, "is_claimed", lambda run, now: False)),
    Mutation(3, "the condition of a write to a run", _blind(RunRecord)),
    Mutation(
        3, "checking the token when a write is repeated", _replaced(machine, "is_claimed_by", lambda run, token: True)
    ),
    Mutation(3, "renewing the claim", _replaced(ClaimedRun, "renew", ClaimedRun.refresh), 32),
    Mutation(3, "the limit of takeovers", _replaced(machine, "MAX_TAKEOVERS", 10**9), 69),
    Mutation(3, "the driver's own expiry", _replaced(Driver, "_cut_off", _never_expired)),
    Mutation(4, "recording a turn before its message is appended", _replaced(ClaimedRun, "write", _published_first)),
    Mutation(
        4,
        "the last message before the end",
        _all(_replaced(Driver, "_publish", _published_unless_last), _replaced(Driver, "_end", _published_last)),
    ),
    Mutation(
        4,
        "publishing before ending an unclaimed run",
        _replaced(ending, "publish", _unpublished),
        59,
        schedules=_FAULTS,
    ),
    Mutation(4, "ids that follow from run and turn", _replaced(ending, "message", _under_a_new_id)),
    Mutation(
        5, "calling a server tool again", _replaced(machine, "lost_calls", lambda run, now, resend_after: []), 584
    ),
    Mutation(5, "the first output winning", _replaced(machine, "answered", _last_answer), 112),
    Mutation(5, "waiting for all outputs", _replaced(machine, "is_ready", _ready_before_all_answered)),
    Mutation(5, "releasing the claim of a parked run", _replaced(machine, "parked", _parked_under_claim)),
    Mutation(5, "the last output queueing the run", _replaced(ToolCalls, "_need", lambda self, run: Need.NOTHING)),
    Mutation(
        5,
        "recording calls before their items are sent",
        _all(_replaced(ClaimedRun, "write", _called_first), _replaced(driver, "call_server_tools", _nothing)),
    ),
    Mutation(6, "the prompt of the first claim", _replaced(machine, "claimed", _claim_with_a_new_prompt)),
    Mutation(6, "the driver appending what came with the run", _replaced(Driver, "_add_missing", _nothing)),
    Mutation(
        6,
        "an index growing at its end only",
        _all(_replaced(outlines, "REACH", 250), _replaced(logindex, "if_ends_at", lambda position: {})),
    ),
    Mutation(
        7,
        "the poison handler",
        _all(_replaced(Worker, "_give_up", _nothing), _replaced(ToolCalls, "_give_up", _nothing)),
        185,
    ),
    Mutation(7, "the error with which a run fails", _replaced(machine, "ended", _end_without_a_word)),
    Mutation(7, "the model's error", _replaced(Completion, "error", None)),
    Mutation(7, "failing a run after a failure of its driver", _replaced(Driver, "_fail", _nothing), 69),
    Mutation(8, "an item for a run cancelled or answered", _replaced(requests, "queue_run", _nothing)),
    Mutation(8, "the driver noticing a cancellation", _replaced(Driver, "_watch", _watched_for_expiry), 121),
    Mutation(9, "the purge item", _replaced(Queues, "send", _send_no_purge)),
    Mutation(9, "the end of a thread's session", _replaced(removal, "purge_session", _nothing), 60, code=True),
    Mutation(
        9,
        "the end of what code wrote after the purge",
        _replaced(execution, "purge_session", _nothing),
        1491,
        code=True,
    ),
    Mutation(9, "a log never being made anew", _replaced(Logs, "append", _append_anew), 2, schedules=_DELETIONS),
    Mutation(12, "the condition of the note of a beginning", _blind(SessionRecord, create=True), 723, code=True),
    Mutation(12, "waiting for what is under way", _replaced(execution, "step", _begin_again), 83, code=True),
    Mutation(
        12, "storing the outcome before the run takes it", _replaced(CodeCall, "_give", _given_in_memory), code=True
    ),
    Mutation(12, "one code after the other", _replaced(CodeCall, "_is_next", _taken_for_next), 115, code=True),
    Mutation(12, "the end of code with its run", _replaced(CodeCall, "_watch", _watched_for_time), 316, code=True),
)
"""Each of them breaks one sentence of the rules, by removing the smallest part that it depends on."""
