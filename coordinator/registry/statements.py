"""The few statements that SQL has no common word for; SQLite and PostgreSQL share theirs."""

from __future__ import annotations

from collections.abc import Collection
from typing import Any

import sqlalchemy as sa
from sqlalchemy.dialects import postgresql, sqlite
from sqlalchemy.engine import Connection

__all__ = ["add_to", "insert_new", "upsert"]

Rows = list[dict[str, Any]]


def upsert(
    connection: Connection,
    table: sa.Table,
    key: list[str],
    rows: Rows,
    *,
    replacing: Collection[str] | None = None,
) -> None:
    """Insert ``rows``; where the ``key`` is there already, replace the columns ``replacing``, or
    all of them.
    """
    if not rows:
        return
    statement = _insert(connection, table)
    replaced = rows[0].keys() if replacing is None else replacing
    others = {name: statement.excluded[name] for name in replaced if name not in key}
    connection.execute(
        statement.on_conflict_do_update(index_elements=key, set_=others)
        if others
        else statement.on_conflict_do_nothing(index_elements=key),
        rows,
    )


def insert_new(connection: Connection, table: sa.Table, key: list[str], rows: Rows) -> None:
    """Insert those of ``rows`` whose ``key`` is not there."""
    if rows:
        connection.execute(
            _insert(connection, table).on_conflict_do_nothing(index_elements=key), rows
        )


def add_to(connection: Connection, table: sa.Table, key: str, amounts: dict[str, int]) -> None:
    """Add each amount to the `value` of the row of that name."""
    if not amounts:
        return
    statement = _insert(connection, table)
    connection.execute(
        statement.on_conflict_do_update(
            index_elements=[key], set_={"value": table.c.value + statement.excluded.value}
        ),
        [{key: name, "value": amount} for name, amount in amounts.items()],
    )


def _insert(connection: Connection, table: sa.Table) -> Any:
    dialect = postgresql if connection.dialect.name == "postgresql" else sqlite
    return dialect.insert(table)
