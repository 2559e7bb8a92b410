"""What a server tool is."""

from collections.abc import Awaitable, Callable
from dataclasses import dataclass
from typing import Any, NamedTuple

from assistants.search.searcher import Searcher
from assistants.state.runs import Found, RunRecord, ToolCall
from assistants.state.store import Store


class ToolFailed(Exception):
    """The tool has failed for good; the text is given to the model as the call's output."""


@dataclass(frozen=True)
class Question:
    """One call to be answered, with the run it belongs to, the store to look things up in and what searches in it."""

    store: Store
    searcher: Searcher
    project: str
    run: RunRecord
    call: ToolCall


class Answer(NamedTuple):
    """What the model is given, and where in that the results of a search are."""

    output: str
    found: list[Found] | None = None


@dataclass(frozen=True)
class ServerTool:
    """A tool that this service answers itself.

    The model is offered a function of the tool's `type` as its name. Each call goes to the `queue`, whose function
    awaits `answer`. An exception other than `ToolFailed` is retried by the queue, and in the end fails the run.
    """

    type: str
    queue: str
    description: str
    parameters: dict[str, Any]
    """JSON Schema of the arguments."""
    answer: Callable[[Question], Awaitable[Answer]]

    def offer(self) -> dict[str, Any]:
        """The function as a chat-completions endpoint is told of it."""
        function = {"name": self.type, "description": self.description, "parameters": self.parameters}
        return {"type": "function", "function": function}
