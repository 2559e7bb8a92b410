"""The deviations that the models find in payloads: fields, values, and v1's shapes."""

import json
from typing import Any

import pytest

from assistants.api.examples import EXAMPLES
from assistants.proxy.deviations import MAX_EXAMPLE, deviations
from assistants.schema import v1
from assistants.schema.assistants import Assistant
from assistants.schema.events import EVENTS
from assistants.schema.lists import Deleted
from assistants.schema.lists import Page as ListPage
from assistants.schema.messages import Message
from assistants.schema.runs import Run
from assistants.schema.steps import RunStep
from assistants.schema.threads import Thread
from tests.support.reference.document import reference
from tests.support.reference.openapi import Document
from tests.support.sdk.wire import ASSISTANT, MESSAGE, RUN, changed, page

MODELS: dict[str, Any] = {
    "Assistant": Assistant, "Thread": Thread, "Message": Message, "Run": Run, "RunStep": RunStep, "Deleted": Deleted,
}  # fmt: skip


def found(model: Any, payload: object) -> list[tuple[str, str, str]]:
    content = json.dumps(payload).encode()
    return [(each.problem, each.place, each.example) for each in deviations("response", model, content)]


@pytest.mark.parametrize("name", MODELS)
def test_an_object_of_the_contract_has_none(name: str):
    assert found(MODELS[name], EXAMPLES[name]) == []


@pytest.mark.parametrize("name", ["Assistant", "Thread", "Message", "Run", "RunStep"])
def test_v1_has_none_either(name: str):
    shown = v1.as_v1(page(EXAMPLES[name]))
    assert found(ListPage[MODELS[name]], v1.restored(shown)) == []


@pytest.mark.parametrize("resources", [{"file_search": None}, {"code_interpreter": {"file_ids": None}}])
def test_an_answer_has_no_null_for_a_missing_optional_field(resources: dict[str, Any]):
    (_,) = found(Thread, EXAMPLES["Thread"] | {"tool_resources": resources})


def test_a_citation_of_v1_has_a_quote():
    citation = {
        "type": "file_citation", "text": "【0†source】", "start_index": 0, "end_index": 10,
        "file_citation": {"file_id": "file-1"},
    }  # fmt: skip
    said = changed(MESSAGE, content=[{"type": "text", "text": {"value": "【0†source】", "annotations": [citation]}}])
    shown = v1.as_v1(said)
    assert shown["content"][0]["text"]["annotations"][0]["file_citation"]["quote"] == ""
    assert found(Message, v1.restored(shown)) == []


@pytest.mark.parametrize(
    "payload", [None, 1, "text", [], {}, {"object": "list", "data": [1, None]}, {"object": "list"}]
)
def test_an_object_of_neither_version_is_unchanged(payload: object):
    assert v1.restored(payload) == payload


@pytest.mark.parametrize(
    ("changes", "expected"),
    [
        ({"colour": "red"}, [("unknown field", "colour", '"red"')]),
        ({"model": 5}, [("wrong type", "model", "5")]),
        ({"tools": [{"type": "magic"}]}, [("unknown value", "tools[].type", '"magic"')]),
        ({"tools": [{}]}, [("missing field", "tools[].type", "null")]),
        (
            {"tools": [{"type": "function", "function": {}}]},
            [("missing field", "tools[].function.name", "{}")],
        ),
        (
            {"tools": [{"type": "file_search", "file_search": {"n": 1}}]},
            [("unknown field", "tools[].file_search.n", "1")],
        ),
        ({"reasoning_effort": "huge"}, [("unknown value", "reasoning_effort", '"huge"')]),
        ({"response_format": 5}, [("wrong value", "response_format", "5")]),
        ({"response_format": {"type": "xml"}}, [("unknown value", "response_format.type", '"xml"')]),
    ],
)
def test_each_kind_of_problem_has_its_place_and_an_example(changes: dict[str, Any], expected: list[Any]):
    assert found(Assistant, changed(ASSISTANT, **changes)) == expected


def test_a_field_that_has_a_default_here_is_missed_all_the_same():
    (problem,) = found(Run, changed(RUN, expires_at=...))
    assert problem[:2] == ("missing field", "expires_at")


def test_a_long_example_is_shortened():
    ((_, _, example),) = found(Assistant, changed(ASSISTANT, colour="x" * 10_000))
    assert len(example) < MAX_EXAMPLE + 10


def test_every_event_of_the_reference_has_a_model():
    document = Document(reference())
    schemas = document.resolved({"$ref": "#/components/schemas/AssistantStreamEvent"})["oneOf"]
    names: set[str] = set()
    for group in schemas:
        resolved = document.resolved(group)
        for each in resolved.get("oneOf", [resolved]):
            names.update(document.resolved(each)["properties"]["event"]["enum"])
    assert names - {"done"} == set(EVENTS)
