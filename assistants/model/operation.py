"""A call of the model's endpoint in spans and metrics (semantic conventions of generative AI)."""

import time
from typing import Self
from urllib.parse import urlsplit

from assistants.settings import Settings
from assistants.telemetry import record
from assistants.telemetry.names import (
    ERROR,
    INPUT_TOKENS,
    OPERATION,
    OPERATION_DURATION,
    OUTPUT_TOKENS,
    PROJECT,
    PROVIDER,
    REQUEST_MODEL,
    SERVER,
    TOKEN_TYPE,
    TOKENS,
)
from assistants.telemetry.scope import scope


class Operation:
    """One call. A context manager: the block is the call, and an exception is its error."""

    def __init__(self, name: str, settings: Settings, model: str) -> None:
        self._shared: dict[str, record.Value | None] = {}
        if record.is_on():
            self._shared = {
                OPERATION: name, REQUEST_MODEL: model, PROJECT: scope().project,
                PROVIDER: "azure.ai.openai" if settings.azure_openai_endpoint else "openai",
                SERVER: urlsplit(settings.azure_openai_endpoint or settings.openai_base_url or _OPENAI).hostname,
            }  # fmt: skip
        self.span = record.span(f"{name} {model}", "client", self._shared)
        self._error: str | None = None
        self._began = time.monotonic()

    @property
    def seconds(self) -> float:
        """Seconds since the beginning of the call."""
        return time.monotonic() - self._began

    def add(self, metric: record.Metric, value: float) -> None:
        """Record a metric of this call."""
        record.add(metric, value, self._shared)

    def used(self, input_tokens: int | None, output_tokens: int | None) -> None:
        """Record the call's tokens, if they are known."""
        self.span.set({INPUT_TOKENS: input_tokens, OUTPUT_TOKENS: output_tokens})
        for kind, tokens in (("input", input_tokens), ("output", output_tokens)):
            if tokens is not None:
                record.add(TOKENS, tokens, {**self._shared, TOKEN_TYPE: kind})

    def fail(self, error: str) -> None:
        """Record the type of the call's error."""
        self._error = error
        self.span.fail(error)

    def __enter__(self) -> Self:
        self.span.__enter__()
        return self

    def __exit__(self, kind: type[BaseException] | None, *rest: object) -> None:
        error = kind.__name__ if kind else self._error
        record.add(OPERATION_DURATION, self.seconds, {**self._shared, ERROR: error})
        self.span.__exit__(kind, *rest)


_OPENAI = "https://api.openai.com"
