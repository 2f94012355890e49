"""What a process that does not fold the log knows of the one that does."""

from __future__ import annotations

import asyncio
from collections.abc import Iterable

from coordinator.broker.channel import Depth
from coordinator.errors import PublishRefused
from coordinator.protocol.message import Message
from coordinator.protocol.messages.events import LedgerHindered
from coordinator.protocol.topology import EVENTS, LOG
from coordinator.registry.projection.fold_problem_broadcast import FoldProblemBroadcast
from coordinator.registry.projection.log_folding_watch import (
    NOBODY_READS,
    TOLD_LASTS,
    UNREAD_FOR,
    LogFoldingWatch,
)
from tests.support.decoding import decode
from tests.support.waiting import eventually


class Broker:
    """Has the log, with so many consumers; takes events unless it refuses them."""

    def __init__(self) -> None:
        self.consumers = 0
        self.refuses = False
        self.said: list[list[str]] = []

    async def look(self, queues: Iterable[str]) -> dict[str, Depth | None]:
        assert list(queues) == [LOG]
        return {LOG: Depth(7, self.consumers)}

    async def publish(
        self, message: Message, *, exchange: str, key: str, mandatory: bool = False
    ) -> None:
        assert (exchange, mandatory, message.persistent) == (EVENTS, False, False)
        if self.refuses:
            raise PublishRefused
        [event] = decode(message, key)
        assert isinstance(event.data, LedgerHindered)
        self.said.append(event.data.problems)


async def test_a_log_that_nobody_reads_for_a_while_is_a_problem_until_somebody_does() -> None:
    broker, now = Broker(), 100.0
    watch = LogFoldingWatch(depths=broker, monotonic=lambda: now)
    await watch.look()
    seen = [(watch.is_read, watch.problems())]
    now += UNREAD_FOR
    await watch.look()
    seen.append((watch.is_read, watch.problems()))
    broker.consumers = 1
    await watch.look()
    seen.append((watch.is_read, watch.problems()))
    assert seen == [(False, []), (False, [NOBODY_READS]), (True, [])]


async def test_what_the_projecting_process_told_counts_until_it_takes_it_back_or_falls_silent() -> (
    None
):
    now = 100.0
    watch = LogFoldingWatch(depths=Broker(), monotonic=lambda: now)
    watch.hear(["the disk is full"])
    assert watch.problems() == ["the disk is full"]
    watch.hear([])
    assert not watch.problems()
    watch.hear(["the disk is full"])
    now += TOLD_LASTS
    assert not watch.problems()


async def test_problems_are_told_again_while_they_last_and_their_end_until_it_is_heard() -> None:
    broker, problems = Broker(), list[str]()
    telling = asyncio.create_task(
        FoldProblemBroadcast(broker, problems=lambda: problems, told_every=0.001).run()
    )
    await asyncio.sleep(0)
    assert not broker.said
    problems.append("the disk is full")
    await eventually(lambda: len(broker.said) > 1)
    broker.refuses = True
    problems.clear()
    broker.said.clear()
    broker.refuses = False
    await eventually(lambda: broker.said)
    telling.cancel()
    assert broker.said[-1] == []
