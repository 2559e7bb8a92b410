"""The calls of the model that make one turn: repeated while it is busy, cut shorter where it says too long."""

import asyncio
import logging
import random
import re
import time
from collections.abc import Callable, Mapping, Sequence
from email.utils import parsedate_to_datetime
from typing import Any

import openai

from assistants.engine.completion import Completion
from assistants.engine.endpoint import Model
from assistants.engine.prompt import Prompt, droppable, prompt, recent
from assistants.schema.messages import Message
from assistants.state.runs import RunRecord
from assistants.state.store import Store

log = logging.getLogger("assistants.engine")

_LONGEST_WAIT = 30.0
_TOO_LONG = re.compile(
    r"context.{0,12}(length|window|size)|maximum.{0,20}tokens|prompt is too long|too many tokens", re.I
)


class ModelCall:
    """One turn's worth of asking. `completion` and `prompt` are those of the latest attempt, whole or not."""

    def __init__(
        self, store: Store, model: Model, run: RunRecord, thread: Sequence[Message], images: Mapping[str, str]
    ) -> None:
        self._store = store
        self._model = model
        self._run = run
        self.thread = thread
        self._images = images
        self._messages = recent(run, thread)
        self.completion = Completion()
        self.prompt = self._prompt(run.turn.dropped if run.turn else 0)

    @property
    def over_budget(self) -> bool:
        """Whether the prompt, though nothing more can be left out, is more than the run may still use."""
        return self.prompt.budget is not None and self.prompt.tokens > self.prompt.budget

    async def make(self, heard: Callable[[Completion], None]) -> None:
        """Ask until there is an answer, or an error that asking again would not mend; `heard` after every chunk."""
        attempt = 0
        while True:
            self.completion = Completion()
            await self.completion.take(self._model.stream(self.prompt.body), heard)
            trouble = self.completion.trouble
            if trouble is None or self.completion.begun:
                return
            spare = droppable(self._run, self._messages, self.prompt.dropped)
            if spare and too_long(trouble):
                self.prompt = self._prompt(self.prompt.dropped + (spare + 1) // 2)
                continue
            wait = retry_after(trouble, attempt)
            left = self._run.expires_at - self._store.clock.now()
            if wait is None or attempt >= self._store.settings.model_retries or wait >= left:
                return
            log.warning("run %s: the model is asked again in %.1f s: %s", self._run.id, wait, trouble)
            attempt += 1
            await asyncio.sleep(wait)

    def _prompt(self, dropped: int) -> Prompt:
        model = self._store.settings.endpoint_model(self._run.model)
        return prompt(self._run, self.thread, model, dropped, self._images)


def too_long(trouble: Exception) -> bool:
    """Whether the endpoint refused the prompt for its length."""
    if not isinstance(trouble, openai.APIStatusError) or trouble.status_code not in (400, 413, 422):
        return False
    return trouble.code == "context_length_exceeded" or bool(_TOO_LONG.search(trouble.message))


def retry_after(trouble: Exception, attempt: int) -> float | None:
    """Seconds after which to ask again; None: it would not help.

    What the endpoint says in `Retry-After` is honoured; without it the wait doubles from half a second on.
    """
    if isinstance(trouble, openai.APIStatusError):
        if trouble.code == "insufficient_quota" or not (
            trouble.status_code in (408, 429) or trouble.status_code >= 500
        ):
            return None
        said = _said(trouble.response.headers)
        if said is not None:
            return said
    elif not isinstance(trouble, openai.APIConnectionError):
        return None
    return min(0.5 * 2**attempt, _LONGEST_WAIT) * random.uniform(0.75, 1)


def _said(headers: Any) -> float | None:
    """`retry-after-ms`, or `Retry-After` in seconds or as a date."""
    try:
        if "retry-after-ms" in headers:
            return max(float(headers["retry-after-ms"]) / 1000, 0)
        value = headers.get("retry-after")
        if value is None:
            return None
        if value.strip().isdigit():
            return float(value)
        return max(parsedate_to_datetime(value).timestamp() - time.time(), 0)
    except ValueError:
        return None
