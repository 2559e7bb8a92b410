"""Runs of models whose endpoints differ from OpenAI's: the result of each, polled and streamed."""

from collections.abc import AsyncIterator, Iterator
from typing import Any

import pytest
import pytest_asyncio

from assistants.local.azurite import Storage
from assistants.model.endpoint import Endpoint
from assistants.settings import Settings
from assistants.state.store import RunKey
from tests.support.sdk.conversation import WEATHER
from tests.support.service.attending import attend
from tests.support.service.inprocess import InProcess, in_process
from tests.support.service.quirks import KEY, QUIRKS, Quirk, Quirks

pytestmark = pytest.mark.asyncio(loop_scope="module")

Running = InProcess[Endpoint]


@pytest.fixture(scope="module")
def endpoint() -> Iterator[Quirks]:
    with Quirks() as running:
        yield running


@pytest_asyncio.fixture(scope="module", loop_scope="module")
async def running(idle: Storage, endpoint: Quirks) -> AsyncIterator[Running]:
    settings = {"OPENAI_BASE_URL": endpoint.url, "OPENAI_API_KEY": KEY, "MODEL_RETRIES": "1", "MODEL_TIMEOUT": "20"}
    model = Endpoint(Settings.model_validate(settings))
    async with in_process(idle, model, None, **settings) as service:
        yield service
        await model.close()


class Ran:
    """A run that has ended, and all answers to its client."""

    def __init__(self) -> None:
        self.calls: list[tuple[str, str]] = []
        self.told: list[str] = []
        self.run: Any = None
        self.text: str | None = None

    async def begin(self, running: Running, quirk: Quirk, model: str, streamed: bool) -> "Ran":
        beta = running.client.beta
        assistant = await beta.assistants.create(model=model, tools=[WEATHER])
        thread = await beta.threads.create(messages=[{"role": "user", "content": text} for text in quirk.thread])
        given: Any = {"assistant_id": assistant.id, "stream": streamed, **quirk.run}
        await self._follow(running, await beta.threads.runs.create(thread.id, **given), streamed)
        while self.run.status == "requires_action":
            calls = self.run.required_action.submit_tool_outputs.tool_calls
            self.calls += [(call.function.name, call.function.arguments) for call in calls]
            outputs: Any = [{"tool_call_id": call.id, "output": "sunny"} for call in calls]
            more = beta.threads.runs.submit_tool_outputs
            answer = await more(self.run.id, thread_id=thread.id, tool_outputs=outputs, stream=streamed)  # type: ignore
            await self._follow(running, answer, streamed)
        messages = await beta.threads.messages.list(thread.id)
        steps = await beta.threads.runs.steps.list(self.run.id, thread_id=thread.id)
        said = [message.content[0] for message in messages.data if message.role == "assistant" and message.content]
        self.text = said[0].text.value if said and said[0].type == "text" else None
        self.told += [each.model_dump_json() for each in (self.run, messages, steps)]
        return self

    async def _follow(self, running: Running, answer: Any, streamed: bool) -> None:
        if streamed:
            async for event in answer:
                self.told.append(event.model_dump_json())
                self.run = (
                    event.data if event.event.startswith("thread.run.") and "step" not in event.event else self.run
                )
            self.run = await running.client.beta.threads.runs.retrieve(self.run.id, thread_id=self.run.thread_id)
            return
        await attend(running, running.store, RunKey("default", answer.thread_id, answer.id))
        self.run = await running.client.beta.threads.runs.retrieve(answer.id, thread_id=answer.thread_id)


@pytest.mark.parametrize("streamed", [False, True], ids=["polled", "streamed"])
@pytest.mark.parametrize("name", QUIRKS)
async def test_a_quirk_has_its_expected_result(
    running: Running, endpoint: Quirks, name: str, streamed: bool, caplog: pytest.LogCaptureFixture
):
    quirk, model = QUIRKS[name], f"{name}@{streamed}"
    for known in (False, True) if quirk.again is not None else (False,):
        endpoint.turns.clear()
        ran = await Ran().begin(running, quirk, model, streamed)
        error = ran.run.last_error
        assert (ran.run.status, error and error.message) == (quirk.status, quirk.error)
        assert ran.text == quirk.text or (quirk.status == "incomplete" and quirk.text is None)
        assert ran.calls == list(quirk.calls)
        assert error is None or error.code == quirk.code
        assert endpoint.turns[model] == (quirk.again if known else quirk.asked or endpoint.turns[model])
        seen = "".join(ran.told) + caplog.text
        assert KEY not in seen
        assert not any(word in seen for word in ("reasoning_content", "I need the weather", "extra_content", "SIG=="))


async def test_learnt_properties_can_be_read(running: Running):
    await Ran().begin(running, QUIRKS["no-stream-options"], "no-stream-options@learnt", False)
    assert running.model.learnt.models["no-stream-options@learnt"].remedies == {"stream_options": None}
