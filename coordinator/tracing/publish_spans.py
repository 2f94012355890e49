"""Makes a span for each task that the service publishes, and tells the message that it was made within it.

The context of the span is in the headers of the message, where agents and tracing libraries look for it. The
body keeps the context of whoever submitted the task: another attempt, much later, hangs below that.
"""

from __future__ import annotations

from dataclasses import replace

from opentelemetry.trace import Span, SpanKind, get_tracer

from coordinator.broker.publisher import Outgoing
from coordinator.protocol.messages.task_message import TASK_TYPE
from coordinator.protocol.trace_context import TraceContext

from .messaging_spans import SCOPE, SEND, destination, fail, messaging_attributes
from .span_contexts import context_below, context_of_span

__all__ = ["PublishSpans", "begin_trace"]


class PublishSpans:
    """Is a `MessageStamp` and a `PublishInterceptor`: the span ends with the publish."""

    def __init__(self) -> None:
        self._tracer = get_tracer(SCOPE)
        self._begun: dict[int, tuple[Outgoing, Span]] = {}

    def stamped(self, outgoing: Outgoing) -> Outgoing:
        """The same with the context of a new span among its headers, where it is a task."""
        message = outgoing.message
        if message.type != TASK_TYPE:
            return outgoing
        where = destination(outgoing.exchange, outgoing.key)
        span = self._tracer.start_span(
            f"{SEND} {where}",
            context=context_below(TraceContext.among(message.headers)),
            kind=SpanKind.PRODUCER,
            attributes=messaging_attributes(
                SEND,
                where,
                key=outgoing.key,
                message_id=message.message_id,
                task_id=message.correlation_id,
            ),
        )
        trace = context_of_span(span)
        if trace is None:
            return outgoing
        headers = {**message.headers, **trace.headers()}
        sent = outgoing._replace(message=replace(message, headers=headers))
        self._begun[id(sent)] = sent, span
        return sent

    def before(self, outgoing: Outgoing) -> None:
        """The span has begun in `stamped`."""

    def confirmed(self, outgoing: Outgoing) -> None:
        self._end(outgoing, None)

    def failed(self, outgoing: Outgoing, error: BaseException) -> None:
        self._end(outgoing, error)

    def _end(self, outgoing: Outgoing, error: BaseException | None) -> None:
        _, span = self._begun.pop(id(outgoing), (None, None))
        if span is None:
            return
        if error is not None:
            fail(span, type(error).__name__, str(error))
        span.end()


def begin_trace() -> TraceContext | None:
    """The trace of a task that no request submits, but a schedule: a span of no duration is the top of it."""
    span = get_tracer(SCOPE).start_span("submit by schedule", context=context_below(None))
    span.end()
    return context_of_span(span)
