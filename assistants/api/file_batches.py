"""Batches: files added to a vector store by one request."""

import secrets

from fastapi import APIRouter, Response

from assistants.api.parameters import Page, Project, Store
from assistants.api.runs import POLL_AFTER
from assistants.api.vector_store_files import Filter, page_of_files
from assistants.ingestion.membership import attach
from assistants.schema.base import FileBatchId, VectorStoreId
from assistants.schema.errors import not_found
from assistants.schema.lists import Page as ListPage
from assistants.schema.vector_stores import CreateVectorStoreFileBatch, VectorStoreFile, VectorStoreFileBatch
from assistants.state.lookup import find_vector_store
from assistants.state.vector_stores import batch_cancelled, batch_of, new_member, view_batch
from assistants.storage.ids import blob_name

router = APIRouter(prefix="/vector_stores/{vector_store_id}/file_batches", tags=["Vector store file batches"])


@router.post("")
async def vector_stores_batches_create(
    store: Store, project: Project, vector_store_id: VectorStoreId, body: CreateVectorStoreFileBatch
) -> VectorStoreFileBatch:
    """Adds files to a vector store."""
    batch_id = f"vsfb_{secrets.token_hex(16)}"
    if body.files is not None:
        files = [new_member(file.file_id, file.attributes, file.chunking_strategy) for file in body.files]
    else:
        files = [new_member(file_id, body.attributes, body.chunking_strategy) for file_id in body.file_ids or ()]
    return view_batch(await attach(store, project, vector_store_id, files, batch_id), batch_id)


@router.get("/{batch_id}")
async def vector_stores_batches_retrieve(
    store: Store, project: Project, vector_store_id: VectorStoreId, batch_id: FileBatchId, response: Response
) -> VectorStoreFileBatch:
    """Retrieves a batch."""
    response.headers["openai-poll-after-ms"] = POLL_AFTER
    return view_batch((await find_vector_store(store, project, vector_store_id)).value, batch_id)


@router.post("/{batch_id}/cancel")
async def vector_stores_batches_cancel(
    store: Store, project: Project, vector_store_id: VectorStoreId, batch_id: FileBatchId
) -> VectorStoreFileBatch:
    """Cancels the files of a batch that are still in progress."""
    document = await store.vector_stores.change(
        blob_name(project, vector_store_id), lambda record: batch_cancelled(record, batch_id)
    )
    if document is None:
        raise not_found("vector store", vector_store_id)
    return view_batch(document.value, batch_id)


@router.get("/{batch_id}/files")
async def vector_stores_batches_list_files(
    store: Store,
    project: Project,
    vector_store_id: VectorStoreId,
    batch_id: FileBatchId,
    page: Page,
    status: Filter = None,
) -> ListPage[VectorStoreFile]:
    """Lists the files of a batch, the last added first."""
    record = (await find_vector_store(store, project, vector_store_id)).value
    return await page_of_files(record, batch_of(record, batch_id).file_ids, page, status)
