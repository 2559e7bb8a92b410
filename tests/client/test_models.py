"""The other routes of OpenAI's API: one base URL serves a whole program."""

from collections.abc import Iterator

import httpx2
import openai
import pytest
from openai import AzureOpenAI, OpenAI

from tests.client.conftest import ALICE
from tests.support.service.processes import Model, Service, eventually


@pytest.fixture(scope="module")
def plain(configured: Service) -> Iterator[OpenAI]:
    """The unmodified SDK: answers of the model's endpoint are not validated."""
    with OpenAI(base_url=configured.url, api_key=ALICE, max_retries=0) as client:
        yield client


def test_a_chat_completion_by_the_models_name_at_the_endpoint(plain: OpenAI, model: Model, topic: str):
    done = plain.chat.completions.create(model="gpt-4o", messages=[{"role": "user", "content": topic}], seed=7)
    assert done.choices[0].message.content == f"You said: {topic}"
    (asked,) = model.requests(topic)
    assert (asked["model"], asked["seed"]) == ("deployment-a", 7)


def test_a_stream_arrives_while_the_model_answers(plain: OpenAI, model: Model, topic: str):
    model.script({"match": topic, "chunks": ["one ", "two ", "three"], "chunk_delay": 0.3})
    chunks = plain.chat.completions.create(model="m", messages=[{"role": "user", "content": topic}], stream=True)
    first = next(chunk for chunk in chunks if chunk.choices and chunk.choices[0].delta.content)
    assert first.choices[0].delta.content == "one "
    rest = [chunk.choices[0].delta.content or "" for chunk in chunks if chunk.choices]
    assert "".join(rest) == "two three"
    assert model.requests(topic)[0]["model"] == "deployment-b"


def test_a_client_that_disconnects_ends_the_models_work(plain: OpenAI, model: Model, topic: str):
    model.script({"match": topic, "chunks": ["word "] * 100, "chunk_delay": 0.1})
    chunks = plain.chat.completions.create(model="m", messages=[{"role": "user", "content": topic}], stream=True)
    next(iter(chunks))
    chunks.close()
    eventually(lambda: model.hung_up(topic))


def test_a_stream_that_breaks_off_raises(plain: OpenAI, model: Model, topic: str):
    model.script({"match": topic, "chunks": ["one ", "two"], "cut_after": 2})
    chunks = plain.chat.completions.create(model="m", messages=[{"role": "user", "content": topic}], stream=True)
    with pytest.raises(openai.APIError, match="could not be reached"):
        list(chunks)


def test_an_error_is_the_endpoints_own(plain: OpenAI, model: Model, topic: str):
    error = {"message": "Slow down.", "type": "requests", "param": None, "code": "rate_limit_exceeded"}
    model.script({"match": topic, "status": 429, "error": error, "headers": {"Retry-After": "9"}})
    with pytest.raises(openai.RateLimitError) as caught:
        plain.chat.completions.create(model="m", messages=[{"role": "user", "content": topic}])
    assert caught.value.response.json() == {"error": error}
    assert caught.value.response.headers["retry-after"] == "9"


def test_the_endpoints_models_are_listed(plain: OpenAI):
    assert [each.id for each in plain.models.list()] == ["demo"]


def test_azures_client_names_the_model_in_its_path(configured: Service, model: Model, topic: str):
    with AzureOpenAI(
        azure_endpoint=configured.url.removesuffix("/v1"), api_key=ALICE, api_version="2024-10-21"
    ) as client:
        done = client.chat.completions.create(model="gpt-4o", messages=[{"role": "user", "content": topic}])
    assert done.choices[0].message.content == f"You said: {topic}"
    assert model.requests(topic)[0]["model"] == "deployment-a"


@pytest.mark.parametrize("path", ["chat/completions", "embeddings", "responses"])
def test_without_a_key_the_model_is_not_reached(configured: Service, path: str):
    assert httpx2.post(f"{configured.url}/{path}", json={"model": "m"}).status_code == 401
