"""Messages."""

from typing import Annotated

from fastapi import APIRouter, Query, Request

from assistants.api.parameters import Page, Project, Store
from assistants.api.threads import with_attachments
from assistants.api.v1 import VersionedRoute, is_v1
from assistants.engine.requests import active_run, message_of_run
from assistants.ingestion.images import check_images
from assistants.schema.base import MessageId, RunId, ThreadId
from assistants.schema.errors import not_found, thread_locked
from assistants.schema.lists import Deleted
from assistants.schema.lists import Page as ListPage
from assistants.schema.messages import CreateMessage, Message, ModifyMessage
from assistants.state.lookup import find_thread
from assistants.state.messages import delete_record, put_record, update_record
from assistants.state.snapshots import new_message
from assistants.state.threads import ThreadRecord
from assistants.storage.ids import blob_name

router = APIRouter(prefix="/threads/{thread_id}/messages", tags=["Messages"], route_class=VersionedRoute)


@router.get("")
async def messages_list(
    store: Store,
    project: Project,
    thread_id: ThreadId,
    page: Page,
    run_id: Annotated[RunId | None, Query(description="Only the messages of this run.")] = None,
) -> ListPage[Message]:
    """Lists the messages of a thread, the newest first."""
    thread = (await find_thread(store, project, thread_id)).value
    transcript = await store.messages.read(project, thread_id, thread.segments)
    data, has_more = await transcript.page(page, lambda message_id: not_found("message", message_id), run_id)
    return ListPage.of(data, has_more)


@router.post("")
async def messages_create(
    store: Store, project: Project, thread_id: ThreadId, request: Request, body: CreateMessage
) -> Message:
    """Adds a message to a thread that has no active run."""
    thread = await find_thread(store, project, thread_id)
    run = await active_run(store, project, thread.value)
    if run is not None:
        raise thread_locked(thread_id, run.id)
    message = new_message(store, thread_id, body)
    record = put_record(message)
    await check_images(store, project, [body])
    thread = await with_attachments(store, project, thread, [body], is_v1(request))
    most = store.settings.max_thread_bytes - thread.value.full_bytes
    await store.messages.append(project, thread_id, thread.value.segments, [record], most)
    return message


@router.get("/{message_id}")
async def messages_retrieve(store: Store, project: Project, thread_id: ThreadId, message_id: MessageId) -> Message:
    """Retrieves a message, also while a run is writing it."""
    thread = (await find_thread(store, project, thread_id)).value
    message = await (await store.messages.read(project, thread_id, thread.segments)).get(message_id)
    message = message or await message_of_run(store, project, thread, message_id)
    if message is None:
        raise not_found("message", message_id)
    return message


@router.post("/{message_id}")
async def messages_modify(
    store: Store, project: Project, thread_id: ThreadId, message_id: MessageId, body: ModifyMessage
) -> Message:
    """Replaces a message's metadata."""
    message, thread = await _find_message(store, project, thread_id, message_id)
    if "metadata" in body.model_fields_set:
        message = message.model_copy(update={"metadata": body.metadata or {}})
        record = update_record(message_id, message.metadata)
        await store.messages.append(project, thread_id, thread.segments, [record])
    return message


@router.delete("/{message_id}")
async def messages_delete(store: Store, project: Project, thread_id: ThreadId, message_id: MessageId) -> Deleted:
    """Deletes a message."""
    message, thread = await _find_message(store, project, thread_id, message_id)
    if message.role == "user" and thread.asked:
        name = blob_name(project, thread_id)
        await store.threads.change(name, lambda record: record.model_copy(update={"asked": False}))
    await store.messages.append(project, thread_id, thread.segments, [delete_record(message_id)])
    return Deleted(id=message_id, object="thread.message.deleted")


async def _find_message(store: Store, project: str, thread_id: str, message_id: str) -> tuple[Message, ThreadRecord]:
    """The message, and its thread."""
    thread = (await find_thread(store, project, thread_id)).value
    message = await (await store.messages.read(project, thread_id, thread.segments)).get(message_id)
    if message is None:
        raise not_found("message", message_id)
    return message, thread
