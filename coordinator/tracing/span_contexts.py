"""Converts trace contexts, as they travel, to those of OpenTelemetry and back."""

from __future__ import annotations

from opentelemetry.context import Context
from opentelemetry.trace import Link, Span, SpanContext, get_current_span
from opentelemetry.trace.propagation.tracecontext import TraceContextTextMapPropagator

from coordinator.protocol.trace_context import TraceContext

__all__ = ["context_below", "context_of_span", "link_to"]

_propagator = TraceContextTextMapPropagator()


def context_below(trace: TraceContext | None) -> Context:
    """Where a span begins that hangs below ``trace``; at the top of a trace of its own for None."""
    return Context() if trace is None else _propagator.extract(trace.headers(), context=Context())


def link_to(trace: TraceContext | None) -> list[Link]:
    """A link of a span to where its message was made, as the conventions for messaging have it."""
    found = get_current_span(context_below(trace)).get_span_context()
    return [Link(found)] if found.is_valid else []


def context_of_span(span: Span) -> TraceContext | None:
    """How what hangs below ``span`` tells so; None for a span that is none."""
    return _told(span.get_span_context())


def _told(found: SpanContext) -> TraceContext | None:
    if not found.is_valid:
        return None
    parent = f"00-{found.trace_id:032x}-{found.span_id:016x}-{found.trace_flags:02x}"
    return TraceContext(parent, found.trace_state.to_header() or None)
