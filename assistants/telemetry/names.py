"""The names of attributes and metrics: those of OpenTelemetry's semantic conventions, otherwise this project's."""

from typing import NamedTuple

SCHEMA = "https://opentelemetry.io/schemas/1.44.0"
"""The version of the semantic conventions, pinned as those of generative AI are in development."""

METHOD = "http.request.method"
ROUTE = "http.route"
STATUS = "http.response.status_code"
ERROR = "error.type"
SERVER = "server.address"
MESSAGING = "messaging.system"
DESTINATION = "messaging.destination.name"
MESSAGING_OPERATION = "messaging.operation.type"

OPERATION = "gen_ai.operation.name"
PROVIDER = "gen_ai.provider.name"
CONVERSATION = "gen_ai.conversation.id"
AGENT = "gen_ai.agent.id"
REQUEST_MODEL = "gen_ai.request.model"
STREAM = "gen_ai.request.stream"
FINISH_REASONS = "gen_ai.response.finish_reasons"
FIRST_CHUNK = "gen_ai.response.time_to_first_chunk"
INPUT_TOKENS = "gen_ai.usage.input_tokens"
OUTPUT_TOKENS = "gen_ai.usage.output_tokens"
TOKEN_TYPE = "gen_ai.token.type"  # noqa: S105
TOOL = "gen_ai.tool.name"
TOOL_CALL = "gen_ai.tool.call.id"
DIMENSIONS = "gen_ai.embeddings.dimension.count"

INPUT = "gen_ai.input.messages"
OUTPUT = "gen_ai.output.messages"
ARGUMENTS = "gen_ai.tool.call.arguments"
RESULT = "gen_ai.tool.call.result"

PROJECT = "assistants.project"
REQUEST = "assistants.request.id"
RUN = "assistants.run.id"
RUN_STATUS = "assistants.run.status"
FILE = "assistants.file.id"
STORE = "assistants.vector_store.id"
BYTES = "assistants.file.bytes"
QUEUE = "assistants.queue"


class Metric(NamedTuple):
    """A metric: a histogram if it has boundaries, otherwise a counter."""

    name: str
    unit: str
    boundaries: tuple[float, ...] = ()


_SECONDS = (0.01, 0.02, 0.04, 0.08, 0.16, 0.32, 0.64, 1.28, 2.56, 5.12, 10.24, 20.48, 40.96, 81.92)
_LONG = (0.1, 0.25, 0.5, 1.0, 2.5, 5.0, 10.0, 30.0, 60.0, 120.0, 300.0, 600.0)

RUNS = Metric("assistants.runs", "{run}")
"""The number of entries into a state, by state."""
QUEUE_TIME = Metric("assistants.run.queue_time", "s", _LONG)
FIRST_WORD = Metric("assistants.run.time_to_first_word", "s", _LONG)
"""Seconds from the creation of a run to the first piece of the model's first answer."""
RUN_DURATION = Metric("assistants.run.duration", "s", _LONG)
RETRIES = Metric("assistants.model.retries", "{call}")
CLAIMS_LOST = Metric("assistants.claims.lost", "{claim}")
POISONED = Metric("assistants.items.poisoned", "{item}")
STORAGE = Metric("assistants.storage.requests", "{request}")
OPERATION_DURATION = Metric("gen_ai.client.operation.duration", "s", _SECONDS)
CHUNK_TIME = Metric("gen_ai.client.operation.time_to_first_chunk", "s", _SECONDS)
TOKENS = Metric("gen_ai.client.token.usage", "{token}", tuple(float(4**power) for power in range(14)))
