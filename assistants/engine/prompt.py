"""What the model is asked: pure functions from a run and its messages to a chat-completions request (contract, 11)."""

from collections.abc import Sequence
from typing import Any

from assistants.schema.messages import ContentPart, Message
from assistants.schema.tools import AssistantTool, ToolChoice
from assistants.state.runs import FUNCTION, RunRecord, Turn
from assistants.tools.registry import SERVER_TOOLS

_PASSED_ON = ("temperature", "top_p", "reasoning_effort")


def request(run: RunRecord, thread: Sequence[Message], model: str) -> dict[str, Any]:
    """The body of the request. A parameter that the client never set is not in it."""
    body: dict[str, Any] = {"model": model, "messages": conversation(run, thread)}
    body |= {name: value for name in _PASSED_ON if (value := getattr(run, name)) is not None}
    if run.response_format is not None and run.response_format != "auto":
        body["response_format"] = run.response_format
    tools = [offer for tool in run.tools if (offer := offered(tool))]
    if tools:
        body["tools"] = tools
        if run.tool_choice is not None and not run.turns:
            body["tool_choice"] = chosen(run.tool_choice)
        if run.parallel_tool_calls is not None:
            body["parallel_tool_calls"] = run.parallel_tool_calls
    return body


def conversation(run: RunRecord, thread: Sequence[Message]) -> list[dict[str, Any]]:
    """Instructions, the thread up to the run, the run's own messages, then its turns with their tool outputs."""
    own = {message.id for message in run.additional_messages}
    messages = [*(message for message in thread if message.id not in own), *run.additional_messages]
    system = [{"role": "system", "content": run.instructions}] if run.instructions else []
    said = [{"role": message.role, "content": content(message)} for message in messages]
    return [*system, *said, *(part for turn in run.turns for part in _replayed(turn))]


def content(message: Message) -> str | list[dict[str, Any]]:
    """Texts joined; a list of parts only where there are images."""
    parts = [_part(part) for part in message.content]
    if all(part["type"] == "text" for part in parts):
        return "\n".join(part["text"] for part in parts)
    return parts


def offered(tool: AssistantTool) -> dict[str, Any] | None:
    """The tool as a function for the model; None for one that nobody here answers."""
    if tool["type"] == FUNCTION:
        return {"type": "function", "function": {k: v for k, v in tool["function"].items() if v is not None}}
    server_tool = SERVER_TOOLS.get(tool["type"])
    return server_tool.offer() if server_tool else None


def chosen(choice: ToolChoice) -> str | dict[str, Any]:
    """The choice as chat completions know it: a server tool is a function there."""
    if isinstance(choice, str):
        return choice
    name = choice["function"]["name"] if choice["type"] == FUNCTION else choice["type"]
    return {"type": "function", "function": {"name": name}}


def tool_type(run: RunRecord, name: str) -> str:
    """Whose a called function is: a server tool's type, or the client's `function`."""
    functions = {tool["function"]["name"] for tool in run.tools if tool["type"] == FUNCTION}
    offered_here = name in SERVER_TOOLS and name in {tool["type"] for tool in run.tools}
    return name if offered_here and name not in functions else FUNCTION


def _replayed(turn: Turn) -> list[dict[str, Any]]:
    said: dict[str, Any] = {"role": "assistant", "content": turn.text}
    if turn.calls:
        said["tool_calls"] = [
            {"id": call.id, "type": "function", "function": {"name": call.name, "arguments": call.arguments}}
            for call in turn.calls
        ]
    return [said, *({"role": "tool", "tool_call_id": call.id, "content": call.output or ""} for call in turn.calls)]


def _part(part: ContentPart) -> dict[str, Any]:
    if part["type"] == "text":
        return {"type": "text", "text": part["text"]["value"]}
    if part["type"] == "refusal":
        return {"type": "text", "text": part["refusal"]}
    if part["type"] == "image_url":
        return {"type": "image_url", "image_url": part["image_url"]}
    return {"type": "text", "text": f"[image {part['image_file']['file_id']}]"}
