"""Quirks of embedding endpoints, by the name of the requested model, and the expected result for a file."""

import json
import math
import re
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any

from tests.support.service.upstream import Answer, Asked

Json = dict[str, Any]
Vector = Callable[[str], object]

CHUNKS = 12
"""Chunks of the file: each has its number, and otherwise the same words repeatedly."""


def chunk(number: int) -> str:
    """The text of a chunk, of about 200 tokens."""
    return f"number{number} ".ljust(799, "x")


@dataclass(frozen=True)
class EmbeddingQuirk:
    """The answer to a request, and the expected result for the file."""

    answer: Callable[[Json, Asked], Answer]
    without: Sequence[int] = ()
    """The chunks without a vector."""
    error: str | None = None
    """The `last_error` of the file."""


def embedded(body: Json, asked: Asked) -> Answer:
    """The answer of an endpoint without a quirk."""
    return EMBEDDING_QUIRKS[body["model"].partition("@")[0]].answer(body, asked)


def _number(text: str) -> int:
    found = re.search(r"\d+", text)
    return int(found[0]) if found else 0


def _direction(text: str) -> list[float]:
    return [math.cos(_number(text)), math.sin(_number(text))]


def _answered(value: object, status: int = 200, media_type: str = "application/json", **headers: str) -> Answer:
    return Answer([json.dumps(value).encode()], status, media_type, headers)


def _vectors(body: Json, vector: Vector = _direction, **fields: object) -> Answer:
    data: list[Json] = [{"index": at, "embedding": vector(text), **fields} for at, text in enumerate(body["input"])]
    return _answered({"object": "list", "data": data, "model": body["model"]})


def _each(answer: Callable[[Json], Answer], without: Sequence[int] = ()) -> EmbeddingQuirk:
    return EmbeddingQuirk(lambda body, asked: answer(body), without)


def _where(
    refused: Callable[[Json], bool], value: object, status: int = 400, without: Sequence[int] = ()
) -> EmbeddingQuirk:
    """A quirk that refuses the requests for which `refused` is true."""
    return _each(lambda body: _answered(value, status) if refused(body) else _vectors(body), without)


def _one(vector: object) -> EmbeddingQuirk:
    """A quirk whose third chunk has this unusable vector."""
    return _each(lambda body: _vectors(body, lambda text: vector if _number(text) == 2 else _direction(text)), [2])


def _failed(answer: Answer, error: str) -> EmbeddingQuirk:
    return EmbeddingQuirk(lambda body, asked: answer, error=f"The text of the file could not be embedded: {error}")


def _wrong_key(body: Json, asked: Asked) -> Answer:
    return _answered({"error": f"Incorrect API key: {asked.headers['authorization'].removeprefix('Bearer ')}"}, 401)


EMBEDDING_QUIRKS: dict[str, EmbeddingQuirk] = {
    "as-they-should-be": _each(_vectors),
    "without-an-index": _each(lambda body: _vectors(body, index=None)),
    "one-index-for-all": _each(lambda body: _vectors(body, index=0)),
    "five-at-once": _where(lambda body: len(body["input"]) > 5, {"error": {"message":
        "Value error, batch size is invalid, it should not be larger than 5."}}),
    "one-at-once": _where(lambda body: len(body["input"]) > 1, {"error": "Only one input"}, 422),
    "few-tokens-at-once": _where(lambda body: sum(map(len, body["input"])) > 3_000, {"message": "Payload too large"},
        413),
    "short-texts": _where(lambda body: max(map(len, body["input"])) > 512, {"error":
        "Input validation error: `inputs` must have less than 128 tokens. Given: 200"}, 413),
    "short-texts-in-other-words": _where(lambda body: max(map(len, body["input"])) > 512, {"error":
        "input exceeds context length"}, 500),
    "one-text-is-refused": _where(lambda body: any(_number(text) == 2 for text in body["input"]), {"detail":
        "Bad words"}, without=[2]),
    "empty-vector": _one([]),
    "no-vector": _one(None),
    "vector-of-0": _one([0.0, 0.0]),
    "vector-of-another-length": _one([1.0, 0.0, 0.0]),
    "vector-that-is-not-finite": _one([float("nan"), 1.0]),
    "no-vectors": _each(lambda body: _vectors(body, lambda _: []), range(CHUNKS)),
    "no-embeddings": _each(lambda body: _answered({"error": "This server does not support embeddings."}, 501),
        range(CHUNKS)),
    "refuses-all": _failed(_answered({"error": {"message": "Cannot do that."}}, 400), "Cannot do that."),
    "wrong-key": EmbeddingQuirk(_wrong_key, error="The text of the file could not be embedded: Incorrect API key: ***"),
    "no-credit": _failed(_answered({"error": {"message": "No credit.", "code": "insufficient_quota"}}, 429),
        "No credit."),
    "out-of-order": _failed(_answered({"object": "error", "message": "Out of memory"}, 500), "Out of memory"),
    "page": _failed(Answer([b"<html><title>Sign in</title></html>"], media_type="text/html"),
        "The model's endpoint sent an answer that cannot be understood: Sign in"),
}  # fmt: skip
