"""The clients of the service: they send the requests that the seed determines, and record the answers."""

import asyncio
import json
import random
from collections.abc import Awaitable, Callable, Iterator, Mapping
from dataclasses import dataclass, field
from types import SimpleNamespace
from typing import Any, cast

from fastapi import Response

from assistants.api import messages, runs, steps, threadruns, threads
from assistants.proxy.order import Begin, Order
from assistants.schema.errors import ApiError
from assistants.schema.messages import CreateMessage
from assistants.schema.runs import CreateRun, CreateThreadAndRun, ModifyRun, SubmitToolOutputs
from assistants.schema.threads import CreateThread, ModifyThread
from assistants.service import service
from assistants.state.paging import Cursors
from assistants.state.store import Store
from tests.simulation.model import Model, Script, script, with_code
from tests.simulation.processes import Gone, Process

PROJECT = "default"
REQUESTS = {
    "create": 18, "stream": 14, "both": 6, "look": 6, "go on": 28, "cancel": 7, "message": 10, "modify": 4, "label": 4,
    "list": 5,
}  # fmt: skip
"""The weights of the requests of a client."""


async def _stays() -> bool:
    return False


_STATE = SimpleNamespace(request_id="req", version="v2")
_REQUEST = cast("Any", SimpleNamespace(state=_STATE, is_disconnected=_stays))
_NEWEST = Cursors(limit=100)


def _store() -> Store:
    """The store of the process that handles a request."""
    return service().store


@dataclass
class Deed:
    """A request and its answer. All objects that it wrote contain `mark`."""

    what: str
    mark: str
    began: float
    thread: str = ""
    run: str | None = None
    sent: Mapping[str, Any] = field(default_factory=dict)
    ended: float | None = None
    answer: Any = None
    """The answer; an exception if it was an error, or did not arrive."""

    @property
    def done(self) -> bool:
        """Whether the answer was a success."""
        return self.ended is not None and not isinstance(self.answer, BaseException)

    @property
    def refused(self) -> bool:
        """Whether the request was refused."""
        return isinstance(self.answer, ApiError) and self.answer.status < 500

    def __str__(self) -> str:
        answer = self.answer.message if isinstance(self.answer, ApiError) else type(self.answer).__name__
        return f"{self.what} {self.mark} {self.run or self.thread}: {answer}"


@dataclass
class Stream:
    """The events of a streamed run, as far as the client has read them."""

    begin: Begin
    deed: Deed
    chunks: list[bytes] = field(default_factory=list)
    whole: bool = False
    """Whether it was read to its end."""

    def events(self) -> Iterator[tuple[str, dict[str, Any]]]:
        for each in b"".join(self.chunks).decode().split("\n\n"):
            block = "\n".join(line for line in each.split("\n") if not line.startswith(":"))
            if not block:
                continue
            name, _, data = block.partition("\n")
            content = data.removeprefix("data: ")
            yield name.removeprefix("event: "), {} if content == "[DONE]" else json.loads(content)

    def problems(self) -> list[str]:
        """Its deviations from the contract."""
        order, found = Order(self.begin), list[str]()
        for name, data in self.events():
            found += [f"{name} {problem}" for problem in order.take(name, data)]
        return found + (order.end() if self.whole else [])


class Users:
    """Clients that use the same threads and runs, independently of each other."""

    def __init__(
        self,
        loop: Any,
        chance: random.Random,
        model: Model,
        assistant: str,
        living: Callable[[], list[Process]],
        calm: bool,
        code: random.Random | None,
    ) -> None:
        self._loop = loop
        self._chance = chance
        self._model = model
        self._assistant = assistant
        self._living = living
        self._code = code
        self._deletes = 5 if chance.random() < 0.25 else 0
        if code is not None and code.random() < 0.4:
            self._deletes = 20
        self._hurried = chance.random() < 0.4
        self._numbers = 0
        self.calm = calm
        self.deeds: list[Deed] = []
        self.streams: list[Stream] = []
        self.threads: list[str] = []
        self.runs: list[tuple[str, str]] = []
        self.trace: Callable[[str], None] | None = None

    # The actions of a client.

    async def act(self, steps: int) -> None:
        """Send `steps` requests, one after the other."""
        if not self.threads:
            await self.create_thread()
        for _ in range(steps):
            await asyncio.sleep(self._pause())
            await self._anything()

    async def create_thread(self) -> None:
        mark = self._mark("t")
        body = CreateThread.model_validate({"messages": [{"role": "user", "content": mark}]})
        deed = await self._ask(
            Deed("create thread", mark, self._loop.time()),
            lambda: threads.threads_create(_store(), PROJECT, _REQUEST, body),
        )
        if deed.done:
            deed.thread = deed.answer.id
            self.threads.append(deed.thread)

    async def abandon(self, run: str) -> None:
        """Delete the thread of the run that has this mark, if a client knows it."""
        for deed in self.deeds:
            if deed.mark == run and deed.thread in self.threads:
                await self._delete_thread(deed.thread)
                return

    async def finish(self, seconds: float) -> None:
        """Poll all runs until they have ended, for `seconds` at most, and submit their outputs."""
        waiting = list(self.runs)
        until = self._loop.time() + seconds
        while waiting and self._loop.time() < until:
            await asyncio.sleep(self._chance.uniform(5, 20))
            for thread, run in list(waiting):
                found = await self._retrieve(thread, run)
                if found is None or found.status in ("completed", "failed", "cancelled", "expired", "incomplete"):
                    waiting.remove((thread, run))
                elif found.status == "requires_action":
                    await self._submit(thread, found, streamed=False)

    def _script(self) -> Script:
        found = script(self._chance)
        return with_code(found, self._code) if self._code else found

    def _pause(self) -> float:
        chance = self._chance
        if self._hurried:
            return chance.choice((0, 0, 0.01, 0.05, 0.3, 1))
        return chance.choices((0, 0.05, 0.5, 2, 10, 40, 70), (15, 20, 20, 20, 15, 6, 4))[0]

    async def _anything(self) -> None:
        chance = self._chance
        if not self.threads:
            await self.create_thread()
            return
        thread = chance.choice(self.threads)
        run = chance.choice(self.runs[-3:]) if self.runs else None
        does = chance.choices([*REQUESTS, "delete"], [*REQUESTS.values(), self._deletes])[0]
        if does in ("create", "stream"):
            await self._create_run(thread, does == "stream")
        elif does == "both":
            await self._create_both(chance.random() < 0.4)
        elif does == "message":
            await self._add_message(thread)
        elif does == "modify":
            await self._modify_thread(thread)
        elif does == "delete":
            await self._delete_thread(thread)
        elif run is None:
            await self._create_run(thread, False)
        elif does == "cancel":
            await self._cancel(*run)
        elif does == "label":
            await self._modify_run(*run)
        elif does == "list":
            await self._list(*run)
        elif (found := await self._retrieve(*run)) is not None and found.status == "requires_action":
            await self._submit(run[0], found, streamed=chance.random() < 0.35)
        elif does == "go on" and found is not None and found.status in ("completed", "failed", "cancelled"):
            await self._create_run(run[0], chance.random() < 0.4)

    async def _create_run(self, thread: str, streamed: bool) -> None:
        mark = self._mark("r")
        self._model.scripts[mark] = self._script()
        sent: dict[str, Any] = {"assistant_id": self._assistant, "model": mark, "metadata": {"mark": mark}}
        if self._chance.random() < 0.5:
            sent["instructions"] = "Be kind."
        if self._chance.random() < 0.3:
            sent["additional_messages"] = [
                {"role": "user", "content": f"{mark}+{number}"} for number in range(self._chance.randint(1, 2))
            ]
        if streamed:
            sent["stream"] = True
        deed = Deed("create run", mark, self._loop.time(), thread, sent=sent)
        body = CreateRun.model_validate(sent)

        def handler() -> Awaitable[Any]:
            return runs.runs_create(_REQUEST, service(), _store(), PROJECT, thread, body, content=False)

        await self._begin(deed, "run", handler, streamed)

    async def _create_both(self, streamed: bool) -> None:
        mark = self._mark("r")
        self._model.scripts[mark] = self._script()
        thread = {"messages": [{"role": "user", "content": f"{mark}+0"}]}
        sent: dict[str, Any] = {
            "assistant_id": self._assistant, "model": mark, "metadata": {"mark": mark}, "thread": thread,
        }  # fmt: skip
        if streamed:
            sent["stream"] = True
        deed = Deed("create thread and run", mark, self._loop.time(), sent=sent)
        body = CreateThreadAndRun.model_validate(sent)
        await self._begin(
            deed,
            "thread",
            lambda: threadruns.threads_create_and_run(_REQUEST, service(), _store(), PROJECT, body),
            streamed,
        )

    async def _begin(self, deed: Deed, begin: Begin, handler: Callable[[], Awaitable[Any]], streamed: bool) -> None:
        if streamed:
            await self._listen(deed, begin, handler)
        else:
            await self._ask(deed, handler)
            if deed.done:
                deed.thread, deed.run = deed.answer.thread_id, deed.answer.id
        if deed.run is not None:
            self.runs.append((deed.thread, deed.run))
            if deed.thread not in self.threads:
                self.threads.append(deed.thread)

    async def _submit(self, thread: str, run: Any, streamed: bool) -> None:
        mark = self._mark("s")
        calls = [call.id for call in run.required_action.submit_tool_outputs.tool_calls]
        if self._chance.random() < 0.05:
            calls = calls[1:] or ["unknown-call"]
        outputs = {call: f"{mark}: output of {call}" for call in calls}
        sent = {
            "tool_outputs": [{"tool_call_id": call, "output": output} for call, output in outputs.items()],
            "stream": streamed,
        }
        body = SubmitToolOutputs.model_validate(sent)
        deed = Deed("submit", mark, self._loop.time(), thread, run.id, outputs)

        def handler() -> Awaitable[Any]:
            return runs.runs_submit_tool_outputs(_REQUEST, service(), _store(), PROJECT, thread, run.id, body)

        await (self._listen(deed, "outputs", handler) if streamed else self._ask(deed, handler))

    async def _retrieve(self, thread: str, run: str) -> Any:
        deed = Deed("retrieve run", "", self._loop.time(), thread, run)
        await self._ask(deed, lambda: runs.runs_retrieve(_REQUEST, Response(), _store(), PROJECT, thread, run))
        return deed.answer if deed.done else None

    async def _cancel(self, thread: str, run: str) -> None:
        deed = Deed("cancel", "", self._loop.time(), thread, run)
        await self._ask(deed, lambda: runs.runs_cancel(_store(), PROJECT, thread, run))

    async def _add_message(self, thread: str) -> None:
        mark = self._mark("m")
        body = CreateMessage(role="user", content=mark)
        deed = Deed("add message", mark, self._loop.time(), thread)
        await self._ask(deed, lambda: messages.messages_create(_store(), PROJECT, thread, _REQUEST, body))

    async def _modify_thread(self, thread: str) -> None:
        mark = self._mark("d")
        body = ModifyThread(metadata={"mark": mark})
        deed = Deed("modify thread", mark, self._loop.time(), thread)
        await self._ask(deed, lambda: threads.threads_modify(_store(), PROJECT, thread, body))

    async def _modify_run(self, thread: str, run: str) -> None:
        mark = self._mark("d")
        body = ModifyRun(metadata={"mark": mark})
        deed = Deed("modify run", mark, self._loop.time(), thread, run)
        await self._ask(deed, lambda: runs.runs_modify(_store(), PROJECT, thread, run, body))

    async def _delete_thread(self, thread: str) -> None:
        deed = Deed("delete thread", "", self._loop.time(), thread)
        await self._ask(deed, lambda: threads.threads_delete(_store(), PROJECT, thread))

    async def _list(self, thread: str, run: str) -> None:
        deed = Deed("list", "", self._loop.time(), thread, run)
        lists = (
            lambda: runs.runs_list(_store(), PROJECT, thread, _NEWEST),
            lambda: steps.steps_list(_store(), PROJECT, thread, run, _NEWEST, content=False),
            lambda: messages.messages_list(_store(), PROJECT, thread, _NEWEST),
        )
        await self._ask(deed, self._chance.choice(lists))

    # The implementation.

    async def _ask(self, deed: Deed, handler: Callable[[], Awaitable[Any]]) -> Deed:
        process = await self._connect(deed)
        try:
            deed.answer = await process.run(handler)
        except Exception as error:
            deed.answer = error
        self._end(deed)
        return deed

    async def _listen(self, deed: Deed, begin: Begin, handler: Callable[[], Awaitable[Any]]) -> None:
        """Send a request for a stream; the client may disconnect before its end."""
        process = await self._connect(deed)
        stream = Stream(begin, deed)
        leaves = self._chance.random() < 0.15
        enough = self._loop.create_future()

        def take(chunk: bytes) -> None:
            stream.chunks.append(chunk)
            if deed.answer is None:
                deed.answer = stream
                self._end(deed)
            for name, data in stream.events() if deed.run is None else ():
                if name == "thread.run.created":
                    deed.thread, deed.run = data["thread_id"], data["id"]
            if deed.run is not None and leaves and not enough.done():
                enough.set_result(None)

        async def read() -> None:
            response = await handler()
            async for chunk in response.body_iterator:
                take(chunk)
            stream.whole = True

        reading = process.run(read)
        self.streams.append(stream)
        try:
            if leaves:
                await asyncio.wait([reading, enough], return_when=asyncio.FIRST_COMPLETED)
                if not reading.done():
                    reading.cancel()
                    return
            await reading
        except Exception as error:
            if deed.answer is None:
                deed.answer = error
                self._end(deed)

    async def _connect(self, deed: Deed) -> Process:
        self.deeds.append(deed)
        while not (living := self._living()):  # noqa: ASYNC110 - as a client tries again
            await asyncio.sleep(1)
        await asyncio.sleep(0.01 * self._chance.random())
        living = self._living() or living
        process = self._chance.choice(living)
        if process.dead:
            deed.answer = Gone()
        if self.trace:
            self.trace(f"client asks {process}: {deed.what} {deed.mark} {deed.run or deed.thread}")
        return process

    def _end(self, deed: Deed) -> None:
        deed.ended = self._loop.time()
        if self.trace:
            self.trace(f"client is answered: {deed}")

    def _mark(self, kind: str) -> str:
        self._numbers += 1
        return f"{kind}{self._numbers}"
