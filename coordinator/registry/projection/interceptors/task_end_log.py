"""Logs one line for each task that ends, once its end is in the ledger: a fold interceptor.

The one process that folds the log writes it, whoever ended the task: an agent, a person, the broker or a
deadline. So each end has one line, wherever it came from and however often it was told.
"""

from __future__ import annotations

import logging
from collections.abc import Sequence

from coordinator.domain.task import Task
from coordinator.protocol.messages.events import Event
from coordinator.registry.ledger.batch_folding import FoldedBatch
from coordinator.task_log_context import task_context

__all__ = ["TaskEndLog"]

logger = logging.getLogger(__name__)


class TaskEndLog:
    """Tells which task, of which type, how it ended, and after how many seconds from its submission."""

    def before(self, events: Sequence[Event]) -> None:
        """Nothing has ended yet."""

    def folded(self, events: Sequence[Event], batch: FoldedBatch) -> None:  # noqa: ARG002 - the port's
        if not logger.isEnabledFor(logging.INFO):
            return
        ended = [change.now for change in batch.changed if change.ends]
        if not ended:
            return
        traces = {
            event.data.subject: event.trace.trace_id
            for event in batch.events
            if event.trace is not None
        }
        for task in ended:
            logger.info("a task has ended", extra=_fields(task, traces.get(task.task_id)))

    def failed(self, events: Sequence[Event], error: BaseException) -> None:
        """Nothing has ended."""


def _fields(task: Task, trace_id: str | None) -> dict[str, object]:
    fields = task_context(
        task.task_id,
        attempt=task.attempt,
        agent_id=task.agent_id,
        task_type=task.task_type,
        trace_id=trace_id,
    )
    fields["outcome"] = task.state.value
    if task.submitted_at is not None and task.ended_at is not None:
        lasted = (task.ended_at - task.submitted_at).total_seconds()
        fields["seconds"] = round(max(lasted, 0.0), 3)
    return fields
