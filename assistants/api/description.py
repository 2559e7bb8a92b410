"""/openapi.json: FastAPI's description of the routes, with descriptions, examples and keys added."""

import re
from collections.abc import Iterator
from typing import Any

from fastapi import FastAPI

from assistants.api.examples import EXAMPLES
from assistants.api.vocabulary import FIELDS

Json = dict[str, Any]

_ABOUT = """\
The OpenAI Assistants API v2: assistants, threads, messages, runs and their steps, files and vector stores.

The header `OpenAI-Beta: assistants=v1` selects the shapes of v1 (`file_ids`, the tool `retrieval`). The same API is at
`/openai/...?api-version=...` and `/openai/v1/...` for clients of Azure OpenAI, and at `/api/projects/{project}/...` for
clients of Azure AI Agents, with no such header.
"""
_SECURITY = {
    "bearer": {
        "type": "http",
        "scheme": "bearer",
        "description": "A key, as clients of OpenAI send it; with `ENTRA_TENANT` also an access token of Entra ID.",
    },
    "api-key": {
        "type": "apiKey",
        "in": "header",
        "name": "api-key",
        "description": "The same key, as clients of Azure OpenAI send it.",
    },
}
_BETA = {
    "name": "OpenAI-Beta",
    "in": "header",
    "description": "Which version is spoken, `assistants=v2` or `assistants=v1`; it may be a comma list.",
    "schema": {"type": "string", "default": "assistants=v2"},
}
_IDS = {
    "assistant_id": "Id of the assistant.",
    "thread_id": "Id of the thread.",
    "message_id": "Id of the message.",
    "run_id": "Id of the run.",
    "step_id": "Id of the step.",
    "vector_store_id": "Id of the vector store.",
    "file_id": "Id of the file.",
    "upload_id": "Id of the upload.",
    "batch_id": "Id of the batch.",
}
_RESPONSES = {
    "200": "The request succeeded.",
    "4XX": "The request cannot be answered: `message` says why, `param` where.",
    "5XX": "The service has failed; the request may be repeated.",
}
_UNSAID = ("Successful Response", "Client Error", "Server Error")
"""FastAPI's default descriptions of a response, which are removed."""


def described(app: FastAPI) -> Json:
    """The OpenAPI document of an application, which caches it."""
    if app.openapi_schema is None:
        document = app.openapi()
        document["info"]["description"] = _ABOUT
        document["security"] = [{name: []} for name in _SECURITY]
        components = document["components"]
        components |= {"securitySchemes": _SECURITY, "parameters": {"OpenAI-Beta": _BETA}}
        for operation in _operations(document):
            _describe_operation(operation)
        for name, schema in components["schemas"].items():
            _describe_schema(re.sub("-(In|Out)put$", "", name), schema)
    assert app.openapi_schema is not None
    return app.openapi_schema


def _operations(document: Json) -> Iterator[Json]:
    for path in document["paths"].values():
        yield from path.values()


def _describe_operation(operation: Json) -> None:
    operation["summary"] = re.split(r"[.:;]", operation["description"])[0]
    for parameter in operation.setdefault("parameters", []):
        parameter.setdefault("description", _IDS.get(parameter["name"], ""))
    operation["parameters"].append({"$ref": "#/components/parameters/OpenAI-Beta"})
    for status, response in operation["responses"].items():
        if response["description"] in _UNSAID:
            response["description"] = _RESPONSES[status]


def _describe_schema(name: str, schema: Json) -> None:
    if name in EXAMPLES:
        schema["examples"] = [EXAMPLES[name]]
    for field, value in schema.get("properties", {}).items():
        if words := FIELDS.get(f"{name}.{field}", FIELDS.get(field)):
            value.setdefault("description", words)
