"""Makes a span for each end of an attempt or a task that the projector writes to the ledger."""

from __future__ import annotations

import time
from collections.abc import Sequence
from typing import Protocol

from opentelemetry.trace import SpanKind, get_tracer

from coordinator.protocol.messages.event_codec.event_encoding import routing_key
from coordinator.protocol.messages.events import (
    Event,
    TaskCancelled,
    TaskCompleted,
    TaskDeadLettered,
    TaskFailed,
    TaskTooLarge,
)
from coordinator.protocol.topology import EVENTS, LOG

from .messaging_spans import PROCESS, SCOPE, destination, messaging_attributes
from .span_contexts import context_below, link_to

__all__ = ["FoldSpans"]

ENDS = (TaskCompleted, TaskFailed, TaskDeadLettered, TaskCancelled, TaskTooLarge)


class HoldsNewEvents(Protocol):
    """Tells what a transaction came to: `registry.ledger.batch_folding.FoldedBatch`."""

    @property
    def events(self) -> list[Event]:
        """Those that were new."""


class FoldSpans:
    """Is a `FoldInterceptor`: each span lasts as long as the transaction that the event was in."""

    def __init__(self) -> None:
        self._tracer = get_tracer(SCOPE)
        self._began = 0

    def before(self, events: Sequence[Event]) -> None:  # noqa: ARG002 - declared by the port
        self._began = time.time_ns()

    def folded(self, events: Sequence[Event], batch: HoldsNewEvents) -> None:  # noqa: ARG002
        for event in batch.events:
            if event.trace is not None and isinstance(event.data, ENDS):
                self._span(event)

    def failed(self, events: Sequence[Event], error: BaseException) -> None:
        """Nothing was stored: it is tried again."""

    def _span(self, event: Event) -> None:
        key = routing_key(event.data)
        where = f"{destination(EVENTS, key)}:{LOG}"
        attributes = messaging_attributes(
            PROCESS, where, key=key, message_id=event.id, task_id=event.data.subject
        )
        attributes |= {
            "cloudevents.event_id": event.id,
            "cloudevents.event_type": event.type,
            "cloudevents.event_subject": event.data.subject,
        }
        self._tracer.start_span(
            f"{PROCESS} {LOG}",
            context=context_below(event.trace),
            kind=SpanKind.CONSUMER,
            links=link_to(event.trace),
            start_time=self._began,
            attributes=attributes,
        ).end()
