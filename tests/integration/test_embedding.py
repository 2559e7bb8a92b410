"""Embeddings by an endpoint: the demo model, and others that know less."""

import logging
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from typing import Any

import httpx2
import numpy as np
import openai
import pytest
from starlette.applications import Starlette
from starlette.requests import Request
from starlette.responses import JSONResponse, Response
from starlette.routing import Route

from assistants.local.model import demo_model
from assistants.local.server import serving
from assistants.model.embedding import EndpointEmbedder
from assistants.model.endpoint import Endpoint
from assistants.settings import Settings

Json = dict[str, Any]


class Asked(list[Json]):
    """The bodies of the requests."""

    def app(self, answer: Callable[[Json], Response]) -> Starlette:
        async def embed(request: Request) -> Response:
            self.append(await request.json())
            return answer(self[-1])

        return Starlette(routes=[Route("/v1/embeddings", embed, methods=["POST"])])


@pytest.fixture
def asked() -> Asked:
    return Asked()


@asynccontextmanager
async def embedder(app: Starlette, **settings: str) -> AsyncIterator[EndpointEmbedder]:
    async with serving(app) as url:
        read = Settings.model_validate({"OPENAI_BASE_URL": url, "OPENAI_API_KEY": "k", **settings})
        endpoint = Endpoint(read)
        yield EndpointEmbedder(read, endpoint)
        await endpoint.close()


def refusal(status: int, message: str, code: str | None = None, **headers: str) -> Response:
    return JSONResponse({"error": {"message": message, "code": code}}, status, headers)


def floats(body: Json, *rows: list[float]) -> Response:
    """An answer without base64, the last vector first."""
    data = [{"object": "embedding", "index": at, "embedding": row} for at, row in enumerate(rows)]
    return JSONResponse({"object": "list", "data": data[::-1], "model": body["model"], "usage": {}})


async def test_texts_that_share_words_have_vectors_that_point_the_same_way():
    async with embedder(demo_model()) as made:
        found = await made.embed(["The spire of Strasbourg", "the Strasbourg spire", "Sourdough bread"])
    assert found is not None
    assert (found.model, found.matrix.shape, found.matrix.dtype) == ("text-embedding-3-large", (3, 256), np.float32)
    np.testing.assert_allclose(np.linalg.norm(found.matrix, axis=1), 1, rtol=1e-5)
    alike, other = found.matrix[0] @ found.matrix[1], found.matrix[0] @ found.matrix[2]
    assert alike > 0.8 > 0.3 > other


async def test_many_texts_are_sent_in_batches_and_come_back_in_their_order():
    texts = [f"text number{number}" for number in range(300)] + ["long " * 10_000] * 5
    async with embedder(demo_model(), EMBEDDING_DIMENSIONS="64") as made:
        found = await made.embed(texts)
        assert found is not None
        assert found.matrix.shape == (305, 64)
        for at in (0, 150, 299):
            alone = await made.embed([texts[at]])
            assert alone is not None
            np.testing.assert_allclose(found.matrix[at], alone.matrix[0], atol=1e-6)


async def test_the_model_has_the_name_that_the_map_gives_it(asked: Asked):
    app = asked.app(lambda body: floats(body, [3, 4]))
    settings = {"EMBEDDING_MODEL": "mine", "MODEL_MAP": "mine=theirs,*=chat"}
    async with embedder(app, **settings) as made:
        found = await made.embed(["a"])
    assert found is not None
    assert (found.model, asked[0]["model"]) == ("theirs", "theirs")


async def test_the_map_of_all_other_models_is_not_for_embeddings(asked: Asked):
    async with embedder(asked.app(lambda body: floats(body, [3, 4])), MODEL="chat") as made:
        await made.embed(["a"])
    assert asked[0]["model"] == "text-embedding-3-large"


async def test_numbers_instead_of_base64_and_longer_vectors_than_asked_for_will_do(asked: Asked):
    async with embedder(asked.app(lambda body: floats(body, [3, 4, 9], [0, 2, 9])), EMBEDDING_DIMENSIONS="2") as made:
        found = await made.embed(["a", "b"])
    assert found is not None
    np.testing.assert_allclose(found.matrix, [[0.6, 0.8], [0, 1]], rtol=1e-6)


@pytest.mark.parametrize("name", ["dimensions", "encoding_format"])
async def test_what_an_endpoint_refuses_is_left_out_then_and_from_then_on(asked: Asked, name: str):
    def answer(body: Json) -> Response:
        return refusal(400, f"Unsupported parameter: {name}") if name in body else floats(body, [1.0] * 300)

    async with embedder(asked.app(answer)) as made:
        for _ in range(2):
            found = await made.embed(["a"])
            assert found is not None
            assert found.matrix.shape == (1, 256)
    assert [name in body for body in asked] == [True, False, False]


@pytest.mark.parametrize("headers", [{"Retry-After": "0"}, {"retry-after-ms": "20"}, {}])
@pytest.mark.parametrize("status", [429, 500, 503])
async def test_a_busy_endpoint_is_asked_again(asked: Asked, status: int, headers: dict[str, str]):
    def answer(body: Json) -> Response:
        return refusal(status, "busy", **headers) if len(asked) == 1 else floats(body, [1, 0])

    async with embedder(asked.app(answer)) as made:
        assert await made.embed(["a"]) is not None
    assert len(asked) == 2


async def test_an_endpoint_that_stays_busy_is_no_endpoint_without_embeddings(asked: Asked):
    def answer(_: Json) -> Response:
        return refusal(429, "busy", **{"Retry-After": "0"})

    async with embedder(asked.app(answer), MODEL_RETRIES="2") as made:
        with pytest.raises(openai.RateLimitError):
            await made.embed(["a"])
    assert len(asked) == 3


@pytest.mark.parametrize(
    ("status", "message", "code"),
    [
        (404, "Not Found", None),
        (404, 'model "text-embedding-3-large" not found, try pulling it first', None),
        (405, "Method Not Allowed", None),
        (501, "This server does not support embeddings. Start it with `--embeddings`", None),
        (400, "The model `text-embedding-3-large` does not exist", "model_not_found"),
        (400, "Invalid model name passed in model=text-embedding-3-large", None),
        (400, "The model does not support Embeddings API", None),
        (403, "Project does not have access to model text-embedding-3-large", "model_not_found"),
        (400, "The embeddings operation does not work with the specified model", "OperationNotSupported"),
    ],
)
async def test_an_endpoint_without_embeddings_is_told_once_and_not_asked_for_a_while(
    asked: Asked, status: int, message: str, code: str | None, caplog: pytest.LogCaptureFixture
):
    async with embedder(asked.app(lambda _: refusal(status, message, code))) as made:
        with caplog.at_level(logging.WARNING, "assistants.engine"):
            assert [await made.embed(["a"]) for _ in range(3)] == [None] * 3
            assert len(asked) == 1
            made._none_until = 0
            assert await made.embed(["a"]) is None
    assert len(asked) == 2
    assert ["keywords alone" in record.message for record in caplog.records] == [True]


@pytest.mark.parametrize(("status", "message"), [(401, "Incorrect API key"), (400, "Invalid input"), (500, "Oops")])
async def test_other_errors_are_not_taken_for_a_lack_of_embeddings(asked: Asked, status: int, message: str):
    async with embedder(asked.app(lambda _: refusal(status, message)), MODEL_RETRIES="0") as made:
        with pytest.raises(openai.APIStatusError):
            await made.embed(["a"])


async def test_an_answer_that_lacks_a_vector_is_refused(asked: Asked):
    async with embedder(asked.app(lambda body: floats(body, [1, 0]))) as made:
        with pytest.raises(ValueError, match="1 embeddings for 2 texts"):
            await made.embed(["a", "b"])


@pytest.mark.parametrize("settings", [{"EMBEDDING_MODEL": "none"}, {"OPENAI_BASE_URL": "", "OPENAI_API_KEY": ""}])
async def test_nobody_is_asked_where_there_is_nothing_to_ask_for(asked: Asked, settings: dict[str, str]):
    async with embedder(asked.app(lambda body: floats(body, [1, 0])), **settings) as made:
        assert await made.embed(["a"]) is None
    assert not asked


async def test_the_demo_model_answers_the_sdk_and_refuses_as_it_is_told():
    async with (
        serving(demo_model()) as url,
        openai.AsyncOpenAI(base_url=url, api_key="k", max_retries=0) as client,
        httpx2.AsyncClient() as http,
    ):
        one = await client.embeddings.create(model="m", input="spire", dimensions=8)
        two = await client.embeddings.create(model="m", input=["spire"], dimensions=8, encoding_format="float")
        np.testing.assert_allclose(one.data[0].embedding, two.data[0].embedding, atol=1e-6)
        assert len((await client.embeddings.create(model="m", input="spire")).data[0].embedding) == 1536
        script = [{"match": "flour", "status": 429, "error": "busy"}, {"text": "for chat only"}]
        (await http.post(url.replace("/v1", "/script"), json=script)).raise_for_status()
        await client.embeddings.create(model="m", input="spire")
        with pytest.raises(openai.RateLimitError, match="busy"):
            await client.embeddings.create(model="m", input="flour")
        await client.embeddings.create(model="m", input="flour")
