"""A collector of OpenTelemetry in this process: it receives OTLP over HTTP, and items for Application Insights."""

import gzip
import json
import threading
from collections.abc import Iterator
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any, NamedTuple, Self

from google.protobuf.json_format import MessageToDict
from opentelemetry.proto.collector.metrics.v1.metrics_service_pb2 import ExportMetricsServiceRequest
from opentelemetry.proto.collector.trace.v1.trace_service_pb2 import ExportTraceServiceRequest


class Told(NamedTuple):
    """A received span; ids in hexadecimal."""

    name: str
    kind: str
    trace: str
    id: str
    parent: str
    attributes: dict[str, Any]
    status: int
    schema: str
    links: list[tuple[str, str]]
    """The traces and ids of the spans that it is linked to."""


class Collector:
    """A context manager; spans and values are there once the exporters were flushed."""

    def __init__(self) -> None:
        collector = self

        class Handler(BaseHTTPRequestHandler):
            def do_POST(self) -> None:
                body = self.rfile.read(int(self.headers["content-length"]))
                answer = collector.take(self.path, body)
                self.send_response(200)
                self.send_header("content-length", str(len(answer)))
                self.end_headers()
                self.wfile.write(answer)

            def log_message(self, *args: Any) -> None:
                pass

        self._server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
        self.url = f"http://127.0.0.1:{self._server.server_port}"
        self.spans: list[Told] = []
        self.metrics: dict[str, list[dict[str, Any]]] = {}
        """The attributes of each metric's latest points."""
        self.bodies: list[bytes] = []
        self.tracked: list[dict[str, Any]] = []
        """The items sent to Application Insights."""

    def take(self, path: str, body: bytes) -> bytes:
        """Handle a request; return the body of its answer."""
        self.bodies.append(body)
        if path == "/v1/traces":
            self.spans += _spans(ExportTraceServiceRequest.FromString(body))
        elif path == "/v1/metrics":
            for resource in ExportMetricsServiceRequest.FromString(body).resource_metrics:
                for each in (each for scope in resource.scope_metrics for each in scope.metrics):
                    points = getattr(each, str(each.WhichOneof("data"))).data_points
                    self.metrics[each.name] = [_attributes(point) for point in points]
        elif path.endswith("/track"):
            items = json.loads(gzip.decompress(body) if body[:2] == b"\x1f\x8b" else body)
            self.tracked += items
            return json.dumps({"itemsReceived": len(items), "itemsAccepted": len(items), "errors": []}).encode()
        return b""

    def named(self, name: str) -> list[Told]:
        """The spans of this name, in the order of their ends."""
        return [span for span in self.spans if span.name == name]

    def __enter__(self) -> Self:
        self._thread = threading.Thread(target=self._server.serve_forever, kwargs={"poll_interval": 0.05}, daemon=True)
        self._thread.start()
        return self

    def __exit__(self, *_: object) -> None:
        self._server.shutdown()
        self._server.server_close()
        self._thread.join()


def _spans(request: ExportTraceServiceRequest) -> Iterator[Told]:
    for resource in request.resource_spans:
        for scope in resource.scope_spans:
            for span in scope.spans:
                kind = type(span).SpanKind.Name(span.kind).removeprefix("SPAN_KIND_").lower()
                yield Told(
                    span.name,
                    kind,
                    span.trace_id.hex(),
                    span.span_id.hex(),
                    span.parent_span_id.hex(),
                    _attributes(span),
                    span.status.code,
                    scope.schema_url,
                    [(link.trace_id.hex(), link.span_id.hex()) for link in span.links],
                )


def _attributes(of: Any) -> dict[str, Any]:
    found = {each.key: MessageToDict(each.value) for each in of.attributes}
    return {name: next(iter(value.values())) for name, value in found.items()}
