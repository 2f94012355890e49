"""Consumes commands, and replies to the agent's requests, from a control queue that a coordinator declares.

asks for one, by a fresh name ──▶ there, consumed ──▶ asks again now and then: it is bound anew
           │ nobody answers in time
           └─▶ declares an exclusive queue itself, if its user may: no coordinator runs, or one of before
"""

from __future__ import annotations

import asyncio
import logging
import random
from collections.abc import Callable
from typing import Any, cast

from coordinator.broker.channel import Channel, Delivery
from coordinator.broker.connection import Link
from coordinator.broker.publisher import Publisher
from coordinator.errors import (
    BrokerRefused,
    ChannelLost,
    MalformedMessage,
    MessageTooLarge,
    OperatorError,
    QueueMissing,
    Unavailable,
)
from coordinator.protocol.ids import new_id
from coordinator.protocol.message import Message
from coordinator.protocol.messages.agent_commands import (
    EVERY_AGENT,
    Command,
    agent_key,
    decode_command,
)
from coordinator.protocol.messages.registration import (
    CONTROL_QUEUE,
    ControlQueueRequest,
    control_queue,
    request_key,
)
from coordinator.protocol.topology import CONTROL, EVENTS, BindingSpec, QueueSpec, Topology

from ..agent_timings import DEFAULT_TIMINGS, AgentTimings

__all__ = ["ControlQueue"]

logger = logging.getLogger(__name__)


OFTEN = 100
"""Agents that may bind their queues again as often as `AgentTimings.rebind_interval` says; twice as many do
so half as often."""


FIRST_LOOK, LONGEST_LOOK = 0.03, 5.0
"""Seconds between two looks for the queue that a coordinator was asked for; half as long again each time."""


class ControlQueue:
    """Calls ``on_command`` with every command that this version knows."""

    def __init__(
        self,
        agent_id: str,
        *,
        publisher: Publisher,
        on_command: Callable[[Command], None],
        fleet_size: Callable[[], int] = lambda: 1,
        timings: AgentTimings = DEFAULT_TIMINGS,
        rng: random.Random | None = None,
    ) -> None:
        self._publisher = publisher
        self._pause = timings.control_pause.total_seconds()
        self._grace = timings.control_grace.total_seconds()
        self._request_lives = timings.registration_timeout
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
        self._may_declare = True
        self.declared = False
        """Whether the agent has declared the queue of this moment itself."""
        self.refused: OperatorError | None = None
        """The permission that is missing for there to be a queue; None while there is one."""

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
            except OperatorError as exc:
                if str(exc) != str(self.refused):
                    logger.error("the agent hears no commands: %s", exc)
                self.refused = exc
            finally:
                self._queue = None
                self._ready.clear()
            await asyncio.sleep(self._pause)

    async def _consume(self, link: Link) -> None:
        queue = control_queue(self._agent_id, new_id())
        ended = asyncio.Event()
        self.declared = not await self._opened(link, queue, ended)
        if self.declared and not await self._declares(link, queue):
            return
        if self.declared:
            await self._listen(link, queue, ended)
        self._queue, self.refused = queue, None
        self._ready.set()
        self.on_ready()
        channel = cast("Channel", self._channel)
        waiting: set[asyncio.Task[Any]] = {
            asyncio.create_task(channel.closed()),
            asyncio.create_task(ended.wait()),
        }
        try:
            while not await _any_of(waiting, within=self._until_rebound()):
                if self.declared:
                    await channel.declare(Topology(bindings=self._bindings(queue)))
                else:
                    await self._ask_for(queue)
        finally:
            for task in waiting:
                task.cancel()
        raise ChannelLost

    async def _opened(self, link: Link, queue: str, ended: asyncio.Event) -> bool:
        """Have a coordinator declare ``queue``, and consume it once it is there; False where that takes so
        long that the agent is to declare one itself.
        """
        loop = asyncio.get_running_loop()
        began, pause, ask_at = loop.time(), FIRST_LOOK, float("-inf")
        while True:
            if not await self._is_set_up(link):
                raise QueueMissing
            if loop.time() >= ask_at:
                asked = await self._ask_for(queue)
                ask_at = loop.time() + (
                    self._request_lives.total_seconds() if asked else self._pause
                )
            await asyncio.sleep(pause)
            try:
                await self._listen(link, queue, ended)
            except QueueMissing:
                if self._may_declare and loop.time() - began > self._grace:
                    return False
            else:
                return True
            pause = min(pause * 1.5, LONGEST_LOOK)

    async def _is_set_up(self, link: Link) -> bool:
        """Whether a request can be published: without its exchange the channel of all that is published is
        lost.
        """
        if self._channel is None or not self._channel.open:
            self._channel = await link.channel()
        return await self._channel.has_exchange(EVENTS)

    async def _ask_for(self, queue: str) -> bool:
        """Nobody answers: the queue is there soon, and bound. Whether the broker has the request."""
        message = Message(
            body=ControlQueueRequest(agent_id=self._agent_id).model_dump_json().encode(),
            type=CONTROL_QUEUE,
            reply_to=queue,
            expiration=self._request_lives,
            persistent=False,
        )
        try:
            async with asyncio.timeout(self._request_lives.total_seconds()):
                await self._publisher.ready()
            await self._publisher.publish(
                message, exchange=EVENTS, key=request_key(self._agent_id), mandatory=True
            )
        except (MessageTooLarge, Unavailable, TimeoutError) as exc:
            if isinstance(exc.__cause__, OperatorError):
                self.refused = exc.__cause__
            logger.debug("a control queue was not asked for", extra={"why": str(exc)})
            return False
        return True

    async def _declares(self, link: Link, queue: str) -> bool:
        """Declare it here, for want of a coordinator that does; whether this user may."""
        self._channel = await link.channel()
        own = QueueSpec(name=queue, exclusive=True)
        try:
            await self._channel.declare(Topology(queues=(own,), bindings=self._bindings(queue)))
        except BrokerRefused:
            self._may_declare = self.declared = False
            logger.info("this user may declare no queue: a coordinator has to open one")
            return False
        return True

    def _bindings(self, queue: str) -> tuple[BindingSpec, ...]:
        keys = (agent_key(self._agent_id), EVERY_AGENT)
        return tuple(BindingSpec(exchange=CONTROL, target=queue, key=key) for key in keys)

    async def _listen(self, link: Link, queue: str, ended: asyncio.Event) -> None:
        if self._channel is None or not self._channel.open:
            self._channel = await link.channel()
        await self._channel.consume(
            queue,
            self._arrived,
            tag=f"{self._agent_id[:100]}.control.{new_id()}",
            no_ack=True,
            on_cancelled=ended.set,
        )

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
