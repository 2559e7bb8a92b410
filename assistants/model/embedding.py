"""Embeddings by the model's endpoint: in batches, and again while it is busy."""

from __future__ import annotations

import asyncio
import base64
import logging
import re
import time
from collections.abc import Iterator, Sequence
from typing import TYPE_CHECKING, Any

import openai

from assistants.model.embedder import Vectors
from assistants.model.endpoint import Endpoint
from assistants.model.retries import retry_after
from assistants.settings import Settings
from assistants.tokens import of_text

if TYPE_CHECKING:
    import numpy as np
    from numpy.typing import NDArray

log = logging.getLogger("assistants.engine")

NONE = "none"
"""The name of no model."""

_TEXTS, _TOKENS = 128, 60_000
"""A batch's: OpenAI takes 2,048 and 300,000 by its own count, and others less."""

_LONGEST = 24_000
"""Characters of a text that count: models read about 8,000 tokens."""

_AT_ONCE = 4
_ASK_AGAIN = 300.0
"""Seconds after which an endpoint that had no embeddings is asked again."""

_NO_MODEL = re.compile(
    r"model.{0,80}(not |unknown|invalid|unsupported)|(not |unknown|invalid|unsupported).{0,80}model", re.I
)
_NO_EMBEDDINGS = re.compile(r"(not |n't |un).{0,40}embedding|embedding.{0,80}(not |n't |unsupported|disabled)", re.I)


class EndpointEmbedder:
    """The embeddings of the endpoint that the settings name, all of length 1 and no longer than the settings say."""

    def __init__(self, settings: Settings, endpoint: Endpoint) -> None:
        self._settings = settings
        self._endpoint = endpoint
        self._model = settings.endpoint_embedding_model
        self._turns = asyncio.Semaphore(_AT_ONCE)
        self._none_until = 0.0
        self._told = False

    async def embed(self, texts: Sequence[str]) -> Vectors | None:
        """The texts' vectors; None where the endpoint has no embeddings.

        Raises
        ------
        openai.APIError
            There are none just now.
        ValueError
            The answer does not have one for each text.
        """
        if not self._settings.has_model or self._model == NONE or time.monotonic() < self._none_until:
            return None
        calls = [asyncio.ensure_future(self._batch(batch)) for batch in batches(texts)]
        try:
            found = await asyncio.gather(*calls)
        except openai.APIStatusError as error:
            if not _lacking(error):
                raise
            self._none_until = time.monotonic() + _ASK_AGAIN
            if not self._told:
                log.warning("the endpoint has no embeddings by %s: search is by keywords alone: %s", self._model, error)
            self._told = True
            return None
        finally:
            for call in calls:
                call.cancel()
        return Vectors(self._model, await asyncio.to_thread(unit, found, self._settings.embedding_dimensions))

    async def _batch(self, texts: Sequence[str]) -> list[bytes | list[float]]:
        body = {
            "model": self._model,
            "input": texts,
            "dimensions": self._settings.embedding_dimensions,
            "encoding_format": "base64",
        }
        attempt = 0
        while True:
            try:
                async with self._turns:
                    answer = await self._endpoint.embed(body)
                break
            except openai.APIError as trouble:
                wait = None if _lacking(trouble) else retry_after(trouble, attempt)
                if wait is None or attempt >= self._settings.model_retries:
                    raise
                log.warning("embeddings are asked for again in %.1f s: %s", wait, trouble)
                attempt += 1
                await asyncio.sleep(wait)
        return vectors(answer, len(texts))


def batches(texts: Sequence[str]) -> Iterator[list[str]]:
    """The texts in their order, in batches that are neither too many nor too long."""
    batch, tokens = list[str](), 0
    for text in (text[:_LONGEST] for text in texts):
        size = of_text(text)
        if batch and (len(batch) == _TEXTS or tokens + size > _TOKENS):
            yield batch
            batch, tokens = [], 0
        batch.append(text)
        tokens += size
    if batch:
        yield batch


def _lacking(error: openai.APIError) -> bool:
    """Whether it says that there are no embeddings, or none by this model."""
    if not isinstance(error, openai.APIStatusError) or error.status_code not in (400, 403, 404, 405, 422, 501):
        return False
    if error.status_code in (404, 405, 501) or error.code in ("model_not_found", "OperationNotSupported"):
        return True
    return bool(_NO_EMBEDDINGS.search(error.message) or _NO_MODEL.search(error.message))


def vectors(answer: Any, count: int) -> list[bytes | list[float]]:
    """The vectors of an answer in their order: bytes of float32, or floats where the endpoint knows no base64."""
    data = sorted(answer.data or (), key=lambda each: each.index)
    if [each.index for each in data] != list(range(count)):
        raise ValueError(f"the endpoint has answered {len(data)} embeddings for {count} texts")
    found: list[Any] = [each.embedding for each in data]
    return [base64.b64decode(each) if isinstance(each, str) else each for each in found]


def unit(found: Sequence[Sequence[bytes | list[float]]], dimensions: int) -> NDArray[np.float32]:
    """A matrix of so many columns at most, whose rows have length 1."""
    import numpy as np

    rows = [
        np.frombuffer(each, "<f4") if isinstance(each, bytes) else np.array(each, np.float32)
        for batch in found
        for each in batch
    ]
    matrix = np.stack([row[:dimensions] for row in rows]).astype(np.float32)
    lengths = np.linalg.norm(matrix, axis=1, keepdims=True)
    return matrix / np.where(lengths > 0, lengths, 1).astype(np.float32)
