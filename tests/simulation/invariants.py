"""The rules that always hold: for every write, and for the final state."""

from collections import defaultdict
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from typing import Any

from azure.core.exceptions import AzureError
from pydantic_core import from_json

from assistants.engine.machine import LAST_WRITES, MAX_TAKEOVERS, TABLE
from assistants.schema.errors import ApiError
from assistants.schema.runs import RunStatus
from assistants.settings import Settings
from assistants.state.logindex import SUFFIX
from assistants.state.runs import ACTIVE, FUNCTION
from assistants.state.turns import message_id, step_id
from tests.simulation.loop import Lane
from tests.simulation.model import CODE, Model
from tests.simulation.network import EPOCH, Network
from tests.simulation.processes import LEASE, MAX_DEQUEUE_COUNT, VISIBILITY_TIMEOUT, Gone
from tests.simulation.users import Deed, Users

Json = dict[str, Any]

CLOCKS = 2.0
"""The most seconds by which the clocks of two processes differ once they have received an answer of storage."""

UNSURE_CLOCKS = 21.0
"""The most seconds by which they differ if answers were late."""

PROMPT = 6.0
"""Seconds within which every run is attended to without faults."""

NOT_CREATED = "The run was not created in time."

_ACTIVE = {status.value for status in ACTIVE}
_FOLLOWING = {
    before.value: {before.value, *(after.value for after in TABLE.get(before, {}).values())} for before in RunStatus
}
_KEPT_AFTER_THE_END = ("metadata", "committed")


@dataclass
class Track:
    """The history of a run, beside its document."""

    run: Json
    maker: Lane | None = None
    """The process that created it."""
    token: str | None = None
    holder: object = None
    claims: int = 0
    """The claims since the last progress."""
    waits_since: float | None = None
    """The time since which it waits only for a handler."""
    cancelling_since: float | None = None
    ended_at: float | None = None
    """When it ended, or was deleted."""
    sent: dict[str, float] = field(default_factory=dict)
    """The time at which the item of each server tool's call was first sent."""


class Watch:
    """Checks every change of a blob, and records the problems."""

    def __init__(self, network: Network, settings: Settings, calm: bool) -> None:
        self._network = network
        self._settings = settings
        self._calm = calm
        self.tracks: dict[str, Track] = {}
        self.commits: dict[str, float] = {}
        """The time at which each run was committed, by its id."""
        self.held_up: set[str] = set()
        """The runs among them whose commit was delayed."""
        self.messages: dict[str, dict[str, bytes]] = defaultdict(dict)
        """The first record of each message, by thread."""
        self.gone: set[str] = set()
        """Threads that were deleted."""
        self.problems: list[str] = []
        self.quiet_since: float | None = None
        self.polled = False
        self.lost: set[str] = set()
        self.runs: dict[str, Json] = {}
        """The present documents, by id."""
        self.outcomes: dict[str, Json] = {}
        """All outcomes of code that were stored, by their names."""
        self._overdue_at: dict[str, float] = {}
        """The time after which each recorded execution of code may be considered interrupted."""

    def written(self, container: str, name: str, before: bytes | None, after: bytes | None) -> None:
        if container == "runs":
            self._run(name, before, after)
        elif container == "threads":
            self._thread(name, before, after)
        elif container == "messages" and after is not None and not name.endswith(SUFFIX):
            if before is None:
                self._log_made(name)
            self._log(name, after[len(before or b"") :])
        elif container == "code" and after is not None:
            self._code(name, before, after)

    def problem(self, text: str) -> None:
        self.problems.append(text)
        if self._network.trace:
            self._network.trace(f"PROBLEM {text}")

    # Code.

    def is_overdue(self, execution: str) -> bool:
        """Whether another process may consider it interrupted."""
        unsure = CLOCKS if self._calm else UNSURE_CLOCKS
        return self._network.now > self._overdue_at[execution] - unsure

    def code_ended(self, code: str) -> None:
        """Check that code does not run longer than its run; `code` is the id of its call."""
        mark = code.split("-")[1]
        for track in self.tracks.values():
            if track.run["model"] == mark and track.ended_at is not None and self._since(track.ended_at) > PROMPT:
                self.problem(f"{code} was executed {self._since(track.ended_at):.0f} s longer than its run")

    def _code(self, name: str, before: bytes | None, after: bytes) -> None:
        kind = name.split("/")[2]
        if kind == "snapshot":
            return
        old: Json = from_json(before)["value"] if before else {}
        new: Json = from_json(after)["value"]
        if kind == "outcome":
            self.outcomes[name] = new
            if old not in ({}, new):
                self.problem(f"{name} was replaced")
            return
        was, is_ = old.get("underway"), new["underway"]
        if is_:
            self._overdue_at[is_["id"]] = is_["until"]
        if was and is_ and was["id"] != is_["id"]:
            self.problem(f"{is_['id']} was begun while {was['id']} was under way")

    # Threads and their logs.

    def _thread(self, name: str, before: bytes | None, after: bytes | None) -> None:
        if after is None:
            self.gone.add(name.split("/")[1])
            return
        old: Json = from_json(before)["value"] if before else {}
        new: Json = from_json(after)["value"]
        last, run = old.get("last_run_id"), new["last_run_id"]
        if run == last:
            return
        if last in self.runs and self.runs[last]["status"] in _ACTIVE:
            self.problem(f"{run} was committed while {last} was active on the same thread")
        if run is not None:
            self.commits.setdefault(run, self._network.now)
            if self._network.disturbed:
                self.held_up.add(run)
            if run in self.runs:
                self._see_waiting(self.tracks[run], None)
            elif run not in self.held_up:
                self.problem(f"{run} was committed before it was written")

    def _log_made(self, name: str) -> None:
        _, thread, segment = name.split("/")
        if thread in self.gone and segment == "00000" and not self._network.disturbed:
            self.problem(f"the log of {thread} was made anew after its end")

    def _log(self, name: str, records: bytes) -> None:
        thread = name.split("/")[1]
        known = self.messages[thread]
        for line in records.splitlines():
            put = from_json(line).get("put")
            if not put:
                continue
            first = known.setdefault(put["id"], line)
            if first != line:
                self.problem(f"the message {put['id']} was appended with two contents")
            if put["status"] == "in_progress":
                self.problem(f"the message {put['id']} was appended in progress")
            run = self.runs.get(put["run_id"]) if put["run_id"] else None
            if run and run["id"] not in self.commits:
                self.problem(f"{run['id']} said something, though it was never committed")
            if run and not any(message_id(run["id"], number) == put["id"] for number in range(len(run["turns"]))):
                self.problem(f"{run['id']}: a message was appended of a turn that is not recorded")

    # Runs.

    def _run(self, name: str, before: bytes | None, after: bytes | None) -> None:
        identifier = name.split("/")[2]
        if after is None:
            if (gone := self.runs.pop(identifier, None)) and gone["status"] in _ACTIVE:
                self.tracks[identifier].ended_at = self._network.now
            return
        new: Json = from_json(after)["value"]
        track = self.tracks.get(identifier)
        if track is None or before is None:
            track = self.tracks[identifier] = Track(new, self._network.caller)
            if new["claim"]:
                track.token, track.holder = new["claim"]["token"], self._network.caller
        else:
            for problem in self._changed(track, track.run, new):
                self.problem(f"{identifier}: {problem}")
        track.run = self.runs[identifier] = new
        if identifier in self.commits or new["committed"]:
            self._see_waiting(track, new)

    def _changed(self, track: Track, old: Json, new: Json) -> Iterable[str]:
        now = self._network.now
        was, is_ = old["status"], new["status"]
        if is_ not in _FOLLOWING[was]:
            yield f"{was} became {is_}"
        if was not in _ACTIVE:
            changed = [name for name in new if name not in _KEPT_AFTER_THE_END and new[name] != old[name]]
            if changed:
                yield f"{', '.join(changed)} changed after the run was {was}"
            return
        yield from self._turns(new["id"], old["turns"], new["turns"])
        if old["prompt"] is not None and new["prompt"] != old["prompt"]:
            yield "its prompt changed"
        yield from self._claims(track, old, new)
        for call in new["turns"][-1]["calls"] if new["turns"] else ():
            if call["sent_at"] is not None:
                track.sent.setdefault(call["id"], call["sent_at"])
        if is_ not in _ACTIVE:
            track.ended_at = now
            yield from self._ended(track, new)

    def _turns(self, run: str, old: list[Json], new: list[Json]) -> Iterable[str]:
        if len(new) > len(old) + 1 or len(new) < len(old):
            yield f"{len(old)} turns became {len(new)}"
        for number, (before, after) in enumerate(zip(old, new, strict=False)):
            if any(before[name] != after[name] for name in ("started_at", "text", "refusal", "finish", "usage")):
                yield f"turn {number} was recorded twice"
            for call, later in zip(before["calls"], after["calls"], strict=True):
                if call["output"] is not None and later["output"] != call["output"]:
                    yield f"the output of {call['id']} was replaced"
                if call["output"] is None and later["output"] is not None and call["type"] != FUNCTION:
                    yield from self._answered(run, call, later["output"])
        for number, turn in enumerate(new[:-1]):
            if any(call["output"] is None for call in turn["calls"]):
                yield f"it went on after turn {number} without all outputs"

    def _answered(self, run: str, call: Json, output: str) -> Iterable[str]:
        """Check the time of a server tool's output, and that an outcome of code is stored before the output."""
        if output.startswith("ran ") and not any(name.endswith(output.split()[1]) for name in self.outcomes):
            yield f"{call['id']} was answered before its outcome was stored"
        waited = self._since(self.tracks[run].sent[call["id"]])
        if waited > self._tools_limit(call) + (0 if self._calm else LEASE):
            yield f"{call['id']} was answered after {waited:.0f} s"

    def _claims(self, track: Track, old: Json, new: Json) -> Iterable[str]:
        now, claim = self._network.now, new["claim"]
        unsure = CLOCKS if self._calm else UNSURE_CLOCKS
        known: Json = old["claim"] or {"until": 0, "token": None}
        live = known["until"] > now + unsure
        if claim and claim["token"] != track.token:
            if live and known["token"] != claim["token"]:
                yield "a live claim was taken away"
            track.token, track.holder = claim["token"], self._network.caller
            track.claims += 1
            if self._calm and track.claims > 1:
                yield "it was taken up again though nothing went wrong"
            if track.claims > MAX_TAKEOVERS:
                yield f"it was taken up {track.claims} times without progress"
        elif not claim and live and self._network.caller is not track.holder:
            yield f"another process ended a live claim ({new['status']})"
        if len(new["turns"]) > len(old["turns"]) or _outputs(new) > _outputs(old) or new["takeovers"] == 0:
            track.claims = 0

    def _ended(self, track: Track, run: Json) -> Iterable[str]:
        identifier, thread = run["id"], run["thread_id"]
        if run["status"] == "failed" and not run["last_error"]:
            yield "it failed without a word"
        if identifier not in self.commits:
            return  # no client knows the run
        if run["status"] == "completed" and _outputs(run) < sum(len(turn["calls"]) for turn in run["turns"]):
            yield "it completed without all outputs"
        if thread not in self.gone:
            for number, turn in enumerate(run["turns"]):
                said = turn["text"] is not None or turn["refusal"] is not None
                if said and message_id(identifier, number) not in self.messages[thread]:
                    yield f"it ended before the message of turn {number} was in the thread"
        if track.cancelling_since is not None:
            waited = self._since(track.cancelling_since)
            if waited > self._limit(identifier):
                yield f"cancelling took {waited:.0f} s"
        if run["status"] == "expired" and run["turns"]:
            unanswered = [
                call["id"] for call in run["turns"][-1]["calls"]
                if call["output"] is None and call["sent_at"] is not None
                and self._since(track.sent[call["id"]]) > self._tools_limit(call)
            ]  # fmt: skip
            if unanswered:
                yield f"it expired while {unanswered} were not called again"
        late = self._since(run["expires_at"])
        if late > self._limit(identifier):
            yield f"it ended {late:.0f} s after its time was over"

    def _see_waiting(self, track: Track, new: Json | None) -> None:
        """Record the time since which a run waits only for handlers, and check that it has not waited too long."""
        run = new or track.run
        if track.waits_since is not None and new is not None:
            waited = self._since(track.waits_since)
            if waited > self._limit(run["id"]):
                self.problem(f"{run['id']} ({run['status']}): not attended to for {waited:.0f} s")
        answered = not any(
            call["output"] is None for turn in run["turns"][-1:] if turn["parked"] for call in turn["calls"]
        )
        ready = run["status"] in ("queued", "in_progress") and answered
        waits = (ready or run["status"] == "cancelling") and run["claim"] is None
        track.waits_since = self._network.now if waits else None
        if run["status"] != "cancelling":
            track.cancelling_since = None
        elif track.cancelling_since is None:
            track.cancelling_since = self._network.now

    def _since(self, time: float) -> float:
        """Seconds without faults since a time."""
        if self._calm:
            return self._network.now - time
        if self.quiet_since is None:
            return 0.0
        return self._network.now - max(time, EPOCH + self.quiet_since, EPOCH + self._network.trouble_until)

    def _tools_limit(self, call: Json) -> float:
        """Seconds within which a call of a server tool is answered: items may be lost, others become poison.

        Code waits for preceding code; code whose process has died is given up after a minute and its timeout.
        """
        again = self._settings.look_again + MAX_DEQUEUE_COUNT * VISIBILITY_TIMEOUT
        code = (30 if self._calm else 3 * (60 + self._settings.code_interpreter_timeout)) if call["type"] == CODE else 0
        return self._settings.retrieval_delay + code + (PROMPT if self._calm else 3 * again + 100)

    def _limit(self, run: str) -> float:
        """Seconds within which a run is attended to after the last fault, in the worst case.

        The process that handled its look-again item, or the same item as poison, may have been killed.
        """
        if self._calm:
            return PROMPT
        return self._settings.look_again + self._settings.claim + LEASE + 10


def _outputs(run: Json) -> int:
    return sum(call["output"] is not None for turn in run["turns"] for call in turn["calls"])


def verdict(watch: Watch, users: Users, model: Model, contents: Mapping[str, Mapping[str, bytes]]) -> Iterable[str]:
    """The problems of the final state, and of the answers to clients."""
    yield from watch.problems
    marked = _by_mark(watch)
    for identifier in watch.commits:
        track = watch.tracks.get(identifier)
        if track is None or track.run["thread_id"] in watch.gone or _came_too_late(watch, identifier):
            continue
        if track.run["status"] in _ACTIVE:
            yield f"{identifier} is {track.run['status']} for ever"
    for run in watch.runs.values():
        if run["id"] in watch.commits and run["status"] not in _ACTIVE and not _given_up(run):
            known = watch.messages[run["thread_id"]]
            for message in run["additional_messages"]:
                if message["id"] not in known:
                    yield f"{run['id']}: a message that came with it is not in the thread"
        elif run["id"] not in watch.commits and run["status"] in _ACTIVE and not _orphaned(watch.tracks[run["id"]]):
            yield f"{run['id']} was not committed, and is still {run['status']}"
    yield from _orphans(contents)
    yield from _left_of_code(watch, contents)
    for deed in users.deeds:
        yield from (f"{deed}: {problem}" for problem in _kept(deed, watch, marked, users))
    for stream in users.streams:
        if stream.deed.thread in watch.gone or _came_too_late(watch, str(stream.deed.run)):
            continue  # it is just ending
        problems = stream.problems()
        if problems and not _is_torn(stream, watch):
            yield from (f"stream of {stream.deed}: {problem}" for problem in problems)
        yield from (f"stream of {stream.deed}: {problem}" for problem in _truthful(stream, watch))
    yield from _prompts(model, users)


def _orphans(contents: Mapping[str, Mapping[str, bytes]]) -> Iterable[str]:
    """Check that every blob of a thread exists, or none."""
    threads, logs, runs = (
        {name.split("/")[1]: name for name in contents[each]} for each in ("threads", "messages", "runs")
    )
    left = runs | logs
    yield from (f"{left[thread]} belongs to no thread" for thread in sorted(left.keys() - threads.keys()))
    yield from (f"{thread} has no log" for thread in sorted(threads.keys() - logs.keys()))


def _left_of_code(watch: Watch, contents: Mapping[str, Mapping[str, bytes]]) -> Iterable[str]:
    """The remaining code blobs of deleted threads, and contents without a file."""
    threads = {name.split("/")[1] for name in contents["threads"]}
    yield from (f"{name} belongs to no thread" for name in contents["code"] if name.split("/")[1] not in threads)
    files = {name for name, content in contents["files"].items() if not from_json(content)["value"]["deleted"]}
    yield from (f"the content of {name} belongs to no file" for name in contents["file-contents"] if name not in files)
    for name, outcome in watch.outcomes.items():
        project, thread, _ = name.split("/", 2)
        images = [output["file_id"] for output in outcome["ran"]["outputs"] if output["type"] == "image"]
        made = {f"{project}/{file}" for file in (*images, *outcome["files"].values())}
        if thread not in threads and made & files:
            yield f"{made & files} was made in {thread}, which is gone"


def _given_up(run: Json) -> bool:
    """Whether the run ended as never created, before its commit arrived."""
    return (run["last_error"] or {}).get("message") == NOT_CREATED


def _came_too_late(watch: Watch, run: str) -> bool:
    """Whether its commit arrived so late that the run had been given up and deleted."""
    return run in watch.held_up and run not in watch.runs


def _orphaned(track: Track) -> bool:
    """Whether the process that created it died before it could delete it."""
    return track.maker is None or track.maker.dead


def _by_mark(watch: Watch) -> dict[str, list[Json]]:
    found: dict[str, list[Json]] = defaultdict(list)
    for track in watch.tracks.values():
        found[track.run["model"]].append(track.run)
    return found


def _kept(deed: Deed, watch: Watch, marked: Mapping[str, list[Json]], users: Users) -> Iterable[str]:
    """The violations of an answer: a success must have taken effect, a refusal must not."""
    if isinstance(deed.answer, Exception) and not _allowed(deed, users):
        yield f"raised {deed.answer!r}"
    if deed.thread in watch.gone:
        return
    match deed.what:
        case "create run" | "create thread and run":
            runs = marked.get(deed.mark, [])
            committed = [run for run in runs if run["id"] in watch.commits]
            if deed.refused and committed:
                yield "was refused, but the run was committed"
            if deed.done and not committed:
                yield "was accepted, but no run was committed"
            if deed.done and any(_given_up(run) for run in committed):
                yield "was accepted, and given up as never created"
            extra = _count(watch, f"{deed.mark}+")
            if deed.refused and extra:
                yield "was refused, but its messages are there"
        case "submit":
            outputs = {
                call["output"]
                for track in watch.tracks.values()
                if track.run["id"] == deed.run
                for turn in track.run["turns"]
                for call in turn["calls"]
            }
            stored = [output for output in deed.sent.values() if output in outputs]
            if deed.done and len(stored) < len(deed.sent):
                yield "was accepted, but its outputs are lost"
            if deed.refused and stored:
                yield "was refused, but its outputs were taken"
        case "cancel":
            if deed.done and watch.tracks[str(deed.run)].run["status"] not in ("cancelled", *_ACTIVE):
                yield f"was accepted, but the run is {watch.tracks[str(deed.run)].run['status']}"
        case "add message" | "create thread":
            count = _count(watch, deed.mark, exact=True)
            if deed.done and count != 1:
                yield f"was accepted, and the message is there {count} times"
            if deed.refused and count:
                yield "was refused, but the message is there"
        case "retrieve run":
            shown: Any = deed.answer
            over = EPOCH + deed.began - shown.expires_at if deed.done and shown.expires_at else 0
            if over > UNSURE_CLOCKS and shown.status != "expired" and not _about_to_end(deed, watch):
                yield f"was shown as {shown.status} {over:.0f} s after its time was over"
        case _:
            pass


def _about_to_end(deed: Deed, watch: Watch) -> bool:
    """Whether the run's driver, with a live claim, ended it as soon as possible."""
    ended_at = watch.tracks[str(deed.run)].ended_at
    return ended_at is not None and ended_at <= EPOCH + (deed.ended or 0) + LAST_WRITES


def _allowed(deed: Deed, users: Users) -> bool:
    """Whether this error is allowed as an answer."""
    error = deed.answer
    if isinstance(error, ApiError):
        return error.status < 500 or not users.calm
    return not users.calm and isinstance(error, (AzureError, Gone))


def _count(watch: Watch, text: str, exact: bool = False) -> int:
    found = f'"value":"{text}"' if exact else f'"value":"{text}'
    encoded = found.encode()
    return sum(encoded in line for lines in watch.messages.values() for line in lines.values())


def _truthful(stream: Any, watch: Watch) -> Iterable[str]:
    """The differences between a stream that was read to its end and the run's document."""
    if not stream.whole or stream.deed.run not in watch.runs:
        return
    run = watch.runs[stream.deed.run]
    texts = [turn["text"] for turn in run["turns"] if turn["text"] is not None]
    streamed: dict[str, str] = {}
    last = ""
    for name, data in stream.events():
        if name == "thread.message.delta":
            parts = (part["text"]["value"] for part in data["delta"]["content"] if part["type"] == "text")
            streamed[data["id"]] = streamed.get(data["id"], "") + "".join(parts)
        elif name.startswith("thread.message.") and name.rpartition(".")[2] in ("completed", "incomplete"):
            whole = "".join(part["text"]["value"] for part in data["content"] if part["type"] == "text")
            if whole not in texts:
                yield f"{name} says {whole!r}, which was never recorded"
            if stream.begin != "outputs":
                yield from _differs(streamed.get(data["id"], ""), whole)
        elif name.startswith("thread.run.") and not name.startswith("thread.run.step."):
            last = data["status"]
        elif name == "error":
            last = "error"
    if last not in (run["status"], "requires_action", "error"):
        yield f"it ends with {last}, and the run is {run['status']}"


def _is_torn(stream: Any, watch: Watch) -> bool:
    """Whether its driver was lost during a turn that was never recorded."""
    run = watch.runs.get(stream.deed.run)
    begun = {
        data["id"] for name, data in stream.events() if name in ("thread.message.created", "thread.run.step.created")
    }
    if run is None:
        return False
    turns = run["turns"]
    silent = bool(turns) and turns[-1]["text"] is None and turns[-1]["refusal"] is None and not turns[-1]["calls"]
    return bool(begun & _of_turn(run["id"], len(turns) - silent))


def _of_turn(run: str, number: int) -> set[str]:
    return {message_id(run, number), step_id(run, number, "tool_calls"), step_id(run, number, "message_creation")}


def _differs(streamed: str, whole: str) -> Iterable[str]:
    """The differences of two texts; a driver that lost its claim may have streamed another text."""
    if streamed.split("|")[:3] == whole.split("|")[:3] and streamed != whole:
        yield f"its deltas make {streamed!r}, and the message is {whole!r}"


def _prompts(model: Model, users: Users) -> Iterable[str]:
    """Check that the model always received the same messages, and all outputs."""
    for name, prompts in model.prompts.items():
        before = [message["content"] for message in prompts[0] if message["role"] == "user"]
        for messages in prompts:
            if [message["content"] for message in messages if message["role"] == "user"] != before:
                yield f"{name}: its prompt changed between turns"
            if any(message["role"] == "tool" and not message["content"] for message in messages):
                yield f"{name}: the model was asked without an output"
