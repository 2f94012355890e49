"""Everything that a ledger answers, as one value to be compared."""

from __future__ import annotations

from typing import Any

import sqlalchemy as sa
from sqlalchemy.engine import Connection

from coordinator.domain.task_totals import TaskTotals, measure
from coordinator.domain.transitions.effects import Rules
from coordinator.protocol.messages.events import Event
from coordinator.registry.ledger.batch_folding import FoldedBatch, store
from coordinator.registry.ledger.ledger import Ledger
from coordinator.registry.tables import schema
from coordinator.registry.tables.task_rows import task_of
from coordinator.registry.tables.totals_rows import tally_in
from tests.unit.domain.histories import START

RULES = Rules(now=START)


async def stored(ledger: Ledger, *events: Event) -> FoldedBatch:
    return await ledger.write(lambda connection: store(connection, events, RULES))


def execute(statement: sa.Executable, connection: Connection) -> None:
    """For `Ledger.write`, which a test gives a statement of its own."""
    connection.execute(statement)


async def answers(ledger: Ledger) -> dict[str, Any]:
    """Tasks, totals, agents and sources, but for what only the moment of folding decides."""
    return await ledger.read(_answers)


async def totals_agree(ledger: Ledger) -> bool:
    """Whether the totals are what the tasks, and those that were forgotten, add up to."""
    return await ledger.read(_totals_agree)


async def totals(ledger: Ledger) -> TaskTotals:
    return await ledger.read(lambda connection: tally_in(connection, schema.totals))


def _answers(connection: Connection) -> dict[str, Any]:
    found: dict[str, Any] = {}
    for table in (
        *(schema.tasks, schema.task_labels, schema.totals, schema.group_totals),
        *(schema.agents, schema.sources),
    ):
        key = list(table.primary_key.columns)
        rows = connection.execute(sa.select(table).order_by(*key)).mappings()
        found[table.name] = [dict(row) for row in rows]
    found["totals"] = [row for row in found["totals"] if row["value"]]
    found["group_totals"] = [row for row in found["group_totals"] if row["tasks"]]
    for row in found["agents"]:
        for name in ("heard_at", "silence"):  # a snapshot's to say
            del row[name]
    return found


def _totals_agree(connection: Connection) -> bool:
    expected = tally_in(connection, schema.checkpoint)
    for row in connection.execute(sa.select(schema.tasks)):
        expected = expected.plus(measure(task_of(row)))
    return tally_in(connection, schema.totals) == expected
