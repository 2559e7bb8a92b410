"""The Azure flavour: the target and the API version of its requests (contract, 10)."""

import pytest

from assistants.api.azure import Target, is_agents, is_azure, target
from assistants.schema.errors import ApiError


@pytest.mark.parametrize(
    ("path", "query", "expected"),
    [
        ("/openai/assistants", "api-version=2024-05-01-preview", Target("/v1/assistants", "", "v2")),
        ("/openai/assistants", "api-version=2024-02-15-preview", Target("/v1/assistants", "", "v1")),
        ("/openai/assistants", "api-version=2025-04-01-preview", Target("/v1/assistants", "", "v2")),
        ("/openai/assistants", "api-version=2024-10-21", Target("/v1/assistants", "", "v2")),
        ("/openai/assistants", "api-version=v1", Target("/v1/assistants", "", "v2")),
        ("/api/projects/a/assistants", "api-version=v1", Target("/v1/assistants", "", "v2")),
        ("/api/projects/a/threads/runs", "api-version=2025-05-15-preview", Target("/v1/threads/runs", "", "v2")),
        ("/api/projects/a/openai/assistants", "api-version=v1", Target("/v1/assistants", "", "v2")),
        ("/api/projects/a/openai/assistants", "api-version=2024-02-15-preview", Target("/v1/assistants", "", "v1")),
        ("/api/projects/a/openai/v1/assistants", "", Target("/v1/assistants", "", "v2")),
        ("/openai/v1/assistants", "", Target("/v1/assistants", "", "v2")),
        ("/openai/v1/assistants", "api-version=preview", Target("/v1/assistants", "", "v2")),
        ("/openai/v1/assistants", "api-version=2024-02-15-preview", Target("/v1/assistants", "", "v2")),
        (
            "/openai/deployments/gpt-4o/chat/completions",
            "api-version=2024-10-21",
            Target("/v1/chat/completions", "", "v2", "gpt-4o"),
        ),
    ],
)
def test_a_request_goes_to_the_route_of_openais_own(path: str, query: str, expected: Target):
    assert target(path, query) == expected


def test_the_rest_of_the_query_stays_as_it_is():
    query = "include%5B%5D=a%26b&api-version=2024-05-01-preview&limit=&order=asc"
    assert target("/openai/threads", query).query == "include%5B%5D=a%26b&limit=&order=asc"


@pytest.mark.parametrize("version", ["", "preview", "v2", "latest", "2024-05-01-beta", "2023-12-01-preview", "2024"])
@pytest.mark.parametrize("path", ["/openai/assistants", "/openai", "/openai/v1"])
def test_a_version_that_azure_never_had_is_not_found(path: str, version: str):
    with pytest.raises(ApiError) as caught:
        target(path, f"api-version={version}" if version else "")
    assert caught.value.status == 404
    assert caught.value.body() == {"error": {"code": "404", "message": "Resource not found"}}


@pytest.mark.parametrize("version", ["", "preview", "latest", "2024-02-15-preview", "2023-12-01-preview"])
def test_a_version_that_azure_ai_agents_never_had_is_not_found(version: str):
    with pytest.raises(ApiError) as caught:
        target("/api/projects/a/assistants", f"api-version={version}")
    assert caught.value.status == 404


@pytest.mark.parametrize("path", ["/openai", "/openai/", "/openai/assistants", "/openai/v1/assistants"])
def test_everything_under_openai_is_azures(path: str):
    assert is_azure(path)
    assert not is_agents(path)


@pytest.mark.parametrize("path", ["/api/projects/a", "/api/projects/a/threads", "/api/projects/", "/api/projects/a/"])
def test_everything_under_projects_is_of_azure_ai_agents(path: str):
    assert is_azure(path)
    assert is_agents(path)


def test_a_project_has_the_paths_of_azure_openai_too():
    assert is_azure("/api/projects/a/openai/v1/assistants")
    assert not is_agents("/api/projects/a/openai/v1/assistants")


@pytest.mark.parametrize("path", ["/openapi.json", "/v1/assistants", "/openaix", "/docs", "/v1/openai/assistants"])
def test_other_paths_do_not_belong_to_the_azure_flavours(path: str):
    assert not is_azure(path)
