"""Sends unrouted tasks on: opens the queue that was missing, and publishes them to it.

A queue may be deleted by hand while its source is known. Then the publish of a task is confirmed,
since the log has it, but no queue of work takes it: `coordinator.work` hands it to
`coordinator.unrouted`.
"""

from __future__ import annotations

import asyncio
import contextlib
import hashlib
import logging
from collections.abc import Coroutine
from dataclasses import replace
from datetime import timedelta
from typing import Any, NoReturn

from coordinator.broker.batch_reader import BatchReader
from coordinator.broker.channel import Delivery
from coordinator.broker.connection import Link
from coordinator.broker.ports import PublishesMessages
from coordinator.broker.publisher import SURE_SIZE
from coordinator.errors import ChannelLost, CoordinatorError, MalformedMessage, MessageTooLarge
from coordinator.protocol.message import Message
from coordinator.protocol.messages.task_message import TASK_TYPE, TaskMessage
from coordinator.protocol.task_queue import TaskQueue
from coordinator.protocol.task_token import token_matches
from coordinator.protocol.topology import LOG, UNROUTED, WORK
from coordinator.protocol.trace_context import trace_id_of
from coordinator.recovery.oversized_tasks import OversizedTasks
from coordinator.recovery.ports import ReopensQueue
from coordinator.task_log_context import task_context

__all__ = ["CUT_FROM", "PARKED_FROM", "UnroutedTasks"]

logger = logging.getLogger(__name__)

BATCH = 200
"""Messages that are read and sent on at a time."""

PAUSE = timedelta(seconds=5)
"""Before what could not be sent on is tried again."""

PARKED_FROM = "parked-from"
"""The header that tells where a message that nobody understands was found."""


CUT_FROM = "cut-from"
"""The header of one that the broker takes no more: the size and the digest of the whole."""


class UnroutedTasks:
    """Empties `coordinator.unrouted`. Run `session` with `Connection.keep`.

    Each message is acknowledged only after it was confirmed elsewhere: a task on its reopened
    queue, anything else in the log, where the projector parks what it cannot read. A message that
    cannot be sent on now goes to the end of this queue after a ``pause``: it is tried for as long
    as it takes, and holds up no other. A task that the broker takes no more, because it is too large,
    is ended; of anything else the beginning is parked.
    """

    def __init__(
        self,
        *,
        reopen: ReopensQueue,
        publisher: PublishesMessages,
        too_large: OversizedTasks,
        secret: bytes,
        pause: timedelta = PAUSE,
    ) -> None:
        """``secret`` is the key of the task tokens: what no coordinator has made is not sent on."""
        self._secret = secret
        self._reopen = reopen
        self._publisher = publisher
        self._too_large = too_large
        self._pause = pause.total_seconds()
        self._put_off: set[asyncio.Task[None]] = set()

    async def session(self, link: Link) -> NoReturn:
        """Sends on until the link is closed. Raises `ChannelLost` then."""
        try:
            async with BatchReader(link, queue=UNROUTED, name="unrouted", batch=BATCH) as batches:
                async for batch in batches:
                    await self._send_on(batch)
        finally:
            for task in self._put_off:
                task.cancel()  # what they held comes back by itself
        raise ChannelLost

    async def _send_on(self, batch: list[Delivery]) -> None:
        found: dict[TaskQueue, list[tuple[Delivery, TaskMessage]]] = {}
        strange: list[Delivery] = []
        for delivery in batch:
            task = _task(delivery.message, self._secret)
            if task is None:
                strange.append(delivery)
            else:
                found.setdefault(task.source, []).append((delivery, task))
        for task_queue, tasks in found.items():
            await self._refill(task_queue, tasks)
        await asyncio.gather(*(self._try(delivery, self._park(delivery)) for delivery in strange))

    async def _refill(
        self, task_queue: TaskQueue, tasks: list[tuple[Delivery, TaskMessage]]
    ) -> None:
        try:
            await self._reopen(task_queue, tasks[0][1].wanted, again=True)
        except CoordinatorError as exc:
            logger.error("a queue is missing: %s", exc, extra={"queue": task_queue.queue})
            for delivery, _ in tasks:
                self._put_off_one(delivery)
            return
        logger.warning(
            "a queue was missing and was opened again",
            extra={"queue": task_queue.queue, "tasks": len(tasks)},
        )
        await asyncio.gather(
            *(
                self._try(delivery, self._republish(task_queue, delivery, task), task)
                for delivery, task in tasks
            )
        )

    async def _try(
        self,
        delivery: Delivery,
        step: Coroutine[Any, Any, None],
        task: TaskMessage | None = None,
    ) -> None:
        try:
            await step
        except CoordinatorError as exc:
            context: dict[str, object] = {"queue": UNROUTED, "routing_key": delivery.routing_key}
            if task is not None:
                context |= task_context(
                    task.task_id,
                    attempt=task.attempt,
                    task_type=task.task_type,
                    trace_id=trace_id_of(task.traceparent),
                )
            logger.warning("could not send on what was unrouted: %s", exc, extra=context)
            self._put_off_one(delivery)

    def _put_off_one(self, delivery: Delivery) -> None:
        task = asyncio.create_task(self._later(delivery))
        self._put_off.add(task)
        task.add_done_callback(self._put_off.discard)

    async def _later(self, delivery: Delivery) -> None:
        await asyncio.sleep(self._pause)
        try:
            await self._publisher.publish(
                delivery.message.republished(), exchange="", key=UNROUTED, mandatory=True
            )
            await delivery.ack()
        except CoordinatorError:
            with contextlib.suppress(CoordinatorError):  # without its channel it is back already
                await delivery.give_back()

    async def _republish(
        self, task_queue: TaskQueue, delivery: Delivery, task: TaskMessage
    ) -> None:
        try:
            await self._publisher.publish(
                delivery.message.republished(), exchange=WORK, key=task_queue.key, mandatory=True
            )
        except MessageTooLarge as exc:
            await self._too_large.end(task, exc)
        await delivery.ack()

    async def _park(self, delivery: Delivery) -> None:
        message = delivery.message.republished()
        headers = {**message.headers, PARKED_FROM: f"{UNROUTED} ({delivery.routing_key})"}
        logger.error(
            "found a message that is no task; sent to the log to be parked",
            extra={"queue": UNROUTED, "routing_key": delivery.routing_key},
        )
        message = replace(message, headers=headers)
        try:
            await self._publisher.publish(message, exchange="", key=LOG, mandatory=True)
        except MessageTooLarge as exc:
            logger.error("its beginning is parked: %s", exc)
            cut = _beginning(message, min(SURE_SIZE, exc.limit))
            await self._publisher.publish(cut, exchange="", key=LOG, mandatory=True)
        await delivery.ack()


def _beginning(message: Message, size: int) -> Message:
    """As many bytes as the broker takes for certain, with what all of it was: as it is, it would be refused
    for ever.
    """
    whole = f"{len(message.body)} bytes, SHA-256 {hashlib.sha256(message.body).hexdigest()}"
    headers = {**message.headers, CUT_FROM: whole}
    return replace(message, body=message.body[:size], headers=headers)


def _task(message: Message, secret: bytes) -> TaskMessage | None:
    """None for what is no task, and for one that no coordinator of this ledger has made."""
    if message.type != TASK_TYPE:
        return None
    try:
        task = TaskMessage.from_message(message)
    except MalformedMessage:
        return None
    fence = (task.task_id, task.generation, task.attempt)
    return task if token_matches(secret, *fence, task.task_token) else None
