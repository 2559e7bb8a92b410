"""Uploads: files that are sent in parts."""

from collections.abc import Mapping

from fastapi import APIRouter, Request

from assistants.api.bodies import streamed
from assistants.api.filenames import base_name
from assistants.api.multipart import HELD, Form, Keep
from assistants.api.parameters import Project, Store
from assistants.ingestion.intake import complete_upload
from assistants.schema.base import UploadId
from assistants.schema.errors import not_found
from assistants.schema.files import form
from assistants.schema.uploads import MAX_PART, AddUploadPart, CompleteUpload, CreateUpload, Upload, UploadPart
from assistants.state.uploads import LIFETIME, UploadRecord, block, cancelled, pending, view
from assistants.storage.ids import blob_name

router = APIRouter(prefix="/uploads", tags=["Uploads"])


@router.post("")
async def uploads_create(store: Store, project: Project, body: CreateUpload) -> Upload:
    """Begins an upload, which has to be completed within an hour."""
    await store.hear_time()
    now = int(store.clock.now())
    record = UploadRecord(
        id=store.ids.new("upload_"),
        file_id=store.ids.new("file-"),
        created_at=now,
        expires_at=now + LIFETIME,
        filename=base_name(body.filename) or "file",
        purpose=body.purpose,
        bytes=body.bytes,
        keep=body.expires_after.seconds if body.expires_after else None,
    )
    await store.uploads.create(blob_name(project, record.id), record)
    return view(record, now)


@router.post("/{upload_id}/parts", openapi_extra=form(AddUploadPart))
async def uploads_add_part(request: Request, store: Store, project: Project, upload_id: UploadId) -> UploadPart:
    """Adds a part to an upload; parts may be sent at the same time."""
    document = await store.uploads.read(blob_name(project, upload_id))
    if document is None:
        raise not_found("upload", upload_id)
    pending(document.value, store.clock.now())
    content, part_id, kept = blob_name(project, document.value.file_id), store.ids.new("part_"), 0

    async def keep(piece: bytes) -> None:
        nonlocal kept
        await store.contents.stage(content, block(part_id, kept), piece)
        kept += 1

    await part_form(request.headers, keep).read(streamed(request, HELD))
    return UploadPart(id=part_id, created_at=int(store.clock.now()), upload_id=upload_id)


@router.post("/{upload_id}/complete")
async def uploads_complete(store: Store, project: Project, upload_id: UploadId, body: CompleteUpload) -> Upload:
    """Makes a file of the parts, in the given order."""
    return view(await complete_upload(store, project, upload_id, body.part_ids, body.md5), store.clock.now())


@router.post("/{upload_id}/cancel")
async def uploads_cancel(store: Store, project: Project, upload_id: UploadId) -> Upload:
    """Cancels an upload and discards its parts."""
    document = await store.uploads.change(
        blob_name(project, upload_id), lambda record: cancelled(record, store.clock.now())
    )
    if document is None:
        raise not_found("upload", upload_id)
    return view(document.value, store.clock.now())


def part_form(headers: Mapping[str, str], keep: Keep | None = None) -> Form[AddUploadPart]:
    """The form that adds a part."""
    return Form(AddUploadPart, "data", range(1, MAX_PART + 1), headers, keep)
