"""Marks in the log: shared by those who ask together, exact for each, few while nobody folds."""

from __future__ import annotations

import asyncio
from datetime import timedelta

import pytest

from coordinator.errors import BrokerUnavailable, LedgerBehind
from coordinator.protocol.message import Message
from coordinator.protocol.messages.events import LedgerCaughtUp, LedgerMarked, LiveMarked
from coordinator.registry.projection.read_barrier import ReadBarrier
from tests.support.decoding import decode
from tests.support.waiting import eventually


class Log:
    """Where marks go; ``failure`` is raised instead."""

    def __init__(self) -> None:
        self.marks: list[str] = []
        self.told: list[list[str]] = []
        self.failure: Exception | None = None

    async def publish(
        self, message: Message, *, exchange: str, key: str, mandatory: bool = False
    ) -> None:
        if self.failure is not None:
            raise self.failure
        (event,) = decode(message, key)
        if isinstance(event.data, LedgerMarked | LiveMarked):
            assert message.persistent is isinstance(event.data, LedgerMarked)
            self.marks.append(event.id)
        elif isinstance(event.data, LedgerCaughtUp):
            assert not message.persistent
            self.told.append(event.data.marks)


async def test_a_flood_of_questions_shares_a_mark_that_begins_after_each() -> None:
    log = Log()
    catching_up = ReadBarrier(log)
    first = asyncio.create_task(catching_up.ledger())
    await eventually(lambda: len(log.marks) == 1)
    later = [asyncio.create_task(catching_up.ledger()) for _ in range(500)]
    catching_up.caught_up(["of another coordinator"])
    await asyncio.sleep(0)
    assert not first.done()

    catching_up.marked([log.marks[0]])
    await first
    await eventually(lambda: len(log.marks) == 2)
    assert not any(task.done() for task in later)
    catching_up.caught_up([log.marks[1], log.marks[1]])
    await asyncio.gather(*later)
    assert len(log.marks) == 2
    assert log.told == []


async def test_where_what_tells_of_a_mark_was_lost_another_is_sent_soon() -> None:
    log = Log()
    catching_up = ReadBarrier(log, sent_again=0.01)
    asked = asyncio.create_task(catching_up.ledger())
    await eventually(lambda: len(log.marks) == 2)
    assert not asked.done()
    catching_up.caught_up([log.marks[1]])
    await asked
    catching_up.marked([log.marks[0]])
    await eventually(lambda: log.told)  # it is late, and of no interest any more


async def test_the_marks_of_others_are_told_to_all() -> None:
    log = Log()
    catching_up = ReadBarrier(log)
    mine = asyncio.create_task(catching_up.ledger())
    await eventually(lambda: log.marks)
    catching_up.marked([*log.marks, "of another"])
    await mine
    await eventually(lambda: log.told == [["of another"]])
    log.failure = BrokerUnavailable()
    catching_up.marked(["of a third"])
    await asyncio.sleep(0)


async def test_a_ledger_that_stays_behind_is_told_and_gets_no_further_marks() -> None:
    log = Log()
    catching_up = ReadBarrier(log, patience=timedelta(milliseconds=20))
    for _ in range(3):
        with pytest.raises(LedgerBehind, match=r"is \d+\.\d s or more behind .* ask again shortly"):
            await catching_up.ledger()
    assert len(log.marks) == 1
    catching_up.caught_up(log.marks)
    await eventually(lambda: len(log.marks) == 2)


async def test_what_may_have_come_out_unheard_is_asked_again() -> None:
    log = Log()
    catching_up = ReadBarrier(log)
    asking = [asyncio.create_task(one()) for one in (catching_up.ledger, catching_up.live)]
    await eventually(lambda: len(log.marks) == 2)
    catching_up.start_hearing()
    await eventually(lambda: len(log.marks) == 4)
    catching_up.caught_up(log.marks[2:])
    await asyncio.gather(*asking)


async def test_without_a_broker_nothing_is_waited_for() -> None:
    log = Log()
    log.failure = BrokerUnavailable()
    with pytest.raises(BrokerUnavailable):
        await ReadBarrier(log).ledger()
