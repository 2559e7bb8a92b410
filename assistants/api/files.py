"""Files."""

import re
from collections.abc import Mapping
from typing import Annotated, Any

from fastapi import APIRouter, Query, Request
from fastapi.responses import StreamingResponse

from assistants.api.filenames import attachment
from assistants.api.multipart import Form, Keep
from assistants.api.parameters import Project
from assistants.ingestion.images import media_type
from assistants.ingestion.intake import create_file
from assistants.ingestion.removal import delete_file
from assistants.schema import files
from assistants.schema.base import FileId
from assistants.schema.errors import download_refused, not_found, range_not_satisfiable
from assistants.schema.lists import Deleted
from assistants.schema.lists import Page as ListPage
from assistants.service import service, store_on_time
from assistants.settings import settings
from assistants.state.files import FileRecord, view
from assistants.state.paging import Cursors, Order, page_of_documents
from assistants.storage.ids import blob_name

router = APIRouter(prefix="/files", tags=["Files"])

_RANGE = re.compile(r"bytes=(\d{0,19})-(\d{0,19})")
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
        wanted = purpose in (None, record.purpose) and not record.gone(store.clock.now())
        return view(record) if wanted else None

    return ListPage.of(*await page_of_documents(store.files, project, (), Cursors(limit, order, after), show))


@router.post("", openapi_extra=files.form(files.CreateFile))
async def files_create(request: Request, project: Project) -> files.File:
    """Uploads a file."""
    store = await store_on_time()
    file_id, blocks, image = store.ids.new("file-"), list[str](), ""

    async def keep(piece: bytes) -> None:
        nonlocal image
        image = image if blocks else media_type(piece)
        blocks.append(f"{len(blocks):05}")
        await store.contents.stage(blob_name(project, file_id), blocks[-1], piece)

    received = file_form(request.headers, keep)
    body = await received.read(request.stream())
    now = int(store.clock.now())
    record = FileRecord(
        id=file_id,
        created_at=now,
        purpose=body.purpose,
        filename=body.file,
        bytes=received.bytes,
        expires_at=now + body.expires_after.seconds if body.expires_after else None,
        image=image,
    )
    return view(await create_file(store, project, record, blocks))


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
async def files_content(request: Request, project: Project, file_id: FileId) -> StreamingResponse:
    """Retrieves the bytes of a file, or the one range of them that is asked for."""
    store, file = service().store, await _find_file(project, file_id)
    if file.purpose == "assistants" and store.settings.refuse_assistants_downloads:
        raise download_refused(file.purpose)
    part = asked_for(request.headers.get("range"), file.bytes)
    start, end = (part.start, part.stop) if part else (0, file.bytes)
    headers = {
        "Content-Length": str(end - start),
        "Content-Disposition": attachment(file.filename),
        "Accept-Ranges": "bytes",
    }
    if part is not None:
        headers["Content-Range"] = f"bytes {start}-{end - 1}/{file.bytes}"
    return StreamingResponse(
        store.contents.stream(blob_name(project, file_id), start, end),
        200 if part is None else 206,
        headers,
        media_type="application/octet-stream",
    )


def file_form(headers: Mapping[str, str], keep: Keep | None = None) -> Form[files.CreateFile]:
    """The form that uploads a file."""
    return Form(files.CreateFile, "file", range(settings().max_file_bytes + 1), headers, keep)


def asked_for(header: str | None, size: int) -> range | None:
    """The bytes that a `Range` header asks for; None is all of them, as for several ranges and for other units.

    Raises
    ------
    ApiError
        There are no such bytes (416).
    """
    found = _RANGE.fullmatch(header or "")
    if found is None or not (found[1] or found[2]):
        return None
    if found[1]:
        start, end = int(found[1]), min(int(found[2]), size - 1) + 1 if found[2] else size
        if found[2] and int(found[2]) < start:
            return None
    else:
        start, end = max(size - int(found[2]), 0), size
    if start >= end:
        raise range_not_satisfiable(size)
    return range(start, end)


async def _find_file(project: str, file_id: str) -> FileRecord:
    store = service().store
    document = await store.files.read(blob_name(project, file_id))
    if document is None or document.value.gone(store.clock.now()):
        raise not_found("file", file_id)
    return document.value
