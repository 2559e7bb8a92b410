"""The files of an assistant in v1: one list for all of its tools (contract, 13).

The list is the code interpreter's. While the assistant has `retrieval`, its vector store has these files, too, besides
those that v2 has added.
"""

from collections.abc import Sequence

from assistants.ingestion.membership import detach
from assistants.ingestion.resources import equip, register
from assistants.schema.assistants import ModifyAssistant
from assistants.schema.errors import not_found
from assistants.state.assistants import AssistantRecord
from assistants.state.lookup import find_assistant
from assistants.state.resources import Attachments, code_files, searches, store_ids, without_files
from assistants.state.snapshots import modified_assistant
from assistants.state.store import Store
from assistants.storage.documents import Document


async def add_file(store: Store, project: str, assistant_id: str, file_id: str) -> AssistantRecord:
    """
    Raises
    ------
    ApiError
        There is no such assistant or file (404), or the assistant has too many (400).
    """
    return (await _add_to_tools(store, project, await find_assistant(store, project, assistant_id), [file_id])).value


async def remove_file(store: Store, project: str, assistant_id: str, file_id: str) -> None:
    """
    Raises
    ------
    ApiError
        There is no such assistant, or it has no such file (404).
    """
    known = await find_assistant(store, project, assistant_id)
    if file_id not in code_files(known.value.tool_resources):
        raise not_found("file", file_id)
    await _remove_from_store(store, project, known.value, [file_id])
    await store.assistants.change(known.name, lambda record: without_files(record, [file_id]), known)


async def modify(store: Store, project: str, assistant_id: str, request: ModifyAssistant) -> AssistantRecord:
    """Modify an assistant as v1 does; its store follows its files and its tools.

    Raises
    ------
    ApiError
        There is no such assistant or file (404).
    """
    known = await find_assistant(store, project, assistant_id)
    before = known.value
    await register(store, project, request.tool_resources, assistant_id)

    def modified(record: AssistantRecord) -> AssistantRecord:
        changed = modified_assistant(record, request)
        if request.tool_resources is None:
            return changed
        together = {**(record.tool_resources or {}), **request.tool_resources}
        return changed.model_copy(update={"tool_resources": together})

    document = await store.assistants.change(known.name, modified, known)
    if document is None:
        raise not_found("assistant", assistant_id)
    files = code_files(document.value.tool_resources)
    await _remove_from_store(
        store, project, before, [each for each in code_files(before.tool_resources) if each not in files]
    )
    return (await _add_to_tools(store, project, document, files)).value


async def _add_to_tools(
    store: Store, project: str, known: Document[AssistantRecord], files: Sequence[str]
) -> Document[AssistantRecord]:
    """Add these files to the assistant for all of its tools."""
    every = Attachments(
        code=list(files), search=list(files) if searches(known.value.tools) else [], rest=[], strict=False
    )
    document = await equip(store, project, store.assistants, known, every)
    if document is None:
        raise not_found("assistant", known.value.id)
    return document


async def _remove_from_store(store: Store, project: str, record: AssistantRecord, files: Sequence[str]) -> None:
    """Remove files from the assistant's store."""
    for store_id in store_ids(record.tool_resources) if files else ():
        await detach(store, project, store_id, files)
