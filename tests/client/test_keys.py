"""Keys: accepted requests, and the errors of the others."""

from collections.abc import Iterator
from typing import Any

import pytest
from openai import OpenAI, omit

from assistants.local.azurite import Storage
from tests.client.conftest import ALICE, ALICE_TOO, BOB, BOB_HASHED
from tests.support.sdk.client import connect, refused
from tests.support.service.processes import Model, Service

INCORRECT = "Incorrect API key provided: {}. You can find your API key at https://platform.openai.com/account/api-keys."
MISSING = (
    "You didn't provide an API key. You need to provide your API key in an Authorization header using Bearer auth "
    "(i.e. Authorization: Bearer YOUR_KEY), or as the password field (with blank username) if you're accessing the "
    "API from your browser and are prompted for a username and password. You can obtain an API key from "
    "https://platform.openai.com/account/api-keys."
)
NO_BEARER: dict[str, Any] = {"Authorization": omit}


@pytest.fixture(scope="module")
def exposed(azurite: Storage, model: Model) -> Iterator[OpenAI]:
    """A service without keys that other machines can reach."""
    with Service(azurite.connection_string, model.url, "--host", "0.0.0.0") as running, connect(running.url) as client:
        yield client


@pytest.mark.parametrize("key", [ALICE, ALICE_TOO, BOB], ids=["plain", "a second one", "hashed"])
@pytest.mark.parametrize("header", ["Authorization", "api-key"])
def test_a_key_is_accepted_in_either_header(configured: Service, key: str, header: str):
    headers = {"api-key": key, **NO_BEARER} if header == "api-key" else {}
    with connect(configured.url, key) as client:
        assert client.beta.threads.create(extra_headers=headers).object == "thread"


def test_two_keys_of_a_project_have_the_same_objects(configured: Service, alice: OpenAI):
    thread = alice.beta.threads.create()
    with connect(configured.url, ALICE_TOO) as client:
        assert client.beta.threads.retrieve(thread.id) == thread


@pytest.mark.parametrize(
    ("key", "shown"),
    [("sk-abcdefghijklmnopqrstuvwxyz", "sk-ab***yz"), ("short", "***"), (f"{ALICE}x", "alice***9x")],
)
@pytest.mark.parametrize("header", ["Authorization", "api-key"])
def test_a_wrong_key_is_refused_and_not_shown(alice: OpenAI, key: str, shown: str, header: str):
    headers = {"api-key": key, **NO_BEARER} if header == "api-key" else {"Authorization": f"Bearer {key}"}
    with refused(401, INCORRECT.format(shown), code="invalid_api_key"):
        alice.beta.threads.create(extra_headers=headers)


@pytest.mark.parametrize("hashed", [BOB_HASHED, BOB_HASHED.removeprefix("sha256:")])
def test_the_hash_of_a_key_is_no_key(alice: OpenAI, hashed: str):
    with refused(401, INCORRECT.format(f"{hashed[:5]}***{hashed[-2:]}"), code="invalid_api_key"):
        alice.beta.threads.create(extra_headers={"Authorization": f"Bearer {hashed}"})


@pytest.mark.parametrize("headers", [NO_BEARER, {"Authorization": "Basic YWxpY2U6"}, {"Authorization": "Bearer"}])
def test_a_request_without_a_key_is_refused(alice: OpenAI, headers: dict[str, Any]):
    with refused(401, MISSING):
        alice.beta.threads.create(extra_headers=headers)


def test_without_a_key_an_unknown_url_gets_the_same_answer(alice: OpenAI):
    with refused(401, MISSING):
        alice.get("/nowhere", cast_to=object, options={"headers": NO_BEARER})


@pytest.mark.parametrize("headers", [NO_BEARER, {}, {"Authorization": "Bearer anything"}])
def test_a_service_open_to_others_asks_its_operator_to_set_keys(exposed: OpenAI, headers: dict[str, Any]):
    message = "This service accepts no requests yet: its operator has to set API_KEYS, for example KEY=default."
    with refused(401, message, code="invalid_api_key"):
        exposed.beta.threads.create(extra_headers=headers)


def test_a_local_service_without_keys_answers_every_request(client: OpenAI):
    assert client.beta.threads.create(extra_headers=NO_BEARER).object == "thread"


def test_keys_are_not_logged(configured: Service, alice: OpenAI):
    alice.beta.threads.create()
    with refused(401, INCORRECT.format("sk-ab***yz"), code="invalid_api_key"):
        alice.beta.threads.create(extra_headers={"Authorization": "Bearer sk-abcdefghijklmnopqrstuvwxyz"})
    log = "".join(configured.lines)
    assert not [key for key in (ALICE, ALICE_TOO, BOB, "sk-abcdefghijklmnopqrstuvwxyz") if key in log]
