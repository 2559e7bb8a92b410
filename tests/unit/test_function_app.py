"""The functions of the app, and the answers of an HTTP function to requests that need no storage."""

import asyncio
import inspect
import json
import os
import re
import subprocess
import sys
from collections.abc import AsyncIterator, Callable, Iterator, Mapping, Sequence
from itertools import combinations
from types import ModuleType
from typing import Any, NamedTuple, get_type_hints

import azure.functions as func
import httpx2
import pytest
from azurefunctions.extensions.base import RequestTrackerMeta, ResponseTrackerMeta
from fastapi.dependencies.models import Dependant
from fastapi.routing import APIRoute

from assistants.api.app import PREFIX, ROUTERS, STORED, UNDESCRIBED
from assistants.api.models import router
from assistants.engine.retention import SCHEDULE
from assistants.local.timers import second_of_day, timer_functions
from assistants.schema.errors import malformed_json
from assistants.service import close_service
from assistants.settings import settings
from tests.support.imports import ROOT
from tests.support.service.worker import load_function_app, worker
from tests.unit.conftest import ReadSettings

HOST_METHODS = {"GET", "POST", "PUT", "PATCH", "DELETE", "HEAD", "OPTIONS"}


class Http(NamedTuple):
    """An HTTP function."""

    name: str
    route: str
    methods: frozenset[str]
    trigger: Mapping[str, Any]

    @property
    def segments(self) -> list[str]:
        return self.route.split("/")

    @property
    def parameters(self) -> list[bool]:
        """A flag for each segment that is a parameter: the smaller tuple is the more literal route."""
        return [segment.startswith("{") for segment in self.segments]

    def overlaps(self, other: "Http") -> bool:
        """Whether one request can match both."""
        pairs = list(zip(self.segments, other.segments, strict=False))
        alike = all(mine == theirs or "{" in mine + theirs for mine, theirs in pairs)
        return bool(self.methods & other.methods) and len(self.segments) == len(other.segments) and alike


@pytest.fixture(scope="module")
def function_app() -> ModuleType:
    return load_function_app()


@pytest.fixture(scope="module")
def functions(function_app: ModuleType) -> Sequence[Any]:
    return function_app.app.get_functions()


@pytest.fixture(scope="module")
def https(functions: Sequence[Any]) -> list[Http]:
    """The HTTP functions of one route each, in the order in which the host tries them."""
    found = [_http(function) for function in functions if function.is_http_function()]
    return sorted((each for each in found if "{*path}" not in each.route), key=_ordinal_ignore_case)


def _ordinal_ignore_case(each: Http) -> str:
    """The host's order of functions: .NET's `OrdinalIgnoreCase` compares upper-case letters, so `_` is after them."""
    return each.name.upper()


def _http(function: Any) -> Http:
    trigger = function.get_trigger().get_dict_repr()
    methods = frozenset(str(getattr(method, "value", method)) for method in trigger["methods"])
    return Http(function.get_function_name(), trigger["route"], methods, trigger)


def test_every_route_of_the_api_is_published_as_a_function_of_its_own(function_app: ModuleType, https: list[Http]):
    published = [(method, f"/{each.route}") for each in https for method in each.methods]
    described = {
        (method.upper(), path) for path, methods in function_app.api.openapi()["paths"].items() for method in methods
    }
    routers = (router, *UNDESCRIBED, *STORED)
    others = [route for each in routers for route in each.routes if isinstance(route, APIRoute)]
    undescribed = {(method, f"{PREFIX}{route.path}") for route in others for method in route.methods or ()}
    assert undescribed
    assert not undescribed & described
    served = described | undescribed
    assert set(published) == served
    assert len(published) == len(served) == len(https)


def test_no_worker_mistakes_the_app_for_one_of_fastapi():
    text = (ROOT / "function_app.py").read_text(encoding="utf-8")
    assert "FastAPI()" not in text
    assert "from fastapi import" not in text


def test_functions_are_named_by_resource_and_verb(https: list[Http]):
    for each in https:
        resource = each.name.partition("_")[0]
        assert re.fullmatch("[a-z]+(_[a-z]+)+", each.name)
        assert f"/{resource}" in f"/{each.route}"


def test_of_two_routes_that_a_request_can_match_the_literal_one_comes_first(https: list[Http]):
    overlapping = [(first, second) for first, second in combinations(https, 2) if first.overlaps(second)]
    assert ("threads_create_and_run", "threads_modify") in [(first.name, second.name) for first, second in overlapping]
    assert [(first.name, second.name) for first, second in overlapping if first.parameters >= second.parameters] == []


def test_the_catch_all_route_is_the_last_and_has_every_method(functions: Sequence[Any]):
    https = sorted((_http(each) for each in functions if each.is_http_function()), key=_ordinal_ignore_case)
    assert [each.name for each in https if each.route == "{*path}"] == [https[-1].name]
    assert https[-1].methods == HOST_METHODS


def test_one_function_takes_all_of_the_azure_flavour(functions: Sequence[Any]):
    found = [_http(each) for each in functions if each.is_http_function()]
    assert [(each.name, each.methods) for each in found if each.route == "openai/{*path}"] == [
        ("azure_openai", HOST_METHODS)
    ]


def test_no_route_has_a_dependency_that_runs_in_a_thread():
    def asked(dependant: Dependant) -> Iterator[object]:
        for each in dependant.dependencies:
            yield from asked(each)
        yield dependant.call

    routes = [route for router in ROUTERS for route in router.routes if isinstance(route, APIRoute)]
    assert len(routes) > 40
    plain = {call for route in routes for call in asked(route.dependant) if not inspect.iscoroutinefunction(call)}
    assert plain == set()


def test_the_host_requires_no_key_of_its_own(functions: Sequence[Any]):
    levels = {_http(each).trigger["authLevel"] for each in functions if each.is_http_function()}
    assert levels == {func.AuthLevel.ANONYMOUS}


def test_no_handler_keeps_the_worker_from_streaming(functions: Sequence[Any]):
    for function in functions:
        hints = get_type_hints(function.get_user_function())
        assert func.HttpRequest not in hints.values()
        if function.is_http_function():
            assert RequestTrackerMeta.check_type(hints[function.get_trigger().name])
            assert ResponseTrackerMeta.check_type(hints["return"])


def test_every_queue_has_a_function_and_another_for_its_poison_queue(functions: Sequence[Any]):
    triggers = [
        (each.get_function_name(), each.get_trigger().get_dict_repr())
        for each in functions
        if each.get_trigger().get_binding_name() == "queueTrigger"
    ]
    assert {name: trigger["queueName"] for name, trigger in triggers} == {
        "work": "work",
        "work_poison": "work-poison",
        "retrieval": "retrieval",
        "retrieval_poison": "retrieval-poison",
        "code-interpreter": "code-interpreter",
        "code-interpreter_poison": "code-interpreter-poison",
        "ingest": "ingest",
        "ingest_poison": "ingest-poison",
    }
    for _, trigger in triggers:
        assert (trigger["type"], trigger["connection"]) == ("queueTrigger", "AzureWebJobsStorage")


def test_retention_has_a_timer_that_the_local_runner_supports(functions: Sequence[Any]):
    (timer,) = timer_functions(functions)
    assert (timer.name, timer.at, timer.argument) == ("retention", second_of_day(SCHEDULE), "timer")


@pytest.fixture
async def client(
    function_app: ModuleType, read_settings: ReadSettings, monkeypatch: pytest.MonkeyPatch
) -> AsyncIterator[httpx2.AsyncClient]:
    settings = read_settings({"API_KEYS": "key=project", "AzureWebJobsStorage": "UseDevelopmentStorage=true"})
    for module in ("api.gate", "service"):
        monkeypatch.setattr(f"assistants.{module}.settings", lambda: settings)
    async with worker(function_app, {"assistant_id": "of the host"}) as client:
        client.headers["authorization"] = "Bearer key"
        yield client
    await close_service()


@pytest.mark.parametrize(
    ("method", "url", "body", "status", "error"),
    [
        pytest.param(
            "POST", "/v1/assistants", '{"model": 5}', 400,
            ("Invalid type for 'model': expected a string, but got an integer instead.", "model", "invalid_type"),
            id="a body",
        ),
        pytest.param(
            "POST", "/v1/threads/thread_1/messages", '{"role": "user"}', 400,
            ("Missing required parameter: 'content'.", "content", "missing_required_parameter"),
            id="a body of a nested route",
        ),
        pytest.param(
            "POST", "/v1/assistants", '{"model": ', 400, (malformed_json().message, None, None), id="no JSON",
        ),
        pytest.param(
            "GET", "/v1/assistants/wf_1", None, 400,
            (
                "Invalid 'assistant_id': 'wf_1'. Expected an ID that begins with 'asst'.",
                "assistant_id", "invalid_value",
            ),
            id="a path parameter",
        ),
        pytest.param(
            "GET", "/v1/assistants?order=asc&limit=0", None, 400,
            (
                "Invalid 'limit': integer below minimum value. Expected a value >= 1, but got 0 instead.",
                "limit", "integer_below_min_value",
            ),
            id="a query parameter",
        ),
        pytest.param(
            "GET", "/v1/nothing?limit=1", None, 404, ("Invalid URL (GET /v1/nothing)", None, None), id="an unknown URL",
        ),
        pytest.param("GET", "/", None, 404, ("Invalid URL (GET /)", None, None), id="the root"),
        pytest.param(
            "PUT", "/v1/assistants", "{}", 405, ("Invalid method for URL (PUT /v1/assistants)", None, None),
            id="a wrong method",
        ),
    ],
)  # fmt: skip
async def test_a_request_through_the_worker_gets_the_apis_answer(
    client: httpx2.AsyncClient,
    method: str,
    url: str,
    body: str | None,
    status: int,
    error: tuple[str, str | None, str | None],
):
    answer = await client.request(method, url, content=body)
    message, param, code = error
    assert answer.json() == {
        "error": {"message": message, "type": "invalid_request_error", "param": param, "code": code}
    }
    assert answer.status_code == status
    assert answer.headers["content-type"] == "application/json"
    assert re.fullmatch("req_[0-9a-f]{32}", answer.headers["x-request-id"])
    assert answer.headers["openai-organization"] == "project"


async def test_a_request_without_a_key_is_refused(client: httpx2.AsyncClient):
    answer = await client.get("/v1/assistants", headers={"authorization": "Bearer wrong"})
    assert answer.status_code == 401
    assert answer.json()["error"]["code"] == "invalid_api_key"


async def test_requests_at_once_do_not_share_their_state(client: httpx2.AsyncClient):
    answers = await asyncio.gather(*(client.get("/") for _ in range(10)))
    assert len({answer.headers["x-request-id"] for answer in answers}) == 10


async def test_the_pages_are_ours_and_not_the_workers_and_need_no_key(client: httpx2.AsyncClient):
    client.headers.pop("authorization")
    assert (await client.get("/openapi.json")).json()["info"]["title"] == "Assistants API"
    assert 'src="docs/swagger-ui-bundle.js"' in (await client.get("/docs")).text
    assert (await client.get("/docs/swagger-ui.css")).headers["content-type"].startswith("text/css")
    assert (await client.get("/redoc")).status_code == 401


async def test_the_azure_flavour_is_forwarded_too(client: httpx2.AsyncClient):
    path = "/openai/assistants/wf_1?api-version=2024-05-01-preview"
    answer = await client.get(path, headers={"authorization": "", "api-key": "key"})
    assert (
        answer.json()["error"]["message"] == "Invalid 'assistant_id': 'wf_1'. Expected an ID that begins with 'asst'."
    )


@pytest.fixture
def load(monkeypatch: pytest.MonkeyPatch) -> Iterator[Callable[..., ModuleType]]:
    """Loads the function app with these settings."""

    def with_settings(**values: str) -> ModuleType:
        for name, value in values.items():
            monkeypatch.setenv(name, value)
        settings.cache_clear()
        return load_function_app()

    yield with_settings
    monkeypatch.undo()
    settings.cache_clear()


def test_the_queue_of_webhooks_has_functions_where_there_are_any(load: Callable[..., ModuleType]):
    hook = json.dumps({"default": {"url": "https://example.com", "secret": f"whsec_{'A' * 32}"}})
    queues = {each.get_function_name() for each in load().app.get_functions() if not each.is_http_function()}
    found = {each.get_function_name() for each in load(WEBHOOKS=hook).app.get_functions()}
    assert {"webhooks", "webhooks_poison"} == {name for name in found if name.startswith("webhooks")}
    assert not {"webhooks", "webhooks_poison"} & queues


def test_a_proxy_has_the_same_http_functions_and_no_queue_functions(load: Callable[..., ModuleType]):
    blob = {each.get_function_name() for each in load().app.get_functions() if each.is_http_function()}
    proxy = load(BACKEND="proxy", PROXY_BASE_URL="http://127.0.0.1:1/v1")
    assert {each.get_function_name() for each in proxy.app.get_functions()} == blob


def test_a_proxy_describes_the_same_api(load: Callable[..., ModuleType]):
    blob = load().api.openapi()
    assert load(BACKEND="proxy", PROXY_BASE_URL="http://127.0.0.1:1/v1").api.openapi() == blob


@pytest.mark.parametrize(
    "settings", [{}, {"BACKEND": "proxy", "PROXY_BASE_URL": "http://127.0.0.1:1/v1"}], ids=["blob", "proxy"]
)
async def test_a_setting_turns_the_rest_of_openais_api_off(
    load: Callable[..., ModuleType], settings: Mapping[str, str]
):
    function_app = load(PASS_THROUGH="false", API_KEYS="key=project", **settings)
    async with worker(function_app) as client:
        answer = await client.get("/v1/models", headers={"api-key": "key"})
    assert (answer.status_code, answer.json()["error"]["message"]) == (404, "Invalid URL (GET /v1/models)")
    names = {each.get_function_name() for each in function_app.app.get_functions()}
    assert "assistants_create" in names
    assert not {name for name in names if name.startswith(("models", "chat", "embeddings", "responses"))}


@pytest.mark.parametrize(
    ("settings", "imported"),
    [({}, False), ({"BACKEND": "proxy", "PROXY_BASE_URL": "http://127.0.0.1:1/v1"}, True)],
    ids=["blob", "proxy"],
)
def test_the_blob_backend_does_not_import_the_proxy(settings: Mapping[str, str], imported: bool):
    program = "import sys, function_app; print(any('assistants.proxy' in n or 'forwarding' in n for n in sys.modules))"
    kept = {name: os.environ[name] for name in ("PATH", "HOME", "SYSTEMROOT") if name in os.environ}
    done = subprocess.run(
        [sys.executable, "-c", program], cwd=ROOT, env={**kept, **settings}, capture_output=True, text=True, check=True
    )
    assert done.stdout.strip() == str(imported)
