"""Counts and times the attempts of one agent, by task type and by how the handler ended: an interceptor."""

from __future__ import annotations

import asyncio
import time
from collections.abc import Callable, Collection
from typing import Any

from prometheus_client import CollectorRegistry, Counter, Histogram

from ..interceptor import CallNext
from ..outcome import Discard, InputRequired, RetryLater, chosen
from ..task import Task

__all__ = ["AttemptMetrics"]

BOUNDS = (0.005, 0.025, 0.1, 0.25, 0.5, 1.0, 2.5, 5.0, 10.0, 30.0, 60.0, 300.0, 900.0, 3600.0)
"""Seconds: handlers take anything from some milliseconds to hours."""

OTHER = "any"
"""The type of what the default handler does: producers may choose it freely."""


class AttemptMetrics:
    """Runs around every handler. ``announced`` gives the types that have a handler of their own; ``clock``
    tells seconds.
    """

    def __init__(
        self,
        registry: CollectorRegistry,
        *,
        announced: Callable[[], Collection[str]],
        clock: Callable[[], float] = time.perf_counter,
    ) -> None:
        self._announced = announced
        self._clock = clock
        self._ended = Counter(
            "coordinator_agent_attempts",
            "Attempts that ended, as the handler and the interceptors left them.",
            ["task_type", "outcome"],
            registry=registry,
        )
        self._taken = Histogram(
            "coordinator_agent_attempt_seconds",
            "What handlers took, with all interceptors around them.",
            ["task_type"],
            registry=registry,
            buckets=BOUNDS,
        )

    async def intercept(self, task: Task, call_next: CallNext) -> Any:
        """What ``call_next`` returns or raises."""
        began = self._clock()
        outcome = "completed"
        try:
            return await call_next()
        except BaseException as exc:
            outcome = _outcome(exc)
            raise
        finally:
            kind = task.type if task.type in self._announced() else OTHER
            self._ended.labels(kind, outcome).inc()
            self._taken.labels(kind).observe(self._clock() - began)


def _outcome(exc: BaseException) -> str:
    if chosen(exc, RetryLater):
        return "retry_later"
    if chosen(exc, Discard):
        return "discarded"
    if chosen(exc, InputRequired):
        return "asked"
    return "cancelled" if chosen(exc, asyncio.CancelledError) else "failed"
