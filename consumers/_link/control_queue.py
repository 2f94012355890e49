"""Consumes commands, and replies to the agent's requests, from an exclusive queue of its own."""

from __future__ import annotations

import asyncio
import logging
import random
from collections.abc import Callable
from typing import Any

from consumers.agent_timings import DEFAULT_TIMINGS, AgentTimings
from coordinator.broker.channel import Channel, Delivery
from coordinator.broker.connection import Link
from coordinator.errors import ChannelLost, MalformedMessage, QueueMissing
from coordinator.protocol.ids import new_id
from coordinator.protocol.message import Message
from coordinator.protocol.messages.agent_commands import (
    EVERY_AGENT,
    Command,
    agent_key,
    decode_command,
)
from coordinator.protocol.messages.registration import control_queue
from coordinator.protocol.topology import CONTROL, BindingSpec, QueueSpec, Topology

__all__ = ["ControlQueue"]

logger = logging.getLogger(__name__)


OFTEN = 100
"""Agents that may bind their queues again as often as `AgentTimings.rebind_interval` says; twice as many do
so half as often."""


class ControlQueue:
    """Calls ``on_command`` with every command that this version knows."""

    def __init__(
        self,
        agent_id: str,
        *,
        on_command: Callable[[Command], None],
        fleet_size: Callable[[], int] = lambda: 1,
        timings: AgentTimings = DEFAULT_TIMINGS,
        rng: random.Random | None = None,
    ) -> None:
        self._pause = timings.control_pause.total_seconds()
        self._rebind_interval = timings.rebind_interval.total_seconds()
        self._fleet_size = fleet_size
        self._rng = rng or random.Random()
        self._agent_id = agent_id
        self._on_command = on_command
        self.on_ready: Callable[[], None] = lambda: None
        """Called whenever commands begin to arrive."""
        self._expected: dict[str, asyncio.Future[Message]] = {}
        self._queue: str | None = None
        self._ready = asyncio.Event()
        self._channel: Channel | None = None

    @property
    def alive(self) -> bool:
        """Whether commands arrive."""
        return self._queue is not None and self._channel is not None and self._channel.open

    async def queue(self) -> str:
        """The name of the queue of this moment; waits until there is one."""
        while self._queue is None:
            await self._ready.wait()
        return self._queue

    async def reply(self, correlation_id: str) -> Message:
        """Wait for the reply to a request."""
        future: asyncio.Future[Message] = asyncio.get_running_loop().create_future()
        self._expected[correlation_id] = future
        try:
            return await future
        finally:
            del self._expected[correlation_id]

    async def serve(self, link: Link) -> None:
        """Consume on ``link`` until it is lost."""
        told = False
        while link.open:
            try:
                await self._consume(link)
            except QueueMissing:
                if not told:
                    logger.warning("waiting: no coordinator has set up this broker yet")
                    told = True
            except ChannelLost as exc:
                logger.info("the control channel was lost", extra={"why": str(exc)})
            finally:
                self._queue = None
                self._ready.clear()
            await asyncio.sleep(self._pause)

    async def _consume(self, link: Link) -> None:
        queue = control_queue(self._agent_id, new_id())
        bindings = tuple(
            BindingSpec(exchange=CONTROL, target=queue, key=key)
            for key in (agent_key(self._agent_id), EVERY_AGENT)
        )
        ended = asyncio.Event()
        self._channel = await link.channel()
        await self._channel.declare(
            Topology(queues=(QueueSpec(name=queue, exclusive=True),), bindings=bindings)
        )
        await self._channel.consume(
            queue,
            self._arrived,
            tag=f"{self._agent_id[:100]}.control.{new_id()}",
            no_ack=True,
            on_cancelled=ended.set,
        )
        self._queue = queue
        self._ready.set()
        self.on_ready()
        waiting: set[asyncio.Task[Any]] = {
            asyncio.create_task(self._channel.closed()),
            asyncio.create_task(ended.wait()),
        }
        try:
            while not await _any_of(waiting, within=self._until_rebound()):
                await self._channel.declare(Topology(bindings=bindings))
        finally:
            for task in waiting:
                task.cancel()
        raise ChannelLost

    def _until_rebound(self) -> float:
        """Seconds: longer in a large fleet, which binds no more often for it."""
        shares = max(1.0, self._fleet_size() / OFTEN)
        return self._rebind_interval * shares * self._rng.uniform(0.8, 1.0)

    def _arrived(self, delivery: Delivery) -> None:
        message = delivery.message
        expected = self._expected.get(message.correlation_id or "")
        if expected is not None:
            if not expected.done():
                expected.set_result(message)
            return
        try:
            command = decode_command(message)
        except MalformedMessage as exc:
            logger.warning("a command that cannot be read", extra={"why": str(exc)})
            return
        if command is None:
            logger.debug("ignored an unknown command", extra={"command": message.type})
            return
        self._on_command(command)


async def _any_of(tasks: set[asyncio.Task[Any]], *, within: float) -> bool:
    """Whether one of them ends in so many seconds."""
    done, _ = await asyncio.wait(tasks, timeout=within, return_when=asyncio.FIRST_COMPLETED)
    return bool(done)
