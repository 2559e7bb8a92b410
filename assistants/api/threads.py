"""Threads."""

from collections.abc import Sequence

from fastapi import APIRouter, Request

from assistants.api.parameters import Page, Project, Store
from assistants.api.v1 import VersionedRoute, is_v1
from assistants.engine.creation import create_thread
from assistants.engine.removal import delete_thread
from assistants.ingestion.images import check_images
from assistants.ingestion.resources import equip, provide, register
from assistants.schema.base import ThreadId
from assistants.schema.errors import malformed_json, not_found
from assistants.schema.lists import Deleted
from assistants.schema.lists import Page as ListPage
from assistants.schema.messages import CreateMessage
from assistants.schema.threads import CreateThread, ModifyThread, Thread
from assistants.state.lookup import find_thread
from assistants.state.messages import put_records
from assistants.state.paging import page_of_documents
from assistants.state.resources import THREAD_STORE, attachments_of
from assistants.state.snapshots import new_messages, new_thread
from assistants.state.threads import ThreadRecord, view
from assistants.storage.documents import Document
from assistants.storage.ids import blob_name

router = APIRouter(prefix="/threads", tags=["Threads"], route_class=VersionedRoute)


@router.get("")
async def threads_list(store: Store, project: Project, page: Page) -> ListPage[Thread]:
    """Lists threads, the newest first. OpenAI never had this route."""
    return ListPage.of(*await page_of_documents(store.threads, project, (), page, view))


@router.post("")
async def threads_create(store: Store, project: Project, request: Request, body: CreateThread | None = None) -> Thread:
    """Creates a thread, with messages if any are given."""
    if body is None and await request.body():
        raise malformed_json()  # it was null, which FastAPI treats as no body
    await store.hear_time()
    body = body or CreateThread()
    thread = new_thread(store, body)
    messages = await new_messages(store, thread.id, body.messages)
    records = await put_records(messages, store.slices)
    await check_images(store, project, body.messages)
    attachments = attachments_of(body.messages, is_v1(request))
    thread = await provide(store, project, thread, body.tool_resources, attachments, THREAD_STORE)
    await create_thread(store, project, thread, records)
    return view(thread)


@router.get("/{thread_id}")
async def threads_retrieve(store: Store, project: Project, thread_id: ThreadId) -> Thread:
    """Retrieves a thread."""
    return view((await find_thread(store, project, thread_id)).value)


@router.post("/{thread_id}")
async def threads_modify(store: Store, project: Project, thread_id: ThreadId, body: ModifyThread) -> Thread:
    """Modifies a thread: the given fields replace the present ones."""
    changes = {name: getattr(body, name) for name in body.model_fields_set}
    if changes.get("metadata", ()) is None:
        changes["metadata"] = {}
    if body.tool_resources is not None:
        await find_thread(store, project, thread_id)
        await register(store, project, body.tool_resources, thread_id)
    name = blob_name(project, thread_id)
    document = await store.threads.change(name, lambda record: record.model_copy(update=changes))
    if document is None:
        raise not_found("thread", thread_id)
    return view(document.value)


@router.delete("/{thread_id}")
async def threads_delete(store: Store, project: Project, thread_id: ThreadId) -> Deleted:
    """Deletes a thread with its messages and runs; a run in progress stops."""
    await find_thread(store, project, thread_id)
    await delete_thread(store, project, thread_id)
    return Deleted(id=thread_id, object="thread.deleted")


async def with_attachments(
    store: Store, project: str, thread: Document[ThreadRecord], messages: Sequence[CreateMessage], v1: bool = False
) -> Document[ThreadRecord]:
    """Give the thread's tools the files of messages that are about to be added; return the thread.

    Raises
    ------
    ApiError
        As `equip`, or the thread was deleted (404).
    """
    files = attachments_of(messages, v1)
    if not files:
        return thread
    document = await equip(store, project, store.threads, thread, files, THREAD_STORE)
    if document is None:
        raise not_found("thread", thread.value.id)
    return document
