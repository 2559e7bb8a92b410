"""Files."""

from collections.abc import AsyncIterator
from typing import Annotated, Any, Literal

from fastapi import APIRouter, File, Form, Query, UploadFile
from fastapi.responses import StreamingResponse

from assistants.api.parameters import Project
from assistants.api.service import service
from assistants.ingestion.removal import delete_file
from assistants.schema import files
from assistants.schema.base import FileId
from assistants.schema.errors import not_found
from assistants.schema.lists import Deleted
from assistants.schema.lists import Page as ListPage
from assistants.state.files import FileRecord, view
from assistants.state.paging import Cursors, Order, page_of_documents
from assistants.storage.connection import MAX_WRITE
from assistants.storage.ids import blob_name

router = APIRouter(prefix="/files", tags=["Files"])

DAYS_30 = 2_592_000

_PIECE = 1024 * 1024

_BYTES: dict[int | str, dict[str, Any]] = {
    200: {"description": "The bytes.", "content": {"application/octet-stream": {}}}
}


@router.get("")
async def files_list(
    project: Project,
    purpose: Annotated[str | None, Query(description="Only files of this purpose.")] = None,
    limit: Annotated[int, Query(ge=1, le=10_000, description="Objects on the page.")] = 10_000,
    order: Annotated[Order, Query(description="By time of creation.")] = "desc",
    after: Annotated[str | None, Query(description="Id of the object before the page.")] = None,
) -> ListPage[files.File]:
    """Lists files, the newest first."""
    store = service().store

    def show(record: FileRecord) -> files.File | None:
        wanted = purpose in (None, record.purpose) and not record.expired(store.clock.now())
        return view(record) if wanted else None

    return ListPage.of(*await page_of_documents(store.files, project, (), Cursors(limit, order, after), show))


@router.post("")
async def files_create(
    project: Project,
    file: Annotated[UploadFile, File(description="The file itself.")],
    purpose: Annotated[files.UploadPurpose, Form(description="What it is for.")],
    anchor: Annotated[
        Literal["created_at"] | None, Form(alias="expires_after[anchor]", description="What the seconds count from.")
    ] = None,
    seconds: Annotated[
        int | None,
        Form(alias="expires_after[seconds]", ge=3600, le=DAYS_30, description="Seconds after which it is deleted."),
    ] = None,
) -> files.File:
    """Uploads a file."""
    store = service().store
    now = int(store.clock.now())
    record = FileRecord(
        id=store.ids.new("file-"),
        created_at=now,
        purpose=purpose,
        filename=file.filename or "file",
        bytes=file.size or 0,
        expires_at=now + seconds if anchor and seconds else None,
    )
    name = blob_name(project, record.id)
    await store.contents.write(name, await file.read() if record.bytes <= MAX_WRITE else lambda: _pieces(file))
    await store.files.create(name, record)
    return view(record)


@router.get("/{file_id}")
async def files_retrieve(project: Project, file_id: FileId) -> files.File:
    """Retrieves a file."""
    return view(await _find_file(project, file_id))


@router.delete("/{file_id}")
async def files_delete(project: Project, file_id: FileId) -> Deleted:
    """Deletes a file, which takes it out of all vector stores."""
    await delete_file(service().store, project, file_id)
    return Deleted(id=file_id, object="file")


@router.get("/{file_id}/content", response_class=StreamingResponse, responses=_BYTES)
async def files_content(project: Project, file_id: FileId) -> StreamingResponse:
    """Retrieves the bytes of a file."""
    await _find_file(project, file_id)
    content = await service().store.contents.stream(blob_name(project, file_id))
    if content is None:
        raise not_found("file", file_id)
    return StreamingResponse(content, media_type="application/octet-stream")


async def _pieces(file: UploadFile) -> AsyncIterator[bytes]:
    await file.seek(0)
    while piece := await file.read(_PIECE):
        yield piece


async def _find_file(project: str, file_id: str) -> FileRecord:
    store = service().store
    document = await store.files.read(blob_name(project, file_id))
    if document is None or document.value.expired(store.clock.now()):
        raise not_found("file", file_id)
    return document.value
