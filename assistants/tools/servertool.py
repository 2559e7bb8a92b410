"""The interface of a server tool."""

from collections.abc import Awaitable, Callable
from dataclasses import dataclass
from typing import Any, NamedTuple

from assistants.search.searcher import Searcher
from assistants.state.runs import Found, Ran, RunRecord, ToolCall
from assistants.state.store import Store
from assistants.tools.code_interpreter.interpreter import Interpreter


class ToolFailed(Exception):
    """The tool has failed, and would fail again; the text becomes the call's output."""


@dataclass(frozen=True)
class Question:
    """A call to be answered, with its run, the store, the searcher and the code interpreter of this process."""

    store: Store
    searcher: Searcher
    project: str
    run: RunRecord
    call: ToolCall
    interpreter: Interpreter


class Answer(NamedTuple):
    """The output for the model; of a search with the positions of its results, of code with its result."""

    output: str
    found: list[Found] | None = None
    ran: Ran | None = None


@dataclass(frozen=True)
class ServerTool:
    """A tool whose calls this service answers.

    The model is offered a function whose name is the tool's `type`. Each call goes to the `queue`, whose function
    awaits `answer`. After an exception other than `ToolFailed` the queue repeats the call; finally the run fails.
    """

    type: str
    queue: str
    description: str
    parameters: dict[str, Any]
    """JSON Schema of the arguments."""
    answer: Callable[[Question], Awaitable[Answer]]

    def offer(self, more: str = "") -> dict[str, Any]:
        """The function in the form of chat completions; `more` is appended to its description."""
        function = {"name": self.type, "description": self.description + more, "parameters": self.parameters}
        return {"type": "function", "function": function}
