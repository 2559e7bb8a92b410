"""The order of a stream's events (contract, 7): a state machine that finds events which are out of order."""

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from typing import Any, Literal

Begin = Literal["thread", "run", "outputs"]
"""The request that opened the stream: of a thread and its run, of a run, or of outputs that a run awaits."""

ENDS = ("completed", "incomplete", "failed", "cancelled", "expired")

_QUEUED = ("in_progress", "cancelling", "cancelled", "failed", "expired")
_RUN: Mapping[str, tuple[str, ...]] = {
    "": ("created",),
    "created": ("queued",),
    "queued": _QUEUED,
    "in_progress": ("requires_action", "cancelling", *ENDS),
    "requires_action": (),
    "awaiting": ("queued", *_QUEUED),
    "cancelling": ("cancelled", "completed", "incomplete", "failed", "expired"),
}
"""The states that may follow each state of a run; `awaiting` is that of a run whose outputs were submitted."""

_STEP: Mapping[str, tuple[str, ...]] = {
    "": ("created",),
    "created": ("in_progress",),
    "in_progress": ("delta", "completed", "failed", "cancelled", "expired"),
    "delta": ("delta", "completed", "failed", "cancelled", "expired"),
}
_MESSAGE: Mapping[str, tuple[str, ...]] = {
    "": ("created",),
    "created": ("in_progress",),
    "in_progress": ("delta", "completed", "incomplete"),
    "delta": ("delta", "completed", "incomplete"),
}


@dataclass
class Order:
    """The state of a stream. After a problem the state is that of the last event."""

    begin: Begin
    _run: str = ""
    _started: bool = False
    _failed: bool = False
    _done: bool = False
    _steps: dict[str, str] = field(default_factory=dict[str, str])
    _messages: dict[str, str] = field(default_factory=dict[str, str])

    def __post_init__(self) -> None:
        if self.begin == "outputs":
            self._run = "awaiting"

    def take(self, event: str, data: Mapping[str, Any]) -> list[str]:
        """The reasons why this event is out of order; empty if it is not."""
        first, self._started = not self._started, True
        return list(self._problems(event, data, first))

    def end(self) -> list[str]:
        """The reasons why the end of the stream is out of order."""
        return [] if self._done else ["ends without done"]

    def _problems(self, event: str, data: Mapping[str, Any], first: bool) -> Iterator[str]:
        resource, _, name = event.rpartition(".")
        if self._done:
            yield "comes after done"
        elif first and self.begin == "thread" and event != "thread.created":
            yield "comes before thread.created"
        elif self._failed and event != "done":
            yield "comes after error"
        elif self._over and event not in ("error", "done") and resource != "thread.run":
            yield f"comes after thread.run.{self._run}"
        match resource:
            case "" if event == "error":
                self._failed = True
            case "" if event == "done":
                if not (self._over or self._failed):
                    yield "comes before the run's end"
                self._done = True
            case "thread":
                if not first or self.begin != "thread":
                    yield "comes late" if not first else "comes unasked"
            case "thread.run":
                yield from self._see_run(name)
            case "thread.run.step":
                yield from self._see(self._steps, _STEP, "thread.run.step", name, str(data.get("id")))
            case "thread.message":
                yield from self._see(self._messages, _MESSAGE, "thread.message", name, str(data.get("id")))
            case _:
                return

    @property
    def _over(self) -> bool:
        return self._run == "requires_action" or self._run in ENDS

    def _see_run(self, name: str) -> Iterator[str]:
        if name not in _RUN.get(self._run, ()):
            yield f"comes {_after('thread.run', self._run)}"
        self._run = name
        if name in ENDS and any(state not in ENDS for state in self._steps.values()):
            yield "comes before a step's end"
        if self._over and any(state not in ENDS for state in self._messages.values()):
            yield "comes before a message's end"

    def _see(
        self, known: dict[str, str], table: Mapping[str, tuple[str, ...]], resource: str, name: str, id_: str
    ) -> Iterator[str]:
        state = known.get(id_, "")
        if name == "created" and self._run not in ("in_progress", "cancelling"):
            yield f"comes {_after('thread.run', self._run)}"
        # The step that waited for outputs was begun in an earlier stream.
        taken_up = self.begin == "outputs" and not state and resource == "thread.run.step" and name in ENDS
        if name not in table.get(state, ()) and not taken_up:
            yield f"comes {_after(resource, state)}"
        known[id_] = name


def _after(resource: str, state: str) -> str:
    return f"after {resource}.{state}" if state else f"before {resource}.created"
