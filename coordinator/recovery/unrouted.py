"""Tasks whose queue was missing: reopened, and sent on.

A queue may be deleted by hand while its source is known. Then the publish of a task is confirmed,
since the log has it, but no queue of work takes it: `coordinator.work` hands it to
`coordinator.unrouted`.
"""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Coroutine
from dataclasses import replace
from typing import Any, NoReturn, Protocol

from coordinator.broker.batch_reader import BatchReader
from coordinator.broker.channel import Delivery
from coordinator.broker.connection import Link
from coordinator.errors import ChannelLost, CoordinatorError, MalformedMessage
from coordinator.protocol.lanes import Source
from coordinator.protocol.message import Message
from coordinator.protocol.requirements import Requirements
from coordinator.protocol.task import TASK_TYPE, TaskMessage
from coordinator.protocol.topology import LOG, UNROUTED, WORK

__all__ = ["PARKED_FROM", "Unrouted"]

logger = logging.getLogger(__name__)

BATCH = 200

PARKED_FROM = "parked-from"
"""The header that tells where a message that nobody understands was found."""


class Reopen(Protocol):
    """`SourceOpener.ensure`."""

    async def __call__(
        self, source: Source, requirements: Requirements, *, again: bool
    ) -> None: ...


class Publishes(Protocol):
    """`broker.publisher.Publisher`."""

    async def publish(
        self, message: Message, *, exchange: str, key: str, mandatory: bool = False
    ) -> None: ...


class Unrouted:
    """Run `session` with `Connection.keep`.

    Each message is acknowledged only after it was confirmed elsewhere: a task on its reopened
    queue, anything else in the log, where the projector parks what it cannot read. A message whose
    turn fails stays here, and holds up no other.
    """

    def __init__(self, *, reopen: Reopen, publisher: Publishes) -> None:
        self._reopen = reopen
        self._publisher = publisher

    async def session(self, link: Link) -> NoReturn:
        async with BatchReader(link, queue=UNROUTED, name="unrouted", batch=BATCH) as batches:
            async for batch in batches:
                await self._send_on(batch)
        raise ChannelLost

    async def _send_on(self, batch: list[Delivery]) -> None:
        steps: list[Coroutine[Any, Any, None]] = []
        found: dict[Source, list[tuple[Delivery, Requirements]]] = {}
        for delivery in batch:
            task = _task(delivery.message)
            if task is None:
                steps.append(self._park(delivery))
            else:
                found.setdefault(task.source, []).append((delivery, task.wanted))
        steps += (self._refill(source, tasks) for source, tasks in found.items())
        await _all(steps)

    async def _refill(self, source: Source, tasks: list[tuple[Delivery, Requirements]]) -> None:
        await self._reopen(source, tasks[0][1], again=True)
        logger.warning(
            "a queue was missing and was opened again",
            extra={"queue": source.queue, "tasks": len(tasks)},
        )
        await _all([self._republish(source, delivery) for delivery, _ in tasks])

    async def _republish(self, source: Source, delivery: Delivery) -> None:
        await self._publisher.publish(
            delivery.message.republished(), exchange=WORK, key=source.key, mandatory=True
        )
        await delivery.ack()

    async def _park(self, delivery: Delivery) -> None:
        message = delivery.message.republished()
        headers = {**message.headers, PARKED_FROM: f"{UNROUTED} ({delivery.routing_key})"}
        logger.error(
            "found a message that is no task; sent to the log to be parked",
            extra={"queue": UNROUTED, "routing_key": delivery.routing_key},
        )
        await self._publisher.publish(
            replace(message, headers=headers), exchange="", key=LOG, mandatory=True
        )
        await delivery.ack()


def _task(message: Message) -> TaskMessage | None:
    if message.type != TASK_TYPE:
        return None
    try:
        return TaskMessage.from_message(message)
    except MalformedMessage:
        return None


async def _all(steps: list[Coroutine[Any, Any, None]]) -> None:
    """Take every step to its end; then raise `ChannelLost` if one failed.

    The channel goes with the session, and what was not acknowledged comes back to the next one. The
    pause before it keeps a queue that cannot be opened from being tried without end.
    """
    for outcome in await asyncio.gather(*steps, return_exceptions=True):
        if isinstance(outcome, CoordinatorError):
            raise ChannelLost(f"could not send on what was unrouted: {outcome}") from outcome
        if isinstance(outcome, BaseException):
            raise outcome
