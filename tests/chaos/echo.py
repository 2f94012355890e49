"""Events that are published twice, as by a network or a client that repeats itself."""

from __future__ import annotations

import asyncio
from collections import deque
from types import TracebackType
from typing import Self

import aiormq
from aiormq.abc import DeliveredMessage

from coordinator.broker.asyncio_cancel import cancel_and_wait
from coordinator.broker.driver_errors import translated
from coordinator.errors import Unavailable
from coordinator.protocol.topology import EVENTS

__all__ = ["Echo"]

REMEMBERED = 200
PAUSE = 0.5


class Echo:
    """Hears what agents say of tasks, and can say the latest of it again, word for word."""

    def __init__(self, amqp_url: str) -> None:
        self._url = amqp_url
        self._heard: deque[DeliveredMessage] = deque(maxlen=REMEMBERED)
        self._channel: aiormq.abc.AbstractChannel | None = None
        self._task: asyncio.Task[None] | None = None

    async def __aenter__(self) -> Self:
        self._task = asyncio.create_task(self._listen())
        return self

    async def __aexit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        traceback: TracebackType | None,
    ) -> None:
        if self._task is not None:
            await cancel_and_wait(self._task)

    async def say_again(self) -> None:
        """Publish what was heard lately once more; waits until there is a broker to publish to."""
        while True:
            channel, messages = self._channel, list(self._heard)
            if channel is not None and messages:
                try:
                    with translated("repeating events"):  # the driver's own errors are of any kind
                        await self._publish(channel, messages)
                    return
                except Unavailable:
                    pass  # the broker went away: on the next connection
            await asyncio.sleep(PAUSE)

    async def _publish(
        self, channel: aiormq.abc.AbstractChannel, messages: list[DeliveredMessage]
    ) -> None:
        for message in messages:
            await channel.basic_publish(
                message.body,
                exchange=EVENTS,
                routing_key=message.routing_key or "",
                properties=message.header.properties,
            )

    async def _listen(self) -> None:
        while True:
            try:
                await self._hear()
            except (aiormq.exceptions.AMQPError, OSError):
                await asyncio.sleep(PAUSE)

    async def _hear(self) -> None:
        connection = await aiormq.connect(self._url)
        try:
            channel = await connection.channel()
            queue = (await channel.queue_declare(exclusive=True, auto_delete=True)).queue or ""
            await channel.queue_bind(queue, EVENTS, "task.#")
            await channel.basic_consume(queue, self._take, no_ack=True)
            self._channel = channel
            await asyncio.wait([connection.closing])
        finally:
            self._channel = None
            await connection.close()

    async def _take(self, message: DeliveredMessage) -> None:
        self._heard.append(message)
