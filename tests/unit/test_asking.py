"""Whether and when a model is called again after an error."""

from email.utils import formatdate
from time import time

import pytest

from assistants.engine.turn.refusals import may_be_too_long, too_long
from assistants.model.errors import CutOff, EndpointError, Refused, Unreachable, Unreadable, Words
from assistants.model.retries import SHORTEST_WAIT, retry_after, wait_of


def refusal(status: int, message: str = "no", code: str | None = None, param: str | None = None) -> Refused:
    return Refused(Words(message, code, (param,) if param else ()), status)


def busy(**headers: str) -> Refused:
    return Refused(Words("busy"), 429, wait_of({name.replace("_", "-"): value for name, value in headers.items()}))


@pytest.mark.parametrize("status", [408, 429, 500, 502, 503, 529])
def test_a_busy_endpoint_is_asked_again_after_waits_that_double(status: int) -> None:
    waits = [retry_after(refusal(status), attempt) for attempt in range(8)]
    assert all(
        wait is not None and top <= wait <= 1.25 * top
        for wait, top in zip(waits, [0.5, 1, 2, 4, 8, 16, 30, 30], strict=True)
    )


@pytest.mark.parametrize("status", [400, 401, 403, 404, 413, 422])
def test_a_refusal_is_final(status: int) -> None:
    assert retry_after(refusal(status), 0) is None


def test_an_exhausted_quota_is_final() -> None:
    assert retry_after(refusal(429, code="insufficient_quota"), 0) is None


@pytest.mark.parametrize(
    "trouble", [Unreachable("Connection error."), CutOff(), Refused(Words("busy", status=503), 200)]
)
def test_a_temporary_error_is_retried(trouble: EndpointError) -> None:
    assert retry_after(trouble, 0) is not None


@pytest.mark.parametrize("trouble", [Unreadable("<html>"), Refused(Words("no"), None), ValueError("not JSON")])
def test_an_answer_that_is_none_is_not_tried_again(trouble: Exception) -> None:
    assert retry_after(trouble, 0) is None


@pytest.mark.parametrize(
    ("headers", "wait"),
    [
        ({"retry_after": "7"}, 7),
        ({"retry_after_ms": "2500"}, 2.5),
        ({"retry_after_ms": "2500", "retry_after": "7"}, 2.5),
        ({"retry_after": "0"}, SHORTEST_WAIT),
        ({"retry_after_ms": "1"}, SHORTEST_WAIT),
        ({"retry_after": formatdate(time() - 60, usegmt=True)}, SHORTEST_WAIT),
    ],
)
def test_retry_after_is_respected_with_a_minimum_of_half_a_second(headers: dict[str, str], wait: float) -> None:
    waits = {retry_after(busy(**headers), 3) or 0 for _ in range(20)}
    assert all(wait <= each <= wait + 0.25 for each in waits)
    assert len(waits) > 1, "not all who wait come back at once"


def test_retry_after_may_be_a_date() -> None:
    wait = retry_after(busy(retry_after=formatdate(time() + 20, usegmt=True)), 0)
    assert wait is not None
    assert 17 < wait <= 20.25


@pytest.mark.parametrize("value", ["soon", "nan", "inf", "9" * 400, ""])
def test_an_unreadable_retry_after_is_ignored(value: str) -> None:
    assert busy(retry_after=value).wait is None
    assert busy(retry_after_ms=value).wait is None


@pytest.mark.parametrize(
    "error",
    [
        refusal(400, code="context_length_exceeded"),
        refusal(400, "This model's maximum context length is 8192 tokens.", param="messages"),
        refusal(413, "prompt is too long: 210000 tokens > 200000 maximum"),
        refusal(400, "the request exceeds the available context size"),
        refusal(400, "Invalid request: Your request exceeded model token limit: 8192"),
        refusal(422, "Input validation error: `inputs` must have less than 4096 tokens. Given: 5000"),
        refusal(400, "The input token count (1100000) exceeds the maximum number of tokens allowed (1048576)."),
        refusal(400, "Please reduce the length of the messages or completion."),
        refusal(400, "Requested tokens exceed context window of 2048"),
        refusal(413, "413 Request Entity Too Large nginx"),
        refusal(400, "Input is too long for requested model."),
    ],
)
def test_an_endpoint_says_in_many_ways_that_a_prompt_is_too_long(error: Refused) -> None:
    assert too_long(error)


@pytest.mark.parametrize("message", ["no", "Bad Request", "The model's endpoint answered with status 400.", "???"])
def test_a_refusal_without_a_reason_may_be_for_the_length(message: str) -> None:
    assert not too_long(refusal(400, message))
    assert may_be_too_long(refusal(400, message))


@pytest.mark.parametrize(
    "error",
    [
        refusal(400, "Invalid schema for function"),
        refusal(400, "no", param="temperature"),
        refusal(400, "max_tokens is too large: 90000. It exceeds the limit of 4096.", param="max_tokens"),
        refusal(400, "no", code="content_filter"),
        refusal(400, "Image input is not supported by this model"),
        refusal(400, "API key not valid. Please pass a valid API key."),
        refusal(400, "The model `x` does not exist"),
        refusal(500, "maximum context length"),
        refusal(401, "no"),
        Unreadable("maximum context length"),
    ],
)
def test_a_shorter_prompt_is_not_tried_after_a_refusal_with_another_reason(error: EndpointError) -> None:
    assert not too_long(error)
    assert not may_be_too_long(error)
