"""How long tasks wait at each queue, and how many agents serve it."""

from __future__ import annotations

from datetime import datetime, timedelta
from typing import Any

import pytest
import sqlalchemy as sa
from sqlalchemy.engine import Connection

from coordinator.domain.task_queues import TaskQueues
from coordinator.protocol.lanes import lane_name
from coordinator.protocol.messages.events import OVER_HTTP, Event, SourceOpened
from coordinator.protocol.priority import Priority
from coordinator.protocol.requirements import Requirements
from coordinator.protocol.task_queue import TaskQueue
from coordinator.registry.ledger.ledger import Ledger
from coordinator.registry.queries.queue_statistics import (
    QueueFigures,
    QueueStatistics,
    oldest_waiting,
)
from tests.unit.domain.histories import at, cancelled, completed, failed, started, submitted
from tests.unit.registry.answers import stored
from tests.unit.registry.fleet import Fleet, beat, declared, registered, removed, stopped
from tests.unit.registry.many_tasks import fill, plan

ANYBODY = Requirements()
GPU = Requirements(capabilities=("gpu",))
ADA = Requirements(agent_id="ada")
NOW = at(100)


class Process:
    """One coordinator over a ledger; what it accepts is ``pending`` until it is folded."""

    def __init__(self, ledger: Ledger) -> None:
        self.ledger = ledger
        self.agents = Fleet()
        self.book = TaskQueues()
        self.pending: list[Event] = []
        self.now = NOW
        self._lines = QueueStatistics(
            ledger=ledger,
            agents=self.agents,
            book=self.book,
            pending=lambda: self.pending,
            now=lambda: self.now,
        )

    async def open(self, wanted: Requirements, priority: Priority = Priority.NORMAL) -> TaskQueue:
        source = TaskQueue(lane_name(wanted), priority)
        self.book.add(source, wanted)
        data = SourceOpened(lane=source.lane, priority=priority, requirements=wanted.as_dict())
        await stored(self.ledger, Event(data=data))
        return source

    async def line(self, source: TaskQueue) -> QueueFigures:
        return (await self._lines.lines())[source]

    async def oldest(self, source: TaskQueue) -> timedelta | None:
        return (await self.line(source)).oldest

    async def listening(self, source: TaskQueue) -> int:
        return (await self.line(source)).listening


@pytest.fixture
def process(ledger: Ledger) -> Process:
    return Process(ledger)


def waits(task_id: str, submitted_at: datetime, wanted: Requirements = ANYBODY) -> Event:
    return submitted(task_id, submitted_at=submitted_at, requirements=wanted.as_dict())


async def test_the_oldest_is_the_first_that_was_submitted_of_those_that_wait(
    process: Process,
) -> None:
    anybody, gpu = await process.open(ANYBODY), await process.open(GPU)
    low = await process.open(ANYBODY, Priority.LOW)
    await stored(
        process.ledger,
        waits("done", at(0)),
        started(task_id="done"),
        completed(task_id="done"),
        waits("running", at(10)),
        started(task_id="running"),
        waits("cancelled", at(20)),
        cancelled(task_id="cancelled"),
        waits("failed", at(30)),
        started(task_id="failed"),
        failed(task_id="failed"),
        waits("oldest", at(40)),
        waits("newer", at(50)),
        waits("elsewhere", at(5), GPU),
    )
    assert await process.oldest(anybody) == timedelta(seconds=60)
    assert await process.oldest(gpu) == timedelta(seconds=95)
    assert await process.oldest(low) is None

    # A retry is on the queue again, and as old as its task.
    await stored(process.ledger, submitted("failed", attempt=2, submitted_at=at(30)))
    assert await process.oldest(anybody) == timedelta(seconds=70)


async def test_what_was_just_accepted_is_in_line_before_it_is_folded(process: Process) -> None:
    anybody = await process.open(ANYBODY)
    later = submitted("later", submitted_at=at(1), not_before=at(1000))
    process.pending = [waits("a", at(90)), later]
    assert await process.oldest(anybody) == timedelta(seconds=10)

    # Folded, taken by an agent, and still thought to be pending by who accepted it.
    await stored(process.ledger, waits("a", at(90)), started(task_id="a"))
    assert await process.oldest(anybody) is None


async def test_a_clock_that_is_ahead_makes_no_age_below_nothing(process: Process) -> None:
    anybody = await process.open(ANYBODY)
    await stored(process.ledger, waits("a", NOW + timedelta(seconds=5)))
    assert await process.oldest(anybody) == timedelta()


async def test_an_agent_without_a_control_queue_does_not_listen_whatever_its_status(
    process: Process,
) -> None:
    anybody, ada = await process.open(ANYBODY), await process.open(ADA)
    process.agents.apply(registered("ada", via=OVER_HTTP))
    process.agents.apply(registered("bob", via=OVER_HTTP))
    process.agents.apply(declared("draining", "bob"))
    assert (await process.listening(anybody), await process.listening(ada)) == (0, 0)
    process.agents.probed("ada", present=True)
    assert (await process.listening(anybody), await process.listening(ada)) == (1, 1)


async def test_the_agents_listen_that_may_do_its_tasks_and_take_work(process: Process) -> None:
    anybody, gpu = await process.open(ANYBODY), await process.open(GPU)
    ada = await process.open(ADA)
    agents = process.agents

    async def listening() -> tuple[int, int, int]:
        return (
            await process.listening(anybody),
            await process.listening(gpu),
            await process.listening(ada),
        )

    assert await listening() == (0, 0, 0)
    for agent_id, capabilities in (("ada", ["gpu", "cpu"]), ("bob", ["gpu"]), ("eve", [])):
        agents.apply(registered(agent_id, capabilities=capabilities))
    assert await listening() == (3, 2, 1)

    # A busy one takes the next task when a slot is free; one that drains takes no other.
    agents.apply(beat("bob", running=2, slots=2))
    assert await listening() == (3, 2, 1)
    agents.apply(declared("draining", "ada"))
    assert await listening() == (2, 1, 0)
    agents.apply(stopped("eve"))
    assert await listening() == (1, 1, 0)

    # Who is silent for too long does not listen.
    agents.pass_time(61)
    assert await listening() == (0, 0, 0)
    agents.apply(beat("bob", slots=2))
    assert await listening() == (1, 1, 0)
    agents.apply(removed("bob", seconds=99))
    assert await listening() == (0, 0, 0)


async def test_the_oldest_is_looked_up_in_an_index_of_what_waits(ledger: Ledger) -> None:
    """However many tasks have ended."""
    told: list[str] = []

    def look(connection: Connection) -> None:
        def explained(*event: Any) -> None:
            statement, parameters = event[2:4]
            if "min(" in statement and not told:
                told.append("")
                told[0] = plan(connection, statement, parameters)

        sa.event.listen(connection, "before_cursor_execute", explained)
        oldest_waiting(connection)

    await ledger.write(fill)
    await stored(ledger, Event(data=SourceOpened(lane="any", priority=Priority.LOW)))
    await ledger.read(look)
    assert "tasks_queued" in told[0], told
    assert "Seq Scan on tasks" not in told[0]
    assert "SCAN tasks" not in told[0]
