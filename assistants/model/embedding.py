"""Embeddings by the model's endpoint: in batches and of lengths that it takes, and again while it is busy."""

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
"""The name of no model."""

_TEXTS, _TOKENS = 128, 60_000
"""A batch's: OpenAI takes 2,048 and 300,000 by its own count, and others less."""

_LONGEST = 24_000
"""Characters of a text that count: models read about 8,000 tokens."""

_CUTS, _SHORTEST = 5, 64
"""How often a text that is refused is cut to its half, and tokens that every model takes."""

_HOPELESS = 3
"""Texts that are refused, however short, before any is taken: then all would be."""

_TRIES = 3
"""How often an endpoint that is out of order, and not only busy, is asked again."""

_PATIENCE = 20.0
"""Seconds after which it is not asked again."""

_FAILING = 60.0
"""Seconds for which an endpoint that was out of order is asked once only."""

_LONGEST_WAIT = 60.0
"""Seconds that are waited for an endpoint that is busy."""

_AT_ONCE = 4
_ASK_AGAIN = 300.0
"""Seconds after which an endpoint that had no embeddings is asked again."""

_NO_MODEL = re.compile(
    r"model.{0,80}(not |unknown|invalid|unsupported)|(not |unknown|invalid|unsupported).{0,80}model", re.I
)
_NO_EMBEDDINGS = re.compile(r"(not |n't |un).{0,40}embedding|embedding.{0,80}(not |n't |unsupported|disabled)", re.I)
_BATCH = re.compile(r"\bbatch|(number|count|many|array) of|too many|\b(texts|inputs|items|requests|instances)\b", re.I)
_LENGTH = re.compile(r"token|length|too (long|large|big)|exceed|payload|\bbytes\b|context", re.I)


class _Miscounted(EndpointError):
    """There are not as many vectors as texts."""


class _Given(NamedTuple):
    """What texts got: their embeddings as they came, None where there is none, and whether one request was enough."""

    rows: list[object]
    at_once: bool


class EndpointEmbedder:
    """The embeddings of the endpoint that the settings name, all of length 1 and no longer than the settings say.

    Which batches and texts the endpoint takes is learnt from what it refuses.
    """

    def __init__(self, settings: Settings, endpoint: Endpoint) -> None:
        self._settings = settings
        self._endpoint = endpoint
        self._model = settings.endpoint_embedding_model
        self._turns = asyncio.Semaphore(_AT_ONCE)
        self._none_until = self._failing_until = 0.0
        self.lacking: Refused | None = None
        """Why the endpoint has no embeddings, where it has said so."""

    async def embed(self, texts: Sequence[str]) -> Vectors | None:
        """The texts' vectors; None where the endpoint has no embeddings.

        A text has none that is refused however short it is cut, or whose vector cannot be used.

        Raises
        ------
        EndpointError
            There are none: just now, if the error says that the endpoint is busy, or as long as it is as it is.
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
        """What the texts get. An endpoint that has not taken any yet shows by the first batch what it takes."""
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
        """The texts in batches as they are taken, by all that is known."""
        learnt = self._endpoint.learnt.of(self._model)
        longest = learnt.longest()
        cut = [_cut(text, longest) for text in texts] if longest else texts
        return batches(cut, learnt.batch_texts or _TEXTS, learnt.batch_tokens or _TOKENS)

    async def _batch(self, texts: Sequence[str], refused: list[EndpointError]) -> _Given:
        """What the texts of a batch get; what is refused as a whole is sent in halves."""
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
        """What a text gets that was refused as it is: the vector of its beginning, if that is taken.

        Raises
        ------
        EndpointError
            Of several texts none was taken, now or ever.
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
            if tokens > learnt.accepted:  # else it was not too long, but for what it said
                learnt.refuses(tokens)
            return row
        refused.append(error)
        if len(refused) == _HOPELESS and not learnt.accepted:
            raise error
        return None

    async def _asked(self, texts: Sequence[str]) -> list[object]:
        """The embeddings of the texts as they came.

        Raises
        ------
        EndpointError
            The endpoint refuses, or answers nothing that can be used, again and again.
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
        """Seconds after which to ask again; None: it would not help, or would take too long."""
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
    """The tokens that a report of usage counts, if it does."""
    found = cast("dict[str, object]", usage).get("prompt_tokens") if isinstance(usage, dict) else None
    return found if isinstance(found, int) else None


def batches(texts: Sequence[str], most: int = _TEXTS, tokens: int = _TOKENS) -> Iterator[list[str]]:
    """The texts in their order, in batches that are neither too many nor too long."""
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
    """The beginning of a text that has so many tokens at most."""
    if of_text(text) <= tokens:
        return text
    return text[: bisect_right(range(1, len(text) + 1), tokens, key=lambda length: of_text(text[:length]))]


def _lacking(error: EndpointError) -> bool:
    """Whether it says that there are no embeddings, or none by this model."""
    if not isinstance(error, Refused) or error.status not in (400, 403, 404, 405, 422, 501):
        return False
    if error.status in (404, 405, 501) or error.code in ("model_not_found", "OperationNotSupported"):
        return True
    said = str(error)
    if _LENGTH.search(said) or _BATCH.search(said):
        return False
    return bool(_NO_EMBEDDINGS.search(said) or _NO_MODEL.search(said))


def _about_input(error: EndpointError) -> bool:
    """Whether fewer texts, or shorter ones, may be taken."""
    if isinstance(error, (TooMuch, _Miscounted)):
        return True
    if not isinstance(error, Refused) or _lacking(error):
        return False
    if error.status is not None and error.status >= 500:
        return bool(_LENGTH.search(str(error)))
    return error.status in (None, 400, 413, 422)
