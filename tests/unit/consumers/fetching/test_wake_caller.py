from __future__ import annotations

import asyncio

from consumers._fetching.fleet import Fleet
from consumers._fetching.wake_caller import PAUSE, UNCONFIRMED, WakeCaller
from coordinator.errors import BrokerRefused, BrokerUnavailable, PublishRefused
from coordinator.protocol.message import Message
from coordinator.protocol.messages.wake_call import WakeCall


class Calls:
    """A publisher that keeps what is published, or is without a broker, or never answers."""

    def __init__(self) -> None:
        self.made: list[WakeCall] = []
        self.away = False
        self.answers = asyncio.Event()
        self.answers.set()

    async def publish(
        self, message: Message, *, exchange: str, key: str, mandatory: bool = False
    ) -> None:
        assert (exchange, key, mandatory) == ("", "wake.worker", False)
        if self.away:
            raise BrokerUnavailable
        self.made.append(WakeCall.from_message(message))
        await self.answers.wait()


class Clock:
    now = 0.0

    def __call__(self) -> float:
        return self.now


def made(publisher: Calls, clock: Clock, *, queue: str | None = "wake.worker") -> WakeCaller:
    fleet = Fleet()
    fleet.told(queue, 1)
    fleet.proven = queue is not None
    return WakeCaller(publisher, fleet, clock=clock)


async def turns() -> None:
    for _ in range(3):
        await asyncio.sleep(0)


async def test_who_leaves_a_queue_wakes_one_to_consume_it_and_others_for_what_waits() -> None:
    publisher, caller = Calls(), None
    caller = made(publisher, Clock())
    assert caller.found_work(5, allowed=None, leaves=frozenset({"tasks.b", "tasks.a"}))
    await turns()
    assert publisher.made == [
        WakeCall(consumed=["tasks.a", "tasks.b"], more=1),
        WakeCall(more=2),
    ]


async def test_an_agent_that_is_always_at_work_calls_a_few_times_a_second() -> None:
    publisher, clock = Calls(), Clock()
    caller = made(publisher, clock)
    told = [caller.found_work(1, allowed=None) for _ in range(3)]
    clock.now += PAUSE
    told.append(caller.found_work(1, allowed=None))
    assert told == [True, False, False, True]


async def test_an_agent_that_was_called_passes_on_what_it_was_called_for_however_soon() -> None:
    publisher = Calls()
    caller = made(publisher, Clock())
    assert [caller.found_work(9, allowed=1) for _ in range(3)] == [True] * 3
    assert not caller.found_work(9, allowed=0)
    await turns()
    assert publisher.made == [WakeCall(more=0)] * 3


async def test_nobody_is_called_without_a_wake_queue_or_without_work() -> None:
    publisher = Calls()
    assert not made(publisher, Clock(), queue=None).found_work(5, allowed=None)
    assert not made(publisher, Clock()).found_work(0, allowed=None)
    await turns()
    assert publisher.made == []


async def test_a_broker_that_is_away_or_silent_holds_nobody_up() -> None:
    publisher, clock = Calls(), Clock()
    caller = made(publisher, clock)
    publisher.away = True
    assert caller.found_work(1, allowed=None)
    await turns()

    publisher.away = False
    publisher.answers.clear()
    for _ in range(2 * UNCONFIRMED):
        caller.call(WakeCall())
    await turns()
    assert len(publisher.made) == UNCONFIRMED
    publisher.answers.set()
    await turns()
    caller.call(WakeCall())
    await turns()
    assert len(publisher.made) == UNCONFIRMED + 1


async def test_nobody_is_called_before_the_agent_knows_that_it_may_use_the_wake_queue() -> None:
    publisher, fleet = Calls(), Fleet()
    fleet.told("wake.worker", 1)
    caller = WakeCaller(publisher, fleet, clock=Clock())
    assert not caller.found_work(3, allowed=None)
    await turns()
    assert publisher.made == []


async def test_an_agent_whose_call_the_broker_refuses_calls_nobody_any_more() -> None:
    class Refusing(Calls):
        async def publish(
            self, message: Message, *, exchange: str, key: str, mandatory: bool = False
        ) -> None:
            await super().publish(message, exchange=exchange, key=key, mandatory=mandatory)
            raise PublishRefused from BrokerRefused()

    publisher, fleet, clock = Refusing(), Fleet(), Clock()
    fleet.told("wake.worker", 1)
    fleet.proven = True
    caller = WakeCaller(publisher, fleet, clock=clock)
    assert caller.found_work(1, allowed=None)
    await turns()
    fleet.told("wake.worker", 1)  # it registers again
    clock.now += PAUSE
    assert not caller.found_work(1, allowed=None)
    await turns()
    assert len(publisher.made) == 1
