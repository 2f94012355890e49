"""A collector of traces for tests: takes OTLP over HTTP, and keeps every span that it was sent."""

from __future__ import annotations

import contextlib
import gzip
import threading
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any

from opentelemetry.proto.collector.trace.v1.trace_service_pb2 import (
    ExportTraceServiceRequest,
    ExportTraceServiceResponse,
)

__all__ = ["CollectedSpan", "TraceCollector", "trace_collector"]


@dataclass(frozen=True, slots=True, kw_only=True)
class CollectedSpan:
    """A span as it was exported; ids are hexadecimal, `parent` is empty for none."""

    name: str
    kind: str
    """`SERVER`, `PRODUCER`, `CONSUMER`, …"""
    trace_id: str
    span_id: str
    parent: str
    state: str
    """Its `tracestate`."""
    links: list[str]
    attributes: Mapping[str, Any]
    events: list[tuple[str, Mapping[str, Any]]]
    failed: bool
    lasted: int
    """Nanoseconds."""
    service: str
    scope: str


@dataclass(slots=True)
class TraceCollector:
    """Where it is, and what it has: `url` is for `OTEL_EXPORTER_OTLP_ENDPOINT`."""

    url: str = ""
    spans: list[CollectedSpan] = field(default_factory=list)
    called: list[str] = field(default_factory=list)
    """The `traceparent` of each GET: it stands for what handlers call, too."""

    def environment(self) -> dict[str, str]:
        """Of a process that sends its spans here, soon."""
        return {"OTEL_EXPORTER_OTLP_ENDPOINT": self.url, "OTEL_BSP_SCHEDULE_DELAY": "50"}

    def named(self, prefix: str) -> list[CollectedSpan]:
        return [span for span in self.spans if span.name.startswith(prefix)]


@contextlib.contextmanager
def trace_collector() -> Iterator[TraceCollector]:
    collector = TraceCollector()

    class Handler(BaseHTTPRequestHandler):
        def do_GET(self) -> None:
            collector.called.append(self.headers.get("traceparent", ""))
            self._answer(b"{}")

        def do_POST(self) -> None:
            body = self.rfile.read(int(self.headers["content-length"]))
            if self.headers.get("content-encoding") == "gzip":
                body = gzip.decompress(body)
            assert self.path == "/v1/traces"
            collector.spans += _spans(ExportTraceServiceRequest.FromString(body))
            self._answer(ExportTraceServiceResponse().SerializeToString())

        def _answer(self, body: bytes) -> None:
            self.send_response(200)
            self.send_header("content-type", "application/x-protobuf")
            self.send_header("content-length", str(len(body)))
            self.end_headers()
            self.wfile.write(body)

        def log_message(self, format: str, *args: Any) -> None:  # noqa: A002
            pass

    with ThreadingHTTPServer(("127.0.0.1", 0), Handler) as server:
        collector.url = f"http://127.0.0.1:{server.server_port}"
        thread = threading.Thread(target=server.serve_forever, args=(0.05,), daemon=True)
        thread.start()
        try:
            yield collector
        finally:
            server.shutdown()
            thread.join()


def _spans(request: ExportTraceServiceRequest) -> Iterator[CollectedSpan]:
    for resource in request.resource_spans:
        service = _values(resource.resource.attributes)["service.name"]
        for scope in resource.scope_spans:
            for span in scope.spans:
                yield CollectedSpan(
                    name=span.name,
                    kind=span.SpanKind.Name(span.kind).removeprefix("SPAN_KIND_"),
                    trace_id=span.trace_id.hex(),
                    span_id=span.span_id.hex(),
                    parent=span.parent_span_id.hex(),
                    state=span.trace_state,
                    links=[link.span_id.hex() for link in span.links],
                    attributes=_values(span.attributes),
                    events=[(event.name, _values(event.attributes)) for event in span.events],
                    failed=span.status.code == span.status.STATUS_CODE_ERROR,
                    lasted=span.end_time_unix_nano - span.start_time_unix_nano,
                    service=str(service),
                    scope=scope.scope.name,
                )


def _values(attributes: Any) -> dict[str, Any]:
    return {one.key: getattr(one.value, one.value.WhichOneof("value")) for one in attributes}
