"""Requests in the worker: a handler's invocation ends when its answer begins, and no log line is lost."""

import asyncio
import logging
import sys
from collections.abc import AsyncIterator, Iterator
from contextvars import ContextVar
from types import SimpleNamespace
from typing import Any

import httpx2
import pytest
from starlette.requests import Request
from starlette.responses import PlainTextResponse, StreamingResponse
from starlette.routing import Route, Router

from assistants.api import invocations
from tests.support.service.worker import Host, worker

log = logging.getLogger("assistants.test")


async def plain(request: Request) -> PlainTextResponse:
    log.info("plain %s", request.query_params["n"])
    await asyncio.sleep(0)
    log.info("plain again %s", request.query_params["n"])
    return PlainTextResponse("ok")


async def stream(request: Request) -> StreamingResponse:
    n = request.query_params["n"]

    async def parts() -> AsyncIterator[str]:
        log.info("before the first part of %s", n)
        yield "one "
        await asyncio.sleep(0)
        log.info("between the parts of %s", n)
        yield "two"
        log.info("after the last part of %s\nin two lines", n)

    return StreamingResponse(parts())


async def failing(_: Request) -> PlainTextResponse:
    log.info("about to fail")
    raise RuntimeError("no answer")


class App:
    """A function app with these routes."""

    api = Router([Route(f"/{each.__name__}", each) for each in (plain, stream, failing)])

    async def delegate(self, req: Any) -> invocations.Invoked:
        answer = invocations.Invoked(self.api, req)
        await answer.begun()
        return answer


@pytest.fixture
def host() -> Iterator[Host]:
    host, late = Host(), invocations.keep_late_lines()
    logger = logging.getLogger("assistants")
    logger.addHandler(host)
    logger.setLevel(logging.INFO)
    yield host
    logger.setLevel(logging.NOTSET)
    logger.removeHandler(host)
    logger.removeHandler(late)


@pytest.fixture
async def client(host: Host) -> AsyncIterator[httpx2.AsyncClient]:
    async with worker(App(), host=host) as client:  # type: ignore[reportArgumentType]
        yield client


async def test_every_line_of_a_request_is_written_before_its_invocation_ends_and_with_its_id(
    client: httpx2.AsyncClient, host: Host, capsys: pytest.CaptureFixture[str]
):
    await asyncio.gather(*(client.get("/plain", params={"n": n}) for n in range(5)))
    assert host.dropped == []
    ids: dict[str, set[str]] = {}
    for invocation, line in host.kept:
        ids.setdefault(line[-1], set()).add(invocation)
    assert len(host.kept) == 10
    assert sorted(len(each) for each in ids.values()) == [1] * 5
    assert len(set.union(*ids.values())) == 5
    assert capsys.readouterr().err == ""


async def test_the_lines_of_a_stream_that_the_host_drops_are_on_standard_error(
    client: httpx2.AsyncClient, host: Host, capsys: pytest.CaptureFixture[str]
):
    assert (await client.get("/stream", params={"n": "7"})).text == "one two"
    assert [line for _, line in host.kept] == ["before the first part of 7"]
    assert {invocation for invocation, _ in host.dropped} == {host.kept[0][0]}
    assert capsys.readouterr().err.splitlines() == [
        "INFO assistants.test between the parts of 7",
        r"INFO assistants.test after the last part of 7\nin two lines",
    ]


async def test_an_application_that_fails_without_an_answer_fails_its_invocation(client: httpx2.AsyncClient, host: Host):
    with pytest.raises(RuntimeError, match="no answer"):
        await client.get("/failing")
    assert [line for _, line in host.kept] == ["about to fail"]


async def test_log_lines_of_callbacks_have_the_invocation_that_was_set_in_the_workers_runtime(
    client: httpx2.AsyncClient, monkeypatch: pytest.MonkeyPatch
):
    variable: ContextVar[str | None] = ContextVar("invocation_id", default=None)
    monkeypatch.setitem(sys.modules, "azure_functions_runtime", SimpleNamespace(invocation_id_cv=variable))
    found: list[str | None] = []

    async def call_back(_: Request) -> PlainTextResponse:
        called = asyncio.Event()
        loop = asyncio.get_running_loop()
        loop.call_soon(lambda: (found.append(variable.get()), called.set()))
        await called.wait()
        return PlainTextResponse("ok")

    monkeypatch.setattr(App, "api", Router([Route("/", call_back)]))
    await asyncio.gather(*(client.get("/", headers={"x-ms-invocation-id": name}) for name in "ab"))
    assert sorted(map(str, found)) == ["a", "b"]
    assert variable.get() is None


async def test_a_queue_items_lines_are_the_hosts_until_it_ends(host: Host, capsys: pytest.CaptureFixture[str]):
    async def later() -> None:
        await asyncio.sleep(0)
        log.info("after the item")

    with invocations.invocation():
        log.info("of the item")
        task = asyncio.create_task(later())
    await task
    assert capsys.readouterr().err == "INFO assistants.test after the item\n"
    assert "of the item" in [line for _, line in host.dropped]


@pytest.mark.parametrize(
    "library", ["azure.core.pipeline.policies.http_logging_policy", "httpx2", "openai._base_client"]
)
def test_libraries_do_not_log_each_of_their_requests(library: str, monkeypatch: pytest.MonkeyPatch):
    monkeypatch.setattr(logging.getLogger(), "level", logging.INFO)
    invocations.configure()
    assert not logging.getLogger(library).isEnabledFor(logging.INFO)
    assert logging.getLogger(library).isEnabledFor(logging.WARNING)
