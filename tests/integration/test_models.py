"""The requests to the model's endpoint for a client's requests of models, completions, embeddings and responses."""

import gzip
import json
import socket
import time
from collections.abc import Iterator
from typing import Any

import httpx2
import pytest

from tests.support.service.processes import Proxy
from tests.support.service.upstream import EVENTS, JSON, Answer, Upstream

KEY = "model-0123456789"
NOBODY = "http://127.0.0.1:1/v1"
"""The proxy's upstream, which is not called: a proxy serves these routes without storage."""


@pytest.fixture(scope="module")
def endpoint() -> Iterator[Upstream]:
    with Upstream() as running:
        yield running


@pytest.fixture(scope="module")
def url(endpoint: Upstream) -> Iterator[str]:
    settings = {"OPENAI_BASE_URL": endpoint.url, "OPENAI_API_KEY": KEY, "MODEL_MAP": "gpt-4o=mine,text=embed"}
    with Proxy(NOBODY, **settings) as running:
        yield running.url


@pytest.fixture(scope="module")
def azures(endpoint: Upstream) -> Iterator[str]:
    """The service over a resource of Azure OpenAI."""
    settings = {
        "AZURE_OPENAI_ENDPOINT": endpoint.url.removesuffix("/v1"),
        "AZURE_OPENAI_API_KEY": KEY,
        "MODEL_MAP": "gpt-4o=mine",
    }
    with Proxy(NOBODY, **settings) as running:
        yield running.url


@pytest.fixture(scope="module")
def shared(endpoint: Upstream) -> Iterator[str]:
    """The service for two projects."""
    settings = {"OPENAI_BASE_URL": endpoint.url, "OPENAI_API_KEY": KEY, "API_KEYS": "the-callers=a,others=b"}
    with Proxy(NOBODY, **settings) as running:
        yield running.url


def ask(url: str, method: str, path: str, body: object) -> httpx2.Response:
    headers = {"authorization": "Bearer the-callers", "cookie": "the-callers", "openai-organization": "the-callers"}
    return httpx2.request(method, f"{url}{path}", json=body, headers=headers, timeout=30)


@pytest.mark.parametrize(
    ("method", "path", "body", "asked_path", "asked_body"),
    [
        ("POST", "/embeddings", {"model": "text", "input": "a"}, "/embeddings", {"model": "embed", "input": "a"}),
        ("POST", "/responses", {"model": "gpt-4o", "input": "a"}, "/responses", {"model": "mine", "input": "a"}),
        ("POST", "/chat/completions", {"model": "o3", "new": [1]}, "/chat/completions", {"model": "o3", "new": [1]}),
        ("GET", "/responses/resp_1", None, "/responses/resp_1", None),
        ("DELETE", "/responses/resp_1", None, "/responses/resp_1", None),
        ("POST", "/responses/resp_1/cancel", None, "/responses/resp_1/cancel", None),
        ("GET", "/responses/resp_1/input_items", None, "/responses/resp_1/input_items", None),
        ("GET", "/models", None, "/models", None),
        ("GET", "/models/gpt-4o", None, "/models/mine", None),
    ],
)
def test_the_endpoint_receives_the_request_with_its_own_key_and_names(
    url: str, endpoint: Upstream, method: str, path: str, body: Any, asked_path: str, asked_body: Any
):
    endpoint.answer = Answer([b'{"any": "thing"}'], headers={"x-request-id": "theirs"})
    answer = ask(url, method, path, body)
    assert (answer.status_code, answer.content, answer.headers["x-request-id"]) == (200, b'{"any": "thing"}', "theirs")
    asked = endpoint.asked[-1]
    assert (asked.method, asked.path) == (method, f"/v1{asked_path}")
    assert (json.loads(asked.body) if asked.body else None) == asked_body
    assert asked.headers["authorization"] == f"Bearer {KEY}"
    assert "the-callers" not in asked.headers.values()


def test_a_query_is_passed_on(url: str, endpoint: Upstream):
    endpoint.answer = Answer([b"{}"])
    ask(url, "GET", "/responses/resp_1?include[]=a&include[]=b&starting_after=3", None)
    query = httpx2.QueryParams(endpoint.asked[-1].query)
    assert query.multi_items() == [("include[]", "a"), ("include[]", "b"), ("starting_after", "3")]


def test_azure_is_called_with_a_deployment(azures: str, endpoint: Upstream):
    endpoint.answer = Answer([b"{}"])
    ask(azures, "POST", "/chat/completions", {"model": "gpt-4o"})
    asked = endpoint.asked[-1]
    assert (asked.path, asked.query) == ("/openai/deployments/mine/chat/completions", "api-version=2024-10-21")
    assert (asked.headers["api-key"], asked.headers.get("authorization")) == (KEY, None)


@pytest.mark.parametrize("path", ["/openai/deployments/gpt-4o/embeddings?api-version=2024-10-21"])
def test_a_request_of_azures_flavour_may_name_its_model_in_the_path_only(url: str, endpoint: Upstream, path: str):
    endpoint.answer = Answer([b"{}"])
    httpx2.post(f"{url.removesuffix('/v1')}{path}", json={"input": "a"}).raise_for_status()
    assert json.loads(endpoint.asked[-1].body) == {"input": "a", "model": "mine"}


@pytest.mark.parametrize("path", ["/models/..", "/responses/%2e%2e", "/models/."])
def test_no_path_leaves_the_api(url: str, endpoint: Upstream, path: str):
    known = len(endpoint.asked)
    with socket.create_connection(("127.0.0.1", int(url.rpartition(":")[2].removesuffix("/v1")))) as connection:
        connection.sendall(f"GET /v1{path} HTTP/1.1\r\nHost: localhost\r\nConnection: close\r\n\r\n".encode())
        assert connection.makefile("rb").readline().split()[1] == b"404"
    assert len(endpoint.asked) == known


def test_a_name_is_quoted_again(url: str, endpoint: Upstream):
    endpoint.answer = Answer([b"{}"])
    ask(url, "GET", "/models/a%3Fb=c", None)
    assert (endpoint.asked[-1].path, endpoint.asked[-1].query) == ("/v1/models/a?b=c", "")


def test_a_body_that_is_no_json_is_refused_here(url: str, endpoint: Upstream):
    known = len(endpoint.asked)
    answer = httpx2.post(f"{url}/embeddings", content=b"{")
    assert (answer.status_code, answer.json()["error"]["type"]) == (400, "invalid_request_error")
    assert len(endpoint.asked) == known


def test_an_unreachable_endpoint_is_502():
    with Upstream() as gone:
        url = gone.url
    with Proxy(NOBODY, OPENAI_BASE_URL=url) as running:
        answer = ask(running.url, "GET", "/models", None)
    assert (answer.status_code, answer.json()["error"]["message"]) == (
        502, "The model's endpoint could not be reached. Please retry your request.",
    )  # fmt: skip


class TestEndpointAnswers:
    """The endpoint can neither hold up the service nor mislead the caller."""

    @pytest.mark.parametrize("status", [401, 403])
    def test_the_services_own_key_that_is_refused_is_502(self, url: str, endpoint: Upstream, status: int):
        refusal = {"error": {"message": f"Incorrect API key provided: {KEY}."}}
        endpoint.answer = Answer([json.dumps(refusal).encode()], status)
        answer = ask(url, "POST", "/chat/completions", {"model": "m"})
        hidden = "*" * len(KEY)
        assert (answer.status_code, answer.json()["error"]) == (
            502,
            {
                "message": "The model's endpoint refused the key of this service: "
                f"Incorrect API key provided: {hidden}.",
                "type": "server_error", "param": None, "code": None,
            },
        )  # fmt: skip

    @pytest.mark.parametrize("status", [200, 400, 500])
    def test_no_key_of_the_service_is_passed_on(self, url: str, endpoint: Upstream, status: int):
        chunks = [b'{"error": "', KEY[:7].encode(), KEY[7:].encode(), b'"}']
        endpoint.answer = Answer(chunks, status, headers={"x-debug": f"Bearer {KEY}"})
        answer = ask(url, "POST", "/embeddings", {"model": "m", "input": "a"})
        hidden = "*" * len(KEY)
        assert (answer.status_code, answer.json()) == (status, {"error": hidden})
        assert answer.headers["x-debug"] == f"Bearer {hidden}"

    @pytest.mark.parametrize("status", [301, 307, 308])
    def test_a_redirect_is_not_followed(self, url: str, endpoint: Upstream, status: int):
        with Upstream() as other:
            endpoint.answer = Answer([], status, headers={"location": other.url})
            answer = ask(url, "POST", "/chat/completions", {"model": "m"})
            assert other.asked == []
        assert (answer.status_code, answer.headers.get("location")) == (502, None)
        assert "redirect" in answer.json()["error"]["message"]

    def test_no_encoding_is_requested_and_an_encoded_body_is_decoded(self, url: str, endpoint: Upstream):
        body = b'{"any": "thing"}'
        encoded = gzip.compress(body)
        endpoint.answer = Answer([encoded], headers={"content-encoding": "gzip", "content-length": str(len(encoded))})
        answer = ask(url, "GET", "/models", None)
        assert (answer.content, answer.headers.get("content-encoding")) == (body, None)
        assert endpoint.asked[-1].headers["accept-encoding"] == "identity"

    def test_a_large_event_takes_no_longer_than_other_data_of_its_size(self, url: str, endpoint: Upstream):
        chunks = [b"data: ", *[b"x" * 4_000] * 2_500, b"\n\n"]

        def duration(media_type: str) -> float:
            endpoint.answer = Answer(chunks, media_type=media_type)
            started = time.perf_counter()
            assert ask(url, "POST", "/responses", {"model": "m"}).content == b"".join(chunks)
            return time.perf_counter() - started

        assert duration(EVENTS) < 10 * max(duration(JSON), duration(JSON))


class TestStoredResponses:
    @pytest.mark.parametrize(
        ("method", "path", "body", "param"),
        [
            ("GET", "/responses/resp_1", None, None),
            ("DELETE", "/responses/resp_1", None, None),
            ("POST", "/responses/resp_1/cancel", None, None),
            ("GET", "/responses/resp_1/input_items", None, None),
            ("POST", "/responses", {"model": "m", "previous_response_id": "resp_1"}, "previous_response_id"),
        ],
    )
    def test_they_are_refused_where_projects_share_them(
        self, shared: str, endpoint: Upstream, method: str, path: str, body: object, param: str | None
    ):
        known = len(endpoint.asked)
        answer = ask(shared, method, path, body)
        error = answer.json()["error"]
        assert (answer.status_code, error["param"], error["code"]) == (403, param, "stored_responses_not_available")
        assert len(endpoint.asked) == known

    def test_a_request_that_is_whole_is_passed_on(self, shared: str, endpoint: Upstream):
        endpoint.answer = Answer([b"{}"])
        body = {"model": "m", "input": "Hello", "store": False}
        assert ask(shared, "POST", "/responses", body).json() == {}
        assert json.loads(endpoint.asked[-1].body) == body
