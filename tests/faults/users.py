"""Simulated users: threads, messages and runs of all kinds, while the service and its storage fail.

A user repeats requests that failed temporarily: after a 503, when its `Retry-After` is over, and after a broken
connection. Any other deviation from the contract ends the user with an exception.
"""

import random
import threading
import time
from collections import Counter
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, field
from typing import Any, TypeVar

import httpx2
import openai
from openai import OpenAI, Stream
from openai.types.beta.threads import Run
from openai.types.vector_stores import VectorStoreFile

from tests.support.sdk.client import connect
from tests.support.sdk.conversation import RETRIEVAL, WEATHER, unique
from tests.support.sdk.talk import upload
from tests.support.service.processes import Process

A = TypeVar("A")

SILENCE = 60.0
"""Seconds after which a request counts as never answered."""

DEADLINE = 120.0
"""Seconds within which every request succeeds and every run ends."""

WHAT_TO_SAY = {
    "text": "Is it sunny?",
    "function": "Get weather city=Oslo.",
    "retrieval": "Use retrieval.",
    "mixed": "Get weather city=Oslo, and use retrieval.",
}
HOW = ("left alone", "streamed", "cancelled", "deleted")
OVER = ("completed", "incomplete", "failed", "cancelled", "expired")


@dataclass
class Confirmed:
    """The changes that answers have confirmed to a user, which must have happened."""

    threads: set[str] = field(default_factory=set)
    deleted: set[str] = field(default_factory=set)
    messages: dict[str, str] = field(default_factory=dict)
    """The thread of each message."""
    runs: dict[str, str] = field(default_factory=dict)
    """The thread of each run."""
    outputs: dict[tuple[str, str], str] = field(default_factory=dict)
    """The outputs, by run and call."""
    stores: set[str] = field(default_factory=set)
    """Vector stores with a file each."""
    counts: Counter[str] = field(default_factory=Counter)
    slowest: float = 0
    """The longest time of an answer, in seconds."""

    def add(self, other: "Confirmed") -> None:
        self.threads |= other.threads
        self.deleted |= other.deleted
        self.messages |= other.messages
        self.runs |= other.runs
        self.outputs |= other.outputs
        self.stores |= other.stores
        self.counts += other.counts
        self.slowest = max(self.slowest, other.slowest)


class User:
    """A simulated user.

    Parameters
    ----------
    client
        Returns the SDK for the next request, connected to any of the processes.
    """

    def __init__(self, client: Callable[[], OpenAI], chance: random.Random) -> None:
        self._client = client
        self._chance = chance
        self._assistant = ""
        self.confirmed = Confirmed()

    def live(self, over: Callable[[], bool]) -> None:
        """Have one conversation after the other, each in a new thread."""
        while not over():
            if self._chance.random() < 0.3:
                self._store_file()
            thread_id = self.new_thread()
            for _ in range(self._chance.randint(1, 3)):
                what, how = self._chance.choice(list(WHAT_TO_SAY)), self._chance.choice(HOW)
                self.turn(thread_id, what, how)
                if thread_id in self.confirmed.deleted:
                    break

    def new_thread(self) -> str:
        thread = self._do(lambda client: client.beta.threads.create())
        self.confirmed.threads.add(thread.id)
        return thread.id

    def turn(self, thread_id: str, what: str = "text", how: str = "left alone") -> str | None:
        """Add a message and run an assistant; return the run's final state, unless its thread was deleted."""
        if not self._assistant:
            tools = [WEATHER, RETRIEVAL]
            self._assistant = self._do(lambda client: client.beta.assistants.create(model="demo", tools=tools)).id
        said = unique(WHAT_TO_SAY[what])
        message = self._do(lambda client: client.beta.threads.messages.create(thread_id, role="user", content=said))
        self.confirmed.messages[message.id] = thread_id
        run = self._start(thread_id, streamed=how == "streamed")
        self.confirmed.runs[run.id] = thread_id
        self.confirmed.counts[f"runs {how}"] += 1
        if how in {"cancelled", "deleted"}:
            time.sleep(self._chance.uniform(0, 0.5))
        if how == "deleted":
            self._delete(thread_id)
            return None
        if how == "cancelled":
            run = self._cancel(run)
        return self._follow(run, streamed=how == "streamed")

    def files(self) -> Iterator[tuple[str, str | None]]:
        """For each store, the problem of its file, once it is processed."""
        for store in self.confirmed.stores:
            deadline = time.monotonic() + DEADLINE
            while (file := self._file(store)).status == "in_progress":
                assert time.monotonic() < deadline, f"the file of {store} is stuck"
                time.sleep(0.2)
            killed = file.last_error is not None and "ended the process" in file.last_error.message  # twice
            self.confirmed.counts[f"files {file.status}"] += 1
            yield store, None if file.status == "completed" or killed else f"{file.status}: {file.last_error}"

    def _file(self, store: str) -> VectorStoreFile:
        return self._do(lambda client: client.vector_stores.files.list(store)).data[0]

    def _store_file(self) -> None:
        text = unique("The spire of Strasbourg is 142 metres high. ") * 1000
        file = self._do(lambda client: upload(client, text))
        self.confirmed.stores.add(self._do(lambda client: client.vector_stores.create(file_ids=[file])).id)

    def _start(self, thread_id: str, streamed: bool) -> Run:
        def adopted(error: openai.APIStatusError) -> Run:
            assert f"Thread {thread_id} already has an active run" in str(error)
            return self._newest(thread_id)

        started = self._do(
            lambda client: client.beta.threads.runs.create(thread_id, assistant_id=self._assistant, stream=streamed),
            adopted,
        )
        if isinstance(started, Run):
            return started
        return self._listen(started) or self._newest(thread_id)

    def _newest(self, thread_id: str) -> Run:
        return self._do(lambda client: client.beta.threads.runs.list(thread_id, limit=1)).data[0]

    def _follow(self, run: Run, streamed: bool) -> str:
        """Poll a run until it has ended, and submit its outputs."""
        deadline = time.monotonic() + DEADLINE
        while run.status not in OVER:
            assert time.monotonic() < deadline, f"run {run.id} is stuck: {run.status}"
            if run.status == "requires_action":
                self._submit(run, streamed)
            time.sleep(self._chance.uniform(0.05, 0.2))
            run = self._current(run)
        self.confirmed.counts[f"runs {run.status}"] += 1
        return run.status

    def _submit(self, run: Run, streamed: bool) -> None:
        assert run.required_action is not None
        calls = run.required_action.submit_tool_outputs.tool_calls
        outputs: Any = [{"tool_call_id": call.id, "output": unique("sunny")} for call in calls]
        taken = self._do(
            lambda client: client.beta.threads.runs.submit_tool_outputs(
                run.id, thread_id=run.thread_id, tool_outputs=outputs, stream=streamed
            ),
            lambda _: None,  # an earlier try was accepted
            refusal='Runs in status "expired" do not accept tool outputs.',
        )
        if taken is None:
            return
        self.confirmed.outputs |= {(run.id, each["tool_call_id"]): each["output"] for each in outputs}
        if not isinstance(taken, Run):
            self._listen(taken)

    def _current(self, run: Run) -> Run:
        return self._do(lambda client: client.beta.threads.runs.retrieve(run.id, thread_id=run.thread_id))

    def _cancel(self, run: Run) -> Run:
        return self._do(
            lambda client: client.beta.threads.runs.cancel(run.id, thread_id=run.thread_id),
            lambda _: self._current(run),
            refusal="Cannot cancel run with status",
        )

    def _delete(self, thread_id: str) -> None:
        self._do(lambda client: client.beta.threads.delete(thread_id), lambda _: None)
        self.confirmed.deleted.add(thread_id)

    def _listen(self, stream: Stream[Any]) -> Run | None:
        """Read a stream up to its end; return the run of its last event."""
        run: Run | None = None
        error = False
        try:
            with stream:
                for event in stream:
                    error = error or event.event == "error"  # the SDK does not raise it
                    if isinstance(event.data, Run):
                        run = event.data
        except (httpx2.TransportError, openai.APIConnectionError):
            self.confirmed.counts["streams broken off"] += 1
            return run
        if error:
            self.confirmed.counts["streams with an error"] += 1
        else:
            assert run is not None
            assert run.status in (*OVER, "requires_action"), run.status
            self.confirmed.counts["streams read to the end"] += 1
        return run

    def _do(
        self,
        act: Callable[[OpenAI], A],
        settle: Callable[[openai.APIStatusError], A] | None = None,
        refusal: str | None = None,
    ) -> A:
        """Repeat `act` until it succeeds.

        A failed try may have succeeded nevertheless: if a later try is refused, `settle` makes the result of that
        error, and always of a 400 whose message contains `refusal`.
        """
        deadline, failed = time.monotonic() + DEADLINE, False
        while True:
            begun = time.monotonic()
            try:
                return act(self._client())
            except openai.APITimeoutError as error:
                raise AssertionError(f"silence: {error.request.method} {error.request.url}") from error
            except openai.APIConnectionError:
                self.confirmed.counts["connections broken"] += 1
                pause = 0.2
            except openai.InternalServerError as error:
                self.confirmed.counts[f"requests answered with {error.status_code}"] += 1
                pause = float(error.response.headers["retry-after"])
            except openai.APIStatusError as error:
                refused = refusal is not None and error.status_code == 400 and refusal in str(error)
                if settle is None or not (failed or refused):
                    raise
                return settle(error)
            finally:
                self.confirmed.slowest = max(self.confirmed.slowest, time.monotonic() - begun)
            failed = True
            assert time.monotonic() < deadline, "not done in time"
            time.sleep(pause)


class Clients:
    """The SDK for processes that are killed and restarted, connected to any one of them each time."""

    def __init__(self, processes: Sequence[Process], chance: random.Random) -> None:
        self._processes = processes
        self._chance = chance
        self._known: dict[str, OpenAI] = {}
        self._lock = threading.Lock()

    def __call__(self) -> OpenAI:
        url = self._chance.choice(self._processes).url
        with self._lock:
            if url not in self._known:
                self._known[url] = connect(url).with_options(timeout=SILENCE)
            return self._known[url]


def all_at_once(acts: Sequence[Callable[[], A]]) -> list[A]:
    """The results of the functions, each called in a thread; an exception is raised when all have ended."""
    with ThreadPoolExecutor(len(acts) or 1) as pool:
        return [each.result() for each in [pool.submit(act) for act in acts]]
