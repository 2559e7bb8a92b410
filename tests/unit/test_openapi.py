"""/openapi.json: its content, and its differences from the reference document."""

from pathlib import Path
from typing import Any

import pytest
import yaml
from fastapi import FastAPI
from pydantic import TypeAdapter

from assistants.api.app import PREFIX, create_api
from assistants.api.description import described
from assistants.schema import assistants, errors, lists, messages, runs, steps, threads, uploads, vector_stores
from tests.support.reference.openapi import Document, differences, matches
from tests.support.reference.routes import ROUTES

DATA = Path(__file__).parents[1] / "data"
ALLOWED: dict[str, str] = yaml.safe_load((DATA / "openapi-differences.yaml").read_text(encoding="utf-8"))
MODULES = (assistants, threads, messages, runs, steps, uploads, vector_stores, lists, errors)


@pytest.fixture(scope="module")
def api() -> FastAPI:
    return create_api()


@pytest.fixture(scope="module")
def document(api: FastAPI) -> dict[str, Any]:
    return described(api)


@pytest.fixture(scope="module")
def found(document: dict[str, Any]) -> list[str]:
    reference = yaml.safe_load((DATA / "assistants-openapi.yaml").read_text(encoding="utf-8"))
    return list(differences(Document(reference), Document(document, PREFIX)))


def test_every_difference_from_the_reference_document_is_on_purpose(found: list[str]):
    assert [line for line in found if not any(matches(pattern, line) for pattern in ALLOWED)] == []


def test_every_purpose_still_has_its_difference(found: list[str]):
    assert [pattern for pattern in ALLOWED if not any(matches(pattern, line) for line in found)] == []


def test_every_route_is_described_with_its_errors(document: dict[str, Any]):
    operations = Document(document, PREFIX).operations
    assert sorted(operations) == sorted(str(route) for route in ROUTES)
    assert len({operation["operationId"] for operation in operations.values()}) == len(operations)
    for operation in operations.values():
        assert operation["summary"]
        assert list(operation["responses"]) == ["200", "4XX", "5XX"]
        assert operation["responses"]["4XX"]["content"]["application/json"]["schema"]["$ref"].endswith("/ErrorResponse")


def test_every_field_and_parameter_is_described(document: dict[str, Any]):
    operations = Document(document).operations.items()
    parameters = [(name, each) for name, operation in operations for each in operation["parameters"]]
    assert [(name, each) for name, each in parameters if "$ref" not in each and not each["description"]] == []
    schemas = document["components"]["schemas"].items()
    fields = [(name, field, each) for name, schema in schemas for field, each in schema.get("properties", {}).items()]
    assert [(name, field) for name, field, each in fields if not each.get("description")] == []


def test_a_key_is_accepted_in_either_header(document: dict[str, Any]):
    schemes = document["components"]["securitySchemes"]
    assert document["security"] == [{"bearer": []}, {"api-key": []}]
    assert (schemes["bearer"]["type"], schemes["bearer"]["scheme"]) == ("http", "bearer")
    assert (schemes["api-key"]["in"], schemes["api-key"]["name"]) == ("header", "api-key")


@pytest.mark.filterwarnings("ignore:Pydantic serializer warnings:UserWarning")  # of attributes
def test_every_request_and_object_has_an_example_that_is_one(document: dict[str, Any]):
    models = {name: model for module in MODULES for name, model in vars(module).items()}
    used = [name for name in document["components"]["schemas"] if name.startswith(("Create", "Modify"))]
    used += ["SubmitToolOutputs", "Assistant", "Thread", "Message", "Run", "RunStep", "Deleted", "ErrorResponse"]
    used += ["VectorStore", "VectorStoreFile"]
    for name in used:
        (example,) = document["components"]["schemas"][name]["examples"]
        shown = TypeAdapter(models[name]).validate_python(example)
        assert shown.model_dump(mode="json", exclude_unset=True) == example
        if not name.startswith(("Create", "Modify", "Submit")):
            assert list(example) == list(models[name].model_fields)
