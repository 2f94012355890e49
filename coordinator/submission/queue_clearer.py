"""Clears a priority: drains its queues, and publishes the end of each task. Safe to interrupt and repeat."""

from __future__ import annotations

import logging
from functools import partial

from coordinator.broker.channel import Delivery
from coordinator.broker.connection import Connection
from coordinator.broker.ports import PublishesMessages
from coordinator.broker.queue_drain import drain
from coordinator.domain.task_queues import TaskQueues
from coordinator.errors import BrokerUnavailable, MalformedMessage
from coordinator.protocol.messages.event_codec.event_encoding import encode_batch
from coordinator.protocol.messages.events import Event, TaskCancelled
from coordinator.protocol.messages.task_message import TaskMessage
from coordinator.protocol.priority import Priority
from coordinator.protocol.topology import EVENTS

from .ports import NotesEnd

__all__ = ["CLEARED", "QueueClearer"]

logger = logging.getLogger(__name__)

CLEARED = "cleared"
"""The `reason` of the `task.cancelled` of each task that was cleared."""


class QueueClearer:
    """Drains all queues of a priority over the link of the moment."""

    def __init__(
        self,
        *,
        connection: Connection,
        publisher: PublishesMessages,
        book: TaskQueues,
        note: NotesEnd,
    ) -> None:
        self._connection = connection
        self._publisher = publisher
        self._book = book
        self._note = note

    async def clear(self, priority: Priority, *, by: str | None = None) -> int:
        """End every task that waits at this priority now, in all lanes; return how many. ``by``: who asked
        for it.

        Raises `BrokerUnavailable` or `OutcomeUnknown`; what was ended by then stays ended, and a
        repetition goes on with the rest.
        """
        link = self._connection.link
        if link is None:
            raise BrokerUnavailable
        cleared = 0
        for task_queue in self._book.sources(priority):
            cleared += await drain(link, task_queue.queue, partial(self._record, by))
        logger.info("cleared a priority", extra={"priority": priority.value, "tasks": cleared})
        return cleared

    async def _record(self, by: str | None, batch: list[Delivery]) -> list[Delivery]:
        """Store that the tasks have ended; return what is no task, for the log to park."""
        events: list[Event] = []
        strange: list[Delivery] = []
        for delivery in batch:
            try:
                task = TaskMessage.from_message(delivery.message)
            except MalformedMessage as exc:
                logger.warning("a message in a queue of tasks is no task: %s", exc)
                strange.append(delivery)
                continue
            events.append(Event(data=_cancelled(task, by), trace=task.trace))
        if events:
            key, message = encode_batch(events)
            await self._publisher.publish(message, exchange=EVENTS, key=key)
            for event in events:
                self._note(event)
        return strange


def _cancelled(task: TaskMessage, by: str | None) -> TaskCancelled:
    return TaskCancelled(
        task_id=task.task_id,
        generation=task.generation,
        attempt=task.attempt,
        reason=CLEARED,
        by=by,
    )
