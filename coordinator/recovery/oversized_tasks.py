"""Ends tasks whose message the broker does not take any more: its `max_message_size` was lowered.

    accepted ─▶ the limit is lowered ─▶ due, or to be put again ─▶ refused ─▶ task.too-large ─▶ dead

A task is refused with 413 when it is submitted. One that was accepted before has nobody left to tell,
and waiting does not help it: it is dead, and says why. With the limit raised again it can be redriven,
or at once with other data.
"""

from __future__ import annotations

import logging

from coordinator.broker.ports import PublishesMessages
from coordinator.errors import MessageTooLarge
from coordinator.protocol.messages.event_codec.event_encoding import encode, routing_key
from coordinator.protocol.messages.events import Event, TaskTooLarge
from coordinator.protocol.messages.task_message import TaskMessage
from coordinator.protocol.topology import EVENTS, TASKS
from coordinator.protocol.trace_context import trace_id_of
from coordinator.task_log_context import task_context

from .ports import NotesEvent

__all__ = ["OversizedTasks", "without_progress"]

logger = logging.getLogger(__name__)


class OversizedTasks:
    """Publishes tasks to their queues, and ends each that the broker refuses as too large."""

    def __init__(self, *, publisher: PublishesMessages, note: NotesEvent) -> None:
        self._publisher = publisher
        self._note = note

    async def put_or_end(self, task: TaskMessage) -> bool:
        """Put the task on its queue, or end it where it is too large for that; whether it is there.
        Raises `Unavailable`.
        """
        try:
            await self._publisher.publish(task.to_message(), exchange=TASKS, key=task.source.key)
        except MessageTooLarge as exc:
            lighter = without_progress(task)
            if lighter is not None:
                return await self.put_or_end(lighter)
            await self.end(task, exc)
            return False
        return True

    async def end(self, task: TaskMessage, refused: MessageTooLarge) -> None:
        """Publish `task.too-large`, with the sizes that ``refused`` tells. Returns when it is in the log.
        Raises `Unavailable`.
        """
        ended = Event(
            # However often it is told, it is folded once.
            id=f"{task.task_id}.{task.generation}.{task.attempt}.too-large",
            data=TaskTooLarge(
                task_id=task.task_id,
                generation=task.generation,
                attempt=task.attempt,
                size=refused.size,
                limit=refused.limit,
                message=f"{refused}. Then retry the task, or retry it with other data",
            ),
            trace=task.trace,
        )
        await self._publisher.publish(encode(ended), exchange=EVENTS, key=routing_key(ended.data))
        self._note(ended)
        logger.error(
            "a task is dead, because the broker takes no message so large any more",
            extra=task_context(
                task.task_id,
                attempt=task.attempt,
                task_type=task.task_type,
                trace_id=trace_id_of(task.traceparent),
            )
            | {"bytes": refused.size, "limit": refused.limit},
        )


def without_progress(task: TaskMessage) -> TaskMessage | None:
    """The message without the progress of earlier attempts, which may be what made it too large; None where
    it carries none.
    """
    if task.previous_progress is None:
        return None
    return task.model_copy(update={"previous_progress": None})
