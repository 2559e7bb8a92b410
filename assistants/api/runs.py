"""Runs."""

from typing import Annotated, Any

from fastapi import APIRouter, Depends, Query, Request, Response
from starlette.responses import StreamingResponse

from assistants.api.eventstream import Channel, produce, response
from assistants.api.parameters import IncludeContent, Page, Project, Service, Store
from assistants.api.threads import with_attachments
from assistants.api.v1 import VersionedRoute, is_v1, run_is_modifiable
from assistants.engine import background, requests, streaming
from assistants.engine.creation import Started, start_run
from assistants.engine.events import RunEvents
from assistants.engine.waiting import MAX_WAIT, wait_for_run
from assistants.ingestion.images import check_images
from assistants.schema.base import RunId, ThreadId
from assistants.schema.lists import Page as ListPage
from assistants.schema.runs import CreateRun, ModifyRun, Run, RunStatus, SubmitToolOutputs
from assistants.schema.threads import Thread
from assistants.state.lookup import find_assistant, find_thread
from assistants.state.messages import put_records
from assistants.state.paging import page_of_documents
from assistants.state.runs import RunRecord, created_view, view
from assistants.state.snapshots import new_messages, new_run
from assistants.state.store import RunKey
from assistants.storage.concurrency import together

router = APIRouter(prefix="/threads/{thread_id}/runs", tags=["Runs"], route_class=VersionedRoute)

POLL_AFTER = "250"
"""Milliseconds between two requests of the SDK's polling helpers (contract, 0)."""

STREAMED: dict[int | str, dict[str, Any]] = {
    200: {"description": "The run; with `stream`, its events.", "content": {"text/event-stream": {}}}
}


@router.get("")
async def runs_list(store: Store, project: Project, thread_id: ThreadId, page: Page) -> ListPage[Run]:
    """Lists the runs of a thread, the newest first."""
    thread = (await find_thread(store, project, thread_id)).value
    # Attended to first: it may be overdue.
    await requests.active_run(store, project, thread)

    def show(run: RunRecord) -> Run | None:
        return view(run) if run.committed or run.id == thread.last_run_id else None

    return ListPage.of(*await page_of_documents(store.runs, project, (thread_id,), page, show))


@router.post("", response_model=Run, responses=STREAMED)
async def runs_create(
    request: Request,
    service: Service,
    store: Store,
    project: Project,
    thread_id: ThreadId,
    body: CreateRun,
    content: IncludeContent,
) -> Run | StreamingResponse:
    """Runs an assistant on a thread."""
    finding = together(find_thread(store, project, thread_id), find_assistant(store, project, body.assistant_id))
    # Nearly every log has one segment, which a run that this process drives reads at the same time.
    reading = store.messages.read(project, thread_id, 1 if body.stream or drives_runs(store) else 0)
    (thread, assistant), transcript = await together(finding, reading)
    messages = await new_messages(store, thread_id, body.additional_messages)
    v1 = is_v1(request)
    run = new_run(store, thread_id, assistant.value, body, messages, v1=v1)
    await put_records(messages, store.slices)  # refused here if a message is too large to be appended later
    await check_images(store, project, body.additional_messages)
    if any(message.attachments for message in messages):
        await requests.check_idle(store, project, thread.value)
        thread = await with_attachments(store, project, thread, body.additional_messages or [], v1)
    key = RunKey(project, thread_id, run.id)
    claim = body.stream or drives_runs(store)
    started = await start_run(store, key, thread, run, claim=claim, transcript=transcript)
    if body.stream:
        return stream_started(request, service, started, content=content)
    return begun(service, started)


@router.get("/{run_id}")
async def runs_retrieve(
    request: Request,
    response: Response,
    store: Store,
    project: Project,
    thread_id: ThreadId,
    run_id: RunId,
    wait: Annotated[int, Query(ge=0, le=MAX_WAIT, description="Seconds to wait until the run needs its client.")] = 0,
    wait_for: Annotated[RunStatus | None, Query(description="The status to wait for instead.")] = None,
) -> Run:
    """Retrieves a run; with `wait`, as soon as it awaits outputs or has ended."""
    key = RunKey(project, thread_id, run_id)
    run = (await wait_for_run(store, key, wait, wait_for, request.is_disconnected)).value
    if run.active:
        response.headers["openai-poll-after-ms"] = POLL_AFTER
    return view(run)


@router.post("/{run_id}", dependencies=[Depends(run_is_modifiable)])
async def runs_modify(store: Store, project: Project, thread_id: ThreadId, run_id: RunId, body: ModifyRun) -> Run:
    """Replaces a run's metadata, in every state."""
    key = RunKey(project, thread_id, run_id)
    if "metadata" not in body.model_fields_set:
        return view((await requests.find_run(store, key)).value)
    return view(await requests.modify_run(store, key, body.metadata or {}))


@router.post("/{run_id}/cancel")
async def runs_cancel(store: Store, project: Project, thread_id: ThreadId, run_id: RunId) -> Run:
    """Cancels a run."""
    return view(await requests.cancel_run(store, RunKey(project, thread_id, run_id)))


@router.post("/{run_id}/submit_tool_outputs", response_model=Run, responses=STREAMED)
async def runs_submit_tool_outputs(
    request: Request,
    service: Service,
    store: Store,
    project: Project,
    thread_id: ThreadId,
    run_id: RunId,
    body: SubmitToolOutputs,
) -> Run | StreamingResponse:
    """Submits the outputs of all function calls that a run awaits."""
    key = RunKey(project, thread_id, run_id)
    outputs = [(output.tool_call_id, output.output) for output in body.tool_outputs]
    if body.stream:
        channel = Channel()
        events = RunEvents(channel.emit)
        return _stream(request, service, await streaming.resumed(store, key, outputs, events), channel, events)
    document = await requests.submit_outputs(store, key, outputs)
    if drives_runs(store):
        service.begin(background.drive_resumed(store, service.endpoint, key, document))
    else:
        await requests.queue_run(store, key, document.value)
    return view(document.value)


def drives_runs(store: Store) -> bool:
    """Whether this process drives the runs that it creates, streamed or not."""
    return store.settings.runs_driven_by == "creator"


def begun(service: Service, started: Started) -> Run:
    """The answer to the creation of a run; this process drives the run if it has claimed it."""
    if started.claimed is not None:
        service.begin(background.drive_created(service.store, service.endpoint, started))
    return created_view(started.document.value)


def stream_started(
    request: Request, service: Service, started: Started, thread: Thread | None = None, content: bool = False
) -> StreamingResponse:
    """The events of a run that was just created, and of its thread if that is new, too."""
    channel = Channel()
    events = RunEvents(channel.emit, content)
    if thread is not None:
        channel.emit("thread.created", thread)
    events.created(started.document.value)
    return _stream(request, service, started, channel, events)


def _stream(
    request: Request, service: Service, started: Started, channel: Channel, events: RunEvents
) -> StreamingResponse:
    """The events of a run, which continues if the client disconnects."""
    work = streaming.stream(service.store, service.endpoint, started, events)
    service.begin(produce(channel, work, request.state.request_id))
    return response(channel)
