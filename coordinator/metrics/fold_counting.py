"""Counts what becomes of tasks, where and when it is folded into the ledger: a fold interceptor.

What is in the ledger was counted by whichever process folded it, once: events that come twice change no
task. As with the totals of `GET /tasks/status`, nothing counts before the task's own message was folded.
"""

from __future__ import annotations

import time
from collections import defaultdict
from collections.abc import Callable, Sequence
from datetime import timedelta

from coordinator.domain.task import ENDED as ENDS
from coordinator.domain.task import State, Task
from coordinator.protocol.messages.events import Event
from coordinator.protocol.priority import Priority
from coordinator.registry.ledger.batch_folding import FoldedBatch

from .counted_figures import CountedFigures, Labels
from .metric_catalogue import (
    DEAD,
    ENDED,
    EXECUTIONS,
    FAILED_ATTEMPTS,
    FOLD,
    FOLD_FAILED,
    FOLDED,
    PARKED_NOW,
    RETRIES,
    START,
)

__all__ = ["MOST_ERROR_TYPES", "OTHER", "FoldCounting"]

MOST_ERROR_TYPES = 50
"""Agents choose the types of errors: the first so many have series of their own."""

LONGEST_ERROR_TYPE = 80
"""Characters."""

OTHER = "other"
"""Stands for all further types."""


class FoldCounting:
    """Sees each transaction of this process's projector. ``clock`` tells seconds."""

    def __init__(
        self, figures: CountedFigures, *, clock: Callable[[], float] = time.perf_counter
    ) -> None:
        self._figures = figures
        priorities = [(priority.value,) for priority in Priority]
        ends = [(state.value, *one) for state in State if state in ENDS for one in priorities]
        self._ended = figures.counter(ENDED, ends)
        self._executions = figures.counter(EXECUTIONS, priorities)
        self._failures = figures.counter(FAILED_ATTEMPTS, priorities)
        self._retries = figures.counter(RETRIES, priorities)
        self._dead = figures.counter(DEAD)
        self._events = figures.counter(FOLDED, [()])
        self._parked = figures.counter(PARKED_NOW, [()])
        self._rolled_back = figures.counter(FOLD_FAILED, [()])
        self._taken = figures.histogram(FOLD)
        self._clock = clock
        self._began = 0.0

    def before(self, events: Sequence[Event]) -> None:  # noqa: ARG002 - the port's
        self._began = self._clock()

    def folded(self, events: Sequence[Event], batch: FoldedBatch) -> None:  # noqa: ARG002
        self._taken.observe(self._clock() - self._began)
        self._events[()] += len(batch.events)
        self._parked[()] += len(batch.parked)
        for was, now in batch.changed:
            if now.priority is not None:
                self._count(was if was is not None and was.known else None, now, now.priority)

    def failed(self, events: Sequence[Event], error: BaseException) -> None:  # noqa: ARG002
        self._rolled_back[()] += 1

    def _count(self, was: Task | None, now: Task, priority: str) -> None:
        label = (str(priority),)
        _add(self._executions, label, now.starts - (0 if was is None else was.starts))
        _add(self._failures, label, now.failures - (0 if was is None else was.failures))
        same = was is not None and was.generation == now.generation
        before = was.published if was is not None and same else 0
        _add(self._retries, label, max(now.published, 1) - max(before, 1))
        if now.first_started_at is not None and (was is None or was.first_started_at is None):
            self._first_start(now, *label)
        if now.ended and not (was is not None and same and was.ended):
            self._ended[(now.state.value, *label)] += 1
            if now.state is State.DEAD:
                self._dead[(self._error_type(now),)] += 1

    def _first_start(self, task: Task, priority: str) -> None:
        if task.submitted_at is None or task.first_started_at is None:
            return
        waited = max(task.first_started_at - task.submitted_at, timedelta())
        self._figures.histogram(START, priority).observe(waited.total_seconds())

    def _error_type(self, task: Task) -> str:
        told = (task.error or {}).get("type")
        kind = str(told)[:LONGEST_ERROR_TYPE] if told else "unknown"
        kind = kind.encode(errors="replace").decode()  # half a character would spoil the whole page
        if (kind,) in self._dead or len(self._dead) < MOST_ERROR_TYPES:
            return kind
        return OTHER


def _add(counts: defaultdict[Labels, float], label: Labels, more: int) -> None:
    if more > 0:
        counts[label] += more
