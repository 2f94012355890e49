"""Each end of an attempt or a task that the ledger takes is a span below what made its event."""

from __future__ import annotations

from dataclasses import replace

import pytest
from opentelemetry import trace as api
from opentelemetry.sdk.trace import TracerProvider
from opentelemetry.sdk.trace.export import SimpleSpanProcessor
from opentelemetry.sdk.trace.export.in_memory_span_exporter import InMemorySpanExporter

from coordinator.protocol.messages.events import Event
from coordinator.protocol.trace_context import TraceContext
from coordinator.registry.ledger.batch_folding import FoldedBatch
from coordinator.tracing import fold_spans
from coordinator.tracing.fold_spans import FoldSpans
from tests.unit.domain.histories import (
    asked,
    cancelled,
    completed,
    dead_lettered,
    failed,
    progressed,
    started,
    submitted,
    too_large,
)

TRACE_ID, PARENT = "0af7651916cd43dd8448eb211c80319c", "b7ad6b7169203331"
TRACE = TraceContext(f"00-{TRACE_ID}-{PARENT}-01")


@pytest.fixture
def exported(monkeypatch: pytest.MonkeyPatch) -> InMemorySpanExporter:
    exporter, provider = InMemorySpanExporter(), TracerProvider()
    provider.add_span_processor(SimpleSpanProcessor(exporter))
    monkeypatch.setattr(fold_spans, "get_tracer", provider.get_tracer)
    return exporter


def fold(*events: Event) -> None:
    spans = FoldSpans()
    spans.before(events)
    spans.folded(events, FoldedBatch(events=list(events)))


@pytest.mark.parametrize(
    "end",
    [
        completed(),
        failed(),
        cancelled(),
        too_large(),
        dead_lettered("delivery_limit"),
        dead_lettered("expired"),
    ],
    ids=["completed", "failed", "cancelled", "too large", "delivery limit", "expired"],
)
def test_an_end_is_a_span_below_its_context(exported: InMemorySpanExporter, end: Event) -> None:
    fold(replace(end, trace=TRACE))
    (span,) = exported.get_finished_spans()
    assert span.name == "process coordinator.log"
    assert span.kind is api.SpanKind.CONSUMER
    assert span.context is not None
    assert span.parent is not None
    assert f"{span.context.trace_id:032x}" == TRACE_ID
    assert f"{span.parent.span_id:016x}" == PARENT
    assert [f"{link.context.span_id:016x}" for link in span.links] == [PARENT]
    assert span.attributes is not None
    assert span.attributes["cloudevents.event_type"] == end.type


def test_what_ends_nothing_or_is_of_no_trace_is_none(exported: InMemorySpanExporter) -> None:
    going_on = [submitted(), started(), progressed(0.5), asked()]
    fold(*(replace(one, trace=TRACE) for one in going_on), completed())
    assert exported.get_finished_spans() == ()
