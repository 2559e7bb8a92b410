"""The files of vector stores."""

from typing import Annotated

from fastapi import APIRouter, Query, Response

from assistants.api.parameters import Page, Project, Store
from assistants.api.runs import POLL_AFTER
from assistants.ingestion.membership import attach, chunks_name, detach
from assistants.schema.base import FileId, VectorStoreId
from assistants.schema.errors import not_found, not_in_store
from assistants.schema.lists import Deleted
from assistants.schema.lists import Page as ListPage
from assistants.schema.vector_stores import (
    CreateVectorStoreFile,
    FileStatus,
    ModifyVectorStoreFile,
    TextContent,
    VectorStoreFile,
    VectorStoreFileContent,
)
from assistants.search.chunks import texts
from assistants.state.lookup import find_vector_store
from assistants.state.paging import Cursors, page_of_items
from assistants.state.vector_stores import VectorStoreRecord, listed, member_of, new_member, view_file, with_attributes
from assistants.storage.ids import blob_name

router = APIRouter(prefix="/vector_stores/{vector_store_id}/files", tags=["Vector store files"])

Filter = Annotated[FileStatus | None, Query(alias="filter", description="Only the files in this state.")]


@router.get("")
async def vector_stores_files_list(
    store: Store, project: Project, vector_store_id: VectorStoreId, page: Page, status: Filter = None
) -> ListPage[VectorStoreFile]:
    """Lists the files of a vector store, the last added first."""
    record = (await find_vector_store(store, project, vector_store_id)).value
    return await page_of_files(record, list(record.members), page, status)


@router.post("")
async def vector_stores_files_create(
    store: Store, project: Project, vector_store_id: VectorStoreId, body: CreateVectorStoreFile
) -> VectorStoreFile:
    """Adds a file to a vector store."""
    file = new_member(body.file_id, body.attributes, body.chunking_strategy)
    return view_file(await attach(store, project, vector_store_id, [file]), body.file_id)


@router.get("/{file_id}")
async def vector_stores_files_retrieve(
    store: Store, project: Project, vector_store_id: VectorStoreId, file_id: FileId, response: Response
) -> VectorStoreFile:
    """Retrieves a file of a vector store."""
    response.headers["openai-poll-after-ms"] = POLL_AFTER
    return view_file((await find_vector_store(store, project, vector_store_id)).value, file_id)


@router.post("/{file_id}")
async def vector_stores_files_modify(
    store: Store, project: Project, vector_store_id: VectorStoreId, file_id: FileId, body: ModifyVectorStoreFile
) -> VectorStoreFile:
    """Replaces a file's attributes."""
    document = await store.vector_stores.change(
        blob_name(project, vector_store_id), lambda record: with_attributes(record, file_id, body.attributes or {})
    )
    if document is None:
        raise not_found("vector store", vector_store_id)
    return view_file(document.value, file_id)


@router.delete("/{file_id}")
async def vector_stores_files_delete(
    store: Store, project: Project, vector_store_id: VectorStoreId, file_id: FileId
) -> Deleted:
    """Removes a file from a vector store; the file itself stays."""
    if not await detach(store, project, vector_store_id, [file_id]):
        await find_vector_store(store, project, vector_store_id)
        raise not_in_store("file", file_id, vector_store_id)
    return Deleted(id=file_id, object="vector_store.file.deleted")


@router.get("/{file_id}/content")
async def vector_stores_files_content(
    store: Store, project: Project, vector_store_id: VectorStoreId, file_id: FileId
) -> VectorStoreFileContent:
    """Retrieves the text of a file as searches see it: in chunks, which may overlap."""
    member = member_of((await find_vector_store(store, project, vector_store_id)).value, file_id)
    content = await store.chunks.read(chunks_name(project, vector_store_id, file_id, member.version))
    return VectorStoreFileContent(data=[TextContent(text=text) for text in texts(content)] if content else [])


async def page_of_files(
    record: VectorStoreRecord, among: list[str], page: Cursors, status: FileStatus | None
) -> ListPage[VectorStoreFile]:
    """A page of some of a store's files."""
    items = listed(record, among, status)
    return ListPage.of(*await page_of_items(items, page, lambda file_id: not_in_store("file", file_id, record.id)))
