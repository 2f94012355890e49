"""Submits one task: checks the request, opens its queue, publishes, and waits for the broker's confirm."""

from __future__ import annotations

import contextlib

from coordinator.broker.publisher import Outgoing
from coordinator.errors import OutcomeUnknown, PublishRefused, TaskNotFound, Unavailable
from coordinator.protocol.messages.new_task import NewTask
from coordinator.protocol.task_queue import TaskQueue
from coordinator.protocol.topology import LOG, TASKS

from .per_id_lock import PerIdLock
from .ports import Admits, DoubtsTask, EnsuresQueue, KnowsTasks, PublishesOne
from .request_limits import check_message_size
from .task_maker import Accepted, SubmitTask, TaskMaker

__all__ = ["Submitter", "outgoing"]


class Submitter:
    """Publishes tasks, each once, and returns only after the broker's confirm."""

    def __init__(
        self,
        *,
        publisher: PublishesOne,
        ensure: EnsuresQueue,
        tasks: KnowsTasks,
        maker: TaskMaker,
        one_at_a_time: PerIdLock,
        admit: Admits = lambda _: None,
        doubt: DoubtsTask = lambda _: None,
    ) -> None:
        self._publisher = publisher
        self._ensure = ensure
        self._tasks = tasks
        self._maker = maker
        self._one_at_a_time = one_at_a_time
        self._admit = admit
        self._doubt = doubt

    async def check(self, command: SubmitTask) -> None:
        """Raise what `submit` would raise for this command, whenever it is tried: for one that is to be
        submitted later, and again and again. What the broker would take is not asked while it is away.
        """
        _, _, sending = self._made(command, self._maker.check(command))
        with contextlib.suppress(Unavailable):
            await self._publisher.check_size(len(sending.message.body))

    async def submit(self, command: SubmitTask) -> Accepted:
        """Accept the task or say why not.

        An id that is known already is answered as it was the first time, if the task is the same;
        `Conflict` if it is not. `BrokerUnavailable`: nothing was sent. `OutcomeUnknown`, with its
        ``task_id``: the task may have been accepted.
        """
        task_id = self._maker.check(command)
        if command.own_id is None and not command.repeated:
            return await self._publish(command, task_id)
        async with self._one_at_a_time.alone_with([task_id]):
            try:
                known = await self._tasks.submission(task_id, certain=command.repeated)
            except TaskNotFound:
                return await self._publish(command, task_id)
            self._doubt(task_id)  # whoever published it may have been killed at that
            return self._maker.answer_again(command, known)

    async def _publish(self, command: SubmitTask, task_id: str) -> Accepted:
        task, task_queue, sending = self._made(command, task_id)
        if task.not_before is None:  # what waits for its time is on no queue
            self._admit(len(sending.message.body))
        await self._ensure(task_queue, task.wanted, by=task.submitted_by)
        try:
            await self._publish_confirmed(sending)
        except OutcomeUnknown as exc:
            raise OutcomeUnknown(str(exc), task_id=task_id) from exc
        self._tasks.note_submitted(task)
        return Accepted.of(task)

    def _made(self, command: SubmitTask, task_id: str) -> tuple[NewTask, TaskQueue, Outgoing]:
        task = self._maker.task(command, task_id)
        task_queue = task.source
        return task, task_queue, outgoing(task, task_queue)

    async def _publish_confirmed(self, sending: Outgoing) -> None:
        """Once more after a definite no, since nothing was stored then; never after silence."""
        message, exchange, key, mandatory = sending
        try:
            await self._publisher.publish(message, exchange=exchange, key=key, mandatory=mandatory)
        except PublishRefused:
            await self._publisher.publish(message, exchange=exchange, key=key, mandatory=mandatory)


def outgoing(task: NewTask, task_queue: TaskQueue) -> Outgoing:
    """Makes the task's message, and says where it goes: a scheduled one to the log alone, which must
    exist. Raises `PayloadTooLarge`.
    """
    message = task.to_message()
    check_message_size(message.body)
    if task.not_before is not None:
        return Outgoing(message, "", LOG, mandatory=True)
    return Outgoing(message, TASKS, task_queue.key)
