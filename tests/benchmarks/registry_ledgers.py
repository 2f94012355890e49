"""Ledgers full of agents and tasks, made in seconds.

Agents are folded and written as the product does. Of tasks one is folded, and its rows are
multiplied inside the database: each copy has the number of its own wherever the first has its.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from functools import partial

import sqlalchemy as sa
from sqlalchemy.engine import Connection

from coordinator.domain.task_queues import TaskQueues
from coordinator.domain.transitions.effects import Rules
from coordinator.protocol.lanes import lane_name
from coordinator.protocol.messages.events import (
    AgentHeartbeat,
    AgentRegistered,
    Event,
    SourceOpened,
)
from coordinator.protocol.messages.registration import sources_hash
from coordinator.protocol.priority import Priority
from coordinator.protocol.requirements import Requirements
from coordinator.protocol.task_queue import TaskQueue
from coordinator.registry.agents.agent_snapshots import AgentSnapshots
from coordinator.registry.agents.in_memory.known_agent import profile_of
from coordinator.registry.agents.in_memory.live_agents import LiveAgents
from coordinator.registry.ledger.batch_folding import store
from coordinator.registry.ledger.ledger import Ledger
from coordinator.registry.tables import schema
from coordinator.registry.tables.bulk_statements import take_time

from .registry_tasks import completed, started, submitted, task

__all__ = ["LANES", "Contents", "beat", "book", "fill", "fold_queues", "registration"]

MANY = 1000
"""Events folded at once."""

COPIES = 50_000
"""Tasks made in one transaction."""

FIRST = 100_000_000_000
"""The tasks' numbers all have twelve digits."""

TEAMS = 10
"""Agents of one team, which a narrow question finds."""

LANES = 10
"""Sets of requirements with queues, beside none."""


@dataclass(frozen=True, slots=True)
class Contents:
    agents: int = 0
    tasks: int = 0

    def __str__(self) -> str:
        return f"{self.agents} agents, {self.tasks} tasks"


async def fill(url: str, contents: Contents) -> None:
    async with Ledger(url) as ledger:
        await fold_queues(ledger)
        await _add_agents(ledger, contents.agents)
        if contents.tasks:
            first = task(FIRST)
            events = [submitted(first), started(first), completed(first)]
            await _fold(ledger, events)
            for start in range(1, contents.tasks, COPIES):
                numbers = range(FIRST + start, FIRST + min(start + COPIES, contents.tasks))
                await ledger.write(partial(_multiply, numbers))
            await ledger.write(partial(_count, contents.tasks))


async def fold_queues(ledger: Ledger) -> None:
    """The queues of `book` are open."""
    await _fold(ledger, [Event(data=one) for one in _sources()])


def registration(number: int) -> AgentRegistered:
    return AgentRegistered(
        agent_id=f"agent-{number:06d}",
        agent_type=("worker", "processor", "inference", "analyzer")[number % 4],
        capabilities=["general", f"lane-{number % LANES}", f"team-{number // TEAMS}"],
        services=["task-execution"],
        endpoints={"http": f"http://10.0.0.1:{number % 50_000 + 1024}"},
        metadata={"version": "1.0.0", "zone": f"zone-{number % 3}"},
        slots=4,
        instance=f"instance-{number}",
    )


def beat(known: AgentRegistered, sources: TaskQueues, sequence: int) -> AgentHeartbeat:
    return AgentHeartbeat(
        agent_id=known.agent_id,
        instance=known.instance,
        sequence=sequence,
        status="active",
        slots=known.slots,
        completed=sequence,
        sources_hash=sources_hash(sources.offered_to(profile_of(known))),
        load_metrics={"cpu": 0.25, "sequence": float(sequence)},
        started_at=datetime.now(UTC),
        host="host-1",
        pid=4711,
    )


def book() -> TaskQueues:
    """The queues of every ledger that is filled here."""
    made = TaskQueues()
    for one in _sources():
        made.add(TaskQueue(one.lane, one.priority), Requirements.from_dict(one.requirements))
    return made


def _sources() -> list[SourceOpened]:
    wanted = [Requirements()]
    wanted += (Requirements(capabilities=(f"lane-{number}",)) for number in range(LANES))
    return [
        SourceOpened(lane=lane_name(one), priority=priority, requirements=one.as_dict())
        for one in wanted
        for priority in Priority
    ]


async def _add_agents(ledger: Ledger, count: int) -> None:
    agents, sources = LiveAgents(), book()
    agents.start_hearing()
    for start in range(0, count, MANY):
        known = [registration(number) for number in range(start, min(start + MANY, count))]
        events = [Event(data=one) for one in known]
        await _fold(ledger, events)
        for event, one in zip(events, known, strict=True):
            agents.apply(event)
            agents.apply(Event(data=beat(one, sources, 1)))
    await AgentSnapshots(ledger=ledger, agents=agents).write()


async def _fold(ledger: Ledger, events: Sequence[Event]) -> None:
    rules = Rules(now=datetime.now(UTC))
    await ledger.write(lambda connection: store(connection, events, rules))


def _multiply(numbers: range, connection: Connection) -> None:
    """Copies of the first task, one for each of ``numbers``, a millisecond apart."""
    take_time(connection)
    n = sa.select(sa.literal(numbers[0], sa.BigInteger).label("n")).cte("numbers", recursive=True)
    n = n.union_all(sa.select(n.c.n + 1).where(n.c.n < numbers[-1]))
    first = task(FIRST).task_id
    for table, mine in (
        (schema.tasks, schema.tasks.c.task_id == first),
        (schema.events, schema.events.c.subject == first),
    ):
        columns = [column for column in table.c if column.name != "position"]
        query = sa.select(*(_copied(column, n.c.n) for column in columns))
        query = query.select_from(n.join(table, mine))
        names = [column.name for column in columns]
        connection.execute(table.insert().from_select(names, query))


def _copied(column: sa.Column[object], number: sa.ColumnElement[int]) -> sa.ColumnElement[object]:
    if isinstance(column.type, sa.String):
        return sa.func.replace(column, str(FIRST), sa.cast(number, sa.String))
    if column.name == "time" or column.name.endswith("_at"):
        return column + 1000 * (number - FIRST)
    return column


def _count(tasks: int, connection: Connection) -> None:
    """The totals, as if each had been folded."""
    totals = schema.totals
    connection.execute(totals.update().values(value=totals.c.value * tasks))
