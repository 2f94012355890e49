"""Converts agents to rows of the table `agents` and back, and folds what was said of them into it."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from sqlalchemy.engine import Connection, Row

from coordinator.domain.agent import Agent, fold_agent
from coordinator.domain.agent_statuses import AgentStatus
from coordinator.protocol.messages.events import AgentRegistered, Event

from .bulk_statements import find, upsert
from .event_rows import chunks
from .schema import agents as table
from .schema import from_micros, micros
from .unreadable_rows import readable

__all__ = ["agent_of", "fold_agents"]


def fold_agents(connection: Connection, events: Sequence[Event]) -> None:
    """Bring the agents' rows up to date; what heartbeats told stays as the last snapshot has it."""
    before = _load(connection, {event.data.subject for event in events})
    after: dict[str, Agent | None] = dict(before)
    for event in events:
        after[event.data.subject] = fold_agent(after.get(event.data.subject), event)
    kept = [
        agent
        for _, agent in sorted(
            after.items()
        )  # in one order, so that no two writers wait for each other
        if agent is not None and agent is not before.get(agent.registration.agent_id)
    ]
    rows = [_row_of(agent) | _unheard(agent) for agent in kept]
    upsert(connection, table, ["agent_id"], rows, replacing=_DURABLE)
    for ids in chunks(agent_id for agent_id in before if after[agent_id] is None):
        connection.execute(table.delete().where(table.c.agent_id.in_(ids)))


def agent_of(row: Row[Any]) -> Agent:
    """Without what heartbeats told. Raises one of `unreadable_rows.NOT_READ`."""
    return Agent(
        registration=AgentRegistered.model_validate_json(row.registration),
        stated_at=from_micros(row.stated_at),
        registered_at=from_micros(row.registered_at),
        declared=AgentStatus(row.declared),
        statement=row.statement,
    )


_DURABLE = ("registration", "stated_at", "registered_at", "declared", "statement")


def _row_of(agent: Agent) -> dict[str, Any]:
    return {
        "agent_id": agent.registration.agent_id,
        "registration": agent.registration.model_dump_json(exclude_none=True),
        "stated_at": micros(agent.stated_at),
        "registered_at": micros(agent.registered_at),
        "declared": agent.declared.value,
        "statement": agent.statement,
    }


def _unheard(agent: Agent) -> dict[str, Any]:
    """Until the first snapshot: the registration was its first sign of life."""
    return {"heard_at": micros(agent.stated_at), "silence": 0}


def _load(connection: Connection, agent_ids: set[str]) -> dict[str, Agent]:
    rows = find(connection, tuple(table.c), table.c.agent_id, agent_ids)
    read = readable(rows, agent_of, table)  # who cannot be read is as good as not registered
    return {agent.registration.agent_id: agent for agent in read}
