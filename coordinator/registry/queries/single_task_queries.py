"""Asks the ledger about tasks and totals, over what this process knows to be on its way to it."""

from __future__ import annotations

import contextlib
from collections.abc import Mapping, Sequence
from functools import partial
from typing import Any

from sqlalchemy.engine import Connection

from coordinator.domain.task import State, Task
from coordinator.domain.task_totals import NOTHING, TaskTotals, measure
from coordinator.domain.transitions.fold import fold
from coordinator.errors import TaskNotFound
from coordinator.protocol.messages.events import Event, TaskSubmitted
from coordinator.protocol.messages.task_message import TaskMessage
from coordinator.registry.ledger.ledger import Ledger
from coordinator.registry.tables import event_rows, schema
from coordinator.registry.tables.callbacks.callback_rows import deliveries_of
from coordinator.registry.tables.event_rows import identity
from coordinator.registry.tables.stored_result import stored_result
from coordinator.registry.tables.task_with_pending_events import current_task
from coordinator.registry.tables.totals_rows import tally_in

from .task_view import CallbackView, TaskView

__all__ = ["SingleTaskQueries"]

DELIVERIES = 20
"""Deliveries of its callback that are told with a task; `GET /callbacks` has all."""


class SingleTaskQueries:
    """Reads in one transaction for each question. ``pending`` are events that this process has seen
    confirmed; those that the ledger has by now are told apart in the same transaction, so that
    nothing is counted twice or missed.
    """

    def __init__(self, ledger: Ledger) -> None:
        self._ledger = ledger

    async def task(self, task_id: str, pending: Sequence[Event] = ()) -> TaskView:
        """Raises `TaskNotFound` or `LedgerUnavailable`."""
        return await self._ledger.read(partial(_task, task_id, pending))

    async def submissions(self, pending: Mapping[str, Sequence[Event]]) -> dict[str, TaskMessage]:
        """As they were submitted: those of the tasks, each with its own ``pending`` events, that
        are known. Raises `LedgerUnavailable`.
        """
        return await self._ledger.read(partial(_submissions, pending))

    async def known(self, pending: Sequence[Event]) -> set[event_rows.Identity]:
        """Which of ``pending`` the ledger has. Raises `LedgerUnavailable`."""
        return await self._ledger.read(partial(_known, pending))

    async def current_task(
        self, task_id: str, pending: Sequence[Event] = ()
    ) -> tuple[Task, TaskMessage]:
        """The task as the law has it now, and the message that its content is from. Raises
        `TaskNotFound` or `LedgerUnavailable`.
        """
        return await self._ledger.read(partial(current_task, task_id, pending))

    async def totals(
        self, pending: Sequence[Event] = ()
    ) -> tuple[TaskTotals, set[event_rows.Identity]]:
        """Over all tasks; and which of ``pending`` the ledger has. Raises `LedgerUnavailable`."""
        return await self._ledger.read(partial(_totals, pending))


def _task(task_id: str, pending: Sequence[Event], connection: Connection) -> TaskView:
    return _view(connection, *current_task(task_id, pending, connection))


def _submissions(
    pending: Mapping[str, Sequence[Event]], connection: Connection
) -> dict[str, TaskMessage]:
    found: dict[str, TaskMessage] = {}
    for task_id, events in pending.items():
        with contextlib.suppress(TaskNotFound):
            found[task_id] = current_task(task_id, events, connection)[1]
    return found


def _view(connection: Connection, task: Task, content: TaskMessage) -> TaskView:
    return TaskView(
        task_id=task.task_id,
        state=task.state.value,
        task_type=task.task_type,
        priority=content.priority,
        requirements=content.wanted.asked.as_dict(),
        lane=task.lane or content.source.lane,
        task_data=content.task_data,
        metadata=content.metadata,
        generation=task.generation,
        attempt=task.attempt,
        max_attempts=task.max_attempts or content.max_attempts,
        submitted_at=content.submitted_at,
        not_before=content.not_before,
        expires_at=task.expires_at if task.known else content.expires_at,
        started_at=task.started_at,
        ended_at=task.ended_at,
        agent_id=task.agent_id,
        progress=task.progress,
        result=_result(connection, task),
        error=task.error,
        submitted_by=content.submitted_by,
        parent_id=content.parent_id,
        group=content.group,
        tags=content.tags or (),
        callback=_callback(connection, content),
        question=task.question,
        answers=task.answers,
    )


def _callback(connection: Connection, content: TaskMessage) -> CallbackView | None:
    if content.callback is None:
        return None
    found = deliveries_of(connection, content.task_id, DELIVERIES)
    return CallbackView(asked=content.callback, deliveries=found)


def _result(connection: Connection, task: Task) -> Any:
    """Outcomes are never published by a coordinator, so they are in the ledger or not known."""
    if task.state is not State.COMPLETED:
        return None
    return stored_result(connection, task.outcome, task.agent_id or "")


def _known(pending: Sequence[Event], connection: Connection) -> set[event_rows.Identity]:
    return event_rows.known(connection, pending)


def _totals(
    pending: Sequence[Event], connection: Connection
) -> tuple[TaskTotals, set[event_rows.Identity]]:
    totals = tally_in(connection, schema.totals)
    known = event_rows.known(connection, pending)
    for event in pending:
        if isinstance(event.data, TaskSubmitted) and identity(event) not in known:
            totals = totals.plus(measure(fold(None, event).task).minus(NOTHING))
    return totals, known
