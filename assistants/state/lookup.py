"""Finds the objects that requests name, or raises OpenAI's 404."""

from typing import TypeVar

from pydantic import BaseModel

from assistants.schema.errors import not_found
from assistants.state.assistants import AssistantRecord
from assistants.state.files import FileRecord
from assistants.state.store import Store
from assistants.state.threads import ThreadRecord
from assistants.state.vector_stores import VectorStoreRecord
from assistants.storage.documents import Document, Documents
from assistants.storage.ids import blob_name

D = TypeVar("D", bound=BaseModel)


async def find_assistant(store: Store, project: str, assistant_id: str) -> Document[AssistantRecord]:
    """
    Raises
    ------
    ApiError
        There is no such assistant (404).
    """
    return await _find(store.assistants, project, "assistant", assistant_id)


async def find_thread(store: Store, project: str, thread_id: str) -> Document[ThreadRecord]:
    """
    Raises
    ------
    ApiError
        There is no such thread (404).
    """
    return await _find(store.threads, project, "thread", thread_id)


async def find_vector_store(store: Store, project: str, store_id: str) -> Document[VectorStoreRecord]:
    """
    Raises
    ------
    ApiError
        There is no such vector store (404).
    """
    return await _find(store.vector_stores, project, "vector store", store_id)


async def find_file(store: Store, project: str, file_id: str) -> Document[FileRecord]:
    """
    Raises
    ------
    ApiError
        There is no such file, or it has been deleted or has expired (404).
    """
    document = await _find(store.files, project, "file", file_id)
    if document.value.gone(store.clock.now()):
        raise not_found("file", file_id)
    return document


async def _find(documents: Documents[D], project: str, kind: str, object_id: str) -> Document[D]:
    document = await documents.read(blob_name(project, object_id))
    if document is None:
        raise not_found(kind, object_id)
    return document
