"""Run steps."""

from fastapi import APIRouter

from assistants.api.parameters import IncludeContent, Page, Project, Store
from assistants.api.v1 import VersionedRoute
from assistants.engine.requests import find_run
from assistants.schema.base import RunId, StepId, ThreadId
from assistants.schema.errors import not_found
from assistants.schema.lists import Page as ListPage
from assistants.schema.steps import RunStep
from assistants.state.paging import page_of_items
from assistants.state.store import RunKey
from assistants.state.turns import steps

router = APIRouter(prefix="/threads/{thread_id}/runs/{run_id}/steps", tags=["Run steps"], route_class=VersionedRoute)


@router.get("")
async def steps_list(
    store: Store, project: Project, thread_id: ThreadId, run_id: RunId, page: Page, content: IncludeContent
) -> ListPage[RunStep]:
    """Lists the steps of a run, the newest first."""
    found = [(step.id, step) for step in await _steps(store, project, thread_id, run_id, content)]
    return ListPage.of(*await page_of_items(found, page, lambda step_id: not_found("run step", step_id)))


@router.get("/{step_id}")
async def steps_retrieve(
    store: Store, project: Project, thread_id: ThreadId, run_id: RunId, step_id: StepId, content: IncludeContent
) -> RunStep:
    """Retrieves a step of a run."""
    for step in await _steps(store, project, thread_id, run_id, content):
        if step.id == step_id:
            return step
    raise not_found("run step", step_id)


async def _steps(store: Store, project: str, thread_id: str, run_id: str, content: bool) -> list[RunStep]:
    return steps((await find_run(store, RunKey(project, thread_id, run_id))).value, content)
