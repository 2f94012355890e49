"""Rows go into a table the same way, however many come at once."""

from __future__ import annotations

from typing import Any

import pytest
import sqlalchemy as sa
from sqlalchemy.engine import Connection
from sqlalchemy.exc import IntegrityError

from coordinator.registry.ledger.ledger import Ledger
from coordinator.registry.tables.bulk_statements import TOGETHER, insert, insert_new, upsert
from coordinator.registry.tables.schema import events, offered, totals

COUNTS = (1, TOGETHER - 1, TOGETHER, TOGETHER + 1, 3 * TOGETHER + 5)


def said(number: int) -> dict[str, Any]:
    return {
        "id": f"id-{number}",
        "agent_id": "ada",
        "type": "task.started",
        "subject": f"task-{number}",
        "time": number,
        "data": f'{{"n":{number}}}',
    }


def said_in_order(connection: Connection) -> list[dict[str, Any]]:
    names = list(said(0))
    query = sa.select(*(events.c[name] for name in names)).order_by(events.c.position)
    return [dict(row) for row in connection.execute(query).mappings()]


@pytest.mark.parametrize("count", COUNTS)
async def test_rows_are_inserted_in_their_order(ledger: Ledger, count: int) -> None:
    rows = [said(number) for number in range(count)]
    await ledger.write(lambda connection: insert(connection, events, rows))
    assert await ledger.read(said_in_order) == rows


@pytest.mark.parametrize("count", COUNTS)
async def test_one_key_that_is_there_already_keeps_all_rows_out(ledger: Ledger, count: int) -> None:
    there = said(count - 1)
    await ledger.write(lambda connection: insert(connection, events, [there]))
    rows = [said(number) for number in range(count)]
    with pytest.raises(IntegrityError):
        await ledger.write(lambda connection: insert(connection, events, rows))
    assert await ledger.read(said_in_order) == [there]


@pytest.mark.parametrize("count", COUNTS)
async def test_only_rows_whose_key_is_new_are_added(ledger: Ledger, count: int) -> None:
    rows = [{"kind": "agent", "name": f"agent-{number}"} for number in range(count)]

    def add(connection: Connection) -> set[str]:
        insert_new(connection, offered, ["kind", "name"], rows[::2])
        insert_new(connection, offered, ["kind", "name"], rows)
        return set(connection.scalars(sa.select(offered.c.name)))

    assert await ledger.write(add) == {row["name"] for row in rows}


@pytest.mark.parametrize("count", COUNTS)
async def test_rows_that_are_there_get_their_new_values(ledger: Ledger, count: int) -> None:
    def put_twice(connection: Connection) -> dict[str, int]:
        for factor in (1, 2):
            rows = [{"name": f"sum-{n}", "value": n * factor} for n in range(count)]
            upsert(connection, totals, ["name"], rows)
        return {row.name: row.value for row in connection.execute(sa.select(totals))}

    assert await ledger.write(put_twice) == {f"sum-{n}": n * 2 for n in range(count)}
