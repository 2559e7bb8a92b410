"""The prompt: pure functions from a run and its messages to a chat-completions request (contract, 11)."""

from collections.abc import Mapping, Sequence
from typing import Any, NamedTuple

from assistants.engine.turn import tokens
from assistants.schema.messages import ContentPart, Message
from assistants.schema.tools import AssistantTool, ToolChoice
from assistants.state.runs import FUNCTION, RunRecord, ToolCall, Turn, usage
from assistants.tools.registry import SERVER_TOOLS

_PASSED_ON = ("temperature", "top_p", "reasoning_effort")
_NONE: Mapping[str, str] = {}


class Prompt(NamedTuple):
    """A chat-completions request, and the numbers of its making."""

    body: dict[str, Any]
    tokens: int
    """The estimated number of tokens, corrected by the upstream's counts."""
    estimate: int
    dropped: int
    """The number of the oldest messages that were left out."""
    budget: int | None
    """Tokens that the prompt may have; None: any number."""


def prompt(
    run: RunRecord,
    thread: Sequence[Message],
    model: str,
    dropped: int,
    images: Mapping[str, str] = _NONE,
    longest: int | None = None,
    files: str = "",
) -> Prompt:
    """The request for the next turn, without the oldest `dropped` messages.

    With the truncation strategy `auto`, more messages are left out until the request fits the prompt budget, and the
    length in estimated tokens that the model is known to accept. `images` are the URLs of uploaded images, by file id;
    `files` is appended to the description of the code interpreter.
    """
    messages = recent(run, thread)
    budget = tokens.left(run.max_prompt_tokens, usage(run).prompt_tokens)
    body, correction = request(run, messages[dropped:], model, images, files), tokens.correction(run)
    estimate, more = tokens.of_request(body), 0
    sent, first = body["messages"], 1 if run.instructions else 0
    for _ in range(droppable(run, messages, dropped)):
        fits = budget is None or round(estimate * correction) <= budget
        if fits and (longest is None or estimate <= longest):
            break
        estimate -= tokens.of_message(sent[first + more])
        more += 1
    body["messages"] = [*sent[:first], *sent[first + more :]]
    return Prompt(body, round(estimate * correction), estimate, dropped + more, budget)


def droppable(run: RunRecord, messages: Sequence[Message], dropped: int) -> int:
    """How many more of the oldest messages may be left out: all but the newest if the strategy is auto, else none."""
    auto = run.truncation_strategy is None or run.truncation_strategy["type"] == "auto"
    return max(len(messages) - 1 - dropped, 0) if auto else 0


def recent(run: RunRecord, thread: Sequence[Message]) -> list[Message]:
    """The thread up to the run and the run's own messages, or the last ones that the strategy asks for."""
    own = {message.id for message in run.additional_messages}
    messages = [*(message for message in thread if message.id not in own), *run.additional_messages]
    kept = last_messages(run)
    return messages[-kept:] if kept else messages


def last_messages(run: RunRecord) -> int | None:
    """The number of messages that the strategy asks for; None: as many as fit."""
    strategy = run.truncation_strategy
    return strategy.get("last_messages") if strategy and strategy["type"] == "last_messages" else None


def request(
    run: RunRecord, messages: Sequence[Message], model: str, images: Mapping[str, str] = _NONE, files: str = ""
) -> dict[str, Any]:
    """The body of the request. A parameter that the client never set is not in it."""
    body: dict[str, Any] = {"model": model, "messages": conversation(run, messages, images)}
    body |= {name: value for name in _PASSED_ON if (value := getattr(run, name)) is not None}
    if run.response_format is not None and run.response_format != "auto":
        body["response_format"] = run.response_format
    completion_budget = tokens.left(run.max_completion_tokens, usage(run).completion_tokens)
    if completion_budget is not None:
        body["max_completion_tokens"] = completion_budget
    tools = offers(run, files)
    if tools:
        body["tools"] = list(tools.values())
        choice = chosen(run.tool_choice) if run.tool_choice is not None and not run.turns else None
        if isinstance(choice, str) or (choice and choice["function"]["name"] in tools):
            body["tool_choice"] = choice
        if run.parallel_tool_calls is not None:
            body["parallel_tool_calls"] = run.parallel_tool_calls
    return body


def conversation(
    run: RunRecord, messages: Sequence[Message], images: Mapping[str, str] = _NONE
) -> list[dict[str, Any]]:
    """The instructions, the messages, then the run's turns with their tool outputs."""
    system = [{"role": "system", "content": run.instructions}] if run.instructions else []
    said = [{"role": message.role, "content": content(message, images)} for message in messages]
    return [*system, *said, *(part for turn in run.turns for part in _replayed(turn))]


def content(message: Message, images: Mapping[str, str] = _NONE) -> str | list[dict[str, Any]]:
    """The joined texts; a list of parts if there are images. An uploaded image without a URL is only named."""
    shown = images if message.role == "user" else _NONE  # models accept no images in their own messages
    parts = [_part(part, shown) for part in message.content]
    if all(part["type"] == "text" for part in parts):
        return "\n".join(part["text"] for part in parts)
    return parts


def offers(run: RunRecord, files: str = "") -> dict[str, dict[str, Any]]:
    """The functions that the model is offered, by name; a client's function replaces a server tool of the same name."""
    found: dict[str, dict[str, Any]] = {}
    for tool in sorted(run.tools, key=lambda tool: tool["type"] != FUNCTION):
        if offer := offered(tool, files):
            found.setdefault(offer["function"]["name"], offer)
    return found


def offered(tool: AssistantTool, files: str = "") -> dict[str, Any] | None:
    """The tool as a function for the model; None: no part of this service answers it."""
    if tool["type"] == FUNCTION:
        return {"type": "function", "function": {k: v for k, v in tool["function"].items() if v is not None}}
    server_tool = SERVER_TOOLS.get(tool["type"])
    if server_tool is None:
        return None
    return server_tool.offer(files if tool["type"] == "code_interpreter" else "")


def chosen(choice: ToolChoice) -> str | dict[str, Any]:
    """The choice in the form of chat completions, where a server tool is a function."""
    if isinstance(choice, str):
        return choice
    name = choice["function"]["name"] if choice["type"] == FUNCTION else choice["type"]
    return {"type": "function", "function": {"name": name}}


def tool_type(run: RunRecord, name: str) -> str:
    """The type of the tool that a called function belongs to: a server tool's type, or the client's `function`."""
    functions = {tool["function"]["name"] for tool in run.tools if tool["type"] == FUNCTION}
    offered_here = name in SERVER_TOOLS and name in {tool["type"] for tool in run.tools}
    return name if offered_here and name not in functions else FUNCTION


def _replayed(turn: Turn) -> list[dict[str, Any]]:
    said: dict[str, Any] = {**(turn.extra or {}), "role": "assistant", "content": turn.text}
    if turn.calls:
        said["tool_calls"] = [_called(call) for call in turn.calls]
    return [said, *({"role": "tool", "tool_call_id": call.id, "content": call.output or ""} for call in turn.calls)]


def _called(call: ToolCall) -> dict[str, Any]:
    extra = call.extra or {}
    function = {**extra.get("function", {}), "name": call.name, "arguments": call.arguments}
    return {**extra, "id": call.id, "type": "function", "function": function}


def _part(part: ContentPart, images: Mapping[str, str]) -> dict[str, Any]:
    if part["type"] == "text":
        return {"type": "text", "text": part["text"]["value"]}
    if part["type"] == "refusal":
        return {"type": "text", "text": part["refusal"]}
    if part["type"] == "image_url":
        return {"type": "image_url", "image_url": part["image_url"]}
    image = part["image_file"]
    if url := images.get(image["file_id"]):
        return {"type": "image_url", "image_url": {"url": url, "detail": image.get("detail", "auto")}}
    return {"type": "text", "text": f"[image {image['file_id']}]"}
