"""Messages: created, read, changed, listed and deleted."""

import json
from typing import Any

import pytest
from openai import OpenAI
from openai.types.beta import Assistant, Thread

from tests.support.sdk.client import refused
from tests.support.sdk.talk import ask, text_of, texts, upload


@pytest.fixture(scope="module")
def thread(client: OpenAI) -> Thread:
    return client.beta.threads.create()


def test_a_users_message_is_completed_at_once(client: OpenAI, thread: Thread):
    shown = json.loads(
        client.beta.threads.messages.with_raw_response.create(thread.id, role="user", content="Hello").text
    )
    assert shown["id"].startswith("msg_")
    assert shown == {
        "id": shown["id"],
        "object": "thread.message",
        "created_at": shown["created_at"],
        "assistant_id": None,
        "thread_id": thread.id,
        "run_id": None,
        "status": "completed",
        "incomplete_details": None,
        "incomplete_at": None,
        "completed_at": shown["created_at"],
        "role": "user",
        "content": [{"type": "text", "text": {"value": "Hello", "annotations": []}}],
        "attachments": [],
        "metadata": {},
    }


def test_a_message_is_kept_as_it_was_created(client: OpenAI, thread: Thread):
    file_id, image = upload(client), client.files.create(file=("a.gif", b"GIF89a"), purpose="vision").id
    both = [{"type": "code_interpreter"}, {"type": "file_search"}]
    attachments: Any = [{"file_id": file_id, "tools": both}]
    created = client.beta.threads.messages.create(
        thread.id,
        role="assistant",
        content=[
            {"type": "text", "text": "Über 🏔 Berge\u2028und\x00Täler"},
            {"type": "image_url", "image_url": {"url": "https://example.com/a.png", "detail": "low"}},
            {"type": "image_file", "image_file": {"file_id": image}},
        ],
        attachments=attachments,
        metadata={"of": "mine"},
    )
    assert client.beta.threads.messages.retrieve(created.id, thread_id=thread.id) == created
    assert created.role == "assistant"
    assert created.to_dict()["content"] == [
        {"type": "text", "text": {"value": "Über 🏔 Berge\u2028und\x00Täler", "annotations": []}},
        {"type": "image_url", "image_url": {"url": "https://example.com/a.png", "detail": "low"}},
        {"type": "image_file", "image_file": {"file_id": image, "detail": "auto"}},
    ]
    assert created.to_dict()["attachments"] == attachments
    assert created.metadata == {"of": "mine"}


def test_modifying_replaces_the_metadata_only(client: OpenAI, thread: Thread):
    created = client.beta.threads.messages.create(thread.id, role="user", content="Hello", metadata={"a": "1"})

    def modify(**body: Any) -> object:
        return client.beta.threads.messages.update(created.id, thread_id=thread.id, **body).to_dict()

    assert modify(metadata={"b": "2"}) == created.to_dict() | {"metadata": {"b": "2"}}
    assert modify() == created.to_dict() | {"metadata": {"b": "2"}}
    assert modify(metadata=None) == created.to_dict() | {"metadata": {}}
    assert client.beta.threads.messages.retrieve(created.id, thread_id=thread.id).metadata == {}


def test_messages_are_listed_newest_first(client: OpenAI):
    thread = client.beta.threads.create()
    for text in ("one", "two", "three"):
        client.beta.threads.messages.create(thread.id, role="user", content=text)
    assert [text_of(message) for message in client.beta.threads.messages.list(thread.id)] == ["three", "two", "one"]
    assert texts(client, thread.id) == ["one", "two", "three"]


def test_messages_are_listed_by_run(client: OpenAI, assistant: Assistant):
    first = ask(client, assistant.id, "One")
    second = ask(client, assistant.id, "Two", first.thread_id)
    of_second = client.beta.threads.messages.list(first.thread_id, run_id=second.id)
    assert [text_of(message) for message in of_second] == ["You said: Two"]
    assert client.beta.threads.messages.list(first.thread_id, run_id="run_unknown").data == []


def test_a_deleted_message_is_gone(client: OpenAI):
    thread = client.beta.threads.create(messages=[{"role": "user", "content": text} for text in ("one", "two")])
    two, _ = client.beta.threads.messages.list(thread.id)
    deleted = client.beta.threads.messages.delete(two.id, thread_id=thread.id)
    assert deleted.to_dict() == {"id": two.id, "object": "thread.message.deleted", "deleted": True}
    assert texts(client, thread.id) == ["one"]
    for change in (
        client.beta.threads.messages.retrieve,
        client.beta.threads.messages.update,
        client.beta.threads.messages.delete,
    ):
        with refused(404, f"No message found with id '{two.id}'."):
            change(two.id, thread_id=thread.id)
