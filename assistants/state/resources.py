"""The tool resources of assistants, threads and runs: pure functions (contract, 1.2)."""

from collections.abc import Iterable, Sequence
from typing import NamedTuple, TypeVar

from assistants.schema.base import Deferred
from assistants.schema.errors import too_many_code_files
from assistants.schema.messages import CreateMessage
from assistants.schema.tools import MAX_CODE_FILES, AssistantTool, NewToolResources, ToolResources
from assistants.schema.vector_stores import ExpiresAfter

THREAD_STORE: ExpiresAfter = {"anchor": "last_active_at", "days": 7}
"""The expiry of a store that was made for a thread (contract, 6.3)."""


class Equipped(Deferred):
    """An object with tool resources: an assistant or a thread."""

    id: str
    tool_resources: ToolResources | None = None


E = TypeVar("E", bound=Equipped)


class Attachments(NamedTuple):
    """Files of messages, each once, by the tools that may use them."""

    code: list[str]
    search: list[str]
    rest: list[str]
    """The files that no tool may use."""
    strict: bool = True
    """Whether a file of an unsupported type for file search is an error."""

    def __bool__(self) -> bool:
        return any((self.code, self.search, self.rest))


NOTHING = Attachments([], [], [])


def attachments_of(messages: Iterable[CreateMessage] | None, v1: bool = False) -> Attachments:
    """The files of some messages. In v1 all tools may use them, and files of any type are allowed."""
    found = [each for message in messages or () for each in message.attachments or ()]

    def of(kind: str) -> list[str]:
        return _once(each["file_id"] for each in found if any(tool["type"] == kind for tool in each["tools"]))

    rest = _once(each["file_id"] for each in found if not each["tools"])
    return Attachments(of("code_interpreter"), of("file_search"), rest, strict=not v1)


def named(requested: NewToolResources | None) -> ToolResources | None:
    """The ids in the requested resources; a store that is yet to be created has none."""
    if requested is None:
        return None
    resources: ToolResources = {}
    if "code_interpreter" in requested:
        resources["code_interpreter"] = requested["code_interpreter"]
    if "file_search" in requested:
        resources["file_search"] = {"vector_store_ids": requested["file_search"].get("vector_store_ids", [])}
    return resources


def code_files(resources: ToolResources | None) -> list[str]:
    """The code interpreter's files."""
    return (resources or {}).get("code_interpreter", {}).get("file_ids", [])


def store_ids(resources: ToolResources | None) -> list[str]:
    """The ids of the vector stores, at most one."""
    return (resources or {}).get("file_search", {}).get("vector_store_ids", [])


def equipped(record: E, files: Sequence[str], store_id: str | None = None) -> E | None:
    """Add files for the code interpreter, and the store, to the record. None: it has them already.

    Raises
    ------
    ApiError
        The code interpreter would have too many files (400).
    """
    had = record.tool_resources or {}
    resources: ToolResources = {**had}
    if files:
        together = _once([*code_files(had), *files])
        if len(together) > MAX_CODE_FILES:
            raise too_many_code_files(MAX_CODE_FILES, len(together))
        resources["code_interpreter"] = {"file_ids": together}
    if store_id is not None:
        resources["file_search"] = {"vector_store_ids": [store_id]}
    return record.model_copy(update={"tool_resources": resources}) if resources != had else None


def without_files(record: E, files: Iterable[str]) -> E | None:
    """Remove these files of the code interpreter. None: the record has none of them."""
    had = code_files(record.tool_resources)
    left = [each for each in had if each not in set(files)]
    if record.tool_resources is None or left == had:
        return None
    resources: ToolResources = {**record.tool_resources, "code_interpreter": {"file_ids": left}}
    return record.model_copy(update={"tool_resources": resources})


def searches(tools: Iterable[AssistantTool]) -> bool:
    """Whether one of the tools searches files."""
    return any(tool["type"] in ("file_search", "retrieval") for tool in tools)


def runs_code(tools: Iterable[AssistantTool]) -> bool:
    """Whether one of the tools is the code interpreter."""
    return any(tool["type"] == "code_interpreter" for tool in tools)


def view_resources(resources: ToolResources | None, tools: Iterable[AssistantTool]) -> ToolResources:
    """The resources in the API's form: a code interpreter always has a list of files."""
    if runs_code(tools):
        return {"code_interpreter": {"file_ids": []}, **(resources or {})}
    return resources or {}


def _once(ids: Iterable[str]) -> list[str]:
    return list(dict.fromkeys(ids))
