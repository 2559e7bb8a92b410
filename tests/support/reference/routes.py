"""The route table of the application, as cases for tests that apply to every route."""

import re
from collections.abc import Mapping
from typing import Any, NamedTuple

from fastapi.routing import APIRoute
from openai import OpenAI
from openai.types.beta import Assistant
from openai.types.beta.threads import Run
from pydantic import BaseModel

from assistants.api.app import ROUTERS
from assistants.schema.vector_stores import CreateVectorStoreFileBatch
from tests.support.sdk.talk import ask, function

KINDS = {
    "assistant_id": ("assistant", "asst"),
    "thread_id": ("thread", "thread"),
    "message_id": ("message", "msg"),
    "run_id": ("run", "run"),
    "step_id": ("run step", "step"),
    "file_id": ("file", "file"),
    "upload_id": ("upload", "upload"),
    "vector_store_id": ("vector store", "vs"),
    "batch_id": ("file batch", "vsfb"),
}
"""The kind of an id of a path in an error, and its prefix."""

REQUIRED: Mapping[str, Any] = {
    "model": "gpt-4o", "role": "user", "content": "Hello", "tool_outputs": [], "attributes": {}, "file_ids": ["file-1"],
    "filename": "a.txt", "purpose": "vision", "bytes": 1, "mime_type": "text/plain", "part_ids": ["part_1"],
    "query": "a",
}  # fmt: skip
"""A value for every field that any request requires; `assistant_id` and `file_id` are among the ids."""


class Route(NamedTuple):
    """A method and a path, such as `GET /threads/{thread_id}`, with the fields that its body requires."""

    method: str
    path: str
    required: tuple[str, ...]

    def __str__(self) -> str:
        return f"{self.method} {self.path}"

    @property
    def ids(self) -> list[str]:
        """The names of the ids in the path."""
        return re.findall(r"{(\w+)}", self.path)

    @property
    def lists(self) -> bool:
        """Whether it returns a list."""
        return self.method == "GET" and not self.path.endswith(("}", "/content"))

    def unknown(self, name: str, ids: Mapping[str, str]) -> tuple[str, str | None]:
        """The error, and its parameter, if no object has this id."""
        kind, value = KINDS[name][0], ids[name]
        if "vector_store_id" in self.ids and name != "vector_store_id":
            return f"No {kind} found with id '{value}' in vector store '{ids['vector_store_id']}'.", None
        return (
            (f"No such File object: {value}", "id") if kind == "file" else (f"No {kind} found with id '{value}'.", None)
        )

    def call(self, client: OpenAI, ids: Mapping[str, str]) -> Any:
        """The answer of the route to its smallest valid body."""
        body = {name: ids[name] if name in ids else REQUIRED[name] for name in self.required}
        return send(client, self.method, self.path.format(**ids), body if self.method == "POST" else None)


def send(client: OpenAI, method: str, path: str, body: object = None) -> Any:
    """The JSON answer to a request of the SDK."""
    options: dict[str, Any] = {} if body is None else {"body": body}
    return getattr(client, method.lower())(path, cast_to=object, **options)


def one_of_each(client: OpenAI) -> dict[str, str]:
    """The ids of a new object of each kind, by their names in paths.

    A run waits in a thread with one message; a vector store has one file, added by a batch.
    """
    assistant: Assistant = client.beta.assistants.create(model="gpt-4o", tools=[function("get_time")])
    run: Run = ask(client, assistant.id, "get_time")
    (message,) = client.beta.threads.messages.list(run.thread_id)
    (step,) = client.beta.threads.runs.steps.list(run.id, thread_id=run.thread_id)
    store = client.vector_stores.create()
    file = client.files.create(file=("hello.txt", b"Hello"), purpose="assistants")
    upload = client.uploads.create(filename="a.txt", purpose="vision", bytes=1, mime_type="text/plain")
    batch = client.vector_stores.file_batches.create_and_poll(store.id, file_ids=[file.id])
    return {
        "assistant_id": assistant.id,
        "thread_id": run.thread_id,
        "message_id": message.id,
        "run_id": run.id,
        "step_id": step.id,
        "file_id": file.id,
        "upload_id": upload.id,
        "vector_store_id": store.id,
        "batch_id": batch.id,
    }


def _route(route: APIRoute) -> list[Route]:
    bodies = [param.field_info.annotation for param in route.dependant.body_params]
    models = [body for body in bodies if isinstance(body, type) and issubclass(body, BaseModel)]
    required = tuple(name for body in models for name, field in body.model_fields.items() if field.is_required())
    if CreateVectorStoreFileBatch in models:
        required = ("file_ids",)  # alternatively files
    return [Route(method, route.path, required) for method in sorted(route.methods or ())]


ROUTES = [
    found for router in ROUTERS for route in router.routes if isinstance(route, APIRoute) for found in _route(route)
]
"""Every route of the application."""
