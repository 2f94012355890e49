"""Publishes queued tasks to their queues again: the same attempt, in a new message.

The message goes through `coordinator.tasks` like any other, to the queue and to the log, or to neither.
So it has a new place in the order, and the timeline tells of it.
"""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Mapping, Sequence
from typing import Protocol

from coordinator.domain.announced_types import AnnouncedTypes
from coordinator.domain.task import Task
from coordinator.errors import CoordinatorError
from coordinator.protocol.messages.task_message import TaskMessage
from coordinator.protocol.task_queue import TaskQueue
from coordinator.protocol.task_token import task_token
from coordinator.protocol.trace_context import trace_id_of
from coordinator.task_log_context import task_context

from .oversized_tasks import OversizedTasks
from .ports import ReopensQueue

__all__ = ["CHUNK", "QueuedTask", "TaskRepublisher", "queue_of"]

logger = logging.getLogger(__name__)

CHUNK = 200
"""Messages that are read and published at a time."""


class QueuedTask(Protocol):
    """A task that is to be put on its queue again: `registry.upkeep.missing_tasks.MissingTask`,
    `registry.upkeep.former_broker_tasks.FormerBrokerTask`.
    """

    @property
    def task(self) -> Task:
        """As the ledger has it."""

    @property
    def republished(self) -> int:
        """How often it was put on its queue again before."""


class ReadsMessages(Protocol):
    """Reads what tasks hold: `registry.upkeep.missing_tasks.MissingTasks.messages`."""

    async def __call__(self, tasks: Sequence[Task], /) -> Mapping[str, TaskMessage]:
        """The message of each task, by its id; none for one that cannot be read any more. Called with a
        chunk of tasks at a time. Raises `LedgerUnavailable`.
        """


class TaskRepublisher:
    """Publishes queued tasks once more, and opens their queues first. ``secret`` signs their tokens."""

    def __init__(
        self,
        *,
        messages: ReadsMessages,
        ensure: ReopensQueue,
        puts: OversizedTasks,
        secret: bytes,
        types: AnnouncedTypes,
    ) -> None:
        self._messages = messages
        self._ensure = ensure
        self._puts = puts
        self._secret = secret
        self._types = types

    async def put(self, ones: Sequence[QueuedTask]) -> int:
        """Publish them, and return how many the broker has confirmed; a refusal is logged, and what is too
        large is ended. Raises `LedgerUnavailable`.
        """
        return sum(
            [
                await self._publish(ones[start : start + CHUNK])
                for start in range(0, len(ones), CHUNK)
            ]
        )

    async def _publish(self, ones: Sequence[QueuedTask]) -> int:
        messages = await self._messages([one.task for one in ones])
        again = [
            self._again(one, messages[one.task.task_id])
            for one in ones
            if one.task.task_id in messages  # what cannot be read any more cannot be sent
        ]
        for task in {one.source: one for one in again}.values():
            await self._ensure(task.source, task.wanted, again=True)
        ended = await asyncio.gather(
            *(self._puts.put_or_end(task) for task in again), return_exceptions=True
        )
        for task, failure in zip(again, ended, strict=True):
            if isinstance(failure, CoordinatorError):
                logger.warning(
                    "a task is not on its queue again: %s",
                    failure,
                    extra=task_context(
                        task.task_id,
                        attempt=task.attempt,
                        task_type=task.task_type,
                        trace_id=trace_id_of(task.traceparent),
                    ),
                )
            elif isinstance(failure, BaseException):
                raise failure
        return ended.count(True)

    def _again(self, one: QueuedTask, message: TaskMessage) -> TaskMessage:
        task = one.task
        token = task_token(self._secret, task.task_id, task.generation, task.attempt)
        return self._types.route(
            message.model_copy(
                update={
                    "generation": task.generation,
                    "attempt": task.attempt,
                    "not_before": None,
                    "previous_progress": task.progress,
                    "republished": one.republished + 1,
                    "task_token": token,
                }
            )
        )


def queue_of(task: Task) -> TaskQueue:
    """The queue that a queued task belongs on. Raises `ValueError` where the ledger does not say."""
    if task.lane is None or task.priority is None:
        raise ValueError(f"{task.task_id} is queued, and its queue is not known")
    return TaskQueue(task.lane, task.priority)
