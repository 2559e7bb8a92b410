"""The Azure surface: what the catch-all function hands on is answered as by the application itself."""

import pytest
from fastapi import FastAPI
from fastapi.testclient import TestClient

from function_app import delegate


@pytest.fixture
def host() -> TestClient:
    """An application with the one catch-all function of ours."""
    app = FastAPI(openapi_url=None, docs_url=None)
    app.add_api_route("/{path:path}", delegate, methods=["GET", "POST"], response_model=None)
    return TestClient(app)


@pytest.mark.parametrize("path", ["/openapi.json", "/docs", "/docs/swagger-ui.css"])
def test_the_pages_are_there_without_a_key(host: TestClient, path: str):
    assert host.get(path).status_code == 200


@pytest.mark.parametrize(("path", "code"), [("/v1/nowhere", "invalid_api_key"), ("/openai/nowhere", "401")])
def test_nothing_else_is(host: TestClient, path: str, code: str):
    answer = host.get(path)
    assert (answer.status_code, answer.json()["error"]["code"]) == (401, code)
