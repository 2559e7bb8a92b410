"""Embeddings by the model's endpoint: in batches and lengths that it accepts, repeated while it is busy."""

from __future__ import annotations

import asyncio
import logging
import re
import time
from bisect import bisect_right
from collections.abc import Iterator, Sequence
from typing import NamedTuple, cast

from assistants.model.embedder import Vectors
from assistants.model.endpoint import Endpoint
from assistants.model.errors import EndpointError, Refused, TooMuch
from assistants.model.operation import Operation
from assistants.model.retries import is_busy, retry_after
from assistants.model.vectors import listed, unit
from assistants.settings import Settings
from assistants.telemetry import record
from assistants.telemetry.names import DIMENSIONS, ERROR, REQUEST_MODEL, RETRIES
from assistants.tokens import of_text

log = logging.getLogger("assistants.engine")

NONE = "none"
"""The setting that disables embeddings."""

_TEXTS, _TOKENS = 128, 60_000
"""The most texts and tokens of a batch: OpenAI accepts 2,048 and 300,000 by its own count, other endpoints less."""

_LONGEST = 24_000
"""The characters of a text that are embedded: models read about 8,000 tokens."""

_CUTS, _SHORTEST = 5, 64
"""How often a refused text is halved, and the number of tokens that every model accepts."""

_HOPELESS = 3
"""Refused texts, however short, before the first accepted one: then all would be refused."""

_TRIES = 3
"""Tries of an endpoint that fails without being busy."""

_PATIENCE = 20.0
"""Seconds after which a failing endpoint is not called again."""

_FAILING = 60.0
"""Seconds after a failure for which an endpoint is called once only."""

_LONGEST_WAIT = 60.0
"""The most seconds to wait for a busy endpoint."""

_AT_ONCE = 4
_ASK_AGAIN = 300.0
"""Seconds after which an endpoint without embeddings is called again."""

_NO_MODEL = re.compile(
    r"model.{0,80}(not |unknown|invalid|unsupported)|(not |unknown|invalid|unsupported).{0,80}model", re.I
)
_NO_EMBEDDINGS = re.compile(r"(not |n't |un).{0,40}embedding|embedding.{0,80}(not |n't |unsupported|disabled)", re.I)
_BATCH = re.compile(r"\bbatch|(number|count|many|array) of|too many|\b(texts|inputs|items|requests|instances)\b", re.I)
_LENGTH = re.compile(r"token|length|too (long|large|big)|exceed|payload|\bbytes\b|context", re.I)


class _Miscounted(EndpointError):
    """The answer has more or fewer vectors than there are texts."""


class _Given(NamedTuple):
    """The results for texts: embeddings, unchanged, or None for a text without one; whether one request sufficed."""

    rows: list[object]
    at_once: bool


class EndpointEmbedder:
    """The embeddings of the endpoint in the settings, all of length 1 and with at most the configured dimensions.

    It learns from refusals which batches and texts the endpoint accepts.
    """

    def __init__(self, settings: Settings, endpoint: Endpoint) -> None:
        self._settings = settings
        self._endpoint = endpoint
        self._model = settings.endpoint_embedding_model
        self._turns = asyncio.Semaphore(_AT_ONCE)
        self._none_until = self._failing_until = 0.0
        self.lacking: Refused | None = None
        """The endpoint's refusal, if it has no embeddings."""

    async def embed(self, texts: Sequence[str]) -> Vectors | None:
        """The texts' vectors; None if the endpoint has no embeddings.

        A text has no vector if it is refused at any length, or if its vector cannot be used.

        Raises
        ------
        EndpointError
            No vectors: for the present if the error says that the endpoint is busy, else until its configuration
            changes.
        """
        if not self._settings.has_model or self._model == NONE or time.monotonic() < self._none_until:
            return None
        refused = list[EndpointError]()
        try:
            rows = await self._rows(texts, refused)
        except Refused as error:
            if not _lacking(error):
                raise
            self._none_until = time.monotonic() + _ASK_AGAIN
            if self.lacking is None:
                log.warning("the endpoint has no embeddings by %s: search is by keywords alone: %s", self._model, error)
            self.lacking = error
            return None
        if refused:
            if not self._endpoint.learnt.of(self._model).accepted:
                raise refused[-1]
            log.warning("%d of %d texts have no embedding: %s", len(refused), len(texts), refused[-1])
        matrix = await asyncio.to_thread(unit, rows, self._settings.embedding_dimensions)
        return None if matrix is None else Vectors(self._model, matrix)

    async def _rows(self, texts: Sequence[str], refused: list[EndpointError]) -> list[object]:
        """The results for the texts. If no batch has been accepted yet, the first one shows the endpoint's limits."""
        parts = list(batches([text[:_LONGEST] for text in texts]))
        ahead = 0 if self._endpoint.learnt.of(self._model).accepted else 1
        given = [await self._batch(part, refused) for part in parts[:ahead]]
        calls = [asyncio.ensure_future(self._batch(part, refused)) for part in parts[ahead:]]
        try:
            given += await asyncio.gather(*calls)
        finally:
            for call in calls:
                call.cancel()
        return [row for each in given for row in each.rows]

    def _batches(self, texts: Sequence[str]) -> Iterator[list[str]]:
        """The texts in batches within the known limits."""
        learnt = self._endpoint.learnt.of(self._model)
        longest = learnt.longest()
        cut = [_cut(text, longest) for text in texts] if longest else texts
        return batches(cut, learnt.batch_texts or _TEXTS, learnt.batch_tokens or _TOKENS)

    async def _batch(self, texts: Sequence[str], refused: list[EndpointError]) -> _Given:
        """The results for a batch; if it is refused as a whole, it is sent in halves."""
        learnt = self._endpoint.learnt.of(self._model)
        parts, longest, error = list(self._batches(texts)), learnt.longest(), None
        if len(parts) == 1:
            try:
                return _Given(await self._asked(parts[0]), at_once=True)
            except EndpointError as trouble:
                if not _about_input(trouble):
                    raise
                error = trouble
            if len(texts) == 1:
                return _Given([await self._shorter(parts[0][0], error, refused)], at_once=False)
            half = (len(texts) + 1) // 2
            parts = [parts[0][:half], parts[0][half:]]
        given = [await self._batch(part, refused) for part in parts]
        if error is not None and all(each.at_once for each in given) and learnt.longest() == longest:
            if isinstance(error, TooMuch) or (_LENGTH.search(str(error)) and not _BATCH.search(str(error))):
                learnt.batch_tokens = max(sum(map(of_text, part)) for part in parts)
            else:
                learnt.batch_texts = max(map(len, parts))
        return _Given([row for each in given for row in each.rows], at_once=False)

    async def _shorter(self, text: str, error: EndpointError, refused: list[EndpointError]) -> object:
        """The result for a refused text: the vector of its beginning, if that is accepted.

        Raises
        ------
        EndpointError
            None of several texts was accepted, so no other would be.
        """
        learnt = self._endpoint.learnt.of(self._model)
        for _ in range(_CUTS):
            tokens, text = of_text(text), text[: len(text) // 2]
            if of_text(text) < _SHORTEST:
                break
            try:
                (row,) = await self._asked([text])
            except EndpointError as trouble:
                if not _about_input(trouble):
                    raise
                continue
            if tokens > learnt.accepted:  # else the refusal was not for its length
                learnt.refuses(tokens)
            return row
        refused.append(error)
        if len(refused) == _HOPELESS and not learnt.accepted:
            raise error
        return None

    async def _asked(self, texts: Sequence[str]) -> list[object]:
        """The embeddings of the texts, unchanged.

        Raises
        ------
        EndpointError
            The endpoint refuses, or gives unusable answers repeatedly.
        """
        body = {
            "model": self._model,
            "input": texts,
            "dimensions": self._settings.embedding_dimensions,
            "encoding_format": "base64",
        }
        started, attempt = time.monotonic(), 0
        while True:
            try:
                async with self._turns:
                    with Operation("embeddings", self._settings, self._model) as operation:
                        answer = await self._endpoint.embed(body)
                        usage: object = answer.get("usage")
                        operation.span.set({DIMENSIONS: self._settings.embedding_dimensions})
                        operation.used(_tokens(usage), None)
                break
            except EndpointError as trouble:
                wait = self._wait(trouble, attempt, started)
                if wait is None:
                    raise
                log.warning("embeddings are asked for again in %.1f s: %s", wait, trouble)
                record.add(RETRIES, 1, {REQUEST_MODEL: self._model, ERROR: type(trouble).__name__})
                attempt += 1
                await asyncio.sleep(wait)
        found = listed(answer, len(texts))
        if found is None:
            raise _Miscounted(f"The model's endpoint answered with another number of embeddings than {len(texts)}.")
        self._failing_until = 0.0
        self._endpoint.learnt.of(self._model).accepts(max(map(of_text, texts)))
        return found

    def _wait(self, trouble: EndpointError, attempt: int, started: float) -> float | None:
        """Seconds after which to call again; None: a repetition would not help, or would take too long."""
        if _lacking(trouble) or _about_input(trouble):
            return None
        wait, now = retry_after(trouble, attempt), time.monotonic()
        most = self._settings.model_retries
        if not is_busy(trouble):
            most = 0 if now < self._failing_until else min(most, _TRIES)
            if wait is None or attempt >= most or now - started > _PATIENCE:
                self._failing_until = now + _FAILING
                return None
        return wait if wait is not None and wait <= _LONGEST_WAIT and attempt < most else None


def _tokens(usage: object) -> int | None:
    """The tokens in a report of usage; None if it has no count."""
    found = cast("dict[str, object]", usage).get("prompt_tokens") if isinstance(usage, dict) else None
    return found if isinstance(found, int) else None


def batches(texts: Sequence[str], most: int = _TEXTS, tokens: int = _TOKENS) -> Iterator[list[str]]:
    """The texts in their order, in batches within both limits."""
    batch, together = list[str](), 0
    for text in texts:
        size = of_text(text)
        if batch and (len(batch) == most or together + size > tokens):
            yield batch
            batch, together = [], 0
        batch.append(text)
        together += size
    if batch:
        yield batch


def _cut(text: str, tokens: int) -> str:
    """The beginning of a text, of at most `tokens` tokens."""
    if of_text(text) <= tokens:
        return text
    return text[: bisect_right(range(1, len(text) + 1), tokens, key=lambda length: of_text(text[:length]))]


def _lacking(error: EndpointError) -> bool:
    """Whether the error means that the endpoint has no embeddings, or none by this model."""
    if not isinstance(error, Refused) or error.status not in (400, 403, 404, 405, 422, 501):
        return False
    if error.status in (404, 405, 501) or error.code in ("model_not_found", "OperationNotSupported"):
        return True
    said = str(error)
    if _LENGTH.search(said) or _BATCH.search(said):
        return False
    return bool(_NO_EMBEDDINGS.search(said) or _NO_MODEL.search(said))


def _about_input(error: EndpointError) -> bool:
    """Whether fewer or shorter texts may be accepted."""
    if isinstance(error, (TooMuch, _Miscounted)):
        return True
    if not isinstance(error, Refused) or _lacking(error):
        return False
    if error.status is not None and error.status >= 500:
        return bool(_LENGTH.search(str(error)))
    return error.status in (None, 400, 413, 422)
