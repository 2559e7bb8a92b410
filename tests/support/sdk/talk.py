"""Runs of an assistant through the SDK: one call from the question to the result."""

from typing import Any

from openai import OpenAI
from openai.types.beta import AssistantToolParam
from openai.types.beta.threads import Message, RequiredActionFunctionToolCall, Run
from openai.types.beta.threads.run_submit_tool_outputs_params import ToolOutput

POLL = 50
"""Milliseconds between two reads of a run."""


def function(name: str, *parameters: str) -> AssistantToolParam:
    """A function whose parameters are strings. The demo model calls it when the user's text names it."""
    properties: dict[str, object] = {parameter: {"type": "string"} for parameter in parameters}
    schema: dict[str, object] = {"type": "object", "properties": properties, "required": list(parameters)}
    return {"type": "function", "function": {"name": name, "parameters": schema}}


def upload(
    client: OpenAI, text: bytes | str = "The spire of Strasbourg is 142 metres high.", name: str = "a.txt"
) -> str:
    """The id of a new file."""
    content = text.encode() if isinstance(text, str) else text
    return client.files.create(file=(name, content), purpose="assistants").id


def ask(client: OpenAI, assistant_id: str, text: str, thread_id: str | None = None, **options: Any) -> Run:
    """Add a message to a thread, by default a new one, and run the assistant until the run ends or awaits outputs."""
    if thread_id is None:
        thread_id = client.beta.threads.create(messages=[{"role": "user", "content": text}]).id
    else:
        client.beta.threads.messages.create(thread_id, role="user", content=text)
    return client.beta.threads.runs.create_and_poll(
        thread_id=thread_id, assistant_id=assistant_id, poll_interval_ms=POLL, **options
    )


def submit(client: OpenAI, run: Run, *outputs: str | None) -> Run:
    """Submit the outputs of a run's calls, in their order, and wait again; None leaves an output out."""
    answers: list[ToolOutput] = [
        {"tool_call_id": call.id} if output is None else {"tool_call_id": call.id, "output": output}
        for call, output in zip(calls_of(run), outputs, strict=True)
    ]
    return client.beta.threads.runs.submit_tool_outputs_and_poll(
        run_id=run.id, thread_id=run.thread_id, tool_outputs=answers, poll_interval_ms=POLL
    )


def calls_of(run: Run) -> list[RequiredActionFunctionToolCall]:
    """The calls whose outputs a run waits for."""
    assert run.status == "requires_action", run.last_error
    assert run.required_action is not None
    return run.required_action.submit_tool_outputs.tool_calls


def text_of(message: Message) -> str:
    """The text of a message that has one part."""
    (part,) = message.content
    assert part.type == "text"
    return part.text.value


def texts(client: OpenAI, thread_id: str) -> list[str]:
    """The texts of a thread's messages, oldest first."""
    return [text_of(message) for message in client.beta.threads.messages.list(thread_id, order="asc")]
