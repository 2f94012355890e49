"""Opens an AMQP channel, over the driver's lower layer: publishes, consumes, declares and settles.

aio-pika's own `Channel` and `Queue` remember what they declared (a passive declare answers from
memory) and restore themselves behind the caller's back; here each call is one frame to the broker
and its answer, and a channel that is lost stays lost.
"""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, cast

import aiormq
from pamqp import commands

from coordinator.broker.frames.frame_reader import Arrived, Inlet
from coordinator.broker.frames.frame_writer import FrameWriter
from coordinator.broker.frames.publishing_user import PublishingUser
from coordinator.errors import QueueMissing
from coordinator.protocol.message import Message
from coordinator.protocol.topology import Topology

from .driver_errors import PUBLISHING, translated

if TYPE_CHECKING:
    from aiormq.abc import AbstractChannel, DeliveredMessage

__all__ = ["Channel", "Delivery", "Depth", "confirmed"]


@dataclass(frozen=True, slots=True)
class Depth:
    """Counts of a queue by a passive declare: its ready messages and its consumers."""

    ready: int
    """Messages that wait; those in an agent's hands are not counted."""
    consumers: int
    """Includes cancelled ones that still hold messages, and channels that hold a message by get."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Delivery:
    """A message in hand, until it is settled or its channel is lost."""

    message: Message
    exchange: str
    routing_key: str
    redelivered: bool
    tag: int
    channel: Channel

    @property
    def delivery_count(self) -> int:
        """How often the message was in hand before, however it came back; 0 the first time."""
        return max(self._number("x-acquired-count"), self.failure_count)

    @property
    def failure_count(self) -> int:
        """How often it came back because its channel or connection was lost.

        Up to RabbitMQ 4.2 the broker counts what was given back as well: the same as
        `delivery_count`.
        """
        return self._number("x-delivery-count")

    def _number(self, header: str) -> int:
        value = self.message.headers.get(header, 0)
        return value if isinstance(value, int) else 0

    async def ack(self, *, multiple: bool = False) -> None:
        """``multiple`` settles all that came before on the channel, too."""
        await self.channel.ack(self.tag, multiple=multiple)

    async def give_back(self) -> None:
        """Return it to the queue for another to take (nack, so that RabbitMQ 4.3 counts no
        failure).
        """
        await self.channel.nack(self.tag)

    async def reject(self) -> None:
        """Give it up: the queue dead-letters it."""
        await self.channel.reject(self.tag)


class Channel:
    """Made by `Link.channel`; every method raises `ChannelLost` or `ConnectionLost` once it is
    gone. ``answer_timeout``: seconds for the broker's answer to anything but a publish.
    """

    def __init__(
        self, raw: AbstractChannel, inlet: Inlet, user: PublishingUser, *, answer_timeout: float
    ) -> None:
        self._raw = cast("aiormq.Channel", raw)
        self._inlet = inlet
        self._answer_timeout = answer_timeout
        self._sending = FrameWriter(self._raw, inlet, user)
        self._on_cancelled: dict[str, Callable[[], None]] = {}
        raw.on_consumer_cancel_callbacks.add(self._consumer_cancelled)

    @property
    def open(self) -> bool:
        return not self._raw.is_closed

    async def closed(self) -> None:
        """Wait until the channel is gone, for whatever reason."""
        await asyncio.wait([self._raw.closing])

    def flush(self) -> None:
        """What was sent in this turn of the event loop goes ahead of what comes next."""
        self._sending.flush()

    async def close(self) -> None:
        """What was sent before is sent. Messages in hand go back to their queues."""
        self.flush()
        with translated("closing a channel"):
            await self._raw.close()

    # --- topology -----------------------------------------------------------------------------

    async def declare(self, topology: Topology) -> None:
        """Declare and bind all of it; what exists already and is alike stays as it is.

        Raises `TopologyConflict` where something exists with other arguments.
        """
        for exchange in topology.exchanges:
            async with self._asking(f"declaring exchange {exchange.name!r}"):
                await self._raw.exchange_declare(
                    exchange.name,
                    exchange_type=exchange.kind,
                    durable=True,
                    arguments=dict(exchange.arguments),
                )
        for queue in topology.queues:
            async with self._asking(f"declaring queue {queue.name!r}"):
                await self._raw.queue_declare(
                    queue.name,
                    durable=not queue.exclusive,
                    exclusive=queue.exclusive,
                    auto_delete=queue.exclusive or queue.auto_delete,
                    arguments=dict(queue.arguments),
                )
        for binding in topology.bindings:
            async with self._asking(f"binding {binding.target!r} to {binding.exchange!r}"):
                bind = self._raw.exchange_bind if binding.to_exchange else self._raw.queue_bind
                await bind(binding.target, binding.exchange, binding.key)

    async def depth(self, queue: str) -> Depth:
        """A passive declare: exact right after a confirm; 0/0 while the queue's leader is in
        trouble.

        Raises `QueueMissing`, and the channel is lost with it.
        """
        async with self._asking(f"looking at queue {queue!r}"):
            answer = await self._raw.queue_declare(queue, passive=True)
        return Depth(answer.message_count or 0, answer.consumer_count or 0)

    async def has_exchange(self, exchange: str) -> bool:
        """The channel is lost where it does not exist."""
        try:
            async with self._asking(f"looking at exchange {exchange!r}"):
                await self._raw.exchange_declare(exchange, passive=True)
        except QueueMissing:  # the driver has one word for whatever is not found
            return False
        return True

    async def delete_queue(self, queue: str) -> None:
        """Plain, since quorum queues refuse "if empty" and "if unused" by closing the
        connection.
        """
        async with self._asking(f"deleting queue {queue!r}"):
            await self._raw.queue_delete(queue)

    # --- taking -------------------------------------------------------------------------------

    async def get(self, queue: str) -> Delivery | None:
        """Take one message, or None where there is none. Raises `QueueMissing`.

        What comes for a get that was cancelled meanwhile, or that took too long, is given back.
        """
        async with self._asking(f"taking from queue {queue!r}"):
            arrived = await self._sending.get(queue)
        return None if arrived is None else self._delivery(arrived)

    async def prefetch(self, count: int) -> None:
        """How many unsettled messages each consumer that is made from now on may hold."""
        async with self._asking("setting the prefetch"):
            await self._raw.basic_qos(prefetch_count=count)

    async def consume(
        self,
        queue: str,
        on_delivery: Callable[[Delivery], None],
        *,
        tag: str,
        priority: int | None = None,
        no_ack: bool = False,
        on_cancelled: Callable[[], None] | None = None,
    ) -> None:
        """Have messages pushed to ``on_delivery``, in order. Never use a ``tag`` twice.

        ``on_cancelled`` is called when the broker ends the consumer, such as when the queue is
        deleted. Raises `QueueMissing`.
        """
        if on_cancelled is not None:
            self._on_cancelled[tag] = on_cancelled

        self._inlet.consumers[tag] = lambda arrived: on_delivery(self._delivery(arrived))
        async with self._asking(f"consuming from queue {queue!r}"):
            await self._raw.basic_consume(
                queue,
                _never,
                no_ack=no_ack,
                consumer_tag=tag,
                arguments={} if priority is None else {"x-priority": priority},
            )

    async def cancel(self, tag: str) -> None:
        """End a consumer; when this returns, everything that was pushed to it has been
        delivered.
        """
        self._on_cancelled.pop(tag, None)
        async with self._asking("cancelling a consumer"):
            await self._raw.basic_cancel(tag)
        self._inlet.consumers.pop(tag, None)

    def _consumer_cancelled(self, frame: commands.Basic.Cancel) -> None:
        self._inlet.consumers.pop(frame.consumer_tag or "", None)
        callback = self._on_cancelled.pop(frame.consumer_tag or "", None)
        if callback is not None:
            callback()

    # --- settling -----------------------------------------------------------------------------

    async def ack(self, tag: int, *, multiple: bool = False) -> None:
        with translated("acknowledging"):
            self._sending.ack(tag, multiple=multiple)

    async def nack(self, tag: int, *, multiple: bool = False) -> None:
        with translated("giving back"):
            self._sending.nack(tag, multiple=multiple)

    async def reject(self, tag: int) -> None:
        with translated("rejecting"):
            self._sending.reject(tag)

    # --- publishing ---------------------------------------------------------------------------

    def send(
        self, message: Message, *, exchange: str, key: str, mandatory: bool = False
    ) -> asyncio.Future[Any]:
        """Publish, and return at once: `confirmed` tells how it ended. Unbounded in time: see
        `Publisher`, which is not.
        """
        with translated(f"publishing to {exchange or key!r}"):
            return self._sending.send(message, exchange=exchange, key=key, mandatory=mandatory)

    async def publish(
        self, message: Message, *, exchange: str, key: str, mandatory: bool = False
    ) -> None:
        """Returns when the broker has confirmed, where the channel has confirms on.

        Raises `PublishRefused` where nothing is bound and ``mandatory``, `OutcomeUnknown` after a
        nack, and `MessageTooLarge`, with which the channel is lost.
        """
        sent = self.send(message, exchange=exchange, key=key, mandatory=mandatory)
        await asyncio.wait([sent])
        confirmed(sent)

    @asynccontextmanager
    async def _asking(self, doing: str) -> AsyncIterator[None]:
        """Bound the wait for an answer, and translate what goes wrong.

        The driver's own time-outs are left alone: on Python 3.11 they are made of `asyncio.wait_for`,
        which loses a cancellation that comes together with the answer.
        """
        with translated(doing):
            async with asyncio.timeout(self._answer_timeout):
                yield

    def _delivery(self, arrived: Arrived) -> Delivery:
        return Delivery(
            message=arrived.message,
            exchange=arrived.exchange,
            routing_key=arrived.routing_key,
            redelivered=arrived.redelivered,
            tag=arrived.tag,
            channel=self,
        )


async def _never(message: DeliveredMessage) -> None:
    """The driver's consumer, past which the inlet leads."""
    raise AssertionError(f"the driver was given a delivery: {message!r}")


def confirmed(sent: asyncio.Future[Any]) -> None:
    """How a publish that was answered ended: raises what `Channel.publish` does."""
    with translated(PUBLISHING):
        sent.result()
