"""Runs statements over many rows at once, compiled once for each database: insert, upsert, find, add.

SQLAlchemy writes the SQL; the rows go to the driver as they are, because its care for each value of
each row costs more than the database does. All rows have the same columns, and hold only what every
driver takes: int, str, bytes and None. Every table here has at least two columns.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from enum import StrEnum
from functools import lru_cache
from itertools import chain
from operator import itemgetter
from typing import Any

import sqlalchemy as sa
from pydantic_core import to_json
from sqlalchemy.dialects import postgresql, sqlite
from sqlalchemy.engine import Connection, Dialect, Row

__all__ = [
    "add_rows",
    "add_to",
    "be_a_writer",
    "find",
    "insert",
    "insert_found",
    "insert_new",
    "keep_writers_out",
    "take_time",
    "upsert",
]

Rows = list[dict[str, Any]]

TOGETHER = 32
"""Rows in one statement of SQLite, which takes 999 values in one by default before 3.32."""


def find(
    connection: Connection,
    wanted: Sequence[sa.Column[Any]],
    key: sa.Column[Any],
    values: Iterable[str | bytes],
) -> Sequence[Row[Any]]:
    """Those columns of each row whose ``key``, a text, is one of ``values``. They go to the database as
    one value, since an `IN` that is written anew for each costs more than all the rest of a small batch.
    Bytes, which SQLite keeps in a column of texts where it is given some, are the key of no row.
    """
    texts = (value for value in values if isinstance(value, str))
    asked = sorted(texts)  # neighbours in an index, too
    if not asked:
        return ()
    sql = _finding(connection.dialect, tuple(wanted), key)
    given: Any = (to_json(asked).decode(),)
    if connection.dialect.name == "postgresql":
        given = {"values": asked}
    return connection.exec_driver_sql(sql, given).all()


def insert(connection: Connection, table: sa.Table, rows: Rows) -> None:
    """Insert ``rows``. Raises `IntegrityError` where the key of one is there already."""
    _run(connection, table, rows, _Conflict.FORBIDDEN)


def insert_new(connection: Connection, table: sa.Table, key: Sequence[str], rows: Rows) -> None:
    """Insert those of ``rows`` whose ``key`` is not there."""
    _run(connection, table, rows, _Conflict.IGNORED, tuple(key))


def insert_found(
    connection: Connection, table: sa.Table, key: Sequence[str], query: sa.Select[Any]
) -> None:
    """Insert the rows that ``query`` gives, by the names of its columns, those whose ``key`` is not there:
    within the database, however many they are.
    """
    dialect: Any = postgresql if connection.dialect.name == "postgresql" else sqlite
    found = dialect.insert(table).from_select(query.selected_columns.keys(), query)
    connection.execute(found.on_conflict_do_nothing(index_elements=key))


def upsert(
    connection: Connection,
    table: sa.Table,
    key: Sequence[str],
    rows: Rows,
    *,
    replacing: Sequence[str] | None = None,
) -> None:
    """Insert ``rows``; where the ``key`` is there already, replace the columns ``replacing``, or
    all of them.
    """
    if rows:
        replaced = [name for name in replacing or rows[0] if name not in key]
        _run(connection, table, rows, _Conflict.REPLACED, tuple(key), tuple(replaced))


def add_to(connection: Connection, table: sa.Table, key: str, amounts: dict[str, int]) -> None:
    """Add each amount to the `value` of the row of that name."""
    rows = [{key: name, "value": amount} for name, amount in amounts.items()]
    add_rows(connection, table, [key], rows, adding="value")


def add_rows(
    connection: Connection, table: sa.Table, key: Sequence[str], rows: Rows, *, adding: str
) -> None:
    """Insert ``rows``; where the ``key`` is there already, add to its column ``adding``. Each key comes
    once.
    """
    _run(connection, table, rows, _Conflict.ADDED, tuple(key), (adding,))


class _Conflict(StrEnum):
    """What becomes of a row whose key is there already."""

    FORBIDDEN = "forbidden"
    IGNORED = "ignored"
    REPLACED = "replaced"
    ADDED = "added"


def _run(
    connection: Connection,
    table: sa.Table,
    rows: Rows,
    conflict: _Conflict,
    key: tuple[str, ...] = (),
    replaced: tuple[str, ...] = (),
) -> None:
    if not rows:
        return
    columns = tuple(rows[0])
    sql, order = _compiled(connection.dialect, table, columns, conflict, key, replaced)
    if order is None:
        # All rows in one statement, as one array a column: a statement a row takes twice as long.
        connection.exec_driver_sql(sql, {name: [row[name] for row in rows] for name in columns})
    else:
        _run_together(connection, sql, list(map(itemgetter(*order), rows)))


def _run_together(connection: Connection, sql: str, rows: list[tuple[Any, ...]]) -> None:
    """Run ``sql``, which is for one row, with `TOGETHER` rows at a time, and the rest one by one: SQLite
    takes a quarter less for each row then, and the driver lets other threads in between less often.
    """
    several = len(rows) - len(rows) % TOGETHER
    if several:
        one = f"({', '.join('?' * len(rows[0]))})"
        together = sql.replace(f"VALUES {one}", f"VALUES {', '.join([one] * TOGETHER)}", 1)
        groups = (rows[start : start + TOGETHER] for start in range(0, several, TOGETHER))
        connection.exec_driver_sql(together, [tuple(chain.from_iterable(each)) for each in groups])
    if several < len(rows):
        connection.exec_driver_sql(sql, rows[several:])


@lru_cache
def _compiled(
    dialect: Dialect,
    table: sa.Table,
    columns: tuple[str, ...],
    conflict: _Conflict,
    key: tuple[str, ...],
    replaced: tuple[str, ...],
) -> tuple[str, tuple[str, ...] | None]:
    """The SQL, and the order of its parameters where they have no names."""
    statement: Any
    if dialect.name == "postgresql":
        arrays = [sa.bindparam(name, type_=_array(table.c[name].type)) for name in columns]
        source = sa.func.unnest(*arrays).table_valued(*columns).render_derived()
        statement = postgresql.insert(table).from_select(columns, sa.select(source))
    else:
        statement = sqlite.insert(table)
    excluded = statement.excluded
    if conflict is _Conflict.IGNORED:
        statement = statement.on_conflict_do_nothing(index_elements=key)
    elif conflict is _Conflict.REPLACED:
        statement = statement.on_conflict_do_update(
            index_elements=key, set_={name: excluded[name] for name in replaced}
        )
    elif conflict is _Conflict.ADDED:
        statement = statement.on_conflict_do_update(
            index_elements=key, set_={name: table.c[name] + excluded[name] for name in replaced}
        )
    compiled = statement.compile(dialect=dialect, column_keys=list(columns))
    positions = compiled.positiontup
    # Arrays in PostgreSQL's binary form: quoting each text takes twice the time of all the rest.
    sql = str(compiled).replace(")s::", ")b::")
    return sql, None if positions is None else tuple(positions)


@lru_cache
def _finding(dialect: Dialect, wanted: tuple[sa.Column[Any], ...], key: sa.Column[Any]) -> str:
    among: Any
    if dialect.name == "postgresql":
        among = key == sa.any_(sa.cast(sa.bindparam("values"), sa.ARRAY(sa.Text())))
    else:
        among = key.in_(sa.select(sa.func.json_each(sa.bindparam("values")).table_valued("value")))
    return str(sa.select(*wanted).where(among).compile(dialect=dialect)).replace(")s::", ")b::")


def _array(kind: sa.types.TypeEngine[Any]) -> sa.ARRAY[Any]:
    """Without the column's limit: a cast to a limited type would cut what is too long."""
    if isinstance(kind, sa.String):
        return sa.ARRAY(sa.Text())
    return sa.ARRAY(sa.BigInteger() if isinstance(kind, sa.Integer) else kind)


def keep_writers_out(connection: Connection, *tables: sa.Table) -> None:
    """Wait for those who write to ``tables`` now, and let no other until this transaction ends. Who
    names several has them in the order in which the projector writes to them.

    With SQLite that is so from the start: see `database_engines`.
    """
    if connection.dialect.name == "postgresql":
        names = ", ".join(table.name for table in tables)
        connection.exec_driver_sql(f"LOCK TABLE {names} IN SHARE ROW EXCLUSIVE MODE")


def be_a_writer(connection: Connection, table: sa.Table) -> None:
    """Wait for those that `keep_writers_out` of ``table``, and keep them waiting until this transaction ends:
    what is read after this is not changed by them before it is written.
    """
    if connection.dialect.name == "postgresql":
        connection.exec_driver_sql(f"LOCK TABLE {table.name} IN ROW EXCLUSIVE MODE")


def take_time(connection: Connection) -> None:
    """Lift the limits on how long this transaction may take, and wait for others."""
    if connection.dialect.name == "postgresql":
        for limit in ("lock", "statement", "idle_in_transaction_session"):
            connection.exec_driver_sql(f"SET LOCAL {limit}_timeout = 0")
