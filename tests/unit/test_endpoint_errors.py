"""Error bodies of every reported format: their messages and params, without any of the operator's keys."""

import json
from typing import Any

import pytest

from assistants.model.errors import LONGEST, EndpointError, Mask, Refused, Words, is_error, words
from assistants.settings import Settings

KEY = "sk-operator/0123456789"


@pytest.mark.parametrize(
    ("body", "text"),
    [
        ({"error": {"message": "No.", "type": "t", "param": None, "code": None}}, "No."),
        ({"error": "No."}, "No."),
        ({"error": "No.", "error_type": "validation"}, "No."),
        ([{"error": {"code": 400, "message": "No.", "status": "INVALID_ARGUMENT"}}], "No."),
        ({"detail": "No."}, "No."),
        ({"detail": [{"loc": ["body", "top_p"], "msg": "No.", "type": "extra_forbidden"}]}, "top_p: No."),
        ({"detail": [{"loc": ["body"], "msg": "One."}, {"loc": ["query"], "msg": "Two."}]}, "One.; query: Two."),
        ({"detail": {"error": {"message": "No."}}}, "No."),
        ({"message": "No."}, "No."),
        ({"object": "error", "message": "No.", "type": "BadRequestError", "param": None, "code": 400}, "No."),
        ({"object": "error", "message": {"detail": [{"loc": ["body", "n"], "msg": "No."}]}}, "n: No."),
        ({"object": "Error", "message": [{"loc": ["body", "n"], "msg": "No."}], "code": 3001}, "n: No."),
        ({"object": "error", "message": '{"detail": [{"loc": ["body", "n"], "msg": "No."}]}'}, "n: No."),
        ({"error": "{nothing that is JSON"}, "{nothing that is JSON"),
        ({"errors": ["No.", "Never."]}, "No.; Never."),
        ({"errors": [{"code": 5006, "message": "No."}], "success": False, "result": {}}, "No."),
        ({"title": "Invalid.", "status": 400, "errors": {"model": ["No."]}}, "model: No."),
        ({"error_msg": "No.", "error_code": 17}, "No."),
        ({"Message": "No."}, "No."),
        ({"fault": {"faultstring": "No.", "detail": {"errorcode": "x"}}}, "No."),
        ({"error": {"message": "Of a provider", "metadata": {"raw": '{"error": {"message": "No."}}'}}},
         "Of a provider: No."),
        ({"error": True, "reason": "No."}, "No."),
        ("No.", "No."),
        ("  No.\n", "No."),
        ("<html><head><title>502</title><style>h1 {}</style></head><h1>No &amp; no.</h1>", "502 No & no."),
        ({"unheard": "of"}, '{"unheard": "of"}'),
        ([], ""),
        ({}, ""),
        ("", ""),
        (None, ""),
        (5, ""),
    ],
)  # fmt: skip
def test_the_message_of_an_error_is_found_in_every_format(body: Any, text: str):
    assert words(body).message == text
    if not isinstance(body, str):
        assert words(json.dumps(body).encode()).message == text


@pytest.mark.parametrize(
    ("body", "params"),
    [
        ({"error": {"message": "No.", "param": "stream_options"}}, ("stream_options",)),
        ({"error": {"message": "No.", "param": "messages[0].role"}}, ("messages", "0", "role")),
        ({"detail": [{"loc": ["body", "tools", 0, "strict"], "msg": "No."}]}, ("tools", "strict")),
        ({"message": {"detail": [{"loc": ["body", "top_p"], "msg": "No."}]}}, ("top_p",)),
        ({"errors": {"temperature": ["No."]}}, ("temperature",)),
        ({"error": "No."}, ()),
    ],
)  # fmt: skip
def test_the_subject_of_an_error_is_named_by_param_or_loc(body: Any, params: tuple[str, ...]):
    assert words(body).params == params


@pytest.mark.parametrize(
    ("body", "status"),
    [
        ({"error": {"code": 429, "message": "No."}}, 429),
        ({"error": {"code": "503", "message": "No."}}, 503),
        ({"error": {"type": "overloaded_error", "message": "No."}}, 503),
        ({"error": {"status": "RESOURCE_EXHAUSTED", "message": "No."}}, 429),
        ({"error": {"code": "rate_limit_exceeded", "message": "No."}}, 429),
        ({"object": "error", "type": "InternalServerError", "message": "No."}, 500),
        ({"error": {"code": 1234, "message": "No."}}, None),
        ({"error": "No."}, None),
    ],
)
def test_an_error_in_a_stream_corresponds_to_a_status(body: Any, status: int | None):
    assert Refused(words(body), 200).status == Refused(words(body), None).status == status


def test_the_status_of_the_answer_counts_before_the_one_in_its_body():
    assert Refused(words({"error": {"code": 500, "message": "No."}}), 400).status == 400


@pytest.mark.parametrize(
    ("status", "code", "transient"),
    [(429, None, True), (408, None, True), (500, None, True), (529, None, True), (400, None, False), (302, None, False),
     (None, None, False), (429, "insufficient_quota", False)],
)  # fmt: skip
def test_which_errors_may_be_over_soon(status: int | None, code: str | None, transient: bool):
    assert Refused(Words("No.", code), status).transient is transient


@pytest.mark.parametrize(
    "event",
    [
        {"error": "No."},
        {"object": "error", "message": "No."},
        {"detail": "No."},
        {"message": "No."},
        {"choices": None, "errors": ["No."]},
        {"choices": [], "error": {"message": "No."}},
    ],
)
def test_an_object_of_a_stream_is_an_error(event: dict[str, Any]):
    assert is_error(event)


@pytest.mark.parametrize(
    "event",
    [
        {},
        {"error": None, "choices": []},
        {"choices": [], "message": "No."},
        {"type": "ping"},
        {"message": {"role": "assistant", "content": "Hello"}, "done": False},
        {"choices": [{}], "base_resp": {"status_code": 0, "status_msg": ""}},
        {"usage": {"prompt_tokens": 1}},
    ],
)
def test_an_object_of_a_stream_is_no_error(event: dict[str, Any]):
    assert not is_error(event)


@pytest.mark.parametrize(
    "text",
    [
        f"Incorrect API key provided: {KEY}.",
        json.dumps({"error": {"message": f"Bearer {KEY}"}}),
        f"GET /v1?key={KEY.replace('/', '%2F')}",
        "authorization: Bearer eyJhbGciOiJSUzI1NiJ9.eyJhdWQiOiJhcHAifQ.c2lnbmF0dXJl",
    ],
)
def test_no_key_of_the_operators_is_in_the_messages(text: str):
    mask = Mask([KEY])
    for hidden in (mask(text), mask.bytes(text.encode()).decode()):
        assert "***" in hidden
        assert not any(secret in hidden for secret in ("operator", "0123456789", "eyJhdWQi"))


def test_a_masked_error_has_no_key_in_any_of_its_parts():
    error: EndpointError = Mask([KEY]).error(Refused(Words(f"No {KEY}", KEY, (KEY,)), 401))
    assert (str(error), error.code, error.params) == ("No ***", "***", ("***",))


def test_a_key_that_is_a_word_is_no_secret():
    assert Mask(["none", "test", "", "ollama"])("none of the tests of ollama") == "none of the tests of ollama"


def test_the_operators_keys_are_those_of_the_settings_and_of_their_urls():
    settings = Settings.model_validate(
        {
            "OPENAI_API_KEY": "key-one",
            "AZURE_OPENAI_API_KEY": "key-two",
            "PROXY_API_KEY": "key-three",
            "OPENAI_BASE_URL": "https://user:key-four@host/v1?api-key=key-five&version=1",
        }
    )
    assert sorted(settings.secrets) == ["key-five", "key-four", "key-one", "key-three", "key-two"]


def test_endless_messages_are_truncated():
    assert len(words("x" * 1_000_000).message) == LONGEST
    assert len(words({"x": "y" * 1_000_000}).message) == LONGEST
    assert len(words("<html>" + "<" * 1_000_000).message) <= LONGEST


def test_a_body_that_is_nested_too_deeply_has_a_message():
    deep: Any = "No."
    for _ in range(500):
        deep = {"error": [deep]}
    assert words(deep).message
    assert words(b'{"error":' * 100_000).message
