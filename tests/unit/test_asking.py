"""When a model is asked again, and after how long."""

from email.utils import formatdate
from time import time

import httpx2
import openai
import pytest

from assistants.engine.turn.asking import too_long
from assistants.model.endpoint import refused_parameter
from assistants.model.retries import retry_after

REQUEST = httpx2.Request("POST", "http://model/v1/chat/completions")


def refusal(
    status: int, message: str = "no", headers: dict[str, str] | None = None, **body: str
) -> openai.APIStatusError:
    response = httpx2.Response(status, headers=headers, request=REQUEST)
    return openai.APIStatusError(message, response=response, body={"message": message, **body})


@pytest.mark.parametrize("status", [408, 429, 500, 502, 503, 529])
def test_a_busy_endpoint_is_asked_again_after_waits_that_double(status: int) -> None:
    waits = [retry_after(refusal(status), attempt) for attempt in range(8)]
    assert all(
        wait is not None and 0.75 * top <= wait <= top
        for wait, top in zip(waits, [0.5, 1, 2, 4, 8, 16, 30, 30], strict=True)
    )


@pytest.mark.parametrize("status", [400, 401, 403, 404, 413, 422])
def test_a_refusal_is_final(status: int) -> None:
    assert retry_after(refusal(status), 0) is None


def test_an_exhausted_quota_is_final() -> None:
    assert retry_after(refusal(429, code="insufficient_quota"), 0) is None


def test_a_lost_connection_is_tried_again_and_a_broken_answer_is_not() -> None:
    assert retry_after(openai.APIConnectionError(request=REQUEST), 0) is not None
    assert retry_after(ValueError("not JSON"), 0) is None


@pytest.mark.parametrize(
    ("headers", "wait"),
    [
        ({"retry-after": "7"}, 7),
        ({"retry-after-ms": "250"}, 0.25),
        ({"retry-after-ms": "250", "retry-after": "7"}, 0.25),
        ({"retry-after": formatdate(time() - 60, usegmt=True)}, 0),
    ],
)
def test_what_retry_after_says_is_honoured(headers: dict[str, str], wait: float) -> None:
    assert retry_after(refusal(429, headers=headers), 3) == wait


def test_retry_after_may_be_a_date() -> None:
    wait = retry_after(refusal(503, headers={"retry-after": formatdate(time() + 20, usegmt=True)}), 0)
    assert wait is not None
    assert 17 < wait <= 20


def test_a_retry_after_that_nobody_can_read_is_ignored() -> None:
    wait = retry_after(refusal(503, headers={"retry-after": "soon"}), 0)
    assert wait is not None
    assert wait <= 0.5


@pytest.mark.parametrize(
    ("error", "expected"),
    [
        (refusal(400, code="context_length_exceeded"), True),
        (refusal(400, "This model's maximum context length is 8192 tokens."), True),
        (refusal(413, "prompt is too long: 210000 tokens > 200000 maximum"), True),
        (refusal(400, "the request exceeds the available context size"), True),
        (refusal(400, "Invalid schema for function"), False),
        (refusal(500, "maximum context length"), False),
    ],
)
def test_an_endpoint_says_in_many_ways_that_a_prompt_is_too_long(error: openai.APIStatusError, expected: bool) -> None:
    assert too_long(error) is expected


def test_a_parameter_that_can_be_spared_is_recognised_when_it_is_refused() -> None:
    sent = {"stream_options": {}, "temperature": 1}
    assert refused_parameter(refusal(400, "Unknown parameter: 'stream_options'"), sent) == "stream_options"
    assert refused_parameter(refusal(400, param="stream_options"), sent) == "stream_options"
    assert refused_parameter(refusal(422, "extra field temperature"), sent) is None
    assert refused_parameter(refusal(400, "stream_options"), {"temperature": 1}) is None
    assert refused_parameter(refusal(500, "stream_options"), sent) is None
