"""Embeddings by an endpoint: the demo model, and endpoints with fewer features."""

import logging
import math
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
from assistants.model.embedder import Vectors
from assistants.model.embedding import EndpointEmbedder
from assistants.model.endpoint import Endpoint
from assistants.model.errors import EndpointError, Refused
from assistants.model.retries import is_busy
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


def numbered(body: Json) -> Response:
    """An answer whose vectors are the numbers in the texts, as directions."""
    numbers = [int(text.split()[1]) for text in body["input"]]
    return floats(body, *([math.cos(number / 1_000), math.sin(number / 1_000)] for number in numbers))


def order(found: Vectors | None) -> list[int | None]:
    """The numbers that vectors stand for; None for a missing vector."""
    assert found is not None
    return [round(math.atan2(row[1], row[0]) * 1_000) if row.any() else None for row in found.matrix]


async def test_texts_with_common_words_have_similar_vectors():
    async with embedder(demo_model()) as made:
        found = await made.embed(["The spire of Strasbourg", "the Strasbourg spire", "Sourdough bread"])
    assert found is not None
    assert (found.model, found.matrix.shape, found.matrix.dtype) == ("text-embedding-3-large", (3, 256), np.float32)
    np.testing.assert_allclose(np.linalg.norm(found.matrix, axis=1), 1, rtol=1e-5)
    alike, other = found.matrix[0] @ found.matrix[1], found.matrix[0] @ found.matrix[2]
    assert alike > 0.8 > 0.3 > other


async def test_many_texts_are_sent_in_batches_and_returned_in_their_order():
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


async def test_numbers_instead_of_base64_and_too_long_vectors_are_accepted(asked: Asked):
    async with embedder(asked.app(lambda body: floats(body, [3, 4, 9], [0, 2, 9])), EMBEDDING_DIMENSIONS="2") as made:
        found = await made.embed(["a", "b"])
    assert found is not None
    np.testing.assert_allclose(found.matrix, [[0.6, 0.8], [0, 1]], rtol=1e-6)


@pytest.mark.parametrize("name", ["dimensions", "encoding_format"])
async def test_a_refused_parameter_is_left_out_at_once_and_later(asked: Asked, name: str):
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
        with pytest.raises(Refused, match="busy"):
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
async def test_an_endpoint_without_embeddings_is_logged_once_and_not_called_for_a_while(
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
        with pytest.raises(Refused):
            await made.embed(["a"])


class TestLimits:
    """Refused texts are sent again in smaller batches or shortened; later requests keep these limits."""

    @pytest.mark.parametrize(
        ("status", "message"),
        [
            (400, "Value error, batch size is invalid, it should not be larger than 10."),
            (422, "batch size 128 > maximum allowed batch size 10"),
            (400, "invalid request: total number of texts must be at most 10"),
            (400, "Bad Request"),
        ],
    )
    async def test_a_batch_of_too_many_texts_is_halved(self, asked: Asked, status: int, message: str):
        def answer(body: Json) -> Response:
            return refusal(status, message) if len(body["input"]) > 10 else numbered(body)

        texts = [f"text {number}" for number in range(300)]
        async with embedder(asked.app(answer)) as made:
            assert order(await made.embed(texts)) == list(range(300))
            asked.clear()
            assert order(await made.embed(texts)) == list(range(300))
        assert max(len(body["input"]) for body in asked) == 8

    @pytest.mark.parametrize(
        ("status", "message"),
        [(413, "Payload too large"), (400, "at most 2000 tokens"), (500, "input length exceeds the context length")],
    )
    async def test_a_batch_of_too_many_tokens_is_halved(self, asked: Asked, status: int, message: str):
        def answer(body: Json) -> Response:
            return refusal(status, message) if len("".join(body["input"])) > 8_000 else numbered(body)

        texts = [f"text {number} ".ljust(500, "x") for number in range(100)]
        async with embedder(asked.app(answer)) as made:
            for _ in range(2):
                asked.clear()
                assert order(await made.embed(texts)) == list(range(100))
        assert {len(body["input"]) for body in asked} <= {12, 13, 4, 9}
        assert max(len("".join(body["input"])) for body in asked) <= 8_000

    @pytest.mark.parametrize(
        ("status", "message"),
        [
            (400, "This model's maximum context length is 512 tokens, which is not enough for 700"),
            (413, "`inputs` must have less than 512 tokens. Given: 700"),
            (500, "the input length exceeds the context length"),
            (400, "Bad Request"),
        ],
    )
    async def test_a_text_that_is_too_long_is_cut_shorter(self, asked: Asked, status: int, message: str):
        def answer(body: Json) -> Response:
            return refusal(status, message) if max(map(len, body["input"])) > 2_048 else numbered(body)

        texts = [f"text {number} ".ljust(3_200, "x") for number in range(20)]
        async with embedder(asked.app(answer)) as made:
            assert order(await made.embed(texts)) == list(range(20))
            asked.clear()
            assert order(await made.embed(texts)) == list(range(20))
        assert [(len(body["input"]), len(body["input"][0])) for body in asked] == [(20, 1_600)]

    async def test_a_text_that_is_refused_at_any_length_has_no_vector(
        self, asked: Asked, caplog: pytest.LogCaptureFixture
    ):
        def answer(body: Json) -> Response:
            return refusal(400, "Bad words") if any("bad" in text for text in body["input"]) else numbered(body)

        texts = [f"text {number} {'bad ' * 200 if number in (7, 9) else 'x'}" for number in range(40)]
        async with embedder(asked.app(answer)) as made:
            with caplog.at_level(logging.WARNING, "assistants.engine"):
                found = await made.embed(texts)
            longest = made._endpoint.learnt.of("text-embedding-3-large").longest()
        assert order(found) == [*range(7), None, 8, None, *range(10, 40)]
        assert longest is None
        assert [record.message for record in caplog.records] == ["2 of 40 texts have no embedding: Bad words"]

    async def test_a_batch_whose_answer_lacks_a_vector_is_sent_in_halves(self, asked: Asked):
        async with embedder(asked.app(lambda body: floats(body, [1, 0]))) as made:
            found = await made.embed(["a", "b", "c"])
        assert found is not None
        np.testing.assert_allclose(found.matrix, [[1, 0]] * 3)
        assert [body["input"] for body in asked] == [["a", "b", "c"], ["a", "b"], ["a"], ["b"], ["c"]]

    @pytest.mark.parametrize("index", ["missing", "0", 0, None, True])
    async def test_the_position_tells_which_vector_is_whose_where_the_index_does_not(self, asked: Asked, index: object):
        def answer(body: Json) -> Response:
            data: list[Json] = [{"index": index, "embedding": [1, 0]}, {"index": index, "embedding": [0, 1]}]
            for each in data if index == "missing" else ():
                del each["index"]
            return JSONResponse({"data": data})

        async with embedder(asked.app(answer)) as made:
            found = await made.embed(["a", "b"])
        assert found is not None
        np.testing.assert_allclose(found.matrix, [[1, 0], [0, 1]])

    async def test_vectors_that_cannot_be_used_are_none(self, asked: Asked):
        async with embedder(asked.app(lambda body: floats(body, [3, 4], [], [1, 2, 3], [0, 0], [4, 3]))) as made:
            found = await made.embed(["a", "b", "c", "d", "e"])
        assert found is not None
        np.testing.assert_allclose(found.matrix, [[0.6, 0.8], [0, 0], [0, 0], [0, 0], [0.8, 0.6]], rtol=1e-6)


class TestEndpointWithoutEmbeddings:
    """An endpoint without embeddings is recognized after a few requests."""

    TEXTS = tuple(f"text {number} {'x' * 2_000}" for number in range(1_000))

    @pytest.mark.parametrize(
        ("answer", "words"),
        [
            (lambda _: refusal(400, "Invalid input"), "Invalid input"),
            (lambda _: refusal(422, "Too many tokens"), "Too many tokens"),
            (lambda _: refusal(401, "Incorrect API key"), "Incorrect API key"),
            (lambda _: refusal(429, "No credit", "insufficient_quota"), "No credit"),
            (lambda _: JSONResponse({"data": []}), "another number of embeddings"),
            (lambda _: JSONResponse({"error": "broken"}), "broken"),
            (lambda _: Response("<html><title>Welcome</title>", media_type="text/html"), "Welcome"),
        ],
    )
    async def test_a_large_file_takes_few_requests(self, asked: Asked, answer: Callable[[Json], Response], words: str):
        async with embedder(asked.app(answer)) as made:
            with pytest.raises(EndpointError, match=words) as caught:
                await made.embed(self.TEXTS)
        assert not is_busy(caught.value)
        assert len(asked) < 20

    async def test_a_failing_endpoint_is_called_once_after_that(self, asked: Asked):
        broken = True

        def answer(body: Json) -> Response:
            return refusal(500, "Oops") if broken else numbered(body)

        async with embedder(asked.app(answer), MODEL_RETRIES="1") as made:
            counts = list[int]()
            for _ in range(3):
                asked.clear()
                with pytest.raises(EndpointError, match="Oops") as caught:
                    await made.embed(["text 0"])
                assert not is_busy(caught.value)
                counts.append(len(asked))
            assert counts == [2, 1, 1]
            broken = False
            assert order(await made.embed(["text 0"])) == [0]
            broken = True
            asked.clear()
            with pytest.raises(EndpointError):
                await made.embed(["text 0"])
            assert len(asked) == 2

    async def test_an_endpoint_that_has_accepted_texts_is_not_hopeless(self, asked: Asked):
        def answer(body: Json) -> Response:
            return refusal(400, "Bad words") if body["input"] == ["bad"] else numbered(body)

        async with embedder(asked.app(answer)) as made:
            with pytest.raises(EndpointError):
                await made.embed(["bad"])
            await made.embed(["text 0"])
            assert await made.embed(["bad"]) is None


@pytest.mark.parametrize("settings", [{"EMBEDDING_MODEL": "none"}, {"OPENAI_BASE_URL": "", "OPENAI_API_KEY": ""}])
async def test_the_endpoint_is_not_called_without_texts(asked: Asked, settings: dict[str, str]):
    async with embedder(asked.app(lambda body: floats(body, [1, 0])), **settings) as made:
        assert await made.embed(["a"]) is None
    assert not asked


async def test_the_demo_model_answers_the_sdk_and_fails_as_scripted():
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
