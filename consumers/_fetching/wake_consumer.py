"""Consumes the wake queue of the agent's kind while the agent rests, so that a call can wake it."""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Callable

from coordinator.broker.channel import Channel, Delivery
from coordinator.broker.connection import Link
from coordinator.errors import (
    BrokerUnavailable,
    ChannelLost,
    OperatorError,
    QueueMissing,
    QueueRefused,
)
from coordinator.protocol.ids import new_id
from coordinator.protocol.messages.wake_call import WakeCall

from .._working.task_executor import TaskExecutor
from .fleet import Fleet

__all__ = ["WakeConsumer"]

logger = logging.getLogger(__name__)

ASLEEP, AT_QUEUES = 1, 0
"""Consumer priorities: an agent that consumes queues of tasks is woken when nobody else is left."""


class WakeConsumer:
    """Notes what wakes the agent. A call that reaches it when it has found work by itself is passed on.

    ``call`` publishes a call in the agent's name: `WakeCaller`.
    """

    def __init__(
        self,
        link: Link,
        executor: TaskExecutor,
        fleet: Fleet,
        *,
        agent_id: str,
        call: Callable[[WakeCall], None],
    ) -> None:
        self._link = link
        self._executor = executor
        self._fleet = fleet
        self._agent_id = agent_id
        self._call = call
        self._channel: Channel | None = None
        self._tag: str | None = None
        self._priority = ASLEEP
        self._leaving: asyncio.Task[None] | None = None
        self.woken = False
        """Whether a call came that was not followed by a look yet; whoever looks clears it."""
        self._allowed: int | None = None
        self.left_over: frozenset[str] = frozenset()
        """Queues that whoever called has left, and that this agent consumes once it rests."""

    @property
    def on(self) -> bool:
        """Whether a call would reach this agent."""
        return self._tag is not None and self._channel is not None and self._channel.open

    async def start(self, *, consumes_queues: bool) -> None:
        """Wait for calls, where there is a wake queue. Raises `ConnectionLost`."""
        queue, priority = self._fleet.wake_queue, AT_QUEUES if consumes_queues else ASLEEP
        if queue is None or (self.on and self._priority == priority):
            return
        await self._left()
        if self.on:
            self.stop()
            await self._left()
        tag = f"{self._agent_id[:100]}.wake.{new_id()}"
        try:
            if self._channel is None or not self._channel.open:
                self._channel = await self._link.channel()
            self._tag, self._priority = tag, priority
            await self._channel.consume(
                queue,
                lambda delivery: self._called(tag, delivery),
                tag=tag,
                priority=priority,
                no_ack=True,
                on_cancelled=lambda: self._cancelled(tag),
            )
            self._fleet.proven = True
        except QueueMissing:
            self._cancelled(tag)
        except ChannelLost as exc:  # tried again before the next look
            self._tag = None
            logger.info("a channel was lost while falling asleep", extra={"why": str(exc)})
        except QueueRefused:  # as it is for a user of its own, which needs no more than it has
            self._tag = None
            self._fleet.refused()
            logger.info(
                "this agent looks for work by itself, once a second while it has nothing to do: its user may"
                " not read the queue by which others would call it, and need not",
                extra={"queue": queue},
            )
        except OperatorError as exc:
            self._tag = None
            self._fleet.refused()
            logger.info("nobody wakes this agent, which looks for work by itself: %s", exc)

    async def prove(self) -> None:
        """Learn, once, whether the wake queue may be used, before anybody is called. Raises
        `ConnectionLost`.
        """
        if self._fleet.wake_queue is not None and not self._fleet.proven:
            await self.start(consumes_queues=True)
            self.stop()

    def stop(self) -> None:
        """The agent has found work: wake it no more. Returns at once; what comes yet is passed on."""
        tag, self._tag = self._tag, None
        if tag is not None and self._channel is not None and self._channel.open:
            self._leaving = asyncio.create_task(self._cancel(self._channel, tag))

    async def close(self) -> None:
        """The agent stops."""
        self.stop()
        await self._left()

    def take_allowed(self) -> int | None:
        """How many others this agent may wake for what it finds, as far as it was called; None where
        nobody limits it. Once for each call.
        """
        allowed, self._allowed = self._allowed, None
        return allowed

    def take_left_over(self) -> frozenset[str]:
        """`left_over`, which is somebody else's from then on."""
        taken, self.left_over = self.left_over, frozenset()
        return taken

    async def _left(self) -> None:
        if self._leaving is not None:
            await asyncio.wait([self._leaving])
            self._leaving = None

    async def _cancel(self, channel: Channel, tag: str) -> None:
        try:
            await channel.cancel(tag)
        except BrokerUnavailable as exc:
            logger.debug("left the wake queue with its channel", extra={"why": str(exc)})

    def _called(self, tag: str, delivery: Delivery) -> None:
        call = WakeCall.from_message(delivery.message)
        if tag != self._tag:
            self._call(call)
            return
        self.left_over |= frozenset(call.consumed)
        self._allowed = _sum(self._allowed, call.more) if self.woken else call.more
        self.woken = True
        self._executor.changed.set()

    def _cancelled(self, tag: str) -> None:
        """The queue is gone."""
        if tag == self._tag:
            self._tag = None
            self._fleet.missing()


def _sum(one: int | None, other: int | None) -> int | None:
    return None if one is None or other is None else one + other
