"""Completes tasks that were published by halves: the queue has the message and the log no record, or the
other way round.

    unlogged ─▶ to the log, again and again: a record that is there twice is folded once
    unqueued ─▶ the ledger has it, and it has not started ─▶ in no agent's hands ─▶ to its queue
    doubted ──▶ `Reconciler`, which looks for it as for a task that others overtook

Kept in memory: this process knows of the halves because it published them. What it knew when it was
killed, the caller was never told is accepted; see docs/decisions/0023 for what becomes of it.
"""

from __future__ import annotations

import asyncio
import logging
import time
from collections.abc import Callable
from dataclasses import dataclass, replace
from datetime import timedelta
from typing import NoReturn

from coordinator.broker.broker_lock import held
from coordinator.broker.connection import Link
from coordinator.broker.ports import PublishesMessages, ReadsQueueDepths
from coordinator.domain.task import State
from coordinator.errors import (
    ChannelLost,
    CoordinatorError,
    MessageTooLarge,
    OutcomeUnknown,
    PublishNacked,
    QueueLocked,
    TaskNotFound,
)
from coordinator.protocol.message import Message
from coordinator.protocol.messages.event_codec.event_encoding import encode
from coordinator.protocol.messages.events import Event, TaskSubmitted
from coordinator.protocol.messages.task_message import TaskMessage
from coordinator.protocol.topology import LOG, RECONCILING, WORK
from coordinator.protocol.trace_context import trace_id_of
from coordinator.task_log_context import task_context

from .doubted_tasks import DoubtedTasks
from .empty_queue_check import is_empty
from .ports import CatchesUp, FindsTaskAndMessage, ListsTasksInHand

__all__ = ["HalfPublishedTasks"]

logger = logging.getLogger(__name__)

MOST = 10_000
"""Tasks that are kept of each kind; beyond it the oldest are given up, and told of."""

FIRST_PAUSE, LONGEST_PAUSE = timedelta(seconds=1), timedelta(seconds=30)
"""Between two tries; doubled while nothing comes of them."""

TRIED_FOR = timedelta(minutes=5)
"""After that a task is the reconciler's, which may be another coordinator's: both at once would put it on
its queue twice."""

LOCK_PATIENCE = 1.0
"""Seconds to wait while another coordinator looks into queues."""


@dataclass(frozen=True, slots=True, kw_only=True)
class _Unqueued:
    task: TaskMessage
    message: Message
    certain: bool
    since: float


class HalfPublishedTasks:
    """Keeps what `TaskPublisher` leaves half done. Run `session` with `Connection.keep`, after the task
    queues were restored.

    ``find`` reads a task as the ledger has it once ``catch_up`` has returned.
    """

    def __init__(
        self,
        *,
        publisher: PublishesMessages,
        find: FindsTaskAndMessage,
        catch_up: CatchesUp,
        in_hand: ListsTasksInHand,
        depths: ReadsQueueDepths,
        first_pause: timedelta = FIRST_PAUSE,
        most: int = MOST,
        monotonic: Callable[[], float] = time.monotonic,
    ) -> None:
        self._publisher = publisher
        self._find = find
        self._catch_up = catch_up
        self._in_hand = in_hand
        self._depths = depths
        self._first_pause = first_pause.total_seconds()
        self._most = most
        self._monotonic = monotonic
        self._unlogged: dict[str, Message] = {}
        self._unqueued: dict[str, _Unqueued] = {}
        self._more = asyncio.Event()
        self.doubts = DoubtedTasks(most)

    def __len__(self) -> int:
        return len(self._unlogged) + len(self._unqueued)

    def unlogged(self, message: Message) -> None:
        """See `submission.ports.CompletesHalves`."""
        self._unlogged[_task_id(message)] = message
        self._keep_few(self._unlogged)
        self._more.set()

    def unrecorded(self, event: Event) -> None:
        """The broker has confirmed it, and the log that had it is gone."""
        data = event.data
        self.unlogged(data.task.to_message() if isinstance(data, TaskSubmitted) else encode(event))

    def unqueued(self, message: Message, *, certain: bool) -> None:
        """See `submission.ports.CompletesHalves`."""
        task = TaskMessage.from_message(message)
        self._unqueued[task.task_id] = _Unqueued(
            task=task, message=message, certain=certain, since=self._monotonic()
        )
        self._keep_few(self._unqueued)
        self._more.set()

    def doubted(self, task_id: str) -> None:
        """See `submission.ports.CompletesHalves`."""
        self.doubts.add(task_id)

    async def session(self, link: Link) -> NoReturn:
        """Tries until the link is closed. Raises `ChannelLost` then."""
        pause = self._first_pause
        while link.open:
            if not len(self):
                self._more.clear()
                await self._more.wait()
                pause = self._first_pause
            await asyncio.sleep(pause)
            before = len(self)
            await self._log()
            await self._queue(link)
            shrunk = len(self) < before
            pause = self._first_pause if shrunk else min(2 * pause, LONGEST_PAUSE.total_seconds())
        raise ChannelLost

    async def _log(self) -> None:
        for task_id, message in list(self._unlogged.items()):
            try:
                await self._publisher.publish(message, exchange="", key=LOG, mandatory=True)
            except CoordinatorError as exc:
                logger.warning("a task is not in the log yet: %s", exc, extra=task_context(task_id))
                return  # the others fare no better
            if self._unlogged.get(task_id) is message:
                del self._unlogged[task_id]

    async def _queue(self, link: Link) -> None:
        if not self._unqueued:
            return
        try:
            await self._catch_up()
            async with held(link, RECONCILING, patience=LOCK_PATIENCE):
                for one in list(self._unqueued.values()):
                    await self._put_if_missing(link, one)
        except QueueLocked:
            return  # another coordinator looks; this one comes later
        except CoordinatorError as exc:
            logger.warning("tasks are not on their queues yet: %s", exc)

    async def _put_if_missing(self, link: Link, one: _Unqueued) -> None:
        task_id = one.task.task_id
        if self._monotonic() - one.since > TRIED_FOR.total_seconds():
            self._hand_over(task_id)
        elif not await self._is_to_be_put(one):
            del self._unqueued[task_id]
        elif one.certain or await is_empty(link, self._depths, one.task.source.queue):
            await self._put(one)

    async def _is_to_be_put(self, one: _Unqueued) -> bool:
        """Whether the ledger has it on its queue, as it was published, and nobody has it in hand."""
        published = one.task
        try:
            task, _ = await self._find(published.task_id)
        except TaskNotFound:  # the log does not have it either
            return False
        same = (task.generation, task.attempt) == (published.generation, published.attempt)
        waits = same and task.state is State.QUEUED and task.started == 0
        return waits and not task.is_in(self._in_hand())

    async def _put(self, one: _Unqueued) -> None:
        """Straight to its queue, since the log has it. A nack is not trusted to be of that queue alone."""
        task = one.task
        try:
            await self._publisher.publish(one.message, exchange=WORK, key=task.source.key)
        except PublishNacked:
            self._unqueued[task.task_id] = replace(one, certain=False)
        except (OutcomeUnknown, MessageTooLarge):
            self._hand_over(task.task_id)
        else:
            del self._unqueued[task.task_id]
            logger.warning(
                "a task was in the log and not on its queue, and was put there",
                extra=task_context(
                    task.task_id,
                    attempt=task.attempt,
                    task_type=task.task_type,
                    trace_id=trace_id_of(task.traceparent),
                ),
            )

    def _hand_over(self, task_id: str) -> None:
        """To the reconciler."""
        del self._unqueued[task_id]
        self.doubts.add(task_id)

    def _keep_few(self, kept: dict[str, Message] | dict[str, _Unqueued]) -> None:
        if len(kept) > self._most:
            task_id = next(iter(kept))
            del kept[task_id]
            logger.error("too many tasks are half published", extra=task_context(task_id))


def _task_id(message: Message) -> str:
    return message.correlation_id or message.message_id or ""
