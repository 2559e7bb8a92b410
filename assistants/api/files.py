"""Files. A text that is no id of a file is not found (404), as in OpenAI's API."""

import re
from collections.abc import Mapping
from typing import Annotated, Any

from fastapi import APIRouter, Query, Request
from fastapi.responses import StreamingResponse

from assistants.api.bodies import streamed
from assistants.api.filenames import attachment
from assistants.api.multipart import HELD, Form, Keep
from assistants.api.parameters import Project, Store
from assistants.ingestion.images import media_type
from assistants.ingestion.intake import create_file
from assistants.ingestion.removal import delete_file
from assistants.schema import files
from assistants.schema.errors import download_refused, no_content, range_not_satisfiable
from assistants.schema.lists import Deleted
from assistants.schema.lists import Page as ListPage
from assistants.settings import settings
from assistants.state.files import FileRecord, view
from assistants.state.lookup import find_file
from assistants.state.paging import Cursors, Order, page_of_documents
from assistants.storage.ids import blob_name

router = APIRouter(prefix="/files", tags=["Files"])

_RANGE = re.compile(r"bytes=(\d{0,19})-(\d{0,19})")
_BYTES: dict[int | str, dict[str, Any]] = {
    200: {"description": "The bytes.", "content": {"application/octet-stream": {}}}
}


@router.get("")
async def files_list(
    store: Store,
    project: Project,
    purpose: Annotated[str | None, Query(description="Only files of this purpose.")] = None,
    limit: Annotated[int, Query(ge=1, le=10_000, description="Objects on the page.")] = 10_000,
    order: Annotated[Order, Query(description="By time of creation.")] = "desc",
    after: Annotated[str | None, Query(description="Id of the object before the page.")] = None,
) -> ListPage[files.File]:
    """Lists files, the newest first."""

    def show(record: FileRecord) -> files.File | None:
        wanted = purpose in (None, record.purpose) and not record.gone(store.clock.now())
        return view(record) if wanted else None

    return ListPage.of(*await page_of_documents(store.files, project, (), Cursors(limit, order, after), show))


@router.post("", openapi_extra=files.form(files.CreateFile))
async def files_create(request: Request, store: Store, project: Project) -> files.File:
    """Uploads a file."""
    await store.hear_time()
    file_id, blocks, image = store.ids.new("file-"), list[str](), ""

    async def keep(piece: bytes) -> None:
        nonlocal image
        image = image if blocks else media_type(piece)
        blocks.append(f"{len(blocks):05}")
        await store.contents.stage(blob_name(project, file_id), blocks[-1], piece)

    received = file_form(request.headers, keep, request.state.agents)
    body = await received.read(streamed(request, HELD))
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
async def files_retrieve(store: Store, project: Project, file_id: str) -> files.File:
    """Retrieves a file."""
    return view((await find_file(store, project, file_id)).value)


@router.delete("/{file_id}")
async def files_delete(store: Store, project: Project, file_id: str) -> Deleted:
    """Deletes a file, and removes it from all vector stores."""
    await delete_file(store, project, file_id)
    return Deleted(id=file_id, object="file")


@router.get("/{file_id}/content", response_class=StreamingResponse, responses=_BYTES)
async def files_content(request: Request, store: Store, project: Project, file_id: str) -> StreamingResponse:
    """Retrieves the bytes of a file, or the requested range of them."""
    file = (await find_file(store, project, file_id)).value
    if file.purpose == "assistants" and store.settings.refuse_assistants_downloads:
        raise download_refused(file.purpose)
    if file.without_content:
        raise no_content(file_id)
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


def file_form(headers: Mapping[str, str], keep: Keep | None = None, agents: bool = False) -> Form[files.CreateFile]:
    """The form that uploads a file; that of Azure AI Agents may have its name in a field (contract, 10.1)."""
    sizes, named_by = range(settings().max_file_bytes + 1), "filename" if agents else None
    return Form(files.CreateFile, "file", sizes, headers, keep, named_by)


def asked_for(header: str | None, size: int) -> range | None:
    """The bytes that a `Range` header requests; None is all of them, also for several ranges and for other units.

    Raises
    ------
    ApiError
        The file has no such bytes (416).
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
