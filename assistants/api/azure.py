"""The Azure flavour: the same API under `/openai`, with the version in the query instead of a header (contract, 10)."""

import re
from typing import NamedTuple
from urllib.parse import parse_qsl, urlencode

from assistants.api.beta import Version
from assistants.schema.errors import resource_not_found

_DATED = re.compile(r"\d{4}-\d{2}-\d{2}(-preview)?")
_DEPLOYMENT = re.compile("deployments/([^/]+)/(.+)")
_FIRST, _FIRST_OF_V2 = "2024-02-15", "2024-05-01"
_VERSIONED, _DATELESS = "/openai/", "/openai/v1/"


class Target(NamedTuple):
    """The target of a request of this flavour: a path under `/v1`, and a query without the api version."""

    path: str
    query: str
    version: Version
    deployment: str | None = None


def is_azure(path: str) -> bool:
    """Whether a path is one of this flavour."""
    return path.startswith(_VERSIONED) or path == _VERSIONED.rstrip("/")


def target(path: str, query: str) -> Target:
    """The same request in OpenAI's own flavour.

    Under `/openai/v1/` an api version is allowed and ignored; elsewhere it is required, and selects the shapes:
    v2's from 2024-05-01-preview on, v1's before.

    Raises
    ------
    ApiError
        The api version is missing, malformed, or older than the Assistants API (404).
    """
    pairs = parse_qsl(query, keep_blank_values=True)
    rest = urlencode([(name, value) for name, value in pairs if name != "api-version"])
    if path.startswith(_DATELESS):
        return Target(f"/v1/{path.removeprefix(_DATELESS)}", rest, "v2")
    asked = dict(pairs).get("api-version", "")
    if not _DATED.fullmatch(asked) or asked < _FIRST:
        raise resource_not_found()
    resource, deployment = path.removeprefix(_VERSIONED), None
    if found := _DEPLOYMENT.fullmatch(resource):
        deployment, resource = found.groups()
    return Target(f"/v1/{resource}", rest, "v1" if asked < _FIRST_OF_V2 else "v2", deployment)
