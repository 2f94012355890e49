"""Cancels a task by request, whatever state it is in.

Its end is in the log, confirmed, before the request is answered. A task that waits for its time, or
for another attempt, is taken out of the outbox and never runs. One that is on its queue is ended in
the ledger; the agent that starts its message is told to stop at once, however much later that is.
One that runs is stopped when the end is folded.
"""

from __future__ import annotations

import contextlib
import logging
from dataclasses import dataclass
from datetime import datetime
from functools import partial
from typing import Protocol

from coordinator.broker.ports import PublishesMessages
from coordinator.domain.task import State, Task
from coordinator.errors import (
    BrokerUnavailable,
    LedgerBehind,
    LedgerUnavailable,
    TaskNotFound,
    WrongState,
)
from coordinator.protocol.messages.event_codec.event_encoding import encode, routing_key
from coordinator.protocol.messages.events import Event, TaskCancelled
from coordinator.protocol.messages.task_message import TaskMessage
from coordinator.protocol.topology import EVENTS
from coordinator.task_log_context import task_context

from .ports import FindsTaskAndMessage, NotesEvent, Settles, TakesTurns

__all__ = ["Cancelled", "TaskCanceller"]

logger = logging.getLogger(__name__)

REQUESTED = "requested"
"""The `reason` of the event."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Cancelled:
    """Tells that the task has ended."""

    task_id: str
    was: State
    """What it was until then."""
    cancelled_at: datetime


class Withdraws(Protocol):
    """Takes a task out of the outbox: `registry.stores.outbox_rows.OutboxRows`."""

    async def withdraw(self, task_id: str, generation: int) -> None:
        """Nothing of this generation is to be published any more. Raises `LedgerUnavailable`."""


class TaskCanceller:
    """Publishes `task.cancelled` for one task at a time, and tells whether that is what ended it."""

    def __init__(
        self,
        *,
        find: FindsTaskAndMessage,
        turns: TakesTurns,
        settle: Settles,
        publisher: PublishesMessages,
        outbox: Withdraws,
        note: NotesEvent,
    ) -> None:
        self._find = find
        self._turns = turns
        self._settle = settle
        self._publisher = publisher
        self._outbox = outbox
        self._note = note

    async def cancel(
        self, task_id: str, reason: str | None = None, *, by: str | None = None
    ) -> Cancelled:
        """End the task; ``reason`` is for people, ``by`` is who asked for it.

        Raises `TaskNotFound`, `WrongState` where it has ended, or `Unavailable`: repeating is safe.
        """
        task, event = await self._turns.take(task_id, partial(_decide, reason, by))
        async with self._turns.sending(event.id):
            await self._publisher.publish(
                encode(event), exchange=EVENTS, key=routing_key(event.data)
            )
        self._note(event)
        if task.state in (State.SCHEDULED, State.WAITING):
            # Folding takes the row away, too, but it might fall due before that.
            with contextlib.suppress(LedgerUnavailable):
                await self._outbox.withdraw(task_id, task.generation)
        await self._check_ended_by(event, task.generation)
        context = task_context(
            task_id, attempt=task.attempt, agent_id=task.agent_id, task_type=task.task_type
        )
        # Its end has a line of its own, when it is folded.
        logger.debug("cancelled a task", extra=context | {"was": task.state.value})
        return Cancelled(task_id=task_id, was=task.state, cancelled_at=event.time)

    async def _check_ended_by(self, event: Event, generation: int) -> None:
        """The log decides: an agent may have ended the task a moment before. That is known once the ledger
        has all that is before this event; where it takes too long, what is known by now counts.
        """
        with contextlib.suppress(LedgerBehind, BrokerUnavailable):
            await self._settle()
        try:
            after = (await self._find(event.data.subject))[0]
        except TaskNotFound:
            return  # deleted since
        redriven = after.generation > generation
        if after.ended and after.outcome != event.id and not redriven:
            raise WrongState(f"The task is {after.state} already: it ended just before this")


def _decide(
    reason: str | None, by: str | None, task: Task, message: TaskMessage
) -> tuple[str, tuple[Task, Event]]:
    if task.ended:
        raise WrongState(f"The task is {task.state} already: there is nothing to cancel")
    event = Event(
        data=TaskCancelled(
            task_id=task.task_id,
            generation=task.generation,
            attempt=task.attempt,
            reason=REQUESTED,
            message=reason,
            by=by,
        ),
        trace=message.trace,
    )
    return event.id, (task, event)
