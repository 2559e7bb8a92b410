"""The beta header, and the order of the checks of a request: key, header, body, and then the objects."""

from collections.abc import Iterator
from typing import Any

import pytest
from openai import OpenAI, omit

from assistants.local.azurite import Storage
from tests.support.sdk.client import connect, refused
from tests.support.service.processes import Model, Service

pytestmark = pytest.mark.no_azure

KEY = "beta-0123456789"
MISSING = (
    "You must provide the 'OpenAI-Beta' header to access the Assistants API. "
    "Please try again by setting the header 'OpenAI-Beta: assistants=v2'."
)
MALFORMED = "Invalid beta header provided: 'v1'. The header should be in the format 'OpenAI-Beta: example_beta=v1'."
NONE: dict[str, Any] = {"OpenAI-Beta": omit}


@pytest.fixture(scope="module")
def formal(azurite: Storage, model: Model) -> Iterator[OpenAI]:
    """A service that requires the header, and keys."""
    settings = {"REQUIRE_BETA_HEADER": "true", "API_KEYS": f"{KEY}=default"}
    with Service(azurite.connection_string, model.url, **settings) as running, connect(running.url, KEY) as client:
        yield client


@pytest.fixture(scope="module")
def azure(formal: OpenAI) -> Iterator[OpenAI]:
    """The same service in the Azure flavour."""
    with connect(str(formal.base_url).replace("/v1/", "/openai/v1"), KEY) as client:
        yield client


def beta(value: str) -> dict[str, str]:
    return {"OpenAI-Beta": value}


def test_without_the_header_v2_is_selected(client: OpenAI):
    assert client.beta.threads.create(extra_headers=NONE).to_dict()["tool_resources"] == {}


@pytest.mark.parametrize("value", ["assistants=v2", "assistants=v2,assistants=v2", "assistants=v2 , ,"])
def test_the_header_is_accepted(client: OpenAI, formal: OpenAI, value: str):
    for each in (client, formal):
        assert each.beta.threads.create(extra_headers=beta(value)).object == "thread"


def test_a_malformed_header_is_refused(client: OpenAI):
    with refused(400, MALFORMED, code="invalid_beta"):
        client.beta.assistants.list(extra_headers=beta("v1"))


def test_an_unknown_beta_is_refused(client: OpenAI):
    with refused(400, "Unknown beta requested: 'vector_stores'.", code="invalid_beta"):
        client.beta.assistants.list(extra_headers=beta("assistants=v2, vector_stores=v1"))


def test_a_missing_header_is_refused_where_it_is_required(formal: OpenAI):
    with refused(400, MISSING, code="invalid_beta"):
        formal.beta.assistants.list(extra_headers=NONE)
    with refused(400, MISSING, code="invalid_beta"):
        formal.beta.threads.messages.list("thread_1", extra_headers=NONE)


def test_the_azure_flavour_needs_no_header_and_reads_none(azure: OpenAI):
    assert azure.beta.threads.create(extra_headers=NONE).object == "thread"
    assert azure.beta.threads.create(extra_headers=beta("v1")).object == "thread"


def test_the_key_is_checked_before_the_header(formal: OpenAI):
    message = "Incorrect API key provided: sk-ab***yz. You can find your API key at https://platform.openai.com/account/api-keys."
    with refused(401, message, code="invalid_api_key"):
        formal.beta.assistants.list(extra_headers={**NONE, "Authorization": "Bearer sk-abcdefghijklmnopqrstuvwxyz"})


def test_the_header_is_checked_before_the_body_and_the_ids(formal: OpenAI):
    with refused(400, MISSING, code="invalid_beta"):
        formal.beta.threads.messages.create("wrong", role="unknown", content="", extra_headers=NONE)  # type: ignore[arg-type]
