"""Assistants."""

from fastapi import APIRouter, Request

from assistants.api import assistantfiles
from assistants.api.parameters import Page, Project, Store
from assistants.api.v1 import VersionedRoute
from assistants.ingestion.resources import provide, register
from assistants.schema.assistants import Assistant, CreateAssistant, ModifyAssistant
from assistants.schema.base import AssistantId
from assistants.schema.errors import not_found
from assistants.schema.lists import Deleted
from assistants.schema.lists import Page as ListPage
from assistants.state.assistants import view
from assistants.state.lookup import find_assistant
from assistants.state.paging import page_of_documents
from assistants.state.snapshots import modified_assistant, new_assistant
from assistants.storage.ids import blob_name

router = APIRouter(prefix="/assistants", tags=["Assistants"], route_class=VersionedRoute)


@router.get("")
async def assistants_list(store: Store, project: Project, page: Page) -> ListPage[Assistant]:
    """Lists assistants, the newest first."""
    return ListPage.of(*await page_of_documents(store.assistants, project, (), page, view))


@router.post("")
async def assistants_create(store: Store, project: Project, body: CreateAssistant) -> Assistant:
    """Creates an assistant."""
    await store.hear_time()
    record = await provide(store, project, new_assistant(store, body), body.tool_resources)
    await store.assistants.create(blob_name(project, record.id), record)
    return view(record)


@router.get("/{assistant_id}")
async def assistants_retrieve(store: Store, project: Project, assistant_id: AssistantId) -> Assistant:
    """Retrieves an assistant."""
    return view((await find_assistant(store, project, assistant_id)).value)


@router.post("/{assistant_id}")
async def assistants_modify(
    request: Request, store: Store, project: Project, assistant_id: AssistantId, body: ModifyAssistant
) -> Assistant:
    """Modifies an assistant: the given fields replace the present ones."""
    if request.state.version == "v1":
        return view(await assistantfiles.modify(store, project, assistant_id, body))
    if body.tool_resources is not None:
        await find_assistant(store, project, assistant_id)
        await register(store, project, body.tool_resources, assistant_id)
    name = blob_name(project, assistant_id)
    document = await store.assistants.change(name, lambda record: modified_assistant(record, body))
    if document is None:
        raise not_found("assistant", assistant_id)
    return view(document.value)


@router.delete("/{assistant_id}")
async def assistants_delete(store: Store, project: Project, assistant_id: AssistantId) -> Deleted:
    """Deletes an assistant; its runs continue."""
    if not await store.assistants.delete(blob_name(project, assistant_id)):
        raise not_found("assistant", assistant_id)
    return Deleted(id=assistant_id, object="assistant.deleted")
