"""Spans and metrics as a collector receives them, by the exporter of a deployment."""

import base64
import json
import logging
import re
from collections.abc import AsyncIterator, Awaitable, Callable, Iterator
from contextlib import asynccontextmanager
from typing import Any

import httpx2
import numpy as np
import pytest

from assistants.local.azurite import Storage
from assistants.model.answers import Chunk
from assistants.model.embedding import EndpointEmbedder
from assistants.model.endpoint import Endpoint
from assistants.model.errors import Refused, Words
from assistants.settings import Settings
from assistants.state.runs import Claim, RunRecord
from assistants.telemetry import names, record
from tests.support.imports import ROOT
from tests.support.sdk.conversation import RETRIEVAL, WEATHER, call
from tests.support.service.attending import ScriptedModel
from tests.support.service.collector import Collector, Told
from tests.support.service.inprocess import InProcess, in_process

SECRET, QUESTION, ANSWER, OUTPUT = "sk-of-the-endpoint", "Where is it sunny?", "It is sunny in Oslo.", "Oslo"
USAGE = {"prompt_tokens": 11, "completion_tokens": 7, "total_tokens": 18}
TRACEPARENT = "00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01"


class Reporting(ScriptedModel):
    """Reports its usage, as endpoints do on request, and may refuse the request."""

    meanwhile: Callable[[], Awaitable[Any]] | None = None
    """Is awaited before the answer."""

    async def stream(self, body: dict[str, Any]) -> AsyncIterator[Chunk]:
        if self.meanwhile is not None:
            await self.meanwhile()
        if (status := self._replies[0].status) >= 400:
            raise Refused(Words(str(self._replies.pop(0).error)), status)
        async for chunk in super().stream({**body, "stream_options": {"include_usage": True}}):
            yield chunk


@asynccontextmanager
async def collected(storage: Storage, *replies: dict[str, Any], **settings: str) -> AsyncIterator[Any]:
    """The service in this process and the collector of its telemetry."""
    with Collector() as collector:
        record.begin(Settings.model_validate({"OTEL_EXPORTER_OTLP_ENDPOINT": collector.url, **settings}))
        try:
            async with in_process(storage, Reporting(*replies), OPENAI_API_KEY=SECRET) as service:
                yield service, collector
        finally:
            record.end()


async def talk(service: InProcess[Any], *tools: Any, **options: Any) -> Any:
    """Create a run on a new thread; return the answer."""
    assistant = await service.client.beta.assistants.create(model="demo", tools=tools)
    thread: Any = {"messages": [{"role": "user", "content": QUESTION}]}
    return await service.client.beta.threads.create_and_run(assistant_id=assistant.id, thread=thread, **options)


@pytest.fixture
async def mixed(idle: Storage) -> AsyncIterator[tuple[Any, Collector]]:
    """A queued run with a call of a server tool, from its request to its end, and its telemetry."""
    replies = ({"tool_calls": [call("retrieval", "call_r")]}, {"text": ANSWER, "usage": USAGE})
    async with collected(idle, *replies) as (service, collector):
        await clear(service)
        run = await talk(service, RETRIEVAL, extra_headers={"traceparent": TRACEPARENT})
        await service.attend()
        await service.attend("retrieval")
        await service.attend()
        record.flush()
        yield run, collector


async def clear(service: InProcess[Any]) -> None:
    """Empty the queues, which the tests of this session share."""
    for queue in ("work", "retrieval", "ingest"):
        client = service.store.services[1].client.get_queue_client(queue)
        try:
            await client.clear_messages()
        except Exception:
            await client.create_queue()


async def test_one_trace_holds_the_request_the_queues_the_model_and_the_tool(mixed: tuple[Any, Collector]):
    run, collector = mixed
    spans = {span.id: span for span in collector.spans if span.trace == TRACEPARENT.split("-")[1]}

    def way(span: Told) -> list[str]:
        return [*(way(spans[span.parent]) if span.parent in spans else []), span.name]

    request, first = ["POST /v1/threads/runs"], ["process work", "invoke_agent"]
    again = [*request, *first, "process retrieval", *first]
    assert sorted(way(span) for span in spans.values() if span.name.startswith(("chat", "execute"))) == sorted(
        [
            [*request, *first, "chat demo"],
            [*request, *first, "process retrieval", "execute_tool retrieval"],
            [*again, "chat demo"],
        ]
    )
    assert next(span for span in spans.values() if span.name == request[0]).parent == TRACEPARENT.split("-")[2]
    runs = {span.attributes.get(names.RUN) for span in spans.values() if span.name == "invoke_agent"}
    assert runs == {run.id}
    assert {span.schema for span in spans.values()} == {names.SCHEMA}


async def test_the_spans_of_a_run_have_the_names_and_attributes_of_the_conventions(mixed: tuple[Any, Collector]):
    run, collector = mixed
    shared = {names.PROJECT: "default", names.CONVERSATION: run.thread_id, names.RUN: run.id}
    chat = collector.named("chat demo")[-1]
    assert chat.kind == "client"
    assert chat.attributes.items() >= {**shared, names.OPERATION: "chat", names.PROVIDER: "openai"}.items()
    assert chat.attributes[names.REQUEST_MODEL] == "demo"
    assert chat.attributes[names.FIRST_CHUNK] >= 0
    assert (chat.attributes[names.INPUT_TOKENS], chat.attributes[names.OUTPUT_TOKENS]) == ("11", "7")
    assert chat.attributes[names.FINISH_REASONS] == {"values": [{"stringValue": "stop"}]}
    agent = collector.named("invoke_agent")[-1]
    assert agent.attributes.items() >= {**shared, names.AGENT: run.assistant_id, names.RUN_STATUS: "completed"}.items()
    (tool,) = collector.named("execute_tool retrieval")
    assert tool.attributes.items() >= {**shared, names.TOOL: "retrieval", names.TOOL_CALL: "call_r"}.items()
    assert [span.status for span in (chat, agent, tool)] == [0, 0, 0]
    request = collector.named("POST /v1/threads/runs")[0]
    assert request.kind == "server"
    assert request.attributes[names.ROUTE] == "/v1/threads/runs"
    assert request.attributes[names.STATUS] == "200"


async def test_the_metrics_of_a_run_are_exported(mixed: tuple[Any, Collector]):
    _, collector = mixed
    told = {
        names.RUNS, names.QUEUE_TIME, names.FIRST_WORD, names.RUN_DURATION, names.STORAGE, names.OPERATION_DURATION,
        names.CHUNK_TIME, names.TOKENS,
    }  # fmt: skip
    assert {metric.name for metric in told} <= set(collector.metrics)
    states = {point[names.RUN_STATUS] for point in collector.metrics[names.RUNS.name]}
    assert states == {"queued", "in_progress", "completed"}
    assert {point[names.TOKEN_TYPE] for point in collector.metrics[names.TOKENS.name]} == {"input", "output"}


async def test_neither_contents_nor_keys_leave_the_process(mixed: tuple[Any, Collector]):
    _, collector = mixed
    everything = b"".join(collector.bodies)
    assert b"chat demo" in everything
    assert [text for text in (QUESTION, ANSWER, OUTPUT, SECRET) if text.encode() in everything] == []


async def test_contents_are_exported_if_the_setting_allows_it(idle: Storage):
    setting = {"OTEL_INSTRUMENTATION_GENAI_CAPTURE_MESSAGE_CONTENT": "true"}
    async with collected(idle, {"text": ANSWER}, **setting) as (service, collector):
        stream = await talk(service, stream=True)
        assert [event.event async for event in stream][-1] == "thread.run.completed"
        record.flush()
        (chat,) = collector.named("chat demo")
    assert json.loads(chat.attributes[names.INPUT])[-1] == {
        "role": "user",
        "parts": [{"type": "text", "content": QUESTION}],
    }
    assert json.loads(chat.attributes[names.OUTPUT]) == [
        {"role": "assistant", "parts": [{"type": "text", "content": ANSWER}], "finish_reason": "stop"}
    ]
    assert SECRET.encode() not in b"".join(collector.bodies)


async def test_a_streamed_run_is_part_of_its_request(idle: Storage):
    async with collected(idle, {"text": ANSWER}) as (service, collector):
        async for _ in await talk(service, stream=True):
            pass
        record.flush()
        (chat,), (agent,) = collector.named("chat demo"), collector.named("invoke_agent")
        (request,) = collector.named("POST /v1/threads/runs")
    assert (chat.parent, agent.trace) == (agent.id, request.trace)


@pytest.mark.parametrize("stream", [False, True], ids=["queued", "streamed"])
async def test_a_run_that_its_client_continues_stays_in_its_trace(idle: Storage, stream: bool):
    replies = {"tool_calls": [call("get_weather", "call_1")]}, {"text": ANSWER}
    async with collected(idle, *replies) as (service, collector):
        await clear(service)
        run = await talk(service, WEATHER)
        await service.attend()
        outputs: Any = [{"tool_call_id": "call_1", "output": OUTPUT}]
        submit = service.client.beta.threads.runs.submit_tool_outputs
        answer = await submit(run.id, thread_id=run.thread_id, tool_outputs=outputs, stream=stream)
        if stream:
            assert [event.event async for event in answer][-1] == "thread.run.completed"
        else:
            await service.attend()
        record.flush()
        stored = await service.store.runs.read(f"default/{run.thread_id}/{run.id}")
    assert stored.value.trace not in run.model_dump_json()
    (created,) = collector.named("POST /v1/threads/runs")
    first, second = collector.named("invoke_agent")
    assert {span.trace for span in [*collector.named("chat demo"), first, second]} == {created.trace}
    assert stored.value.trace.split("-")[1:3] == [created.trace, second.parent]
    (submitted,) = collector.named("POST /v1/threads/{thread_id}/runs/{run_id}/submit_tool_outputs")
    before = submitted if stream else collector.named("process work")[-1]
    assert (first.links, second.links) == ([], [(submitted.trace, before.id)])
    assert submitted.trace != created.trace


async def test_a_failed_run_and_an_item_that_is_given_up_are_exported(idle: Storage):
    async with collected(idle, {"status": 400, "error": "No."}) as (service, collector):
        await clear(service)
        await talk(service)
        await service.attend()
        with pytest.raises(ValueError, match="validation error"):
            await service.queues["work"].handle(b"{}")
        await service.queues["work"].give_up(b"{}")
        record.flush()
        assert [span.status for span in collector.named("process work")] == [0, 2]
        (chat,), (agent,) = collector.named("chat demo"), collector.named("invoke_agent")
        assert (chat.status, chat.attributes[names.ERROR]) == (2, "Refused")
        assert (agent.status, agent.attributes[names.ERROR]) == (2, "invalid_prompt")
        assert collector.metrics[names.POISONED.name] == [{names.QUEUE: "work"}]


async def test_files_and_their_embeddings_are_exported(idle: Storage):
    def embed(request: httpx2.Request) -> httpx2.Response:
        texts = json.loads(request.content)["input"]
        vector = base64.b64encode(np.ones(8, dtype="<f4").tobytes()).decode()
        data = [{"index": index, "embedding": vector} for index, _ in enumerate(texts)]
        return httpx2.Response(200, json={"data": data, "usage": {"prompt_tokens": 7, "total_tokens": 7}})

    settings = Settings.model_validate({"OPENAI_API_KEY": SECRET, "EMBEDDING_DIMENSIONS": "8"})
    with Collector() as collector:
        record.begin(Settings.model_validate({"OTEL_EXPORTER_OTLP_ENDPOINT": collector.url}))
        try:
            endpoint = Endpoint(settings, httpx2.MockTransport(embed))
            embedder = EndpointEmbedder(settings, endpoint)
            async with in_process(idle, ScriptedModel(), embedder) as service:
                await clear(service)
                file = await service.client.files.create(file=("a.txt", QUESTION.encode()), purpose="assistants")
                store = await service.client.vector_stores.create(file_ids=[file.id])
                await service.attend("ingest")
            await endpoint.close()
        finally:
            record.end()
    (ingest,), (embeddings,) = collector.named("ingest"), collector.named("embeddings text-embedding-3-large")
    assert ingest.attributes.items() >= {names.FILE: file.id, names.STORE: store.id, names.PROJECT: "default"}.items()
    assert embeddings.attributes[names.INPUT_TOKENS] == "7"
    assert embeddings.trace == ingest.trace == collector.named("POST /v1/vector_stores")[0].trace


def stolen(run: RunRecord) -> RunRecord:
    """The run, claimed by another process."""
    return run.model_copy(update={"claim": Claim(token="another", until=run.expires_at)})


async def test_every_field_that_the_workbook_and_the_alerts_read_is_exported(idle: Storage):
    replies = ({"status": 429, "error": "Busy."}, {"tool_calls": [call("retrieval", "call_r")]})
    answer = {"text": ANSWER, "usage": USAGE}
    async with collected(idle, *replies, answer, answer) as (service, collector):
        await clear(service)
        await talk(service, RETRIEVAL)
        await service.attend()
        await service.attend("retrieval")
        await service.attend()
        await service.queues["work"].give_up(b"{}")
        run = await talk(service)
        service.model.meanwhile = lambda: service.store.runs.change(f"default/{run.thread_id}/{run.id}", stolen)
        await service.attend()
        record.flush()
    workbook = json.loads((ROOT / "infra" / "modules" / "workbook.json").read_text(encoding="utf-8"))
    queries = [each["content"]["query"] for each in workbook["items"] if "query" in each["content"]]
    alerts = (ROOT / "infra" / "modules" / "alerts.bicep").read_text(encoding="utf-8")
    queries += re.findall(r"\((customMetrics [^)]+)\)", alerts)
    read = set[str]()
    for query in queries:
        fields = set(re.findall(r'customDimensions\["([^"]+)"\]', query))
        if metric := re.search(r'customMetrics \| where name == "([^"]+)"', query):
            points = collector.metrics[metric[1]]
            read.add(metric[1])
        elif operation := re.search(rf'{names.OPERATION}"\]\) == "(\w+)"', query):
            told = (span.attributes for span in collector.spans)
            points = [each for each in told if each.get(names.OPERATION) == operation[1]]
        else:
            assert not fields, query
            continue
        assert any(fields <= set(point) for point in points), query
        read |= fields
    assert {names.POISONED.name, names.TOOL, names.INPUT_TOKENS, names.FIRST_CHUNK} <= read


@pytest.fixture
def unconfigured() -> Iterator[None]:
    record.begin(Settings.model_validate({}))
    yield
    record.end()


def test_without_an_exporter_nothing_is_recorded(unconfigured: None):
    assert not record.is_on()
    assert record.traceparent() is None


def test_an_exporter_that_cannot_be_made_fails_no_start(caplog: pytest.LogCaptureFixture):
    record.begin(Settings.model_validate({"APPLICATIONINSIGHTS_CONNECTION_STRING": "nonsense"}))
    assert not record.is_on()
    assert [line.levelno for line in caplog.records if line.name == "assistants.telemetry"] == [logging.ERROR]


async def test_a_request_is_one_line_that_names_its_trace(idle: Storage, caplog: pytest.LogCaptureFixture):
    caplog.set_level(logging.INFO, "assistants")
    async with collected(idle) as (service, _):
        with pytest.raises(Exception, match="No assistant found"):
            await service.client.beta.assistants.retrieve("asst_none", extra_headers={"traceparent": TRACEPARENT})
    (line,) = [
        json.loads(each.message.partition(" ")[2]) for each in caplog.records if each.name == "assistants.requests"
    ]
    request = line.pop("request")
    assert request.startswith("req_")
    assert line.pop("ms") >= 0
    assert line.pop("trace") == TRACEPARENT.split("-")[1]
    assert len(line.pop("span")) == 16
    assert line == {
        "method": "GET", "route": "/v1/assistants/{assistant_id}", "status": 404, "project": "default",
    }  # fmt: skip


def test_application_insights_gets_the_same_spans_and_metrics(monkeypatch: pytest.MonkeyPatch):
    for name in ("APPLICATIONINSIGHTS_CONTROLPLANE_DISABLED", "APPLICATIONINSIGHTS_STATSBEAT_DISABLED_ALL"):
        monkeypatch.setenv(name, "true")
    with Collector() as collector:
        key = f"InstrumentationKey={'0' * 8}-0000-0000-0000-{'0' * 12};IngestionEndpoint={collector.url}/"
        record.begin(Settings.model_validate({"APPLICATIONINSIGHTS_CONNECTION_STRING": key}))
        with record.span("chat demo", "client", {names.OPERATION: "chat", names.PROJECT: "default"}):
            record.add(names.POISONED, 1, {names.QUEUE: "work"})
        record.end()
    told = {each["data"]["baseType"]: each["data"]["baseData"] for each in collector.tracked}
    assert told["RemoteDependencyData"]["properties"] == {names.OPERATION: "chat", names.PROJECT: "default"}
    assert told["MetricData"]["metrics"][0]["name"] == names.POISONED.name
