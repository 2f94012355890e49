"""Publishes tasks: each to its own queue, and those of one turn of the event loop to the log in one message.

    one task ───────────────▶ coordinator.tasks ─▶ its queue, and the log     one publish, both or neither
    several ─┬─ all of them ─▶ coordinator.log                                one publish, a JSON array
             └─ each ────────▶ coordinator.work ─▶ its queue                  behind it, in the same write

A record in the log costs the broker as much as the message on the queue; joined, next to nothing. A
task of a group is accepted when both are confirmed. What it means where one is and the other is not:

    log     queue     the caller is told     and then
    yes     yes       accepted
    no      no        as of one publish      nothing was stored
    no, ?   yes       `OutcomeUnknown`       to the log, for as long as it takes: it folds a task once
    yes, ?  no        `OutcomeUnknown`       to its queue, once the ledger has it and it is not there
    any     ?         `OutcomeUnknown`       watched: if the log has it, it may be missing from its queue

A definite no is tried once more before that. `halves` does what follows: `HalfPublishedTasks`.

Large tasks, and whatever is no task, are published as they come. The decision: docs/decisions/0023.
"""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Coroutine, Iterator, Sequence
from functools import partial
from typing import Any

from coordinator.broker.publisher import Ended, Outgoing
from coordinator.errors import (
    BrokerUnavailable,
    CoordinatorError,
    MessageTooLarge,
    OutcomeUnknown,
    PublishNacked,
)
from coordinator.protocol.message import Message
from coordinator.protocol.messages.task_group import join_tasks, joined_size
from coordinator.protocol.topology import LOG, TASKS, WORK

from .ports import CompletesHalves, PublishesEach

__all__ = ["LARGEST", "TaskPublisher"]

LARGEST = 4 * 1024
"""Bytes of the body of a task that joins a group: copying a larger one costs as much as its own record."""


class TaskPublisher:
    """Publishes as ``publisher`` does, with the same answers; ``halves`` is told what is left half done.

    With ``grouped`` false every task goes by itself: for coordinators of before, which read no groups.
    """

    def __init__(
        self, publisher: PublishesEach, *, halves: CompletesHalves, grouped: bool = True
    ) -> None:
        self._publisher = publisher
        self._halves = halves
        self._grouped = grouped
        self._coming: list[_Task] = []
        self._at_work: set[asyncio.Task[None]] = set()

    def deadline(self) -> float:
        """By when whatever is begun now is answered, on the clock of the event loop."""
        return self._publisher.deadline()

    async def check_size(self, size: int) -> None:
        """As `Publisher.check_size`."""
        await self._publisher.check_size(size)

    async def publish(
        self, message: Message, *, exchange: str, key: str, mandatory: bool = False
    ) -> None:
        """As `Publisher.publish`; a task together with those that others publish in this turn."""
        outgoing = Outgoing(message, exchange, key, mandatory)
        if not self._joins(outgoing):
            await self._publisher.publish(message, exchange=exchange, key=key, mandatory=mandatory)
            return
        task = _Task(outgoing)
        self._coming.append(task)
        if len(self._coming) == 1:
            self._start(self._flush())
        error = await task.ended
        if error is not None:
            raise error

    async def publish_all(
        self, messages: Sequence[Outgoing], *, deadline: float
    ) -> Sequence[CoordinatorError | None]:
        """As `Publisher.publish_all`, in the same order; tasks join those beside them."""
        tasks = [_Task(one) for one in messages]
        if tasks:
            self._start(self._publish(tasks, deadline))
        return [await task.ended for task in tasks]

    def _joins(self, outgoing: Outgoing) -> bool:
        size = len(outgoing.message.body)
        return self._grouped and outgoing.exchange == TASKS and size <= LARGEST

    async def _flush(self) -> None:
        """In the next turn, with all that came in this one."""
        coming, self._coming = self._coming, []
        await self._publish(coming, self._publisher.deadline())

    async def _publish(self, tasks: Sequence[_Task], deadline: float) -> None:
        sending: list[Outgoing] = []
        told: list[Callable[[Ended], None]] = []
        for group in self._groups(tasks):
            if len(group) == 1:
                sending.append(group[0].outgoing)
                told.append(group[0].end)
                continue
            log = join_tasks([task.outgoing.message for task in group])
            sending.append(Outgoing(log, "", LOG, mandatory=True))
            told.append(partial(self._logged, group, deadline))
            for task in group:
                sending.append(task.to_its_queue())
                told.append(partial(self._queued, task, deadline))
        try:
            await self._publisher.publish_each(
                sending, told=lambda index, error: told[index](error), deadline=deadline
            )
        except BaseException:
            for task in tasks:
                task.ended.cancel()
            raise

    def _groups(self, tasks: Sequence[_Task]) -> Iterator[list[_Task]]:
        """Tasks that follow each other, as many as one message may hold; one that joins none is alone."""
        most = self._publisher.sure_size
        group: list[_Task] = []
        size = 0
        for task in tasks:
            joins = self._joins(task.outgoing)
            size = joined_size(size, len(task.outgoing.message.body))
            if group and (size > most or not joins):
                yield group
                group, size = [], joined_size(0, len(task.outgoing.message.body))
            group.append(task)
            if not joins:
                yield group
                group, size = [], 0
        if group:
            yield group

    def _logged(self, group: Sequence[_Task], deadline: float, error: Ended) -> None:
        for task in group:
            task.log = error
            self._both(task, deadline)

    def _queued(self, task: _Task, deadline: float, error: Ended) -> None:
        task.queue = error
        self._both(task, deadline)

    def _both(self, task: _Task, deadline: float) -> None:
        """Once it is known how both publishes ended."""
        if task.log is _OPEN or task.queue is _OPEN:
            return
        if task.log is None and task.queue is None:
            task.end(None)
        elif _is_no(task.log) and _is_no(task.queue):
            task.end(task.queue)
        else:
            self._start(self._complete(task, deadline))

    async def _complete(self, task: _Task, deadline: float) -> None:
        """The half that was refused for certain is tried once more, where the broker has the other."""
        if task.queue is None and _is_no(task.log):
            task.log = await self._again(task.to_the_log(), deadline)
        elif task.log is None and _is_no(task.queue) and not _is_nack(task.queue):
            task.queue = await self._again(task.to_its_queue(), deadline)
        if task.log is None and task.queue is None:
            task.end(None)
            return
        self._leave(task)
        for error in (task.queue, task.log):
            if isinstance(error, OutcomeUnknown):
                task.end(error)
                return
        task.end(OutcomeUnknown(_HALF))

    def _leave(self, task: _Task) -> None:
        """To who completes halves in the background."""
        message = task.outgoing.message
        if task.queue is None:
            self._halves.unlogged(message)
        elif isinstance(task.log, MessageTooLarge):
            return  # what comes behind it on the channel is not looked at
        elif _is_no(task.queue):
            self._halves.unqueued(message, certain=not _is_nack(task.queue))
        else:
            self._halves.doubted(message.correlation_id or "")

    async def _again(self, outgoing: Outgoing, deadline: float) -> CoordinatorError | None:
        (error,) = await self._publisher.publish_all([outgoing], deadline=deadline)
        return error

    def _start(self, work: Coroutine[Any, Any, None]) -> None:
        task = asyncio.create_task(work)
        self._at_work.add(task)
        task.add_done_callback(self._at_work.discard)


class _Task:
    """A task on its way, and how each half of it ended."""

    __slots__ = ("ended", "log", "outgoing", "queue")

    def __init__(self, outgoing: Outgoing) -> None:
        self.outgoing = outgoing
        self.log: CoordinatorError | None = _OPEN
        self.queue: CoordinatorError | None = _OPEN
        self.ended: asyncio.Future[CoordinatorError | None] = (
            asyncio.get_running_loop().create_future()
        )

    def to_its_queue(self) -> Outgoing:
        return self.outgoing._replace(exchange=WORK)

    def to_the_log(self) -> Outgoing:
        return Outgoing(self.outgoing.message, "", LOG, mandatory=True)

    def end(self, error: CoordinatorError | None) -> None:
        if not self.ended.done():  # whoever waited may be gone
            self.ended.set_result(error)


_OPEN = CoordinatorError("not answered yet")

_HALF = "The broker has one half of the task, its message or its record; the other is being tried again."


def _is_no(error: CoordinatorError | None) -> bool:
    """Whether the broker does not have it. A nack is a no, because each half goes to one queue."""
    return isinstance(error, BrokerUnavailable | MessageTooLarge | PublishNacked)


def _is_nack(error: CoordinatorError | None) -> bool:
    """A no that would be wrong where somebody else has bound a queue to `coordinator.work`."""
    return isinstance(error, PublishNacked)
