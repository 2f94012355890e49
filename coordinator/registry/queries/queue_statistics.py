"""Tells of each queue its oldest waiting task, from the ledger, and the agents that serve it, from memory."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import UTC, datetime, timedelta
from functools import partial
from typing import Any

import sqlalchemy as sa
from sqlalchemy.engine import Connection, Row

from coordinator.domain.task_queues import TaskQueues
from coordinator.protocol.messages.events import Event, TaskSubmitted
from coordinator.protocol.priority import Priority
from coordinator.protocol.requirements import ANY_TYPE, Requirements
from coordinator.protocol.task_queue import TaskQueue
from coordinator.registry.agents.in_memory.agent_filter import AgentFilter
from coordinator.registry.agents.in_memory.known_agent import KnownAgent, profile_of
from coordinator.registry.agents.in_memory.live_agents import LiveAgents
from coordinator.registry.ledger.ledger import Ledger
from coordinator.registry.tables import event_rows, schema
from coordinator.registry.tables.event_rows import identity
from coordinator.registry.tables.schema import QUEUED, from_micros
from coordinator.registry.tables.unreadable_rows import readable

__all__ = ["QueueFigures", "QueueStatistics", "oldest_waiting"]


@dataclass(frozen=True, slots=True, kw_only=True)
class QueueFigures:
    """Tells of one queue."""

    listening: int
    """Agents that may do its tasks and read it, have a control queue and take work, now or when a slot is
    free."""
    oldest: timedelta | None
    """How long ago the task was submitted that waits the longest; None where none waits."""


class QueueStatistics:
    """Asks the ledger and the agents in memory about every open queue."""

    def __init__(
        self,
        *,
        ledger: Ledger,
        agents: LiveAgents,
        book: TaskQueues,
        pending: Callable[[], Sequence[Event]],
        now: Callable[[], datetime] = lambda: datetime.now(UTC),
    ) -> None:
        """``pending`` is `Registry.pending`: a task that this process has just accepted waits, too."""
        self._ledger = ledger
        self._agents = agents
        self._book = book
        self._pending = pending
        self._now = now

    async def lines(self) -> Mapping[TaskQueue, QueueFigures]:
        """Of every open queue. Raises `LedgerUnavailable`."""
        since = await self._ledger.read(partial(oldest_waiting, pending=self._pending()))
        now = self._now()
        serving: dict[Requirements, int] = {}
        shut = self._unreadable()
        found: dict[TaskQueue, QueueFigures] = {}
        for source in self._book.sources():
            wanted = self._book.requirements(source)
            if wanted not in serving:
                serving[wanted] = self._listening(wanted)
            submitted = since.get(source)
            found[source] = QueueFigures(
                listening=serving[wanted] - self._kept_out(wanted, shut.get(source.queue, ())),
                # Another coordinator's clock may be ahead of this one.
                oldest=None if submitted is None else max(now - submitted, timedelta()),
            )
        return found

    def _unreadable(self) -> Mapping[str, Sequence[KnownAgent]]:
        """By the name of a queue, the agents that would take its tasks, and whose users may not read it."""
        found: dict[str, list[KnownAgent]] = {}
        for known in self._agents.all():
            if known.unreadable and self._agents.takes_work(known):
                for queue in set(known.unreadable):
                    found.setdefault(queue, []).append(known)
        return found

    def _kept_out(self, wanted: Requirements, shut: Iterable[KnownAgent]) -> int:
        """How many of them could do the tasks: whom they are not for are counted nowhere."""
        return sum(profile_of(known.agent.registration).satisfies(wanted) for known in shut)

    def _listening(self, wanted: Requirements) -> int:
        if wanted.agent_id is not None:
            known = self._agents.get(wanted.agent_id)
            return int(
                known is not None
                and profile_of(known.agent.registration).satisfies(wanted)
                and self._agents.takes_work(known)
            )
        able = AgentFilter(
            agent_types=frozenset(filter(None, [wanted.agent_type])),
            capabilities=frozenset(wanted.capabilities),
            services=frozenset(wanted.services),
            task_type=wanted.task_type or ANY_TYPE,
        )
        # Those that do not listen are few as a rule, and quickly counted.
        return self._agents.total(able) - self._agents.total(replace(able, listening=False))


def oldest_waiting(
    connection: Connection, pending: Sequence[Event] = ()
) -> dict[TaskQueue, datetime]:
    """When the first of the tasks was submitted that wait on each queue; one look into an index for
    each. ``pending`` are events that this process has seen confirmed.
    """
    tasks, opened = schema.tasks.c, schema.sources.c
    oldest = (
        sa.select(sa.func.min(tasks.submitted_at))
        .where(QUEUED, tasks.lane == opened.lane, tasks.priority == opened.priority)
        .scalar_subquery()
    )
    query = sa.select(opened.lane, opened.priority, oldest.label("oldest"))
    rows = [row for row in connection.execute(query) if row.oldest is not None]
    found = dict(readable(rows, _oldest_of, schema.sources))
    known = event_rows.known(connection, pending)
    for event in pending:
        data = event.data
        if isinstance(data, TaskSubmitted) and identity(event) not in known:
            task = data.task
            if task.not_before is None:
                before = found.get(task.source, task.submitted_at)
                found[task.source] = min(before, task.submitted_at)
    return found


def _oldest_of(row: Row[Any]) -> tuple[TaskQueue, datetime]:
    return TaskQueue(row.lane, Priority(row.priority)), from_micros(row.oldest)
