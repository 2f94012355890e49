"""Counts what becomes of tasks, where and when it is folded into the ledger: a fold interceptor.

What is in the ledger was counted by whichever process folded it, once: events that come twice change no
task. As with the totals of `GET /tasks/status`, nothing counts before the task's own message was folded.
"""

from __future__ import annotations

import time
from collections.abc import Callable, Sequence

from coordinator.domain.task import ENDED as ENDS
from coordinator.domain.task import State, Task
from coordinator.metrics.counted_figures import CountedFigures
from coordinator.metrics.metric_catalogue import (
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
from coordinator.protocol.messages.events import Event
from coordinator.protocol.priority import Priority
from coordinator.registry.ledger.batch_folding import FoldedBatch

__all__ = ["MOST_ERROR_TYPES", "OTHER", "FoldCounting"]

MOST_ERROR_TYPES = 50
"""Agents choose the types of errors: the first so many have series of their own."""

LONGEST_ERROR_TYPE = 80
"""Characters."""

OTHER = "other"
"""Stands for all further types."""

_NEW = Task(task_id="")
"""Stands for a task before its own message was folded: whatever is said of it earlier counts with that."""


class FoldCounting:
    """Sees each transaction of this process's projector. ``clock`` tells seconds."""

    def __init__(
        self, figures: CountedFigures, *, clock: Callable[[], float] = time.perf_counter
    ) -> None:
        self._labels = {priority: (priority.value,) for priority in Priority}
        self._waited = {one: figures.histogram(START, one.value) for one in Priority}
        priorities = self._labels.values()
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
                self._count(was if was is not None and was.content else _NEW, now, now.priority)

    def failed(self, events: Sequence[Event], error: BaseException) -> None:  # noqa: ARG002
        self._rolled_back[()] += 1

    def _count(self, was: Task, now: Task, priority: Priority) -> None:
        label = self._labels[priority]
        if now.starts > was.starts:
            self._executions[label] += now.starts - was.starts
            if was.first_started_at is None:
                self._first_start(now, priority)
        if now.failures > was.failures:
            self._failures[label] += now.failures - was.failures
        again = now.generation > was.generation
        if now.published > 1 and (again or now.published > was.published):
            self._retries[label] += now.published - (1 if again else max(was.published, 1))
        if now.state in ENDS and (again or was.state not in ENDS):
            self._ended[(now.state.value, *label)] += 1
            if now.state is State.DEAD:
                self._dead[(self._error_type(now),)] += 1

    def _first_start(self, task: Task, priority: Priority) -> None:
        if task.submitted_at is None or task.first_started_at is None:
            return
        waited = (task.first_started_at - task.submitted_at).total_seconds()
        self._waited[priority].observe(max(waited, 0.0))

    def _error_type(self, task: Task) -> str:
        told = (task.error or {}).get("type")
        kind = str(told)[:LONGEST_ERROR_TYPE] if told else "unknown"
        kind = kind.encode(errors="replace").decode()  # half a character would spoil the whole page
        if (kind,) in self._dead or len(self._dead) < MOST_ERROR_TYPES:
            return kind
        return OTHER
