"""Submits a batch of tasks: each gets a verdict of its own, and all publishes are in flight together."""

from __future__ import annotations

import asyncio
from collections.abc import Iterable, Sequence
from typing import NamedTuple

from coordinator.broker.publisher import Outgoing
from coordinator.errors import BrokerUnavailable, CoordinatorError, OutcomeUnknown, PublishRefused
from coordinator.protocol.messages.new_task import NewTask
from coordinator.protocol.messages.task_message import TaskMessage
from coordinator.protocol.task_queue import TaskQueue

from .per_id_lock import PerIdLock
from .ports import Admits, DoubtsTask, EnsuresQueue, KnowsTasks, PublishesMany
from .submitter import outgoing
from .task_maker import Accepted, SubmitTask, TaskMaker

__all__ = ["BatchSubmitter", "Verdict"]

Verdict = Accepted | CoordinatorError
"""The error is what `Submitter.submit` would have raised for this request alone."""


class _Wish(NamedTuple):
    place: int
    command: SubmitTask
    task_id: str


class _Ready(NamedTuple):
    wish: _Wish
    task: NewTask
    task_queue: TaskQueue
    sending: Outgoing


class BatchSubmitter:
    """Submits many tasks as `Submitter` does one: each queue is opened once, and all ids are looked up in one
    question. All of it takes no longer than one publish may.
    """

    def __init__(
        self,
        *,
        publisher: PublishesMany,
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

    async def submit_all(self, commands: Sequence[SubmitTask]) -> list[Verdict]:
        """Submit all; the verdicts in the order of ``commands``. An id that comes twice is answered the
        second time like a repetition.
        """
        deadline = self._publisher.deadline()
        verdicts: dict[int, Verdict] = {}
        first: dict[str, _Wish] = {}
        repeats: list[_Wish] = []
        for index, command in enumerate(commands):
            try:
                wish = _Wish(index, command, self._maker.check(command))
            except CoordinatorError as exc:
                verdicts[index] = exc
                continue
            if first.setdefault(wish.task_id, wish) is not wish:
                repeats.append(wish)
        known = {
            wish.task_id
            for wish in first.values()
            if wish.command.own_id is not None or wish.command.repeated
        }
        async with self._one_at_a_time.alone_with(known):
            tasks = await self._submit(list(first.values()), known, verdicts, deadline)
        for wish in repeats:
            answered = verdicts[first[wish.task_id].place]
            verdicts[wish.place] = self._again(wish, tasks.get(wish.task_id), answered)
        return [verdicts[index] for index in range(len(commands))]

    async def _submit(
        self,
        wishes: Sequence[_Wish],
        asked: set[str],
        verdicts: dict[int, Verdict],
        deadline: float,
    ) -> dict[str, NewTask | TaskMessage]:
        """Give every one of ``wishes`` its verdict; return the tasks behind them, by id."""
        tasks: dict[str, NewTask | TaskMessage] = {}
        ready: list[_Ready] = []
        try:
            tasks |= await self._find(wishes, asked)
        except CoordinatorError as exc:
            verdicts |= {wish.place: exc for wish in wishes if wish.task_id in asked}
        for wish in wishes:
            if wish.place in verdicts:
                continue
            if wish.task_id in tasks:
                self._doubt(wish.task_id)  # as `Submitter` does
                verdicts[wish.place] = self._again(wish, tasks[wish.task_id], None)
                continue
            try:
                task = self._maker.task(wish.command, wish.task_id)
                task_queue = task.source
                sending = outgoing(task, task_queue)
                if task.not_before is None:
                    self._admit(len(sending.message.body))
                ready.append(_Ready(wish, task, task_queue, sending))
            except CoordinatorError as exc:
                verdicts[wish.place] = exc
        closed = await self._closed(ready, deadline)
        if closed:
            verdicts |= {
                one.wish.place: closed[one.task_queue] for one in ready if one.task_queue in closed
            }
            ready = [one for one in ready if one.task_queue not in closed]
        for one, error in await self._publish(ready, deadline):
            tasks[one.task.task_id] = one.task
            if error is None:
                self._tasks.note_submitted(one.task)
            verdicts[one.wish.place] = error or Accepted.of(one.task)
        return tasks

    async def _find(self, wishes: Sequence[_Wish], asked: set[str]) -> dict[str, TaskMessage]:
        if not asked:
            return {}
        certain = any(wish.command.repeated for wish in wishes)
        return await self._tasks.submissions(asked, certain=certain)

    async def _closed(
        self, ready: Iterable[_Ready], deadline: float
    ) -> dict[TaskQueue, CoordinatorError]:
        """The queues that could not be opened, and why."""
        wanted = {one.task_queue: one.task for one in ready}
        closed: dict[TaskQueue, CoordinatorError] = {}
        for task_queue, task in wanted.items():
            try:
                async with asyncio.timeout_at(deadline):
                    await self._ensure(task_queue, task.wanted, by=task.submitted_by)
            except CoordinatorError as exc:
                closed[task_queue] = exc
            except TimeoutError:
                closed[task_queue] = BrokerUnavailable(
                    "The broker did not open the queue in time; nothing was sent."
                )
        return closed

    async def _publish(
        self, ready: Sequence[_Ready], deadline: float
    ) -> list[tuple[_Ready, CoordinatorError | None]]:
        """What was refused for certain is tried once more, as with one task."""
        sendings = [one.sending for one in ready]
        ended = list(await self._publisher.publish_all(sendings, deadline=deadline))
        refused = [index for index, error in enumerate(ended) if isinstance(error, PublishRefused)]
        again = await self._publisher.publish_all(
            [sendings[index] for index in refused], deadline=deadline
        )
        for index, error in zip(refused, again, strict=True):
            ended[index] = error
        return [
            (one, error if error is None else _with_id(error, one.task.task_id))
            for one, error in zip(ready, ended, strict=True)
        ]

    def _again(
        self, wish: _Wish, known: NewTask | TaskMessage | None, answered: Verdict | None
    ) -> Verdict:
        """The answer to a task that is ``known``; where the first of its id in this batch was not
        accepted, that one's.
        """
        try:
            accepted = None if known is None else self._maker.answer_again(wish.command, known)
        except CoordinatorError as exc:
            return exc
        if accepted is None or isinstance(answered, CoordinatorError):
            return answered if answered is not None else OutcomeUnknown(task_id=wish.task_id)
        return accepted


def _with_id(error: CoordinatorError, task_id: str) -> CoordinatorError:
    if isinstance(error, OutcomeUnknown):
        return OutcomeUnknown(str(error), task_id=task_id)
    return error
