"""The deliverer: what it leases, sends and has noted, whatever receivers and the ledger do."""

from __future__ import annotations

import asyncio
import contextlib
from collections.abc import AsyncIterator, Sequence
from dataclasses import replace
from datetime import datetime, timedelta

import pytest

from coordinator.callbacks.callback_deliverer import CallbackDeliverer
from coordinator.callbacks.host_slots import HostSlots, SlotLimits
from coordinator.domain.callbacks.callback_delivery import CallbackDelivery, DeliveryState
from coordinator.domain.callbacks.delivery_outcome import PostResult
from coordinator.errors import LedgerUnavailable
from coordinator.registry.feed.callback_leases import LeasedCallback, LeaseLimits, TriedCallback
from tests.support.waiting import eventually
from tests.unit.domain.callbacks.test_delivery_outcome import NEW, NOW

DELIVERED = PostResult(status=204)
USUAL = SlotLimits()


def due(number: int, host: str = "receiver.example") -> LeasedCallback:
    delivery = replace(NEW, webhook_id=f"msg_{number}", task_id=f"t{number}")
    return LeasedCallback(delivery=delivery, host=host, body=b"{}", until=1)


class Leases:
    """Of a ledger that may be away."""

    def __init__(self, *waiting: LeasedCallback) -> None:
        self.waiting = list(waiting)
        self.noted: list[TriedCallback] = []
        self.away = False
        self.transactions = 0

    async def next_due(self, now: datetime) -> datetime | None:
        if self.away:
            raise LedgerUnavailable
        return NOW if self.waiting else None

    async def exchange(
        self, tried: Sequence[TriedCallback], limits: LeaseLimits, *, now: datetime
    ) -> list[LeasedCallback]:
        if self.away:
            raise LedgerUnavailable
        self.transactions += 1
        self.noted += tried
        given: list[LeasedCallback] = []
        held = dict(limits.held)
        for one in list(self.waiting):
            room = replace(limits, held=held).room(one.host)
            if len(given) < limits.most and room > 0:
                held[one.host] = held.get(one.host, 0) + 1
                given.append(one)
                self.waiting.remove(one)
        return given

    def states(self) -> dict[str, DeliveryState]:
        return {one.leased.delivery.task_id: one.verdict.state for one in self.noted}


class Post:
    """Answers as the test says; what is on ``held`` hosts waits."""

    def __init__(self, result: PostResult | Exception = DELIVERED) -> None:
        self.result = result
        self.sent: list[str] = []
        self.now = self.most = 0
        self.hold = asyncio.Event()
        self.hold.set()

    async def send(self, delivery: CallbackDelivery, body: bytes) -> PostResult:
        self.sent.append(delivery.task_id)
        self.now += 1
        self.most = max(self.most, self.now)
        try:
            await self.hold.wait()
        finally:
            self.now -= 1
        if isinstance(self.result, Exception):
            raise self.result
        return self.result


@contextlib.asynccontextmanager
async def delivering(
    leases: Leases,
    post: Post,
    *,
    limits: SlotLimits = USUAL,
    counted: list[str] | None = None,
) -> AsyncIterator[CallbackDeliverer]:
    deliverer = CallbackDeliverer(
        leases=leases,
        post=post,
        limits=limits,
        count=(counted if counted is not None else []).append,
        now=lambda: NOW,
        jitter=lambda: 0.0,
    )
    life = asyncio.create_task(deliverer.run())
    try:
        yield deliverer
    finally:
        life.cancel()
        with contextlib.suppress(asyncio.CancelledError):
            await life


@pytest.mark.parametrize(
    ("result", "state", "outcome"),
    [
        (PostResult(status=204), DeliveryState.DELIVERED, "delivered"),
        (PostResult(status=500), DeliveryState.PENDING, "failed"),
        (PostResult(status=410), DeliveryState.DEAD, "dead"),
        (RuntimeError("a bug"), DeliveryState.PENDING, "failed"),
    ],
)
async def test_each_try_is_noted_and_counted(
    result: PostResult | Exception, state: DeliveryState, outcome: str
) -> None:
    counted: list[str] = []
    leases = Leases(due(1))
    async with delivering(leases, Post(result), counted=counted):
        await eventually(lambda: leases.states() == {"t1": state})
    assert counted == [outcome]


async def test_no_more_are_sent_at_a_time_than_there_is_room_for() -> None:
    leases, post = Leases(*(due(number, f"host{number}") for number in range(20))), Post()
    post.hold.clear()
    async with delivering(leases, post, limits=SlotLimits(most=5, each=2)):
        await eventually(lambda: len(post.sent) == 5)
        post.hold.set()
        await eventually(lambda: len(leases.noted) == 20)
    assert post.most <= 5


async def test_a_host_that_does_not_answer_holds_up_no_other() -> None:
    slow = [due(number, "slow.example") for number in range(20)]
    leases, post = Leases(*slow, due(99, "other.example")), Post()
    quick = asyncio.Event()

    class Mixed(Post):
        async def send(self, delivery: CallbackDelivery, body: bytes) -> PostResult:
            if delivery.task_id == "t99":
                quick.set()
                return PostResult(status=204)
            return await super().send(delivery, body)

    post = Mixed()
    post.hold.clear()
    async with delivering(leases, post, limits=SlotLimits(most=10, each=2)):
        async with asyncio.timeout(30):
            await quick.wait()
        assert post.most == 2
        post.hold.set()


async def test_what_was_sent_while_the_ledger_is_away_is_noted_later() -> None:
    leases, post = Leases(due(1)), Post()
    post.hold.clear()
    async with delivering(leases, post) as deliverer:
        await eventually(lambda: post.sent)
        leases.away = True
        post.hold.set()
        await eventually(deliverer.problems)
        leases.away = False
        deliverer.nudge()
        await eventually(lambda: leases.states() == {"t1": DeliveryState.DELIVERED})
        assert deliverer.problems() == []


async def test_what_is_answered_while_the_service_stops_is_noted() -> None:
    leases, post = Leases(due(1)), Post()
    post.hold.clear()
    async with delivering(leases, post):
        await eventually(lambda: post.sent)
        asyncio.get_running_loop().call_later(0.05, post.hold.set)
    assert leases.states() == {"t1": DeliveryState.DELIVERED}


async def test_what_is_not_answered_in_time_is_left_to_the_end_of_its_lease() -> None:
    leases, post = Leases(due(1)), Post()
    post.hold.clear()
    async with delivering(leases, post):
        await eventually(lambda: post.sent)
    assert leases.noted == []


async def test_an_event_that_is_gone_ends_its_callback() -> None:
    leases, post = Leases(replace(due(1), body=None)), Post()
    async with delivering(leases, post):
        await eventually(lambda: leases.states() == {"t1": DeliveryState.DEAD})
    assert post.sent == []


async def test_those_that_died_are_a_problem_for_an_hour_unless_a_receiver_wanted_no_more() -> None:
    seconds = 0.0
    refused = PostResult(error="no public address", final=True)
    leases, post = Leases(due(1)), Post(refused)
    deliverer = CallbackDeliverer(
        leases=leases, post=post, now=lambda: NOW, monotonic=lambda: seconds
    )
    life = asyncio.create_task(deliverer.run())
    await eventually(deliverer.problems)
    assert "GET /callbacks?state=dead" in deliverer.problems()[0]
    post.result = PostResult(status=410)
    leases.waiting = [due(2)]
    deliverer.nudge()
    await eventually(lambda: len(leases.noted) == 2)
    assert deliverer.problems()[0].startswith("1 ")
    seconds = 3601
    assert deliverer.problems() == []
    life.cancel()
    await asyncio.wait([life])


def test_a_host_that_failed_has_one_slot_until_it_succeeds() -> None:
    slots = HostSlots(SlotLimits(most=10, each=4))
    slots.take("h")
    assert slots.room().room("h") == 3
    slots.give_back("h", failed=True)
    assert (slots.room().room("h"), slots.room().room("other")) == (1, 4)
    slots.take("h")
    slots.give_back("h", failed=False)
    assert (slots.room().room("h"), slots.free) == (4, 10)


def test_a_lease_is_renewed_by_nobody_so_it_outlasts_the_longest_post() -> None:
    from coordinator.bootstrap.callbacks.callback_stage import NOTED_WITHIN
    from coordinator.registry.feed.callback_leases import LONGEST_LEASE
    from coordinator.settings.setting_conflicts import LONGEST_POST

    assert timedelta() < NOTED_WITHIN
    assert LONGEST_POST + NOTED_WITHIN < LONGEST_LEASE
