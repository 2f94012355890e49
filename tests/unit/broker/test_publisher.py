"""What a publisher makes of a broker that has stopped answering."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from datetime import timedelta
from typing import Any, NoReturn, cast

import pytest

from coordinator.broker.connection import Connection
from coordinator.broker.publisher import Outgoing, Publisher
from coordinator.errors import BrokerUnavailable, CoordinatorError, OutcomeUnknown
from coordinator.protocol.message import Message
from tests.support.waiting import eventually

HOURS = timedelta(hours=10)
"""The time of one publish: what waits for it longer than it should does not end in a test's time."""

WINDOW = 8


class FrozenBroker:
    """A connection, its link and its channel: takes everything and answers nothing."""

    name = "frozen"
    blocked = False
    open = True

    def __init__(self) -> None:
        self.sent: list[asyncio.Future[Any]] = []

    async def keep(self, session: Any) -> NoReturn:
        await session(self)
        raise AssertionError("the session has ended")

    async def channel(self, **_: Any) -> FrozenBroker:
        return self

    async def closed(self) -> None:
        await asyncio.Event().wait()

    def send(self, message: Message, **_: Any) -> asyncio.Future[Any]:
        self.sent.append(asyncio.get_running_loop().create_future())
        return self.sent[-1]


class Clock:
    """That of the event loop, which a test may set forward."""

    def __init__(self, loop: asyncio.AbstractEventLoop, monkeypatch: pytest.MonkeyPatch) -> None:
        self.ahead = 0.0
        real = loop.time
        monkeypatch.setattr(loop, "time", lambda: real() + self.ahead)


@pytest.fixture
async def clock(monkeypatch: pytest.MonkeyPatch) -> Clock:
    return Clock(asyncio.get_running_loop(), monkeypatch)


@pytest.fixture
def broker() -> FrozenBroker:
    return FrozenBroker()


@pytest.fixture
async def publisher(broker: FrozenBroker) -> AsyncIterator[Publisher]:
    connection = cast("Connection", broker)
    async with Publisher(connection, timeout=HOURS, window=WINDOW) as publisher:
        await publisher.ready()
        yield publisher


def messages(count: int) -> list[Outgoing]:
    return [Outgoing(Message(body=b"{}"), "tasks", "any.normal") for _ in range(count)]


def kinds(ended: list[Any]) -> list[type[CoordinatorError]]:
    return [type(one) for one in ended]


async def test_a_batch_that_is_larger_than_the_window_has_the_time_of_one_publish(
    broker: FrozenBroker, publisher: Publisher, clock: Clock
) -> None:
    batch = asyncio.create_task(
        publisher.publish_all(messages(3 * WINDOW), deadline=publisher.deadline())
    )
    await eventually(lambda: len(broker.sent) == WINDOW)
    clock.ahead += HOURS.total_seconds()
    async with asyncio.timeout(60):
        ended = await batch
    assert kinds(ended) == [OutcomeUnknown] * WINDOW + [BrokerUnavailable] * 2 * WINDOW
    assert len(broker.sent) == WINDOW


async def test_what_is_answered_makes_room_and_only_the_rest_is_in_doubt_or_not_sent(
    broker: FrozenBroker, publisher: Publisher, clock: Clock
) -> None:
    batch = asyncio.create_task(
        publisher.publish_all(messages(3 * WINDOW), deadline=publisher.deadline())
    )
    await eventually(lambda: len(broker.sent) == WINDOW)
    for answered in broker.sent[:3]:
        answered.set_result(None)
    await eventually(lambda: len(broker.sent) == WINDOW + 3)
    clock.ahead += HOURS.total_seconds()
    async with asyncio.timeout(60):
        ended = await batch
    assert ended[:3] == [None] * 3
    assert kinds(ended[3:]) == [OutcomeUnknown] * WINDOW + [BrokerUnavailable] * (2 * WINDOW - 3)


async def test_after_the_deadline_nothing_is_sent(
    broker: FrozenBroker, publisher: Publisher
) -> None:
    now = asyncio.get_running_loop().time()
    ended = await publisher.publish_all(messages(2), deadline=now)
    assert kinds(ended) == [BrokerUnavailable] * 2
    assert broker.sent == []


async def test_a_nack_is_told_as_unknown_in_the_place_of_its_message(
    broker: FrozenBroker, publisher: Publisher
) -> None:
    messages = [Outgoing(Message(body=b"{}"), "tasks", "any.low", True) for _ in range(2)]
    publishing = asyncio.create_task(publisher.publish_all(messages))
    await eventually(lambda: len(broker.sent) == 2)
    broker.sent[0].set_exception(OutcomeUnknown("the log has it, the queue has not"))
    broker.sent[1].set_result(None)
    first, second = await publishing
    assert isinstance(first, OutcomeUnknown)
    assert second is None
