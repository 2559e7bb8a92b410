"""A thread and its first run in one request."""

from fastapi import APIRouter, Request
from starlette.responses import StreamingResponse

from assistants.api.parameters import Project, Service, Store
from assistants.api.runs import STREAMED, begun, drives_runs, stream_started
from assistants.api.v1 import VersionedRoute, is_v1
from assistants.engine.creation import needs_thread, start_thread_and_run
from assistants.ingestion.images import check_images
from assistants.ingestion.resources import check, provide
from assistants.schema.errors import nothing_to_run_on
from assistants.schema.runs import CreateThreadAndRun, Run
from assistants.schema.threads import CreateThread
from assistants.state import threads
from assistants.state.lookup import find_assistant
from assistants.state.messages import put_records
from assistants.state.resources import THREAD_STORE, attachments_of
from assistants.state.snapshots import new_messages, new_run, new_thread
from assistants.state.store import RunKey

router = APIRouter(prefix="/threads", tags=["Runs"], route_class=VersionedRoute)


@router.post("/runs", response_model=Run, responses=STREAMED)
async def threads_create_and_run(
    request: Request, service: Service, store: Store, project: Project, body: CreateThreadAndRun
) -> Run | StreamingResponse:
    """Creates a thread and runs an assistant on it."""
    assistant = (await find_assistant(store, project, body.assistant_id)).value
    asked = body.thread or CreateThread()
    thread = new_thread(store, asked)
    messages = await new_messages(store, thread.id, asked.messages)
    v1 = is_v1(request)
    run = new_run(store, thread.id, assistant, body, v1=v1)
    if needs_thread(run) and not any(message.role == "user" for message in messages):
        raise nothing_to_run_on()
    records = await put_records(messages, store.slices)
    await check(store, project, body.tool_resources)
    await check_images(store, project, asked.messages)
    attachments = attachments_of(asked.messages, v1)
    thread = await provide(store, project, thread, asked.tool_resources, attachments, THREAD_STORE)
    key = RunKey(project, thread.id, run.id)
    claim = body.stream or drives_runs(store)
    started = await start_thread_and_run(store, key, thread, run, records, claim)
    if body.stream:
        return stream_started(request, service, started, threads.view(thread))
    return begun(service, started)
