"""Quirks of embeddings, by the name of the model that is asked for, and what comes of a file that is embedded by it."""

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
"""Chunks of the file: each has its number, and the same words without a number again and again."""

_KEY = "sk-operator-0123456789"


def chunk(number: int) -> str:
    """The text of a chunk, of about 200 tokens."""
    return f"number{number} ".ljust(799, "x")


@dataclass(frozen=True)
class EmbeddingQuirk:
    """How a request is answered, and what must come of the file."""

    answer: Callable[[Json], Answer]
    without: Sequence[int] = ()
    """The chunks that get no vector."""
    error: str | None = None
    """What the `last_error` of the file says."""


def embedded(body: Json, asked: Asked) -> Answer:
    """The answer of the endpoint."""
    return EMBEDDING_QUIRKS[body["model"].partition("@")[0]].answer(body)


def _number(text: str) -> int:
    found = re.match(r"number(\d+)", text)
    return int(found[1]) if found else 0


def _direction(text: str) -> list[float]:
    return [math.cos(_number(text)), math.sin(_number(text))]


def _answered(value: object, status: int = 200, media_type: str = "application/json", **headers: str) -> Answer:
    return Answer([json.dumps(value).encode()], status, media_type, headers)


def _vectors(body: Json, vector: Vector = _direction, **fields: object) -> Answer:
    data: list[Json] = [{"index": at, "embedding": vector(text), **fields} for at, text in enumerate(body["input"])]
    return _answered({"object": "list", "data": data, "model": body["model"]})


def _where(refused: Callable[[Json], bool], value: object, status: int = 400) -> Callable[[Json], Answer]:
    return lambda body: _answered(value, status) if refused(body) else _vectors(body)


def _one(vector: object) -> Callable[[Json], Answer]:
    """The third chunk has this vector."""
    return lambda body: _vectors(body, lambda text: vector if _number(text) == 2 else _direction(text))


def _failed(answer: Answer, error: str) -> EmbeddingQuirk:
    return EmbeddingQuirk(lambda body: answer, error=f"The text of the file could not be embedded: {error}")


EMBEDDING_QUIRKS: dict[str, EmbeddingQuirk] = {
    "as-they-should-be": EmbeddingQuirk(_vectors),
    "without-an-index": EmbeddingQuirk(lambda body: _vectors(body, index=None)),
    "one-index-for-all": EmbeddingQuirk(lambda body: _vectors(body, index=0)),
    "five-at-once": EmbeddingQuirk(
        _where(
            lambda body: len(body["input"]) > 5,
            {"error": {"message": "Value error, batch size is invalid, it should not be larger than 5."}},
        )
    ),
    "one-at-once": EmbeddingQuirk(_where(lambda body: len(body["input"]) > 1, {"error": "Only one input"}, 422)),
    "few-tokens-at-once": EmbeddingQuirk(
        _where(lambda body: sum(map(len, body["input"])) > 3_000, {"message": "Payload too large"}, 413)
    ),
    "short-texts": EmbeddingQuirk(
        _where(
            lambda body: max(map(len, body["input"])) > 512,
            {"error": "Input validation error: `inputs` must have less than 128 tokens. Given: 200"},
            413,
        )
    ),
    "short-texts-in-other-words": EmbeddingQuirk(
        _where(lambda body: max(map(len, body["input"])) > 512, {"error": "input exceeds context length"}, 500)
    ),
    "one-text-is-refused": EmbeddingQuirk(
        _where(lambda body: any(_number(text) == 2 for text in body["input"]), {"detail": "Bad words"}), [2]
    ),
    "empty-vector": EmbeddingQuirk(_one([]), [2]),
    "no-vector": EmbeddingQuirk(_one(None), [2]),
    "vector-of-0": EmbeddingQuirk(_one([0.0, 0.0]), [2]),
    "vector-of-another-length": EmbeddingQuirk(_one([1.0, 0.0, 0.0]), [2]),
    "vector-that-is-not-finite": EmbeddingQuirk(_one([float("nan"), 1.0]), [2]),
    "no-vectors": EmbeddingQuirk(lambda body: _vectors(body, lambda _: []), range(CHUNKS)),
    "refuses-all": _failed(_answered({"error": {"message": "Cannot do that."}}, 400), "Cannot do that."),
    "wrong-key": _failed(_answered({"error": f"Incorrect API key: {_KEY}"}, 401), "Incorrect API key: ***"),
    "no-credit": _failed(
        _answered({"error": {"message": "No credit.", "code": "insufficient_quota"}}, 429), "No credit."
    ),
    "out-of-order": _failed(_answered({"object": "error", "message": "Out of memory"}, 500), "Out of memory"),
    "page": _failed(
        Answer([b"<html><title>Sign in</title></html>"], media_type="text/html"),
        "The model's endpoint sent an answer that cannot be understood: Sign in",
    ),
    "no-embeddings": EmbeddingQuirk(
        lambda body: _answered({"error": "This server does not support embeddings."}, 501), range(CHUNKS)
    ),
}
