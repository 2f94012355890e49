"""Makes an OpenTelemetry span of each attempt, around the handler and the interceptors of the agent's author.

What a handler does within it, such as HTTP calls by an instrumented client, hangs below; the events that end
the attempt carry it to the coordinator. It links to the span in which the message was put on its queue: the
time between the two is the wait there.
"""

from __future__ import annotations

import asyncio
import contextlib
import threading
from dataclasses import replace
from typing import Any

from opentelemetry.trace import Span, SpanKind, get_tracer

from coordinator.tracing.messaging_spans import (
    PROCESS,
    SCOPE,
    fail,
    messaging_attributes,
    where_tasks_are,
)
from coordinator.tracing.span_contexts import context_below, context_of_span, link_to

from .._values.printable_text import class_name, text_of
from ..agent_options import AgentOptions
from ..interceptor import CallNext
from ..outcome import Discard, InputRequired, RetryLater, chosen
from ..task import Progress, Task

__all__ = ["AttemptSpans", "with_spans"]

MAX_TEXT = 1_000
"""Characters of what a handler has raised."""

STOPPED = "told to stop: by its time-out, a cancellation, or with its agent"


def with_spans(options: AgentOptions) -> AgentOptions:
    """The same agent with a span around each attempt, outside of all its interceptors."""
    spans = AttemptSpans(options.agent_id)
    return replace(options, interceptors=(spans, *options.interceptors))


class AttemptSpans:
    """Is an `Interceptor`. Words of progress are events of the span, as far as its limits go, and so are some
    of the chunks of partial output.
    """

    def __init__(self, agent_id: str) -> None:
        self._agent_id = agent_id
        self._tracer = get_tracer(SCOPE)

    async def intercept(self, task: Task, call_next: CallNext) -> Any:
        trace = task.trace
        with self._tracer.start_as_current_span(
            f"{PROCESS} {task.source.queue}",
            context=context_below(trace),
            kind=SpanKind.CONSUMER,
            links=link_to(trace),
            attributes=self._attributes(task),
            record_exception=False,
            set_status_on_exception=False,
        ) as span:
            within = context_of_span(span)
            output = EmittedChunks(span)
            if within is not None:
                task.enter_span(within, lambda word: _tell(span, word), output.note)
            try:
                return await call_next()
            except InputRequired as asked:
                span.add_event("input required", {"question_id": asked.asked.question_id})
                raise
            except BaseException as exc:
                _note(span, exc)
                raise
            finally:
                output.tell_all()

    def _attributes(self, task: Task) -> dict[str, str | int]:
        source = task.source
        attributes: dict[str, str | int] = {
            **messaging_attributes(
                PROCESS,
                where_tasks_are(source),
                key=source.key,
                message_id=task.message_id,
                task_id=task.id,
            ),
            f"{SCOPE}.agent.id": self._agent_id,
            f"{SCOPE}.task.attempt": task.attempt,
        }
        if task.type is not None:
            attributes[f"{SCOPE}.task.type"] = task.type
        return attributes


class EmittedChunks:
    """Tells a span of the first chunk that is emitted, the second, the fourth, the eighth and so on, and in
    the end how many they were: few events, however many chunks. Called from any thread.
    """

    def __init__(self, span: Span) -> None:
        self._span = span
        self._lock = threading.Lock()
        self._chunks = 0
        self._bytes = 0

    def note(self, size: int) -> None:
        """One more, of so many bytes."""
        with self._lock:
            self._chunks += 1
            self._bytes += size
            number, told = self._chunks, self._bytes
        if number & (number - 1) == 0:
            self._span.add_event("output", {"chunk": number, "bytes": told})

    def tell_all(self) -> None:
        """The handler has ended; nothing where it has emitted nothing."""
        if self._chunks:
            self._span.set_attribute(f"{SCOPE}.task.output.chunks", self._chunks)
            self._span.set_attribute(f"{SCOPE}.task.output.bytes", self._bytes)


def _tell(span: Span, word: Progress) -> None:
    known = {"fraction": word.fraction, "message": word.message}
    span.add_event("progress", {name: one for name, one in known.items() if one is not None})


def _note(span: Span, exc: BaseException) -> None:
    """Whatever the exception of an author does: the attempt ends as it would without a span."""
    if isinstance(exc, asyncio.CancelledError):
        fail(span, class_name(exc), STOPPED)
        return
    fail(span, class_name(exc), text_of(exc, MAX_TEXT))
    if not chosen(exc, RetryLater, Discard):
        with contextlib.suppress(Exception):
            span.record_exception(exc)
