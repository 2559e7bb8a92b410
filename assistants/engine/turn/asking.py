"""The calls of the model that make one turn: repeated while it is busy, cut shorter where it says too long."""

import asyncio
import logging
import re
from collections.abc import Callable, Mapping, Sequence

import openai

from assistants.engine.turn.completion import Completion
from assistants.engine.turn.prompt import Prompt, droppable, prompt, recent
from assistants.model.endpoint import Model
from assistants.model.retries import retry_after
from assistants.schema.messages import Message
from assistants.state.runs import RunRecord
from assistants.state.store import Store

log = logging.getLogger("assistants.engine")

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
