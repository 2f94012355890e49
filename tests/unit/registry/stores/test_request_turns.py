"""Requests that act on one task take turns: of two coordinators too, over one ledger."""

from __future__ import annotations

import asyncio
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
import sqlalchemy as sa

from coordinator.domain.dead_filter import DeadFilter
from coordinator.domain.task import State, Task
from coordinator.errors import (
    BrokerUnavailable,
    LedgerBehind,
    OutcomeUnknown,
    TaskNotFound,
    WrongState,
)
from coordinator.protocol.messages.events import Event
from coordinator.protocol.messages.task_message import TaskMessage, scheduling_id
from coordinator.registry.ledger.ledger import Ledger
from coordinator.registry.stores.request_turns import PATIENCE, RequestTurns
from coordinator.registry.stores.turn_rows import KEPT, LASTS
from coordinator.registry.tables import schema
from coordinator.registry.upkeep.task_removal import forget
from tests.unit.domain.histories import at, failed, started, submitted
from tests.unit.registry.answers import stored

DEAD = [submitted(max_attempts=1), started(), failed()]
AGAIN = Event(id=scheduling_id("t", 2), data=submitted(generation=2, not_before=at(1)).data)


class Side:
    """A coordinator; it catches up by folding what is ``in_the_log``."""

    def __init__(self, ledger: Ledger, patience: float = PATIENCE) -> None:
        self.ledger = ledger
        self.ahead = timedelta()
        self.noted: list[Event] = []
        self.in_the_log: list[Event] = []
        self.asked = 0
        self.turns = RequestTurns(
            ledger=ledger,
            pending=lambda _: list(self.noted),
            settle=self._catch_up,
            now=lambda: datetime.now(UTC) + self.ahead,
            patience=patience,
        )

    async def _catch_up(self) -> None:
        self.asked += 1
        await stored(self.ledger, *self.in_the_log)
        self.noted = []

    async def retry(self) -> int:
        return await self.turns.take("t", decide)

    async def redrive(self) -> list[str]:
        _, mine = await self.turns.take_dead(
            DeadFilter(), after=None, most=10, event_id=lambda task: scheduling_id(task.task_id, 2)
        )
        return [task.task_id for task, _ in mine]


def decide(task: Task, _: TaskMessage) -> tuple[str, int]:
    if task.state is not State.DEAD:
        raise WrongState(f"is {task.state}")
    return scheduling_id("t", task.generation + 1), task.generation + 1


@pytest.fixture
def patience() -> float:
    """Seconds that a side waits for its turn."""
    return PATIENCE


impatient = pytest.mark.parametrize("patience", [0.0])


@pytest.fixture
async def sides(ledger: Ledger, patience: float) -> list[Side]:
    await stored(ledger, *DEAD)
    return [Side(ledger, patience), Side(ledger, patience)]


async def rows(ledger: Ledger) -> list[Any]:
    query = sa.select(schema.turns.c.task_id, schema.turns.c.event_id)
    return list(await ledger.read(lambda connection: connection.execute(query).all()))


async def test_who_comes_second_waits_until_what_the_first_published_is_folded(
    sides: list[Side],
) -> None:
    ours, theirs = sides
    assert await ours.retry() == 2
    second = asyncio.create_task(theirs.retry())
    done, _ = await asyncio.wait([second], timeout=0.2)
    assert not done
    await stored(ours.ledger, AGAIN)
    with pytest.raises(WrongState, match="is scheduled"):
        await second


async def test_what_a_coordinator_published_itself_it_need_not_wait_for(sides: list[Side]) -> None:
    ours, _ = sides
    await ours.retry()
    ours.noted = [AGAIN]
    with pytest.raises(WrongState, match="is scheduled"):
        await ours.retry()


@impatient
async def test_a_turn_that_does_not_end_is_told(sides: list[Side]) -> None:
    ours, theirs = sides
    await ours.retry()
    with pytest.raises(LedgerBehind, match="Another request acts on this task"):
        await theirs.retry()


async def test_who_decides_to_do_nothing_is_in_nobodys_way(sides: list[Side]) -> None:
    ours, theirs = sides
    with pytest.raises(RuntimeError, match="boom"):
        await ours.turns.take("t", fails)
    assert await theirs.retry() == 2


def fails(*_: object) -> tuple[str, int]:
    raise RuntimeError("boom")


@impatient
async def test_what_was_refused_is_in_nobodys_way_and_what_was_not_answered_is(
    sides: list[Side],
) -> None:
    ours, theirs = sides
    await ours.retry()
    with pytest.raises(BrokerUnavailable):
        async with ours.turns.sending(AGAIN.id):
            raise BrokerUnavailable
    await theirs.retry()
    with pytest.raises(OutcomeUnknown):
        async with theirs.turns.sending(AGAIN.id):
            raise OutcomeUnknown
    with pytest.raises(LedgerBehind):
        await ours.retry()


@pytest.mark.parametrize("published", [True, False])
async def test_a_turn_that_has_lasted_long_is_over_once_all_of_the_log_is_known(
    sides: list[Side], published: bool
) -> None:
    ours, theirs = sides
    await ours.retry()
    theirs.ahead = LASTS + timedelta(seconds=1)
    theirs.in_the_log = [AGAIN] if published else []
    if published:
        with pytest.raises(WrongState, match="is scheduled"):
            await theirs.retry()
    else:
        assert await theirs.retry() == 2
    assert theirs.asked == 1


async def test_a_task_that_is_not_there_is_looked_for_in_all_of_the_log(ledger: Ledger) -> None:
    side = Side(ledger)
    with pytest.raises(TaskNotFound):
        await side.retry()
    side.in_the_log = DEAD
    assert await side.retry() == 2


async def test_what_is_pending_of_a_task_that_another_deleted_is_not_acted_on(
    sides: list[Side],
) -> None:
    ours, _ = sides
    ours.noted = [*DEAD, AGAIN]
    await ours.ledger.write(lambda connection: forget(connection, ["t"]))
    with pytest.raises(TaskNotFound):
        await ours.turns.take("t", lambda task, _: (task.task_id, task))


async def test_of_redrives_at_the_same_time_each_task_counts_for_one(sides: list[Side]) -> None:
    ours, theirs = sides
    others = [
        Event(id=f"{event.id}-{number}", data=event.data.model_copy(update=of(number, event)))
        for number in range(20)
        for event in DEAD
    ]
    await stored(ours.ledger, *others)
    redriven = await asyncio.gather(*(side.redrive() for side in [ours, theirs] * 2))
    told = [task_id for one in redriven for task_id in one]
    assert len(told) == len(set(told)) == 10
    assert {len(one) for one in redriven} == {0, 10}


def of(number: int, event: Event) -> dict[str, Any]:
    task_id = f"t{number}"
    changed: dict[str, Any] = {"task_id": task_id}
    task = getattr(event.data, "task", None)
    if task is not None:
        changed["task"] = task.model_copy(update={"task_id": task_id})
    return changed


async def test_a_task_that_died_again_is_redriven_again(sides: list[Side]) -> None:
    ours, theirs = sides
    assert await ours.redrive() == ["t"]
    assert await theirs.redrive() == []
    await stored(ours.ledger, AGAIN, started(generation=2), failed(generation=2, retryable=False))
    assert await theirs.redrive() == ["t"]


@impatient
async def test_nobody_is_alone_with_a_task_while_something_about_it_is_under_way(
    sides: list[Side],
) -> None:
    """Not even where it is known in the own process: what it works on is the ledger."""
    ours, _ = sides
    await ours.retry()
    ours.noted = [AGAIN]
    with pytest.raises(LedgerBehind):
        await ours.turns.alone("t", lambda _: None)
    await stored(ours.ledger, AGAIN)
    assert await ours.turns.alone("t", lambda _: 7) == 7
    assert await rows(ours.ledger) == []


async def test_the_turns_of_a_task_that_is_forgotten_are_forgotten(sides: list[Side]) -> None:
    ours, _ = sides
    await ours.retry()
    assert await rows(ours.ledger) == [("t", AGAIN.id)]
    await ours.ledger.write(lambda connection: forget(connection, ["t"]))
    assert await rows(ours.ledger) == []


async def test_old_rows_are_taken_away(sides: list[Side]) -> None:
    ours, theirs = sides
    await ours.retry()
    theirs.ahead = KEPT + timedelta(seconds=1)
    with pytest.raises(TaskNotFound):
        await theirs.turns.take("another", decide)
    await theirs.redrive()
    assert [row.task_id for row in await rows(ours.ledger)] == ["t"]
