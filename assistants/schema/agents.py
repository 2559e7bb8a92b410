"""Translates requests of Azure AI Agents to OpenAI's, and refuses features that only Azure has (contract, 10.1)."""

from collections.abc import Iterator, Mapping
from typing import Any, cast

from assistants.schema.errors import hosted_tool, unreachable_data

Json = dict[str, Any]

_FUNCTION = "a function tool, whose calls the client answers"
_FILES = "file_search over files that are uploaded to a vector store"

HOSTED: Mapping[str, str] = {
    "azure_ai_search": _FILES,
    "azure_function": _FUNCTION,
    "bing_custom_search": _FUNCTION,
    "bing_grounding": _FUNCTION,
    "browser_automation": _FUNCTION,
    "computer_use_preview": _FUNCTION,
    "connected_agent": f"{_FUNCTION} with a run of the other agent",
    "deep_research": _FUNCTION,
    "fabric_dataagent": _FUNCTION,
    "image_generation": _FUNCTION,
    "mcp": _FUNCTION,
    "openapi": _FUNCTION,
    "sharepoint_grounding": _FILES,
    "web_search_preview": _FUNCTION,
}
"""Tools that Azure executes, and the tool of this service that replaces each."""

_OUTPUT = "function_call_output"
_SOURCES = ("configuration", "data_source", "data_sources")


def as_openai(body: Json) -> Json:
    """The body of a request of Azure AI Agents in OpenAI's form.

    The client's own values, such as functions' parameters and metadata, are not examined. An invalid request stays
    unchanged; the schema refuses it.

    Raises
    ------
    ApiError
        The request names a tool that Azure hosts, or data in Azure's storage (400).
    """
    return _request(body, "")


def _request(body: Json, at: str) -> Json:
    _check_tools(body, at)
    changed = _without_sources(body, at)
    if isinstance(body.get("tool_resources"), dict):
        changed["tool_resources"] = _resources(body["tool_resources"], f"{at}tool_resources.")
    if isinstance(body.get("thread"), dict):
        changed["thread"] = _request(body["thread"], f"{at}thread.")
    for name in ("messages", "additional_messages", "attachments"):
        if isinstance(body.get(name), list):
            changed[name] = [
                _request(cast("Json", each), f"{at}{name}[{index}].") if isinstance(each, dict) else each
                for index, each in enumerate(body[name])
            ]
    if isinstance(body.get("tool_outputs"), list):
        changed["tool_outputs"] = [_output(each) for each in body["tool_outputs"]]
    if "tool_approvals" in body:
        if body["tool_approvals"]:
            raise hosted_tool("mcp", f"{at}tool_approvals", HOSTED["mcp"])
        del changed["tool_approvals"]
    return changed


def _check_tools(body: Json, at: str) -> None:
    tools = cast("list[Any]", body["tools"]) if isinstance(body.get("tools"), list) else []
    named = [(f"tools[{index}]", each) for index, each in enumerate(tools)]
    for name, tool in [*named, ("tool_choice", body.get("tool_choice"))]:
        if isinstance(tool, dict):
            kind = cast("Json", tool).get("type")
            if isinstance(kind, str) and kind in HOSTED:
                raise hosted_tool(kind, f"{at}{name}.type", HOSTED[kind])


def _without_sources(body: Json, at: str) -> Json:
    """The object without references to data in Azure's storage, if they are empty."""
    for name in _SOURCES:
        if body.get(name):
            raise unreachable_data(f"{at}{name}")
    return {name: value for name, value in body.items() if name not in _SOURCES}


def _resources(resources: Json, at: str) -> Json:
    changed = dict(resources)
    for name in HOSTED.keys() & resources.keys():
        if resources[name]:
            raise hosted_tool(name, f"{at}{name}", HOSTED[name])
        del changed[name]
    if isinstance(resources.get("code_interpreter"), dict):
        changed["code_interpreter"] = _without_sources(resources["code_interpreter"], f"{at}code_interpreter.")
    search = resources.get("file_search")
    if isinstance(search, dict) and isinstance(stores := cast("Json", search).get("vector_stores"), list):
        prefix = f"{at}file_search.vector_stores"
        changed["file_search"] = {**search, "vector_stores": list(_stores(cast("list[Any]", stores), prefix))}
    return changed


def _stores(stores: list[Any], at: str) -> Iterator[Any]:
    for index, store in enumerate(stores):
        yield _without_sources(cast("Json", store), f"{at}[{index}].") if isinstance(store, dict) else store


def _output(output: Any) -> object:
    """An output of a function without its `type`, which has one possible value."""
    if isinstance(output, dict) and cast("Json", output).get("type", ...) in (_OUTPUT, None):
        return {name: value for name, value in cast("Json", output).items() if name != "type"}
    return cast("object", output)
