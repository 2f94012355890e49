"""Tasks that were not started by their deadline are ended, once, and others are left alone."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
import sqlalchemy as sa

from coordinator.errors import BrokerUnavailable
from coordinator.protocol.message import Message
from coordinator.protocol.messages.events import Event
from coordinator.recovery.overdue.missed_deadlines import BATCH, GRACE, MISSED_DEADLINES
from coordinator.recovery.overdue.overdue_ends import SAID_AGAIN, OverdueEnds
from coordinator.registry.ledger.ledger import Ledger
from coordinator.registry.upkeep.overdue_tasks import OverdueTasks, overdue
from tests.support.decoding import decode
from tests.unit.domain.histories import at, cancelled, failed, started, submitted
from tests.unit.registry.answers import answers, stored

DEADLINE = 60
LATE = at(DEADLINE) + GRACE


class World:
    """A ledger, a broker that does as it is told, and the deadlines of two coordinators."""

    def __init__(self, ledger: Ledger) -> None:
        self.ledger = ledger
        self.now = LATE
        self.log: list[Event] = []
        self.messages = 0
        self.noted: list[Event] = []
        self.broken = False
        self.mine, self.theirs = (
            OverdueEnds(
                MISSED_DEADLINES,
                overdue=OverdueTasks(ledger),
                publisher=self,
                note=self.noted.append,
                ready=lambda: True,
                now=lambda: self.now,
            )
            for _ in range(2)
        )

    async def publish(self, message: Message, *, exchange: str, key: str, **_: Any) -> None:
        if self.broken:
            raise BrokerUnavailable
        self.messages += 1
        self.log += decode(message, key)

    async def fold(self) -> None:
        events, self.log = self.log, []
        await stored(self.ledger, *events)

    async def states(self) -> dict[str, str]:
        return {row["task_id"]: row["state"] for row in (await answers(self.ledger))["tasks"]}


@pytest.fixture
def world(ledger: Ledger) -> World:
    return World(ledger)


def with_deadline(task_id: str, **more: Any) -> Event:
    return submitted(task_id, **({"expires_at": at(DEADLINE)} | more))


async def test_what_has_not_started_by_its_deadline_has_expired(world: World) -> None:
    await stored(
        world.ledger,
        with_deadline("queued"),
        with_deadline("scheduled", not_before=at(10)),
        with_deadline("waiting"), started(task_id="waiting"), failed(task_id="waiting"),
        with_deadline("running"), started(task_id="running"),
        with_deadline("ended"), cancelled(task_id="ended"),
        with_deadline("later", expires_at=at(DEADLINE + 1)),
        submitted("never"),
    )  # fmt: skip
    assert await world.mine.look() == 3
    await world.fold()
    assert await world.states() == {
        "queued": "expired",
        "scheduled": "expired",
        "waiting": "expired",
        "running": "running",
        "ended": "cancelled",
        "later": "queued",
        "never": "queued",
    }
    assert len(world.noted) == 3
    assert await world.mine.look() == 0


async def test_several_coordinators_and_repetitions_end_a_task_once(world: World) -> None:
    await stored(world.ledger, with_deadline("t"))
    assert (await world.mine.look(), await world.mine.look(), await world.theirs.look()) == (
        1,
        0,
        1,
    )
    assert len({event.id for event in world.log}) == 1
    world.now += SAID_AGAIN
    assert await world.mine.look() == 1
    await world.fold()
    assert await world.states() == {"t": "expired"}


async def test_a_start_that_reached_the_log_first_counts(world: World) -> None:
    await stored(world.ledger, with_deadline("t"))
    await world.mine.look()
    await stored(world.ledger, started())
    await world.fold()
    assert await world.states() == {"t": "running"}


async def test_while_the_broker_is_away_nothing_is_taken_for_said(world: World) -> None:
    await stored(world.ledger, with_deadline("t"))
    world.broken = True
    with pytest.raises(BrokerUnavailable):
        await world.mine.look()
    world.broken = False
    assert await world.mine.look() == 1


async def test_many_are_ended_with_few_messages(world: World) -> None:
    await stored(world.ledger, *(with_deadline(f"t{n}") for n in range(BATCH + 1)))
    while await world.mine.look():
        await world.fold()
    assert set((await world.states()).values()) == {"expired"}
    assert world.messages == 2


async def test_looking_reads_no_task_without_a_deadline(tmp_path: Path) -> None:
    """However many there are: the index leaves them out."""
    asked: list[str] = []

    def look(connection: sa.Connection) -> list[str]:
        def explained(*event: Any) -> None:
            statement, parameters = event[2:4]
            asked.append(statement)
            cursor = connection.connection.cursor()
            cursor.execute(f"EXPLAIN QUERY PLAN {statement}", parameters)
            asked.extend(str(row) for row in cursor.fetchall())

        sa.event.listen(connection, "before_cursor_execute", explained)
        overdue(LATE, BATCH, connection)
        return asked

    async with Ledger(f"sqlite:///{tmp_path / 'ledger.sqlite3'}") as ledger:
        assert "tasks_by_deadline" in "".join(await ledger.read(look))
