"""The Azure flavours: the same API under `/openai` and, for Azure AI Agents, under `/api/projects/{project}`, with the
version in the query instead of a header (contract, 10 and 10.1).
"""

import re
from typing import NamedTuple
from urllib.parse import parse_qsl, urlencode

from assistants.api.beta import Version
from assistants.schema.errors import resource_not_found

_DATED = re.compile(r"\d{4}-\d{2}-\d{2}(-preview)?")
_DEPLOYMENT = re.compile("deployments/([^/]+)/(.+)")
_FIRST, _FIRST_OF_V2, _UNDATED = "2024-02-15", "2024-05-01", "v1"
_VERSIONED, _DATELESS = "/openai/", "/openai/v1/"
_AGENTS, _PROJECT = "/api/projects/", re.compile("/api/projects/[^/]+")


class Target(NamedTuple):
    """The target of a request of the Azure flavours: a path under `/v1`, and a query without the api version."""

    path: str
    query: str
    version: Version
    deployment: str | None = None


def is_azure(path: str) -> bool:
    """Whether a path belongs to one of the Azure flavours."""
    return path.startswith((_VERSIONED, _AGENTS)) or path == _VERSIONED.rstrip("/")


def is_agents(path: str) -> bool:
    """Whether a path belongs to Azure AI Agents, whose requests and errors differ slightly from OpenAI's."""
    return path.startswith(_AGENTS) and not _within_project(path).startswith(_VERSIONED)


def target(path: str, query: str) -> Target:
    """The same request in OpenAI's own flavour.

    Under `/openai/v1/` an api version is allowed and ignored; elsewhere it is required, and selects the shapes:
    those of v2 for `v1`, which is Azure's own first version without a date, and from 2024-05-01-preview on; those of
    v1 before. The project in a path is ignored: the caller's key or token determines the project.

    Raises
    ------
    ApiError
        The api version is missing, malformed, or older than the Assistants API (404).
    """
    path, agents = _within_project(path), is_agents(path)
    pairs = parse_qsl(query, keep_blank_values=True)
    rest = urlencode([(name, value) for name, value in pairs if name != "api-version"])
    if path.startswith(_DATELESS):
        return Target(f"/v1/{path.removeprefix(_DATELESS)}", rest, "v2")
    asked = dict(pairs).get("api-version", "")
    if asked != _UNDATED and (not _DATED.fullmatch(asked) or asked < (_FIRST_OF_V2 if agents else _FIRST)):
        raise resource_not_found()
    if agents:
        return Target(f"/v1{path}", rest, "v2")
    resource, deployment = path.removeprefix(_VERSIONED), None
    if found := _DEPLOYMENT.fullmatch(resource):
        deployment, resource = found.groups()
    return Target(f"/v1/{resource}", rest, "v1" if asked < _FIRST_OF_V2 else "v2", deployment)


def _within_project(path: str) -> str:
    """The rest of a path of Azure AI Agents; any other path unchanged."""
    found = _PROJECT.match(path)
    return path[found.end() :] if found else path
