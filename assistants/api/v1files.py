"""The routes of v1 that v2 does not have: the files of assistants, and those of messages (contract, 13)."""

from typing import TypeVar

from fastapi import APIRouter
from starlette.routing import Match
from starlette.types import Scope

from assistants.api.assistantfiles import add_file, remove_file
from assistants.api.messages import messages_retrieve
from assistants.api.parameters import Page, Project, Store
from assistants.api.v1 import VersionedRoute
from assistants.schema.base import AssistantId, FileId, MessageId, Resource, ThreadId
from assistants.schema.errors import not_found
from assistants.schema.lists import Page as ListPage
from assistants.schema.v1 import AssistantFile, AssistantFileDeleted, CreateAssistantFile, MessageFile
from assistants.state.assistants import AssistantRecord
from assistants.state.lookup import find_assistant
from assistants.state.paging import Cursors, page_of_items
from assistants.state.resources import code_files

F = TypeVar("F", bound=Resource)


class V1Route(VersionedRoute):
    """A route that matches requests of v1 only."""

    def matches(self, scope: Scope) -> tuple[Match, Scope]:
        return super().matches(scope) if scope["state"].get("version") == "v1" else (Match.NONE, {})


router = APIRouter(tags=["v1"], route_class=V1Route, include_in_schema=False)


@router.get("/assistants/{assistant_id}/files")
async def assistants_files_list(
    store: Store, project: Project, assistant_id: AssistantId, page: Page
) -> ListPage[AssistantFile]:
    """Lists the files of an assistant, the last added first."""
    return await _page_of(_assistant_files((await find_assistant(store, project, assistant_id)).value), page)


@router.post("/assistants/{assistant_id}/files")
async def assistants_files_create(
    store: Store, project: Project, assistant_id: AssistantId, body: CreateAssistantFile
) -> AssistantFile:
    """Adds a file to an assistant, for all of its tools."""
    return _find(_assistant_files(await add_file(store, project, assistant_id, body.file_id)), body.file_id)


@router.get("/assistants/{assistant_id}/files/{file_id}")
async def assistants_files_retrieve(
    store: Store, project: Project, assistant_id: AssistantId, file_id: FileId
) -> AssistantFile:
    """Retrieves a file of an assistant."""
    return _find(_assistant_files((await find_assistant(store, project, assistant_id)).value), file_id)


@router.delete("/assistants/{assistant_id}/files/{file_id}")
async def assistants_files_delete(
    store: Store, project: Project, assistant_id: AssistantId, file_id: FileId
) -> AssistantFileDeleted:
    """Removes a file from an assistant; the file itself stays."""
    await remove_file(store, project, assistant_id, file_id)
    return AssistantFileDeleted(id=file_id)


@router.get("/threads/{thread_id}/messages/{message_id}/files")
async def messages_files_list(
    store: Store, project: Project, thread_id: ThreadId, message_id: MessageId, page: Page
) -> ListPage[MessageFile]:
    """Lists the files of a message, the last one first."""
    return await _page_of(await _message_files(store, project, thread_id, message_id), page)


@router.get("/threads/{thread_id}/messages/{message_id}/files/{file_id}")
async def messages_files_retrieve(
    store: Store, project: Project, thread_id: ThreadId, message_id: MessageId, file_id: FileId
) -> MessageFile:
    """Retrieves a file of a message."""
    return _find(await _message_files(store, project, thread_id, message_id), file_id)


def _assistant_files(record: AssistantRecord) -> list[AssistantFile]:
    """The files of an assistant in v1's form; the time that each was added is unknown, so it is the assistant's."""
    return [
        AssistantFile(id=file_id, created_at=record.created_at, assistant_id=record.id)
        for file_id in code_files(record.tool_resources)
    ]


async def _message_files(store: Store, project: str, thread_id: str, message_id: str) -> list[MessageFile]:
    message = await messages_retrieve(store, project, thread_id, message_id)
    files = dict.fromkeys(attachment["file_id"] for attachment in message.attachments)
    return [MessageFile(id=file_id, created_at=message.created_at, message_id=message.id) for file_id in files]


async def _page_of(files: list[F], page: Cursors) -> ListPage[F]:
    found = await page_of_items([(file.id, file) for file in files], page, lambda file_id: not_found("file", file_id))
    return ListPage.of(*found)


def _find(files: list[F], file_id: str) -> F:
    for file in files:
        if file.id == file_id:
            return file
    raise not_found("file", file_id)
