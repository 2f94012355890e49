"""Reads agents from the table of agents and writes their snapshots there."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import timedelta
from typing import Any

import sqlalchemy as sa
from pydantic_core import from_json, to_json
from sqlalchemy.engine import Connection, Row

from coordinator.protocol.messages.events import AgentHeartbeat, Event
from coordinator.registry.tables.agent_rows import agent_of
from coordinator.registry.tables.bulk_statements import find
from coordinator.registry.tables.event_rows import Identity
from coordinator.registry.tables.event_rows import known as stored_of
from coordinator.registry.tables.schema import agents as table
from coordinator.registry.tables.schema import from_micros, micros
from coordinator.registry.tables.unreadable_rows import readable

from .in_memory.known_agent import KnownAgent

__all__ = ["as_folded", "restored_from", "snapshot_row", "statements_after", "write_snapshots"]


def statements_after(agent_id: str, most: int, connection: Connection) -> Sequence[Row[str, str]]:
    """The next ``most`` agents by id, each with the statement that made it what it is: a third of the
    time that it takes to read all that they say.
    """
    query = sa.select(table.c.agent_id, table.c.statement)
    query = query.where(table.c.agent_id > agent_id).order_by(table.c.agent_id)
    return connection.execute(query.limit(most)).all()


def as_folded(
    agent_ids: Sequence[str], heard: Sequence[Event], connection: Connection
) -> tuple[dict[str, Row[Any]], set[Identity]]:
    """The agents, and which of the events are in them: of the same moment."""
    rows = find(connection, tuple(table.c), table.c.agent_id, agent_ids)
    return {row.agent_id: row for row in rows}, stored_of(connection, heard)


def snapshot_row(known: KnownAgent, silence: timedelta) -> dict[str, Any]:
    """What is kept of it beside what was said, with how long it had been silent."""
    beat, load, skew = known.heartbeat, known.load_metrics, known.clock_skew
    return {
        "this_agent": known.agent_id,
        "heartbeat": None
        if beat is None
        else beat.model_dump_json(exclude_none=True, exclude=_TOKENS),
        "load_metrics": None if load is None else to_json(load).decode(),
        "heard_at": micros(known.heard_at),
        "silence": silence // timedelta(microseconds=1),
        "clock_skew": None if skew is None else skew // timedelta(microseconds=1),
    }


_TOKENS = {name: {"__all__": {"task_token"}} for name in ("running", "held")}
"""The ledger keeps none."""


def write_snapshots(rows: list[dict[str, Any]], connection: Connection) -> None:
    """Each of `snapshot_row`. Of agents that the ledger does not have yet, nothing is kept until the
    next time.
    """
    update = table.update().where(table.c.agent_id == sa.bindparam("this_agent"))
    columns = ("heartbeat", "load_metrics", "heard_at", "silence", "clock_skew")
    connection.execute(update.values({name: sa.bindparam(name) for name in columns}), rows)


def restored_from(row: Row[Any]) -> dict[str, Any] | None:
    """What `LiveAgents.restore` is given of an agent; None where the row cannot be read."""
    return next(readable([row], _kept, table), None)


def _kept(row: Row[Any]) -> dict[str, Any]:
    heartbeat, load_metrics = next(readable([row], _heard, table), (None, None))
    return {
        "agent": agent_of(row),
        "heartbeat": heartbeat,
        "load_metrics": load_metrics,
        "heard_at": from_micros(row.heard_at),
        "silence": timedelta(microseconds=row.silence),
        "clock_skew": _duration(row.clock_skew),
    }


def _heard(row: Row[Any]) -> tuple[AgentHeartbeat | None, Any]:
    """What its heartbeats told: an agent does without where that cannot be read."""
    beat = row.heartbeat
    return (
        None if beat is None else AgentHeartbeat.model_validate_json(beat),
        None if row.load_metrics is None else from_json(row.load_metrics),
    )


def _duration(micros: int | None) -> timedelta | None:
    return None if micros is None else timedelta(microseconds=micros)
