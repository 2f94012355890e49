"""Tasks that go through the broker as producers and agents would send them."""

from __future__ import annotations

import asyncio
import itertools
import time
from collections.abc import AsyncIterator, Iterator, Sequence
from contextlib import asynccontextmanager
from datetime import timedelta

from coordinator.broker.connection import Connection
from coordinator.broker.publisher import Outgoing, Publisher
from coordinator.protocol.messages.event_codec.event_encoding import (
    encode,
    encode_batch,
    routing_key,
)
from coordinator.protocol.messages.events import Event
from coordinator.protocol.messages.task_message import TaskMessage
from coordinator.protocol.topology import EVENTS, TASKS

from .registry_stage import SECRET
from .registry_tasks import completed, started, task

__all__ = ["Feed", "feeding"]

BATCH = 50
"""Events in one message of a busy agent."""

PATIENCE = timedelta(minutes=1)
"""For a confirm: the machine may be very busy."""


class Feed:
    """Over one publisher. Numbers its tasks on and on."""

    def __init__(self, publisher: Publisher) -> None:
        self._publisher = publisher
        self._numbers = itertools.count(1)
        self.confirmed: dict[str, float] = {}
        """When the broker confirmed each event, by its id."""

    def tasks(self, count: int) -> list[TaskMessage]:
        secret = SECRET.encode()
        return [task(number, secret=secret) for number in itertools.islice(self._numbers, count)]

    async def submit(self, tasks: Sequence[TaskMessage]) -> None:
        """Returns once all are confirmed; ``confirmed`` has each in its time."""
        await asyncio.gather(*map(self._submit, tasks))

    async def tell(self, tasks: Sequence[TaskMessage]) -> None:
        """An agent has started and completed them, and says so in batches."""
        events = [started(one) for one in tasks] + [completed(one) for one in tasks]
        for some in _some(events):
            key, message = encode_batch(some)
            await self._publisher.publish(message, exchange=EVENTS, key=key)
            self.confirmed.update(dict.fromkeys((event.id for event in some), time.perf_counter()))

    async def pass_through(self, tasks: Sequence[TaskMessage], *, batched: bool = True) -> None:
        """Submit them and have them done, as fast as the broker takes it; where ``batched``, by an
        agent that is busy.
        """
        await self.send([Outgoing(one.to_message(), TASKS, one.source.key) for one in tasks])
        events = [started(one) for one in tasks] + [completed(one) for one in tasks]
        batches = (encode_batch(some) for some in _some(events, BATCH if batched else 1))
        await self.send([Outgoing(message, EVENTS, key) for key, message in batches])

    async def beat(self, beats: Sequence[Event]) -> None:
        messages = (encode(one, persistent=False) for one in beats)
        keys = (routing_key(one.data) for one in beats)
        await self.send(
            [Outgoing(one, EVENTS, key) for one, key in zip(messages, keys, strict=True)]
        )

    async def send(self, messages: Sequence[Outgoing]) -> None:
        ends = await self._publisher.publish_all(messages)
        assert not any(ends), next(filter(None, ends))

    async def _submit(self, one: TaskMessage) -> None:
        await self._publisher.publish(one.to_message(), exchange=TASKS, key=one.source.key)
        self.confirmed[one.message_id] = time.perf_counter()


@asynccontextmanager
async def feeding(amqp_url: str) -> AsyncIterator[Feed]:
    async with (
        Connection(amqp_url, name="feed") as connection,
        Publisher(connection, timeout=PATIENCE) as publisher,
    ):
        await publisher.ready()
        yield Feed(publisher)


def _some(events: Sequence[Event], size: int = BATCH) -> Iterator[Sequence[Event]]:
    return (events[start : start + size] for start in range(0, len(events), size))
