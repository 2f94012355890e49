"""How a group stands, and waiting for its end: never before all that was accepted is known."""

from __future__ import annotations

import asyncio
from datetime import timedelta

import pytest

from coordinator.domain.labels.group_counts import GroupCounts
from coordinator.errors import BrokerUnavailable, GroupNotFound, LedgerBehind, Unavailable
from coordinator.protocol.messages.events import Event
from coordinator.registry.ledger.batch_folding import FoldedBatch
from coordinator.registry.ledger.ledger import Ledger
from coordinator.registry.projection.interceptors.group_ends import GroupEnds
from coordinator.registry.projection.task_end_waiters import TaskEndWaiters
from coordinator.registry.queries.groups.group_progress import GroupProgress, GroupWish
from tests.support.waiting import eventually
from tests.unit.domain.histories import cancelled, completed, failed, started, submitted
from tests.unit.registry.answers import stored

LONG = timedelta(seconds=50)
ALL = GroupWish()


class World:
    """One process over a ledger, and what is still in the log when it asks."""

    def __init__(self, ledger: Ledger) -> None:
        self.ledger = ledger
        self.waiters = TaskEndWaiters()
        self.in_the_log: list[Event] = []
        self.why_not: list[Unavailable] = []
        """Raised one after the other while the ledger is to be settled."""
        self.ends = GroupEnds(self.waiters.ended)
        self.groups = GroupProgress(
            ledger=ledger, settle=self.settle, waiters=self.waiters, apart=0
        )

    async def settle(self) -> None:
        if self.why_not:
            raise self.why_not.pop(0)
        events, self.in_the_log = self.in_the_log, []
        await self.fold(*events)

    async def fold(self, *events: Event) -> FoldedBatch:
        batch = await stored(self.ledger, *events)
        self.ends.folded(batch.events, batch)
        return batch

    async def waits(self, count: int = 1) -> None:
        await eventually(lambda: len(self.waiters) == count)


@pytest.fixture
async def world(ledger: Ledger) -> World:
    world = World(ledger)
    await world.fold(submitted("a", group="g"), submitted("b", group="g"))
    return world


def shown(found: GroupCounts) -> dict[str, int]:
    return {state.value: count for state, count in found.counts.items() if count}


async def test_what_is_still_in_the_log_is_counted(world: World) -> None:
    world.in_the_log = [submitted("c", group="g"), started(task_id="a")]
    assert shown(await world.groups.counts("g")) == {"running": 1, "queued": 2}


@pytest.mark.parametrize("why_not", [LedgerBehind("later"), BrokerUnavailable()])
async def test_a_ledger_that_is_behind_is_told_as_it_is_and_none_is_said_to_be_missing(
    world: World, why_not: Unavailable
) -> None:
    world.why_not = [why_not, why_not]
    assert shown(await world.groups.counts("g")) == {"queued": 2}
    with pytest.raises(type(why_not)):
        await world.groups.counts("h")
    with pytest.raises(GroupNotFound):
        await world.groups.counts("h")


async def test_a_caller_is_told_of_its_own_tasks_alone(world: World) -> None:
    await world.fold(submitted("c", group="g", submitted_by="key:ada"))
    assert shown(await world.groups.counts("g", by="key:ada")) == {"queued": 1}
    with pytest.raises(GroupNotFound):
        await world.groups.counts("g", by="key:eve")
    with pytest.raises(GroupNotFound):
        await world.groups.wait("g", ALL, LONG, by="key:eve")


async def test_who_waits_is_woken_by_the_last_end(world: World) -> None:
    waiting = asyncio.create_task(world.groups.wait("g", ALL, LONG))
    await world.waits()
    await world.fold(started(task_id="a"), completed(task_id="a"))
    await world.fold(cancelled(task_id="b"))
    done = await waiting
    assert (done.reached, shown(done.group)) == (True, {"completed": 1, "cancelled": 1})
    await world.waits(0)


async def test_who_waits_for_any_is_woken_by_the_next_end_after_those_that_it_has(
    world: World,
) -> None:
    await world.fold(cancelled(task_id="a"))
    first = await world.groups.wait("g", GroupWish(more_than=0), LONG)
    assert (first.reached, first.group.ended) == (True, 1)
    waiting = asyncio.create_task(world.groups.wait("g", GroupWish(more_than=1), LONG))
    await world.waits()
    await world.fold(cancelled(task_id="b"))
    assert (await waiting).group.ended == 2
    last = await world.groups.wait("g", GroupWish(more_than=2), LONG)
    assert last.reached, "nothing more can come"


async def test_a_group_is_not_done_while_tasks_of_it_are_in_the_log(world: World) -> None:
    await world.fold(cancelled(task_id="a"), cancelled(task_id="b"))
    world.why_not = [LedgerBehind("later")]
    world.in_the_log = [submitted("c", group="g")]
    waiting = asyncio.create_task(world.groups.wait("g", ALL, LONG))
    await eventually(lambda: not world.in_the_log)
    assert not waiting.done()
    await world.fold(cancelled(task_id="c"))
    assert shown((await waiting).group) == {"cancelled": 3}


async def test_when_the_time_is_over_the_group_is_told_as_it_stands(world: World) -> None:
    done = await world.groups.wait("g", ALL, timedelta())
    assert (done.reached, shown(done.group)) == (False, {"queued": 2})
    await world.fold(cancelled(task_id="a"), cancelled(task_id="b"))
    assert (await world.groups.wait("g", ALL, timedelta())).reached
    world.why_not = [LedgerBehind("later")] * 9
    assert not (await world.groups.wait("g", ALL, timedelta())).reached


async def test_a_failed_attempt_that_is_tried_again_ends_nothing(world: World) -> None:
    told: list[str] = []
    ends = GroupEnds(told.extend)
    batch = await world.fold(started(task_id="a"), failed(task_id="a"), submitted("alone"))
    ends.folded(batch.events, batch)
    assert told == []
    batch = await world.fold(cancelled(task_id="a"), cancelled(task_id="alone"))
    ends.folded(batch.events, batch)
    assert told == ["g"]
