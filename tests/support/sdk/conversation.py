"""A conversation through the official SDK: an assistant, a thread, and the latest run."""

import json
import secrets
from collections.abc import Mapping
from typing import Any

from openai import OpenAI
from openai.types.beta.threads import Run

from tests.support.service.processes import eventually

ACTIVE = ("queued", "in_progress", "requires_action", "cancelling")

# The SDK has no type for one of the tools; plain dicts serve for both.
RETRIEVAL: Any = {"type": "retrieval"}
WEATHER: Any = {
    "type": "function",
    "function": {"name": "get_weather", "parameters": {"type": "object", "properties": {"city": {"type": "string"}}}},
}


def unique(text: str = "question") -> str:
    """A unique text, which no other test's script matches."""
    return f"{text}-{secrets.token_hex(6)}"


def call(name: str, call_id: str, **arguments: Any) -> dict[str, Any]:
    """A tool call of a scripted reply."""
    return {"id": call_id, "name": name, "arguments": arguments}


class Conversation:
    """Starts its first run at once; `client` may be replaced if the service gets another address."""

    pause = 0.05
    """Seconds between two reads of an awaited run."""

    def __init__(self, client: OpenAI, question: str, *tools: Any) -> None:
        self.client = client
        self.question = question
        assistant = client.beta.assistants.create(model="demo", tools=tools)
        self.assistant_id = assistant.id
        run = client.beta.threads.create_and_run(
            assistant_id=assistant.id, thread={"messages": [{"role": "user", "content": question}]}
        )
        self.thread_id, self.run_id = run.thread_id, run.id

    def ask(self, question: str) -> Run:
        """Add a message and start another run."""
        self.client.beta.threads.messages.create(self.thread_id, role="user", content=question)
        run = self.client.beta.threads.runs.create(self.thread_id, assistant_id=self.assistant_id)
        self.run_id = run.id
        return run

    def run(self) -> Run:
        return self.client.beta.threads.runs.retrieve(self.run_id, thread_id=self.thread_id)

    def reaches(self, status: str, seconds: float = 30) -> Run:
        """The run, as soon as it is in this state.

        Raises
        ------
        AssertionError
            The run has ended in another state, or the time is over.
        """

        def arrived() -> Run | None:
            run = self.run()
            assert run.status == status or run.status in ACTIVE, f"{run.status}: {run.last_error}"
            return run if run.status == status else None

        return eventually(arrived, seconds, self.pause)

    def submit(self, outputs: Mapping[str, str]) -> Run:
        return self.client.beta.threads.runs.submit_tool_outputs(
            self.run_id,
            thread_id=self.thread_id,
            tool_outputs=[{"tool_call_id": call_id, "output": output} for call_id, output in outputs.items()],
        )

    def cancel(self) -> Run:
        return self.client.beta.threads.runs.cancel(self.run_id, thread_id=self.thread_id)

    def steps(self) -> list[dict[str, Any]]:
        """The run's steps, oldest first, in the API's form: the SDK has no type for a call of retrieval."""
        steps = self.client.beta.threads.runs.steps.with_raw_response
        return json.loads(steps.list(self.run_id, thread_id=self.thread_id, order="asc").text)["data"]

    def progress(self) -> list[tuple[str, str]]:
        """Type and status of each step, oldest first."""
        return [(step["type"], step["status"]) for step in self.steps()]

    def calls(self) -> list[dict[str, Any]]:
        """The tool calls of the run's first tool step."""
        details = next(step["step_details"] for step in self.steps() if step["type"] == "tool_calls")
        return details["tool_calls"]

    def messages(self) -> list[dict[str, Any]]:
        """The thread's messages, oldest first, in the API's form."""
        listed = self.client.beta.threads.messages.list(self.thread_id, order="asc").data
        return [message.to_dict() for message in listed]

    def said(self) -> list[str]:
        """The texts of the assistant's messages, oldest first."""
        return [text_of(message) for message in self.messages() if message["role"] == "assistant"]


def text_of(message: Mapping[str, Any]) -> str:
    return message["content"][0]["text"]["value"]
