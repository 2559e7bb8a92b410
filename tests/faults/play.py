"""The client of the flows: it repeats requests until they succeed, and records the answers.

The process may be killed at the fault point. The next one plays the flow again from its beginning: requests with a
recorded answer get that answer, and the answer that was not received is lost.
"""

import asyncio
import json
import re
import time
from collections.abc import Awaitable, Callable, Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass, field
from functools import partial
from typing import Any

import httpx2
from azure.core.exceptions import AzureError, ResourceExistsError, ResourceNotFoundError

import function_app
from assistants.engine.items import RetireThreads
from assistants.local.reply import Reply
from assistants.state import post
from assistants.state.runs import ACTIVE, RunRecord
from assistants.storage.ids import blob_name
from tests.faults.journal import LOST, Answer, Journal
from tests.faults.points import ANSWERING, Fault
from tests.faults.served import NET, Job, Served

ASKED = {"messages": [{"role": "user", "content": "Where is it sunny?"}]}
ENDS = ("completed", "failed", "incomplete", "cancelled", "expired")


class Refused(AssertionError):
    """A request was refused that should succeed."""


class Over(Exception):
    """The run ended `failed`, which is allowed if its model breaks off in the middle of an answer."""


@dataclass
class Run:
    """A run that the client knows, and the answers about it."""

    id: str
    thread: str
    may_end: tuple[str, ...] = ("completed",)
    outputs: dict[str, str] = field(default_factory=dict)
    """The outputs that the service has accepted."""
    ended: str | None = None
    """The ending in the answers."""

    @property
    def path(self) -> str:
        return f"threads/{self.thread}/runs/{self.id}"


class Play:
    """A flow that a client of the service plays, in a project of its own."""

    def __init__(self, job: Job, journal: Journal, served: Served) -> None:
        self.project, self.served = job.project, served
        self._breaks_off = job.call == ANSWERING and job.fault != Fault.KILLS.value
        self._journal = journal
        self._awake = False
        self._missing: list[Callable[[], Awaitable[object]]] = []
        headers = {"Authorization": f"Bearer {job.project}"}
        transport = httpx2.ASGITransport(app=function_app.api)
        self._http = httpx2.AsyncClient(transport=transport, base_url="http://localhost/v1/", headers=headers)
        self.assistant = ""
        self.threads: list[str] = []
        self.runs: dict[str, Run] = {}
        self.said: list[tuple[str, str]] = []
        """Messages whose addition was confirmed: thread and id."""
        self.stores: dict[str, tuple[str, ...]] = {}
        """The expected files of each vector store."""
        self.deleted: list[str] = []
        """Paths of objects whose deletion was confirmed."""

    # Preparation.

    async def setting(self, *replies: Mapping[str, Any], **assistant: Any) -> str:
        """A thread with a question, an assistant, and a model with these replies for it."""
        await self.create_assistant(*replies, **assistant)
        return await self.new_thread()

    async def create_assistant(self, *replies: Mapping[str, Any], **assistant: Any) -> None:
        """Create an assistant, and set these replies of the model for its threads."""
        self.served.script.replies = [Reply.model_validate(reply) for reply in replies]
        self.assistant = (await self.get_done("POST", "assistants", {"model": "demo", **assistant}))["id"]

    async def new_thread(self) -> str:
        """A thread with a question."""
        self.threads.append((await self.get_done("POST", "threads", ASKED))["id"])
        return self.threads[-1]

    async def unused(self, containers: Sequence[str], queues: Sequence[str]) -> None:
        """Delete these, as if the account had not been used yet."""
        services = self.served.beside.services
        blob_service, queue_service = services[0].client, services[1].client
        self._missing = [
            *(partial(blob_service.create_container, name) for name in containers),
            *(partial(queue_service.create_queue, name) for name in queues),
        ]

        async def delete() -> None:
            await asyncio.gather(
                *(blob_service.delete_container(name) for name in containers),
                *(queue_service.delete_queue(name) for name in queues),
            )

        await self._journal.once("unused", delete)

    async def leave(self) -> None:
        """Leave the account in the state that the next try expects."""
        for make in self._missing:
            with suppress(ResourceExistsError):
                await make()

    def begin(self, asleep: bool = False) -> None:
        """Begin: a call may meet the fault; the items of the queues are handled unless `asleep`."""
        self.served.injector.armed = not self._journal.struck
        if not asleep:
            self.wake()

    def end(self) -> None:
        """End: no further call meets the fault, as the next ones belong to another flow."""
        self.served.injector.armed = False
        self.wake()

    def wake(self) -> None:
        """Handle queue items."""
        if not self._awake:
            self._awake = True
            self.served.pump.start()

    @property
    def executed(self) -> list[str]:
        """The executions of code, by their ids."""
        return [entry["id"] for entry in self._journal.all("executed")]

    # Runs.

    async def create(self, thread: str, **body: Any) -> Run:
        """Create a run on the thread. If the answer was lost, a run that exists is taken."""
        path, body = f"threads/{thread}/runs", {"assistant_id": self.assistant, **body}
        while True:
            answer = await self.ask("POST", path, body)
            if answer.status == 200:
                return self._run_of(answer.body)
            if not (answer.lost or answer.refused):
                raise Refused(answer)
            if answer.lost and (found := await self._journal.once(f"runs of {thread}", lambda: self.runs_of(thread))):
                return self._run(found[0]["id"], thread)

    async def create_with_thread(self, **body: Any) -> Run:
        """Create a run on a new thread."""
        while True:
            answer = await self.ask("POST", "threads/runs", {"assistant_id": self.assistant, "thread": ASKED, **body})
            if answer.status == 200:
                run = self._run_of(answer.body)
                self.threads.append(run.thread)
                return run
            if not (answer.lost or answer.refused):
                raise Refused(answer)
            if answer.lost and (found := await self._journal.once("threads", self._other_threads)):
                self.threads += found
                return self._run((await self._journal.once("runs", lambda: self.runs_of(found[0])))[0]["id"], found[0])

    async def submit(self, run: Run, outputs: Mapping[str, str], **body: Any) -> None:
        given = [{"tool_call_id": call, "output": output} for call, output in outputs.items()]
        path = f"{run.path}/submit_tool_outputs"
        answer = await self.get_done("POST", path, {"tool_outputs": given, **body}, done_before=400)
        run.outputs.update(outputs)
        run.ended = ended(answer)

    async def cancel(self, run: Run) -> None:
        try:
            await self.get_done("POST", f"{run.path}/cancel", {}, done_before=400)
        except Refused:
            await self.reaches(run)  # its failure is allowed
        run.ended = "cancelled"

    async def appears(self, thread: str, status: str) -> Run:
        """A run that is created at the same time, as soon as it exists in this state."""

        async def found() -> str | None:
            return next((run["id"] for run in await self.runs_of(thread) if run["status"] == status), None)

        return self._run(await self._journal.once(f"appears on {thread}", lambda: eventually(found)), thread)

    async def reaches(self, run: Run, *statuses: str) -> None:
        """Wait until the run is in one of these states.

        Raises
        ------
        Over
            The run has failed for an allowed reason.
        """

        async def arrived() -> str | None:
            stored = await self.stored(run)
            return None if stored.active and stored.status.value not in statuses else stored.status.value

        reached = await self._journal.once(f"reaches {statuses} {run.id}", lambda: eventually(arrived))
        if reached == "failed" and "failed" in self.may_end(run):
            raise Over
        assert reached in statuses, await self.stored(run)

    async def ends(self, run: Run, status: str) -> None:
        """Wait until the run has ended in this state."""
        run.may_end = (status,)
        await self.reaches(run, status)

    async def told(self, run: Run) -> None:
        """Wait until the webhook has received exactly the events of the run."""
        notices = (await self.stored(run)).notices
        assert notices
        happened = {(number, notice.type) for number, notice in enumerate(notices)}

        async def known() -> bool:
            events = [entry["event"] for entry in self._journal.all("told")]
            ours = [each for each in events if run.id in (each["data"]["id"], each["data"].get("run_id"))]
            found = {(each["sequence_number"], each["type"]) for each in ours}
            assert found <= happened, found
            return found == happened

        await eventually(known)

    async def told_of_file(self, file: str, event: str) -> None:
        """Wait until the webhook has received the event of a file."""

        async def known() -> bool:
            events = [entry["event"] for entry in self._journal.all("told")]
            return any((each["type"], each["data"]["id"]) == (event, file) for each in events)

        await eventually(known)

    def may_end(self, run: Run) -> tuple[str, ...]:
        """The endings that are allowed: only the confirmed one, if there is one."""
        if run.ended:
            return (run.ended,)
        return (*run.may_end, "failed") if self._breaks_off else run.may_end

    # Messages, files and vector stores.

    async def add(self, thread: str) -> None:
        """Add a message."""
        message = {"role": "user", "content": "And tomorrow?"}
        self.said.append((thread, (await self.get_done("POST", f"threads/{thread}/messages", message))["id"]))

    async def upload(self, name: str) -> str:
        files = {"file": (name, f"{name} says that it is sunny in Oslo. ".encode() * 20)}
        return (await self.get_done("POST", "files", data={"purpose": "assistants"}, files=files))["id"]

    async def vector_store(self, *files: str) -> str:
        store = (await self.get_done("POST", "vector_stores", {"file_ids": list(files)}))["id"]
        self.stores[store] = files
        return store

    async def attach(self, store: str, file: str) -> None:
        await self.get_done("POST", f"vector_stores/{store}/files", {"file_id": file})

    async def attach_all(self, store: str, *files: str) -> None:
        await self.get_done("POST", f"vector_stores/{store}/file_batches", {"file_ids": list(files)})

    async def ingested(self, store: str, *files: str) -> None:
        """Wait until the store has exactly these files, each ingested."""
        self.stores[store] = files

        async def complete() -> bool:
            document = await self.served.beside.vector_stores.read(blob_name(self.project, store))
            members = document.value.members if document else {}
            return sorted(members) == sorted(files) and {each.status for each in members.values()} <= {"completed"}

        await self._journal.once(f"ingested in {store} {files}", lambda: eventually(complete))

    async def import_(self, *objects: Mapping[str, Any]) -> None:
        """Import these objects; the last line of the answer reports a failure in between."""
        body = {"object": "list", "data": list(objects)}
        while '"status": "completed"' not in (await self.get_done("POST", "import", body)).splitlines()[-1]:
            pass

    async def export(self, thread: str) -> list[str]:
        """The kinds of the objects of a thread; an export that breaks off is repeated."""
        while True:
            with suppress(AzureError):
                text = await self.get_done("GET", f"threads/{thread}/export")
                return [json.loads(line)["object"] for line in text.splitlines()]

    async def delete(self, path: str) -> None:
        await self.get_done("DELETE", path, done_before=404)
        self.deleted.append(path)

    async def vanishes(self, container: str, *ids: str) -> None:
        """Wait until no blob of the deleted objects is left."""
        name = blob_name(self.project, *ids)

        async def gone() -> bool:
            return not any(each == name or each.startswith(f"{name}/") for each in await self.names(container))

        await self._journal.once(f"{container} {name} vanishes", lambda: eventually(gone))

    async def retire(self, thread: str) -> None:
        """Have the thread deleted, as by a timer that fires repeatedly."""

        async def gone() -> bool:
            await post.send(self.served.beside, RetireThreads(project=self.project))
            return await self.served.beside.threads.read(blob_name(self.project, thread)) is None

        await self._journal.once(f"retire {thread}", lambda: eventually(gone))
        self.deleted.append(f"threads/{thread}")

    # Requests.

    async def get_done(
        self, method: str, path: str, body: Any = None, done_before: int | None = None, **sent: Any
    ) -> Any:
        """Repeat the request until it succeeds; after a lost answer, the status `done_before` means success.

        Raises
        ------
        Refused
            The request was refused.
        """
        lost = False
        while True:
            answer = await self.ask(method, path, body, **sent)
            if answer.status == 200:
                return answer.body
            if lost and answer.status == done_before:
                return None
            if not (answer.lost or answer.refused):
                raise Refused(answer)
            lost = lost or answer.lost

    async def ask(self, method: str, path: str, body: Any = None, **sent: Any) -> Answer:
        """Send one request, or return its answer from an earlier process."""

        async def asked() -> tuple[int, Any]:
            response = await self._http.request(method, path, json=body, timeout=NET, **sent)
            is_json = response.headers["content-type"] == "application/json"
            return response.status_code, response.json() if is_json else response.text

        return Answer(*await self._journal.once(f"{method} {path}", asked, LOST))

    def _run_of(self, answer: Any) -> Run:
        """The run of an answer, which may be a stream."""
        found = answer if isinstance(answer, dict) else next(run for name, run in events(answer) if name == "created")
        run = self._run(found["id"], found["thread_id"])
        run.ended = ended(answer)
        return run

    def _run(self, run_id: str, thread: str) -> Run:
        return self.runs.setdefault(run_id, Run(run_id, thread))

    # Stored objects.

    async def stored(self, run: Run) -> RunRecord:
        document = await self.served.beside.runs.read(blob_name(self.project, run.thread, run.id))
        assert document is not None, run
        return document.value

    async def runs_of(self, thread: str) -> list[dict[str, str]]:
        """The runs of a thread that were committed, the newest first."""
        document = await self.served.beside.threads.read(blob_name(self.project, thread))
        last = document.value.last_run_id if document else None
        stored = [await self.stored(Run(name.split("/")[2], thread)) for name in await self.names("runs", thread)]
        return [{"id": run.id, "status": run.status.value} for run in stored if run.committed or run.id == last]

    async def active(self) -> list[str]:
        """The names of the runs that have not ended."""
        found: list[str] = []
        for name in await self.names("runs"):
            document = await self.served.beside.runs.read(name)
            if document is not None and document.value.status in ACTIVE:
                found.append(name)
        return found

    async def names(self, container: str, *ids: str) -> list[str]:
        """The names of the project's blobs, or of those of the objects with these ids."""
        client = self.served.beside.services[0].client.get_container_client(container)
        try:
            prefix = blob_name(self.project, *ids) + "/"
            return [name async for name in client.list_blob_names(name_starts_with=prefix)]
        except ResourceNotFoundError:
            return []

    async def _other_threads(self) -> list[str]:
        return [name.split("/")[1] for name in await self.names("threads") if name.split("/")[1] not in self.threads]


def events(stream: str) -> list[tuple[str, dict[str, Any]]]:
    """The events of a stream's run: `created` and its endings, with the run."""
    blocks = re.sub(r"^:.*\n", "", stream, flags=re.MULTILINE).split("\n\n")
    parts = [event.removeprefix("event: thread.run.").partition("\ndata: ") for event in blocks]
    return [(name, json.loads(data)) for name, _, data in parts if name in ("created", *ENDS)]


def ended(answer: Any) -> str | None:
    """The ending of a run in its stream, if there is one."""
    names = [name for name, _ in events(answer)] if isinstance(answer, str) else []
    return next((name for name in names if name in ENDS), None)


async def eventually(find: Callable[[], Awaitable[Any]]) -> Any:
    """The result of `find` as soon as it is true.

    Raises
    ------
    AssertionError
        It was false for `NET` seconds.
    """
    end, pause = time.monotonic() + NET, 0.03
    while not (found := await find()):
        assert time.monotonic() < end, f"{find.__qualname__} has not come within {NET} s"
        await asyncio.sleep(pause)
        pause = min(pause * 1.5, 0.3)
    return found
