"""Reroutes the messages of a queue: publishes each again, to the lane of its type or to the end of its queue.

Each is acknowledged only when the broker has confirmed the other. It has a number of its own in the log
(`republished`). Where a coordinator dies between, the next one finds in the ledger the message that it would
send, and drops the older one.
"""

from __future__ import annotations

from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass, replace
from functools import partial
from typing import Protocol

from coordinator.broker.channel import Delivery
from coordinator.broker.connection import Link
from coordinator.broker.publisher import Outgoing
from coordinator.broker.queue_drain import relay
from coordinator.domain.announced_types import AnnouncedTypes
from coordinator.errors import (
    CoordinatorError,
    MalformedMessage,
    MessageTooLarge,
    TooManyLanes,
    Unavailable,
)
from coordinator.protocol.messages.task_message import TASK_TYPE, TaskMessage
from coordinator.protocol.requirements import Requirements
from coordinator.protocol.task_queue import TaskQueue
from coordinator.protocol.topology import TASKS, WORK
from coordinator.recovery.oversized_tasks import OversizedTasks
from coordinator.recovery.ports import ReopensQueue

__all__ = ["FindsMessages", "PublishesInOrder", "Rerouted", "TaskRerouter"]


class FindsMessages(Protocol):
    """Finds the messages of tasks: `registry.upkeep.tasks_in_untyped_lanes.TasksInUntypedLanes.messages`."""

    async def __call__(self, task_ids: Collection[str], /) -> Mapping[str, Collection[str]]:
        """The ids of the messages of each task that the ledger has, by task. Raises `LedgerUnavailable`."""


class PublishesInOrder(Protocol):
    """Publishes many messages, in their order: `broker.publisher.Publisher`."""

    async def publish_all(self, messages: Sequence[Outgoing]) -> Sequence[CoordinatorError | None]:
        """How each ended, in the same order; None for a confirm."""


@dataclass(slots=True)
class Rerouted:
    """Counts what became of the messages of a queue."""

    moved: int = 0
    """Sent to the lane of their type."""
    refused: int = 0
    """Not confirmed, and so still there."""


class TaskRerouter:
    """Reads a queue to its end, and publishes what it holds to the lanes that the announced ``types`` call
    for.
    """

    def __init__(
        self,
        *,
        types: AnnouncedTypes,
        messages: FindsMessages,
        ensure: ReopensQueue,
        publisher: PublishesInOrder,
        too_large: OversizedTasks,
    ) -> None:
        self._types = types
        self._messages = messages
        self._ensure = ensure
        self._publisher = publisher
        self._too_large = too_large

    async def reroute(self, link: Link, task_queue: TaskQueue) -> Rerouted:
        """Raises `Unavailable`; what was sent by then is."""
        passed = Rerouted()
        await relay(link, task_queue.queue, partial(self._send, task_queue, passed))
        return passed

    async def _send(self, came: TaskQueue, passed: Rerouted, batch: list[Delivery]) -> list[bool]:
        """Put each message on the queue that it belongs on; which of them may be acknowledged."""
        found = [self._again(delivery) for delivery in batch]
        known = await self._messages([task.task_id for task in found if task is not None])
        sending: list[Outgoing] = []
        places: list[int] = []
        opened: set[TaskQueue] = set()
        for place, (delivery, task) in enumerate(zip(batch, found, strict=True)):
            messages = () if task is None else known.get(task.task_id, ())
            if task is not None and task.message_id in messages:
                continue  # sent before, by a coordinator that could not acknowledge it any more
            if task is not None and task.wanted.task_type is not None:
                if task.source not in opened:
                    await self._open(task.source, task.wanted)
                    opened.add(task.source)
                sending.append(Outgoing(task.to_message(), TASKS, task.source.key))
                passed.moved += 1
            elif task is not None and messages:
                # Through the log: else it looks overtaken by what was submitted meanwhile.
                sending.append(Outgoing(task.to_message(), TASKS, came.key))
            else:  # no task, or one that the ledger does not have, or has forgotten
                again = delivery.message.republished()
                sending.append(Outgoing(again, WORK, came.key, mandatory=True))
            places.append(place)
        gone = [True] * len(batch)
        ended = await self._publisher.publish_all(sending)
        for place, error in zip(places, ended, strict=True):
            gone[place] = error is None or await self._was_ended(found[place], error)
        passed.refused += gone.count(False)
        return gone

    async def _was_ended(self, task: TaskMessage | None, refused: CoordinatorError) -> bool:
        """Whether a task that was not sent will never be, and has its end in the log."""
        if task is None or not isinstance(refused, MessageTooLarge):
            return False
        try:
            await self._too_large.end(task, refused)
        except Unavailable:
            return False
        return True

    def _again(self, delivery: Delivery) -> TaskMessage | None:
        """The message as it is sent again, to the lane of its type if that was announced; None where it
        is no task.
        """
        if delivery.message.type != TASK_TYPE:
            return None
        try:
            task = TaskMessage.from_message(delivery.message)
        except MalformedMessage:
            return None
        announced = task.task_type if task.task_type in self._types else None
        wanted = replace(task.wanted, task_type=announced)
        return task.model_copy(
            update={
                "requirements": wanted.as_dict(),
                "republished": (task.republished or 0) + 1,
            }
        )

    async def _open(self, task_queue: TaskQueue, wanted: Requirements) -> None:
        try:
            await self._ensure(task_queue, wanted, again=False)
        except TooManyLanes:
            # The limit is for what is submitted; this was accepted while there was room.
            await self._ensure(task_queue, wanted, again=True)
