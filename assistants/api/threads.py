"""Threads."""

from fastapi import APIRouter, Request

from assistants.api.parameters import Page, Project
from assistants.api.service import service, store_on_time
from assistants.api.v1 import VersionedRoute
from assistants.engine.items import WORK, Purge
from assistants.schema.base import ThreadId
from assistants.schema.errors import malformed_json, not_found
from assistants.schema.lists import Deleted
from assistants.schema.lists import Page as ListPage
from assistants.schema.threads import CreateThread, ModifyThread, Thread
from assistants.state.messages import put_record
from assistants.state.paging import page_of_documents
from assistants.state.purging import purge
from assistants.state.snapshots import new_message, new_thread
from assistants.state.threads import ThreadRecord, view
from assistants.storage.documents import Document
from assistants.storage.ids import blob_name

router = APIRouter(prefix="/threads", tags=["Threads"], route_class=VersionedRoute)

PURGE_DELAY = 30
"""Seconds after which what is left of a deleted thread is looked for: any write begun before has ended by then."""


@router.get("")
async def threads_list(project: Project, page: Page) -> ListPage[Thread]:
    """Lists threads, the newest first. OpenAI never had this route."""
    return ListPage.of(*await page_of_documents(service().store.threads, project, (), page, view))


@router.post("")
async def threads_create(project: Project, request: Request, body: CreateThread | None = None) -> Thread:
    """Creates a thread, with messages if there are any."""
    if body is None and await request.body():
        raise malformed_json()  # it was null, which FastAPI does not tell from no body
    store, body = await store_on_time(), body or CreateThread()
    thread = new_thread(store, body)
    records = [put_record(new_message(store, thread.id, message)) for message in body.messages or []]
    # First the log: there is never a thread that takes no message.
    await store.messages.create_log(project, thread.id, records)
    await store.threads.create(blob_name(project, thread.id), thread)
    return view(thread)


@router.get("/{thread_id}")
async def threads_retrieve(project: Project, thread_id: ThreadId) -> Thread:
    """Retrieves a thread."""
    return view((await find_thread(project, thread_id)).value)


@router.post("/{thread_id}")
async def threads_modify(project: Project, thread_id: ThreadId, body: ModifyThread) -> Thread:
    """Modifies a thread: what is given replaces what was there."""
    changes = {name: getattr(body, name) for name in body.model_fields_set}
    if changes.get("metadata", ()) is None:
        changes["metadata"] = {}
    document = await service().store.threads.change(
        blob_name(project, thread_id), lambda record: record.model_copy(update=changes)
    )
    if document is None:
        raise not_found("thread", thread_id)
    return view(document.value)


@router.delete("/{thread_id}")
async def threads_delete(project: Project, thread_id: ThreadId) -> Deleted:
    """Deletes a thread with its messages and runs; a run in progress stops."""
    store = service().store
    await find_thread(project, thread_id)
    # Sent first: should this process die, the item finds what is left.
    await store.queues.send(WORK, Purge(project=project, thread=thread_id).model_dump(), PURGE_DELAY)
    if not await store.threads.delete(blob_name(project, thread_id)):
        raise not_found("thread", thread_id)
    await purge(store, project, thread_id)
    return Deleted(id=thread_id, object="thread.deleted")


async def find_thread(project: str, thread_id: str) -> Document[ThreadRecord]:
    """
    Raises
    ------
    ApiError
        There is no such thread (404).
    """
    document = await service().store.threads.read(blob_name(project, thread_id))
    if document is None:
        raise not_found("thread", thread_id)
    return document
