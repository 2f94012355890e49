"""Waiting for the end of a task: woken by what happens, never by a clock."""

from __future__ import annotations

import asyncio
from datetime import timedelta

import pytest

from coordinator.domain.task_queues import TaskQueues
from coordinator.errors import PublishRefused, TaskNotFound
from coordinator.protocol.message import Message
from coordinator.protocol.messages.events import Event, LedgerEnded
from coordinator.protocol.topology import EVENTS, LIVE_BINDINGS
from coordinator.registry.ledger.ledger import Ledger
from coordinator.registry.projection.task_end_broadcast import TaskEndBroadcast
from coordinator.registry.projection.task_end_waiters import TaskEndWaiters
from coordinator.registry.queries.paged_queries import PagedQueries
from coordinator.registry.queries.registry import Registry
from tests.support.decoding import decode
from tests.support.waiting import eventually
from tests.unit.domain.histories import (
    cancelled,
    completed,
    dead_lettered,
    expired,
    failed,
    progressed,
    started,
    submitted,
)
from tests.unit.registry.answers import stored
from tests.unit.registry.fleet import Fleet

LONG = timedelta(seconds=50)


async def nothing_new() -> None:
    """What the ledger does not have by now, it never will."""


class Process:
    """One coordinator process over a ledger."""

    def __init__(self, ledger: Ledger) -> None:
        self.ledger = ledger
        self.registry = Registry(
            ledger=ledger,
            agents=Fleet(),
            book=TaskQueues(),
            catch_up=nothing_new,
            hear=nothing_new,
        )
        self.browsing = PagedQueries(ledger=ledger, agents=Fleet(), registry=self.registry)

    async def fold(self, *events: Event) -> None:
        self.registry.folded((await stored(self.ledger, *events)).events)

    async def waits(self, count: int = 1) -> None:
        await eventually(lambda: len(self.registry.waiters) == count)

    async def state_after(self, timeout: timedelta) -> str:
        return (await self.browsing.wait("t", timeout)).state


@pytest.fixture
def process(ledger: Ledger) -> Process:
    return Process(ledger)


async def test_a_task_that_has_ended_is_answered_at_once(process: Process) -> None:
    await process.fold(submitted(), started(), completed())
    assert await process.state_after(LONG) == "completed"
    assert len(process.registry.waiters) == 0


async def test_a_task_that_nobody_submitted_is_not_waited_for(process: Process) -> None:
    with pytest.raises(TaskNotFound):
        await process.state_after(LONG)
    assert len(process.registry.waiters) == 0


async def test_when_the_time_is_over_the_task_is_told_as_it_stands(process: Process) -> None:
    await process.fold(submitted(), started())
    for timeout in (timedelta(0), timedelta(milliseconds=20)):
        task = await process.browsing.wait("t", timeout)
        assert (task.state, task.ended) == ("running", False)
    assert len(process.registry.waiters) == 0


@pytest.mark.parametrize(
    ("end", "state"),
    [
        (completed(), "completed"),
        (failed(retryable=False), "dead"),
        (cancelled(), "cancelled"),
        (expired(), "expired"),
        (dead_lettered("expired"), "expired"),
    ],
    ids=lambda value: value if isinstance(value, str) else "",
)
async def test_the_end_wakes_all_who_wait_for_it(process: Process, end: Event, state: str) -> None:
    await process.fold(submitted())
    waiting = [asyncio.create_task(process.state_after(LONG)) for _ in range(3)]
    await process.waits()
    await process.fold(end)
    assert await asyncio.gather(*waiting) == [state] * 3
    assert len(process.registry.waiters) == 0


async def test_an_attempt_that_fails_is_not_the_end(process: Process) -> None:
    await process.fold(submitted(max_attempts=2))
    waiting = asyncio.create_task(process.state_after(LONG))
    await process.waits()
    await process.fold(started(), progressed(0.5), failed())
    await process.fold(submitted("other"), completed(task_id="other"))
    await process.fold(submitted(attempt=2, max_attempts=2), started(attempt=2))
    assert not waiting.done()
    await process.fold(completed(attempt=2))
    assert await waiting == "completed"


async def test_an_end_that_this_process_has_published_itself_wakes_too(process: Process) -> None:
    await process.fold(submitted())
    waiting = asyncio.create_task(process.state_after(LONG))
    await process.waits()
    process.registry.note(cancelled())
    assert await waiting == "cancelled"


async def test_an_end_that_comes_between_subscribing_and_looking_is_not_missed(
    process: Process, monkeypatch: pytest.MonkeyPatch
) -> None:
    await process.fold(submitted())
    find = process.registry.find

    async def slow(task_id: str) -> object:
        found = await find(task_id)
        monkeypatch.undo()
        await process.fold(completed())
        return found

    monkeypatch.setattr(process.registry, "find", slow)
    assert await process.state_after(LONG) == "completed"


async def test_what_another_process_folded_is_learned_from_its_hint_or_by_looking_again(
    ledger: Ledger,
) -> None:
    here, there = Process(ledger), Process(ledger)
    await there.fold(submitted())
    for_one = asyncio.create_task(here.state_after(LONG))
    await here.waits()
    await there.fold(completed())
    here.registry.waiters.ended(["another"])
    assert not for_one.done()
    here.registry.waiters.ended(["t"])
    assert await for_one == "completed"

    waiters = TaskEndWaiters()
    with waiters.of("a") as a, waiters.of("b") as b:
        waiters.look_again()
        assert a.is_set()
        assert b.is_set()


# --- telling the others -----------------------------------------------------------------------


class Slow:
    """A publisher that holds each message until it is let go."""

    def __init__(self) -> None:
        self.said: list[list[str]] = []
        self.free = asyncio.Event()
        self.fails = False

    async def publish(
        self, message: Message, *, exchange: str, key: str, mandatory: bool = False
    ) -> None:
        assert (exchange, mandatory) == (EVENTS, False)
        assert not message.persistent
        [event] = decode(message, key)
        assert isinstance(event.data, LedgerEnded)
        await self.free.wait()
        if self.fails:
            raise PublishRefused
        self.said.append(event.data.tasks)


async def test_ends_are_said_at_once_and_those_that_come_meanwhile_together() -> None:
    publisher = Slow()
    endings = TaskEndBroadcast(publisher)
    endings.folded([submitted("a"), started(task_id="a"), completed(task_id="a")])
    await asyncio.sleep(0)
    endings.folded([completed(task_id="b"), failed(task_id="b"), cancelled(task_id="c")])
    endings.folded([completed(task_id="d")])
    publisher.free.set()
    await endings.told()
    assert publisher.said == [["a"], ["b", "c", "d"]]
    endings.folded([submitted("e"), started(task_id="e")])
    await endings.told()
    assert len(publisher.said) == 2


async def test_ends_that_could_not_be_said_are_said_as_any_with_the_next() -> None:
    publisher = Slow()
    publisher.free.set()
    publisher.fails = True
    endings = TaskEndBroadcast(publisher, most=2)
    endings.folded([completed(task_id="a")])
    await endings.told()
    publisher.fails = False
    endings.folded([completed(task_id="b")])
    await endings.told()
    assert publisher.said == [[]]
    endings.folded([completed(task_id=one) for one in "cde"])
    await endings.told()
    assert publisher.said == [[], []]


def test_every_process_hears_of_ends_and_the_log_does_not() -> None:
    assert "ledger.*.ended" in LIVE_BINDINGS
