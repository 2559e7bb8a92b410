"""Import of objects of another service, and export of a thread. OpenAI had neither."""

import asyncio
import json
import tempfile
from collections.abc import AsyncIterator
from contextlib import suppress
from typing import IO

from fastapi import APIRouter, Request
from fastapi.responses import StreamingResponse

from assistants.api.bodies import SMALL, BodyRefused, streamed
from assistants.api.parameters import Project, Store
from assistants.migrate.exporting import thread_lines
from assistants.migrate.importing import import_lines
from assistants.migrate.lines import read_text
from assistants.migrate.target import Target
from assistants.migrate.told import Report, Told
from assistants.schema.base import ThreadId
from assistants.schema.errors import ApiError, body_too_large, import_refused, unavailable
from assistants.state.lookup import find_thread
from assistants.storage.errors import TRANSIENT

router = APIRouter(include_in_schema=False)

NDJSON = "application/x-ndjson"

MAX_IMPORT = 4 * 1024 * 1024 * 1024
"""Bytes of one request; larger imports are sent in parts."""

_QUIET = 15.0
"""Seconds after which an empty line is sent, so that no proxy closes the connection."""


@router.post("/import")
async def import_create(
    request: Request, store: Store, project: Project, overwrite: bool = False, dry_run: bool = False
) -> StreamingResponse:
    """Imports objects: the body has any form that the command reads, the answer has a line for each result."""
    if not store.settings.may_import(project):
        raise import_refused(project)
    body = tempfile.TemporaryFile()  # noqa: SIM115 - closed with the answer
    try:
        await _receive(request, body)
    except BaseException:
        body.close()
        raise
    return StreamingResponse(_results(store, project, body, overwrite, dry_run), media_type=NDJSON)


@router.get("/threads/{thread_id}/export")
async def threads_export(store: Store, project: Project, thread_id: ThreadId) -> StreamingResponse:
    """Exports a thread with all of its objects, in the form that `POST /v1/import` reads."""
    thread = (await find_thread(store, project, thread_id)).value
    return StreamingResponse(thread_lines(store, project, thread), media_type=NDJSON)


async def _receive(request: Request, body: IO[bytes]) -> None:
    size = 0
    async for piece in streamed(request, SMALL):
        size += len(piece)
        if size > MAX_IMPORT:
            raise BodyRefused(body_too_large(MAX_IMPORT))
        body.write(piece)
    body.seek(0)


async def _results(store: Store, project: str, body: IO[bytes], overwrite: bool, dry_run: bool) -> AsyncIterator[bytes]:
    told: asyncio.Queue[Told] = asyncio.Queue(1000)
    target = Target(store, project, Report(told.put), overwrite, dry_run)
    work = asyncio.create_task(import_lines(target, read_text(body, "line")))
    try:
        async for each in _until(work, told):
            yield _line(each._asdict()) if each else b"\n"
        yield _summary(work)
    finally:
        work.cancel()
        with suppress(asyncio.CancelledError, Exception):
            await work
        body.close()


async def _until(work: "asyncio.Task[Report]", told: "asyncio.Queue[Told]") -> AsyncIterator[Told | None]:
    """The reports of the work until it has ended; None after `_QUIET` seconds without one."""
    while not (work.done() and told.empty()):
        getting = asyncio.ensure_future(told.get())
        done, _ = await asyncio.wait({getting, work}, timeout=_QUIET, return_when=asyncio.FIRST_COMPLETED)
        if getting in done:
            yield getting.result()
            continue
        getting.cancel()
        if not done:
            yield None


def _summary(work: "asyncio.Task[Report]") -> bytes:
    error = work.exception()
    if error is None:
        return _line({"object": "import", "status": "completed", "counts": work.result().summary()})
    if not isinstance(error, (*TRANSIENT, ApiError)):
        raise error
    said = error if isinstance(error, ApiError) else unavailable()
    return _line({"object": "import", "status": "failed", **said.body()})


def _line(value: object) -> bytes:
    return json.dumps(value, ensure_ascii=False).encode(errors="backslashreplace") + b"\n"
