"""The SDK's event handlers, sync and async, at all three requests that can be streamed."""

import asyncio
from collections.abc import AsyncIterator, Callable
from contextlib import AbstractAsyncContextManager, AbstractContextManager
from typing import Any, NamedTuple

import pytest
from openai import AssistantEventHandler, AsyncAssistantEventHandler, AsyncOpenAI, OpenAI
from openai.types.beta import Assistant
from openai.types.beta.threads import Message, Run
from typing_extensions import override

from tests.support.sdk.conversation import call
from tests.support.sdk.talk import ask, calls_of, function, text_of
from tests.support.service.processes import Model, Service

pytestmark = pytest.mark.no_async


class Received(NamedTuple):
    """The results of a handler: text, calls, the run and its messages."""

    text: str
    calls: list[tuple[str, str]]
    run: Run
    messages: list[Message]


class Handler(AssistantEventHandler):
    """Records texts as they arrive and tool calls when they are complete."""

    def __init__(self) -> None:
        super().__init__()
        self.texts: list[str] = []
        self.calls: dict[str, tuple[str, str]] = {}
        self.ended = False

    @override
    def on_text_delta(self, delta: Any, snapshot: Any) -> None:
        self.texts.append(delta.value)
        assert snapshot.value.endswith(delta.value)

    @override
    def on_tool_call_done(self, tool_call: Any) -> None:
        self.calls[tool_call.id] = (tool_call.function.name, tool_call.function.arguments)

    @override
    def on_end(self) -> None:
        self.ended = True


class AsyncHandler(AsyncAssistantEventHandler):
    """As `Handler`, async."""

    def __init__(self) -> None:
        super().__init__()
        self.received = Handler()

    @override
    async def on_text_delta(self, delta: Any, snapshot: Any) -> None:
        self.received.on_text_delta(delta, snapshot)

    @override
    async def on_tool_call_done(self, tool_call: Any) -> None:
        self.received.on_tool_call_done(tool_call)

    @override
    async def on_end(self) -> None:
        self.received.on_end()


Streaming = Callable[[Callable[[Any], Any]], Received]
"""Streams the request made by a function of a client and a handler."""


@pytest.fixture(params=["sync", "async"])
def listen(request: pytest.FixtureRequest, service: Service, client: OpenAI) -> Streaming:
    """Takes a function from `beta.threads` of an SDK to one of its streams, without the handler."""

    def sync(ask: Callable[..., Any]) -> Received:
        handler = Handler()
        manager: AbstractContextManager[Any] = ask(client.beta.threads, event_handler=handler)
        with manager as stream:
            stream.until_done()
            return _received(handler, stream.get_final_run(), _messages(stream.get_final_messages))

    def asynchronous(ask: Callable[..., Any]) -> Received:
        async def go() -> Received:
            async with AsyncOpenAI(base_url=service.url, api_key="unused", max_retries=0) as other:
                handler = AsyncHandler()
                manager: AbstractAsyncContextManager[Any] = ask(other.beta.threads, event_handler=handler)
                async with manager as stream:
                    await stream.until_done()
                    run = await stream.get_final_run()
                    try:
                        messages = await stream.get_final_messages()
                    except RuntimeError:
                        messages = []
                    return _received(handler.received, run, messages)

        return asyncio.run(go())

    return sync if request.param == "sync" else asynchronous


def _messages(get: Callable[[], list[Message]]) -> list[Message]:
    try:
        return get()
    except RuntimeError:  # the handler has none
        return []


def _received(handler: Handler, run: Run, messages: list[Message]) -> Received:
    assert handler.ended
    return Received("".join(handler.texts), list(handler.calls.values()), run, messages)


def assert_stored(client: OpenAI, received: Received) -> None:
    """The run and its messages equal the results of `retrieve` and `list`."""
    run = received.run
    assert client.beta.threads.runs.retrieve(run.id, thread_id=run.thread_id) == run
    stored = client.beta.threads.messages.list(run.thread_id, order="asc", run_id=run.id).data
    assert stored[-len(received.messages) :] == received.messages if received.messages else stored == []
    assert received.text == "".join(text_of(message) for message in received.messages)


@pytest.fixture(scope="module")
def caller(client: OpenAI) -> Assistant:
    return client.beta.assistants.create(model="gpt-4o", tools=[function("get_time", "city"), function("get_weather")])


CALLS = [call("get_time", "call_a", city="Oslo"), call("get_weather", "call_b")]
MADE = [("get_time", '{"city": "Oslo"}'), ("get_weather", "{}")]


def test_a_run_on_a_thread(client: OpenAI, assistant: Assistant, listen: Streaming, topic: str):
    thread = client.beta.threads.create(messages=[{"role": "user", "content": topic}])
    received = listen(
        lambda threads, **handler: threads.runs.stream(thread_id=thread.id, assistant_id=assistant.id, **handler)
    )
    assert (received.run.status, received.text) == ("completed", f"You said: {topic}")
    assert_stored(client, received)


def test_a_thread_and_its_run(client: OpenAI, assistant: Assistant, listen: Streaming, model: Model, topic: str):
    model.script({"match": topic, "text": "one two three " * 20})
    messages = [{"role": "user", "content": topic}]
    received = listen(
        lambda threads, **handler: threads.create_and_run_stream(
            assistant_id=assistant.id, thread={"messages": messages}, **handler
        )
    )
    assert (received.run.status, received.text) == ("completed", "one two three " * 20)
    assert_stored(client, received)


def test_tool_calls_arrive_complete(client: OpenAI, caller: Assistant, listen: Streaming, model: Model, topic: str):
    model.script({"match": topic, "tool_calls": CALLS, "chunk_delay": 0.01})
    thread = client.beta.threads.create(messages=[{"role": "user", "content": topic}])
    received = listen(
        lambda threads, **handler: threads.runs.stream(thread_id=thread.id, assistant_id=caller.id, **handler)
    )
    assert received.calls == MADE
    assert [(each.function.name, each.function.arguments) for each in calls_of(received.run)] == MADE
    assert_stored(client, received)


def test_tool_calls_arrive_complete_after_a_text(
    client: OpenAI, caller: Assistant, listen: Streaming, model: Model, topic: str
):
    model.script({"match": topic, "text": "Let me see.", "tool_calls": CALLS, "chunk_delay": 0.01})
    thread = client.beta.threads.create(messages=[{"role": "user", "content": topic}])
    received = listen(
        lambda threads, **handler: threads.runs.stream(thread_id=thread.id, assistant_id=caller.id, **handler)
    )
    assert (received.run.status, received.calls, received.text) == ("requires_action", MADE, "Let me see.")
    assert_stored(client, received)


def test_the_outputs_of_tools(client: OpenAI, caller: Assistant, listen: Streaming, model: Model, topic: str):
    model.script({"match": topic, "tool_calls": CALLS})
    run = ask(client, caller.id, topic)
    outputs = [{"tool_call_id": each.id, "output": f"output of {each.id}"} for each in calls_of(run)]
    received = listen(
        lambda threads, **handler: threads.runs.submit_tool_outputs_stream(
            run_id=run.id, thread_id=run.thread_id, tool_outputs=outputs, **handler
        )
    )
    assert received.run.status == "completed"
    assert received.text == "get_time: output of call_a and get_weather: output of call_b"
    assert_stored(client, received)


async def test_text_deltas_can_be_iterated(service: Service, assistant: Assistant, topic: str):
    async with AsyncOpenAI(base_url=service.url, api_key="unused") as client:
        thread = await client.beta.threads.create(messages=[{"role": "user", "content": topic}])
        async with client.beta.threads.runs.stream(thread_id=thread.id, assistant_id=assistant.id) as stream:
            deltas: AsyncIterator[str] = stream.text_deltas.__aiter__()
            assert "".join([text async for text in deltas]) == f"You said: {topic}"
