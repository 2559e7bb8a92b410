"""The trial: sends the battery to the endpoint, by the code of runs and of files."""

import asyncio
from collections.abc import AsyncGenerator

from assistants.engine import machine
from assistants.engine.turn import outcome
from assistants.engine.turn.asking import ModelCall
from assistants.local.trial import lessons, verdicts
from assistants.local.trial.advice import Names
from assistants.local.trial.battery import Battery, Case, answered, battery
from assistants.local.trial.verdicts import Answer, Embedded, State, Verdict
from assistants.model.embedding import NONE, EndpointEmbedder
from assistants.model.endpoint import Endpoint
from assistants.settings import Settings
from assistants.state.runs import Finish
from assistants.storage.clock import Clock


class Trial:
    """A trial of one model and of the embeddings.

    Parameters
    ----------
    asked
        The model, as an assistant names it.
    seconds
        The most seconds of each check.
    """

    def __init__(self, settings: Settings, endpoint: Endpoint, asked: str, seconds: float) -> None:
        self._settings = settings
        self._endpoint = endpoint
        self._seconds = seconds
        self._clock = Clock()
        self.battery: Battery = battery(asked)
        self.names = Names(
            asked,
            settings.endpoint_model(asked),
            settings.endpoint_embedding_model,
            bool(settings.azure_openai_endpoint),
        )
        self._text: Answer | None = None

    async def rows(self) -> AsyncGenerator[Verdict]:
        """The rows of the table, each as soon as it is known."""
        names, cases = self.names, self.battery
        said = self._text = await self._ask(cases.text)
        verdict = verdicts.text(said, names)
        yield verdict
        if verdict.state is State.FAILS:
            for name in verdicts.AFTER_TEXT:
                yield verdicts.untried(name)
        else:
            yield verdicts.stream(said)
            called = await self._ask(cases.calls)
            yield verdicts.calls(called, names)
            if called.turn.finish == "tool_calls":
                then = await self._ask(answered(cases.calls, called.turn))
                yield verdicts.outputs(then, called.turn, names)
            else:
                yield verdicts.untried(verdicts.OUTPUTS_BACK, "There is no call whose output could be given back.")
            yield verdicts.long(await self._ask(cases.long), names)
            yield verdicts.schema(await self._ask(cases.schema), names)
            yield verdicts.image(await self._ask(cases.image), names)
        yield verdicts.embeddings(await self._embed(), names, off=names.embedding == NONE)

    def learnt(self) -> list[str]:
        """The learnt properties so far."""
        known = self._endpoint.learnt
        return [
            *lessons.of_chat(known.of(self.names.model)),
            *(lessons.of_usage(self._text.turn) if self._text else ()),
            *lessons.of_embeddings(known.of(self.names.embedding)),
        ]

    async def _ask(self, case: Case) -> Answer:
        started = self._clock.now()
        run = case.run.model_copy(update={"expires_at": started + self._seconds})
        call = ModelCall(self._settings, self._clock, self._endpoint, run, case.thread, case.images)
        cut_off: Finish | None = None
        try:
            async with asyncio.timeout(self._seconds):
                await call.make(lambda _: None)
            trouble = call.completion.trouble
        except TimeoutError as error:
            cut_off = "expired"
            trouble = call.repeated[-1] if call.repeated else error
        turn = outcome.turn(run, call.completion, started, self._clock.now(), cut_off)
        turn = machine.bounded(run, outcome.measured(turn, call.completion, call.prompt))
        return Answer(turn, trouble, len(call.completion.texts), call.prompt.estimate, call.repeated)

    async def _embed(self) -> Embedded:
        texts = self.battery.texts
        embedder = EndpointEmbedder(self._settings, self._endpoint)
        try:
            async with asyncio.timeout(self._seconds):
                found = await embedder.embed(texts)
        except Exception as error:
            return Embedded(texts=len(texts), trouble=error)
        if found is None:
            return Embedded(texts=len(texts), trouble=embedder.lacking)
        return Embedded(int(found.matrix.any(axis=1).sum()), len(texts), found.matrix.shape[1])
