"""OpenTelemetry with its exporters, imported only if one is configured, as the import takes long."""

from __future__ import annotations

import os
from collections.abc import Iterator, Mapping
from contextvars import Token
from typing import Self

from opentelemetry.context import Context, attach, detach
from opentelemetry.metrics import Counter, Histogram
from opentelemetry.sdk.metrics import MeterProvider
from opentelemetry.sdk.metrics.export import MetricExporter, PeriodicExportingMetricReader
from opentelemetry.sdk.resources import SERVICE_NAME, Resource
from opentelemetry.sdk.trace import TracerProvider
from opentelemetry.sdk.trace.export import BatchSpanProcessor, SpanExporter
from opentelemetry.trace import (
    Link,
    Span,
    SpanContext,
    SpanKind,
    StatusCode,
    get_current_span,
    set_span_in_context,
)
from opentelemetry.trace.propagation.tracecontext import TraceContextTextMapPropagator

from assistants.settings import Settings
from assistants.telemetry import record
from assistants.telemetry.names import CONVERSATION, ERROR, PROJECT, REQUEST, RUN, SCHEMA, Metric
from assistants.telemetry.record import Attributes, Kind, Value
from assistants.telemetry.scope import scope

_NAME = "assistants"
_KINDS = {
    "server": SpanKind.SERVER, "client": SpanKind.CLIENT, "consumer": SpanKind.CONSUMER,
    "internal": SpanKind.INTERNAL,
}  # fmt: skip
_CONTEXT = TraceContextTextMapPropagator()
_FLUSH = 5_000
"""The most milliseconds of the last export."""


class OpenTelemetry:
    """Records with its own providers, so that no library which uses the global ones begins to record."""

    def __init__(self, settings: Settings) -> None:
        self.contents = settings.record_contents
        resource = Resource.create({SERVICE_NAME: os.environ.get("OTEL_SERVICE_NAME") or _NAME})
        self._spans = TracerProvider(resource=resource)
        exporters = list(_exporters(settings, self._spans))
        for spans, _ in exporters:
            self._spans.add_span_processor(BatchSpanProcessor(spans))
        readers = [PeriodicExportingMetricReader(values) for _, values in exporters]
        self._metrics = MeterProvider(readers, resource=resource)
        self._tracer = self._spans.get_tracer(_NAME, schema_url=SCHEMA)
        self._meter = self._metrics.get_meter(_NAME, schema_url=SCHEMA)
        self._instruments: dict[str, Counter | Histogram] = {}

    def span(
        self, name: str, kind: Kind, attributes: Attributes, parent: str | None, origin: str | None
    ) -> record.Span:
        place, links = _place(parent), list[Link]()
        if origin is not None:
            here, began = _spot(place), _spot(_place(origin))
            if began.is_valid and began.trace_id != here.trace_id:
                place, links = _place(origin), [Link(here)] if here.is_valid else []
        begun = self._tracer.start_span(name, place, _KINDS[kind], _known({**_ids(), **attributes}), links)
        return _Span(begun)

    def add(self, metric: Metric, value: float, attributes: Attributes) -> None:
        instrument = self._instruments.get(metric.name) or self._made(metric)
        known = _known(attributes)
        if isinstance(instrument, Counter):
            instrument.add(value, known)
        else:
            instrument.record(value, known)

    def traceparent(self) -> str | None:
        carrier: dict[str, str] = {}
        _CONTEXT.inject(carrier)
        return carrier.get("traceparent")

    def flush(self) -> None:
        self._spans.force_flush(_FLUSH)
        self._metrics.force_flush(_FLUSH)

    def close(self) -> None:
        self._spans.shutdown()
        self._metrics.shutdown()

    def _made(self, metric: Metric) -> Counter | Histogram:
        name, unit = metric.name, metric.unit
        made = (
            self._meter.create_histogram(name, unit, explicit_bucket_boundaries_advisory=metric.boundaries)
            if metric.boundaries
            else self._meter.create_counter(name, unit)
        )
        return self._instruments.setdefault(name, made)


class _Span(record.Span):
    """A span that is the current one during the block."""

    def __init__(self, span: Span) -> None:
        self._span = span
        self._token: Token[Context] | None = None

    def set(self, attributes: Attributes) -> None:
        self._span.set_attributes(_known(attributes))

    def rename(self, name: str) -> None:
        self._span.update_name(name)

    def fail(self, kind: str) -> None:
        self._span.set_attribute(ERROR, kind)
        self._span.set_status(StatusCode.ERROR)

    def __enter__(self) -> Self:
        self._token = attach(set_span_in_context(self._span))
        return self

    def __exit__(self, kind: type[BaseException] | None, *_: object) -> None:
        if self._token is not None:
            detach(self._token)
        if kind is not None:
            self.fail(kind.__name__)
        self._span.end()


def _place(traceparent: str | None) -> Context | None:
    """None: the task's place."""
    return _CONTEXT.extract({"traceparent": traceparent}) if traceparent else None


def _spot(place: Context | None) -> SpanContext:
    return get_current_span(place).get_span_context()


def _ids() -> Attributes:
    """The ids of the task's scope."""
    found = scope()
    return {REQUEST: found.request, PROJECT: found.project, CONVERSATION: found.thread, RUN: found.run}


def _known(attributes: Attributes) -> Mapping[str, Value]:
    return {name: value for name, value in attributes.items() if value is not None}


def _exporters(settings: Settings, provider: TracerProvider) -> Iterator[tuple[SpanExporter, MetricExporter]]:
    if settings.otlp_endpoint:
        from opentelemetry.exporter.otlp.proto.http.metric_exporter import OTLPMetricExporter
        from opentelemetry.exporter.otlp.proto.http.trace_exporter import OTLPSpanExporter

        base = settings.otlp_endpoint.rstrip("/")
        yield OTLPSpanExporter(f"{base}/v1/traces"), OTLPMetricExporter(f"{base}/v1/metrics")
    if settings.application_insights:
        from azure.monitor.opentelemetry.exporter import AzureMonitorMetricExporter, AzureMonitorTraceExporter

        # Authenticated by APPLICATIONINSIGHTS_AUTHENTICATION_STRING, which the exporter reads as the host does.
        given = settings.application_insights.get_secret_value()
        yield (
            AzureMonitorTraceExporter(connection_string=given, disable_offline_storage=True, tracer_provider=provider),
            AzureMonitorMetricExporter(connection_string=given, disable_offline_storage=True),
        )
