"""Threads: created, read, changed, listed and deleted."""

import json
from typing import Any

from openai import OpenAI
from openai.pagination import AsyncCursorPage, SyncCursorPage
from openai.types.beta import Thread

from tests.support.sdk.client import refused
from tests.support.sdk.talk import texts, upload


def list_threads(client: OpenAI, **query: object) -> SyncCursorPage[Thread]:
    """`GET /threads`; OpenAI never had it, so its SDK has no method for it."""
    page: Any = SyncCursorPage if isinstance(client, OpenAI) else AsyncCursorPage
    return client.get_api_list("/threads", model=Thread, page=page[Thread], options={"params": query})


def test_an_empty_thread_shows_the_defaults(client: OpenAI):
    shown = json.loads(client.beta.threads.with_raw_response.create().text)
    assert shown["id"].startswith("thread_")
    assert shown == {
        "id": shown["id"],
        "object": "thread",
        "created_at": shown["created_at"],
        "metadata": {},
        "tool_resources": {},
    }


def test_a_thread_is_kept_as_it_was_created(client: OpenAI):
    resources: Any = {"code_interpreter": {"file_ids": [upload(client)]}}
    created = client.beta.threads.create(metadata={"of": "mine"}, tool_resources=resources)
    assert client.beta.threads.retrieve(created.id) == created
    assert created.metadata == {"of": "mine"}
    assert created.to_dict()["tool_resources"] == resources


def test_a_thread_begins_with_the_messages_it_was_created_with(client: OpenAI):
    thread = client.beta.threads.create(
        messages=[{"role": "user", "content": "Ping"}, {"role": "assistant", "content": "Pong"}]
    )
    assert texts(client, thread.id) == ["Ping", "Pong"]


def test_modifying_changes_only_the_fields_that_are_sent(client: OpenAI):
    resources = {"file_search": {"vector_store_ids": [client.vector_stores.create().id]}}
    thread = client.beta.threads.create(metadata={"a": "1", "b": "2"})
    modified = client.beta.threads.update(thread.id, extra_body={"tool_resources": resources})
    assert modified.to_dict() == thread.to_dict() | {"tool_resources": resources}
    modified = client.beta.threads.update(thread.id, metadata={"b": "3"})
    assert modified.to_dict() == thread.to_dict() | {"tool_resources": resources, "metadata": {"b": "3"}}
    modified = client.beta.threads.update(thread.id, metadata=None, tool_resources=None)
    assert modified.to_dict() == thread.to_dict() | {"tool_resources": {}, "metadata": {}}
    assert client.beta.threads.retrieve(thread.id) == modified


def test_threads_are_listed_newest_first(client: OpenAI):
    created = [client.beta.threads.create().id for _ in range(3)]
    listed = [thread.id for thread in list_threads(client, limit=100).data]
    assert [each for each in listed if each in created] == created[::-1]


def test_a_deleted_thread_is_gone(client: OpenAI):
    thread = client.beta.threads.create(messages=[{"role": "user", "content": "Forget me"}])
    deleted = client.beta.threads.delete(thread.id)
    assert deleted.to_dict() == {"id": thread.id, "object": "thread.deleted", "deleted": True}
    for read in (client.beta.threads.retrieve, client.beta.threads.messages.list, client.beta.threads.runs.list):
        with refused(404, f"No thread found with id '{thread.id}'."):
            read(thread.id)
    assert thread.id not in [each.id for each in list_threads(client)]
