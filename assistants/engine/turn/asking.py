"""The calls of the model that make one turn: repeated while it is busy, with a shorter prompt if it was too long."""

import asyncio
import logging
from collections.abc import Callable, Mapping, Sequence

from assistants.engine.turn.calls import Calls
from assistants.engine.turn.chatspan import ChatSpan
from assistants.engine.turn.completion import Completion
from assistants.engine.turn.prompt import Prompt, droppable, prompt, recent
from assistants.engine.turn.refusals import may_be_too_long, too_long
from assistants.model.contexts import longest_prompt
from assistants.model.endpoint import Model
from assistants.model.errors import Refused
from assistants.model.retries import retry_after
from assistants.schema.messages import Message
from assistants.settings import Settings
from assistants.state.runs import RunRecord
from assistants.storage.clock import Clock
from assistants.storage.slices import Slices
from assistants.telemetry import record
from assistants.telemetry.names import ERROR, REQUEST_MODEL, RETRIES

log = logging.getLogger("assistants.engine")

MAX_CUTS = 2
"""How often a prompt is shortened after a refusal that does not give the reason."""


class ModelCall:
    """The call of the model for one turn. `completion` and `prompt` are those of the latest attempt, complete or not.

    Parameters
    ----------
    thread
        The newest messages of the thread.
    skipped
        The number of the thread's records before `thread`.
    files
        A text for the model that names the files of its code interpreter.
    """

    def __init__(
        self,
        settings: Settings,
        clock: Clock,
        model: Model,
        run: RunRecord,
        thread: Sequence[Message],
        images: Mapping[str, str],
        skipped: int = 0,
        files: str = "",
    ) -> None:
        self._settings = settings
        self._clock = clock
        self._model = model
        self._run = run
        self.thread, self.skipped = thread, skipped
        self._images, self._files = images, files
        self._name = settings.endpoint_model(run.model)
        self._learnt = model.learnt.of(self._name)
        self._messages = recent(run, thread)
        dropped = min(max(run.turn.dropped - skipped, 0), len(self._messages) - 1) if run.turn else 0
        self.prompt = self._prompt(max(dropped, 0), longest_prompt(settings, run.model, self._learnt))
        self.completion = Completion()
        self.repeated = list[Exception]()
        """The errors after which the model was called again."""

    @property
    def over_budget(self) -> bool:
        """Whether the prompt, with all droppable messages left out, exceeds the run's remaining budget."""
        return self.prompt.budget is not None and self.prompt.tokens > self.prompt.budget

    async def make(self, on_chunk: Callable[[Completion], None], slices: Slices | None = None) -> None:
        """Call the model until it answers, or fails with an error that a repetition would not correct.

        `on_chunk` is called after every chunk.

        `slices` are those of the streams that share the event loop.
        """
        attempt, refusals = 0, list[tuple[Exception, int]]()
        offered = frozenset(tool["function"]["name"] for tool in self.prompt.body.get("tools", ()))
        while True:
            self.completion = Completion(calls=Calls(offered))
            with ChatSpan(self._settings, self.prompt.body, self.completion, on_chunk) as span:
                await self.completion.take(self._model.stream(self.prompt.body), span.on_chunk, slices)
            trouble = self.completion.trouble
            if trouble is None:
                return self._accepted(refusals)
            if self.completion.begun:
                return None
            spare = droppable(self._run, self._messages, self.prompt.dropped)
            said = too_long(trouble)
            if said:
                self._learnt.refuses(self.prompt.estimate)
            if spare and (said or (len(refusals) < MAX_CUTS and may_be_too_long(trouble))):
                refusals.append((trouble, self.prompt.estimate))
                self.prompt = self._prompt(self.prompt.dropped + (spare + 1) // 2)
                continue
            wait = retry_after(trouble, attempt)
            left = self._run.expires_at - self._clock.now()
            if wait is None or attempt >= self._settings.model_retries or wait >= left:
                if refusals and isinstance(trouble, Refused) and not trouble.transient:
                    self.completion.trouble = refusals[0][0]
                return None
            log.warning("run %s: the model is asked again in %.1f s: %s", self._run.id, wait, trouble)
            record.add(RETRIES, 1, {REQUEST_MODEL: self._name, ERROR: type(trouble).__name__})
            self.repeated.append(trouble)
            attempt += 1
            await asyncio.sleep(wait)

    def _accepted(self, refusals: Sequence[tuple[Exception, int]]) -> None:
        """Record the length that the model accepts, and that it refused a longer prompt for its length."""
        for _, estimate in refusals:
            self._learnt.refuses(estimate)
        self._learnt.accepts(self.prompt.estimate)

    def _prompt(self, dropped: int, longest: int | None = None) -> Prompt:
        return prompt(self._run, self.thread, self._name, dropped, self._images, longest, self._files)
