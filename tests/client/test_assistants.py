"""Assistants: created, read, changed, listed and deleted."""

import json
from typing import Any

import pytest
from openai import OpenAI
from openai.types.beta import Assistant

from tests.support.sdk.client import refused
from tests.support.sdk.talk import function, upload


@pytest.fixture(scope="module")
def everything(client: OpenAI) -> dict[str, Any]:
    """A request with all fields."""
    resources = {
        "code_interpreter": {"file_ids": [upload(client)]},
        "file_search": {"vector_store_ids": [client.vector_stores.create().id]},
    }
    return {
        "model": "gpt-4o",
        "name": "Guide",
        "description": "Knows the way",
        "instructions": "Lead on.",
        "tools": [
            {"type": "code_interpreter"},
            {"type": "file_search", "file_search": {"max_num_results": 5, "ranking_options": {"score_threshold": 0.5}}},
            function("get_way", "to"),
        ],
        "tool_resources": resources,
        "metadata": {"team": "mountain"},
        "temperature": 0.5,
        "top_p": 0.25,
        "reasoning_effort": "low",
        "response_format": {"type": "json_schema", "json_schema": {"name": "way", "schema": {"type": "object"}}},
    }


def test_an_assistant_with_only_a_model_shows_the_defaults(client: OpenAI):
    shown = json.loads(client.beta.assistants.with_raw_response.create(model="gpt-4o").text)
    assert shown["id"].startswith("asst_")
    assert isinstance(shown["created_at"], int)
    assert shown == {
        "id": shown["id"],
        "object": "assistant",
        "created_at": shown["created_at"],
        "name": None,
        "description": None,
        "model": "gpt-4o",
        "instructions": None,
        "tools": [],
        "top_p": 1.0,
        "temperature": 1.0,
        "reasoning_effort": None,
        "tool_resources": {},
        "metadata": {},
        "response_format": "auto",
    }


def test_an_assistant_is_kept_as_it_was_created(client: OpenAI, everything: dict[str, Any]):
    created = client.beta.assistants.create(**everything)
    retrieved = json.loads(client.beta.assistants.with_raw_response.retrieve(created.id).text)
    assert retrieved == created.to_dict()
    assert {name: retrieved[name] for name in everything} == everything


def test_the_services_own_tool_is_kept_too(client: OpenAI):
    tools: Any = [{"type": "retrieval"}]
    assert (
        '"tools":[{"type":"retrieval"}]'
        in client.beta.assistants.with_raw_response.create(model="gpt-4o", tools=tools).text
    )


def test_modifying_changes_only_the_fields_that_are_sent(client: OpenAI, everything: dict[str, Any]):
    created = client.beta.assistants.create(**everything)
    modified = client.beta.assistants.update(created.id, name="Scout", tools=[], model="gpt-4o-mini")
    assert modified.to_dict() == created.to_dict() | {"name": "Scout", "tools": [], "model": "gpt-4o-mini"}
    assert client.beta.assistants.retrieve(created.id) == modified


def test_modifying_replaces_the_whole_metadata(client: OpenAI):
    created = client.beta.assistants.create(model="gpt-4o", metadata={"a": "1", "b": "2"})
    assert client.beta.assistants.update(created.id, metadata={"b": "3"}).metadata == {"b": "3"}


@pytest.mark.parametrize(
    ("field", "default"),
    [
        ("name", None),
        ("description", None),
        ("instructions", None),
        ("tool_resources", {"code_interpreter": {"file_ids": []}}),
        ("metadata", {}),
        ("temperature", 1.0),
        ("top_p", 1.0),
        ("reasoning_effort", None),
        ("response_format", "auto"),
    ],
)
def test_a_null_unsets_a_field(client: OpenAI, everything: dict[str, Any], field: str, default: Any):
    created = client.beta.assistants.create(**everything)
    modified = client.beta.assistants.update(created.id, extra_body={field: None})
    assert modified.to_dict() == created.to_dict() | {field: default}


def test_assistants_are_listed_newest_first(client: OpenAI):
    created = [client.beta.assistants.create(model="gpt-4o", name=str(number)) for number in range(3)]
    assert _among(client.beta.assistants.list(limit=100).data, created) == created[::-1]
    assert _among(list(client.beta.assistants.list(order="asc", limit=100)), created) == created


def test_a_deleted_assistant_is_gone(client: OpenAI):
    created = client.beta.assistants.create(model="gpt-4o")
    deleted = client.beta.assistants.delete(created.id)
    assert deleted.to_dict() == {"id": created.id, "object": "assistant.deleted", "deleted": True}
    with refused(404, f"No assistant found with id '{created.id}'."):
        client.beta.assistants.retrieve(created.id)
    assert created.id not in [each.id for each in client.beta.assistants.list()]


def _among(listed: list[Assistant], own: list[Assistant]) -> list[Assistant]:
    return [each for each in listed if each in own]
