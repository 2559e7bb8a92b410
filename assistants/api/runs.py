"""Runs."""

import asyncio
from collections.abc import Awaitable
from typing import TypeVar

from fastapi import APIRouter, Depends

from assistants.api.assistants import find_assistant
from assistants.api.parameters import Page, Project, include
from assistants.api.service import service
from assistants.api.threads import find_thread
from assistants.engine import lifecycle
from assistants.schema.base import RunId, ThreadId
from assistants.schema.lists import Page as ListPage
from assistants.schema.runs import CreateRun, ModifyRun, Run, SubmitToolOutputs
from assistants.state.paging import page_of_documents
from assistants.state.runs import RunRecord, view
from assistants.state.snapshots import new_message, new_run
from assistants.state.store import RunKey

A = TypeVar("A")
B = TypeVar("B")

router = APIRouter(prefix="/threads/{thread_id}/runs", tags=["Runs"])


@router.get("")
async def runs_list(project: Project, thread_id: ThreadId, page: Page) -> ListPage[Run]:
    """Lists the runs of a thread, the newest first."""
    thread = (await find_thread(project, thread_id)).value

    def show(run: RunRecord) -> Run | None:
        return view(run) if run.committed or run.id == thread.last_run_id else None

    return ListPage.of(*await page_of_documents(service().store.runs, project, (thread_id,), page, show))


@router.post("", dependencies=[Depends(include)])
async def runs_create(project: Project, thread_id: ThreadId, body: CreateRun) -> Run:
    """Runs an assistant on a thread."""
    store = service().store
    thread, assistant = await _both(find_thread(project, thread_id), find_assistant(project, body.assistant_id))
    messages = [new_message(store, thread_id, message) for message in body.additional_messages or []]
    run = new_run(store, thread_id, assistant, body, messages)
    return view(await lifecycle.start_run(store, RunKey(project, thread_id, run.id), thread, run))


@router.get("/{run_id}")
async def runs_retrieve(project: Project, thread_id: ThreadId, run_id: RunId) -> Run:
    """Retrieves a run."""
    return view((await lifecycle.find_run(service().store, RunKey(project, thread_id, run_id))).value)


@router.post("/{run_id}")
async def runs_modify(project: Project, thread_id: ThreadId, run_id: RunId, body: ModifyRun) -> Run:
    """Replaces a run's metadata, in every state."""
    key, store = RunKey(project, thread_id, run_id), service().store
    if "metadata" not in body.model_fields_set:
        return view((await lifecycle.find_run(store, key)).value)
    return view(await lifecycle.modify_run(store, key, body.metadata or {}))


@router.post("/{run_id}/cancel")
async def runs_cancel(project: Project, thread_id: ThreadId, run_id: RunId) -> Run:
    """Cancels a run."""
    return view(await lifecycle.cancel_run(service().store, RunKey(project, thread_id, run_id)))


@router.post("/{run_id}/submit_tool_outputs")
async def runs_submit_tool_outputs(
    project: Project, thread_id: ThreadId, run_id: RunId, body: SubmitToolOutputs
) -> Run:
    """Hands in the outputs of all function calls that a run awaits."""
    outputs = [(output.tool_call_id, output.output) for output in body.tool_outputs]
    return view(await lifecycle.submit_outputs(service().store, RunKey(project, thread_id, run_id), outputs))


async def _both(first: Awaitable[A], second: Awaitable[B]) -> tuple[A, B]:
    """Two results found at the same time; of two errors the first one's is raised."""
    ones, others = await asyncio.gather(first, second, return_exceptions=True)
    if isinstance(ones, BaseException):
        raise ones
    if isinstance(others, BaseException):
        raise others
    return ones, others
