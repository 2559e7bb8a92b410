import hashlib
import hmac
from collections.abc import Mapping
from contextlib import suppress

import pytest

from assistants.api.keys import DEFAULT_PROJECT, project
from assistants.schema.errors import ApiError

HASHED = "sha256:" + hashlib.sha256(b"hashed-key").hexdigest()
KEYS = {"plain-key": "a", "other-key": "b", HASHED: "c", "schlüssel": "d"}


@pytest.mark.parametrize(
    ("headers", "owner"),
    [
        ({"authorization": "Bearer plain-key"}, "a"),
        ({"authorization": "bearer other-key"}, "b"),
        ({"authorization": "Bearer   plain-key "}, "a"),
        ({"authorization": "Bearer hashed-key"}, "c"),
        ({"authorization": "Bearer schlüssel"}, "d"),
        ({"api-key": "plain-key"}, "a"),
        ({"api-key": " hashed-key "}, "c"),
        ({"authorization": "Basic dXNlcjpwYXNz", "api-key": "other-key"}, "b"),
        ({"authorization": "Bearer other-key", "api-key": "plain-key"}, "b"),
        ({"authorization": "Bearer ", "api-key": "plain-key"}, "a"),
    ],
)
def test_a_key_belongs_to_its_project(headers: Mapping[str, str], owner: str):
    assert project(headers, KEYS, local=False) == owner


@pytest.mark.parametrize(
    "sent",
    [
        "wrong",
        "plain-ke",
        "plain-key2",
        "PLAIN-KEY",
        "plain-key,other-key",
        HASHED,
        HASHED.removeprefix("sha256:"),
        "*",
    ],
)
@pytest.mark.parametrize("header", ["authorization", "api-key"])
@pytest.mark.parametrize("local", [True, False])
def test_any_other_key_is_refused(sent: str, header: str, local: bool):
    with pytest.raises(ApiError) as refused:
        project({header: f"Bearer {sent}" if header == "authorization" else sent}, KEYS, local)
    error = refused.value
    assert (error.status, error.code) == (401, "invalid_api_key")
    assert error.message.startswith("Incorrect API key provided: ")
    assert len(sent) < 16 or sent not in error.message


@pytest.mark.parametrize(
    "headers", [{}, {"authorization": "plain-key"}, {"authorization": "Bearer "}, {"api-key": " "}, {"cookie": "x"}]
)
@pytest.mark.parametrize("local", [True, False])
def test_a_request_without_a_key_is_refused(headers: Mapping[str, str], local: bool):
    with pytest.raises(ApiError, match="You didn't provide an API key") as refused:
        project(headers, KEYS, local)
    assert refused.value.status == 401


@pytest.mark.parametrize("headers", [{}, {"authorization": "Bearer anything"}, {"api-key": "anything"}])
def test_a_service_without_keys_answers_this_machine_only(headers: Mapping[str, str]):
    assert project(headers, {}, local=True) == DEFAULT_PROJECT
    with pytest.raises(ApiError, match="set API_KEYS") as refused:
        project(headers, {}, local=False)
    assert refused.value.status == 401


@pytest.mark.parametrize("sent", ["plain-key", "schlüssel", "wrong"])
def test_every_accepted_key_is_compared_in_constant_time_whichever_was_sent(sent: str, monkeypatch: pytest.MonkeyPatch):
    compared: list[int] = []

    def compare_digest(known: str, given: str) -> bool:
        compared.append(len(known) - len(given))
        return known == given

    monkeypatch.setattr(hmac, "compare_digest", compare_digest)
    with suppress(ApiError):
        project({"api-key": sent}, KEYS, local=False)
    assert compared == [0] * len(KEYS)
