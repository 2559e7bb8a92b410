"""Spans and metrics. Without a configured exporter nothing is recorded, and OpenTelemetry is not imported."""

import logging
from collections.abc import Mapping, Sequence
from typing import Literal, Protocol, Self

from assistants.settings import Settings
from assistants.telemetry.names import Metric

Value = str | bool | int | float | Sequence[str]
Attributes = Mapping[str, Value | None]
"""Attributes by their names; None for an unknown value."""

Kind = Literal["server", "client", "consumer", "internal"]

log = logging.getLogger("assistants.telemetry")


class Span:
    """A span that is not recorded. A context manager: an exception that leaves the block is the span's error."""

    def set(self, attributes: Attributes) -> None:
        """Add attributes."""

    def rename(self, name: str) -> None:
        """Give the span another name."""

    def fail(self, kind: str) -> None:
        """Record an error of this kind, without its text."""

    def __enter__(self) -> Self:
        return self

    def __exit__(self, kind: type[BaseException] | None, *_: object) -> None:
        pass


class Recorder(Protocol):
    """Records spans and metrics."""

    contents: bool

    def span(self, name: str, kind: Kind, attributes: Attributes, parent: str | None, origin: str | None) -> Span: ...

    def add(self, metric: Metric, value: float, attributes: Attributes) -> None: ...

    def traceparent(self) -> str | None: ...

    def flush(self) -> None:
        """Export the recorded spans and metrics; blocks."""
        ...

    def close(self) -> None: ...


_NOTHING = Span()
_recorder: Recorder | None = None


def begin(settings: Settings) -> None:
    """Start recording, if an exporter is configured. An error in its configuration is logged, and no start fails."""
    global _recorder
    if settings.application_insights is None and settings.otlp_endpoint is None:
        return
    try:
        from assistants.telemetry.otel import OpenTelemetry

        _recorder = OpenTelemetry(settings)
    except Exception as error:
        log.error("no telemetry is exported: %s", type(error).__name__, exc_info=error)


def end() -> None:
    """Export the recorded data, and stop recording."""
    global _recorder
    recorder, _recorder = _recorder, None
    if recorder is not None:
        recorder.close()


def flush() -> None:
    """Export the recorded data; blocks."""
    if _recorder is not None:
        _recorder.flush()


def is_on() -> bool:
    """Whether an exporter is configured."""
    return _recorder is not None


def with_contents() -> bool:
    """Whether the contents of messages and tool calls are recorded."""
    return _recorder is not None and _recorder.contents


def span(name: str, kind: Kind, attributes: Attributes, parent: str | None = None, origin: str | None = None) -> Span:
    """A span of the task's trace, or of that of a `traceparent` (W3C Trace Context); it has the ids of the scope.

    With an `origin`, the `traceparent` of the beginning of the work, it belongs to that trace. Where the task is in
    another one, it is linked to the task's place.
    """
    return _recorder.span(name, kind, attributes, parent, origin) if _recorder is not None else _NOTHING


def add(metric: Metric, value: float, attributes: Attributes) -> None:
    """Add a count, or record a measured value."""
    if _recorder is not None:
        _recorder.add(metric, value, attributes)


def traceparent() -> str | None:
    """The task's span, as a `traceparent` of W3C Trace Context."""
    return _recorder.traceparent() if _recorder is not None else None


def current() -> tuple[str, str] | None:
    """The hexadecimal ids of the task's trace and span."""
    parts = (traceparent() or "").split("-")
    return (parts[1], parts[2]) if len(parts) == 4 else None
