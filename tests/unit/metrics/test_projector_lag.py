"""The lag is the age of the one mark that is under way, or what it took."""

from __future__ import annotations

import asyncio

import pytest

from coordinator.errors import BrokerUnavailable, LedgerBehind
from coordinator.metrics.projector_lag import ProjectorLag


class Log:
    """Lets marks through once it is told so; each question is answered as the barrier does."""

    def __init__(self) -> None:
        self.clock = 100.0
        self.asked = 0
        self.through = asyncio.Event()

    async def catch_up(self) -> None:
        self.asked += 1
        await self.through.wait()

    def monotonic(self) -> float:
        return self.clock


async def test_what_a_mark_takes_is_the_lag() -> None:
    log = Log()
    log.through.set()
    lag = ProjectorLag(log.catch_up, monotonic=log.monotonic)
    assert await lag.seconds() == 0.0
    assert await lag.seconds() == 0.0
    assert log.asked == 2


async def test_a_mark_that_does_not_come_out_gets_older_and_stays_the_only_one() -> None:
    log = Log()
    lag = ProjectorLag(log.catch_up, monotonic=log.monotonic, within=0)
    assert await lag.seconds() == 0.0
    log.clock += 30
    assert await lag.seconds() == 30.0
    log.clock += 30
    assert await lag.seconds() == 60.0
    assert log.asked == 1
    await lag.aclose()


async def test_a_wait_that_was_too_long_goes_on_with_the_same_beginning() -> None:
    log = Log()
    behind = [True, True, False]

    async def catch_up() -> None:
        log.clock += 2
        if behind.pop(0):
            raise LedgerBehind("behind")

    lag = ProjectorLag(catch_up, monotonic=log.monotonic)
    assert await lag.seconds() == 6.0


async def test_without_a_broker_there_is_no_lag_to_tell_and_the_next_scrape_asks_again() -> None:
    async def catch_up() -> None:
        raise BrokerUnavailable

    lag = ProjectorLag(catch_up)
    for _ in range(2):
        with pytest.raises(BrokerUnavailable):
            await lag.seconds()
    await lag.aclose()
