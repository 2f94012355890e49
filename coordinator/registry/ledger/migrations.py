"""Brings a ledger to the newest version of its tables when it is opened.

    lock ─▶ read its version ─▶ a step for each version that is missing ─▶ new tables and indexes
         ─▶ fold the events again, where a step asks for it ─▶ write the version

All of it is one transaction: killed anywhere, the ledger is as it was. Several coordinators may start
at once; one does it, the others wait and find it done.

What is folded (tasks, totals) needs no conversion: a step drops it, and the events make it anew.
"""

from __future__ import annotations

import logging
from collections.abc import Callable

import sqlalchemy as sa
from sqlalchemy.engine import Connection

from coordinator.errors import OperatorError
from coordinator.registry.tables import schema
from coordinator.registry.tables.bulk_statements import take_time, upsert

from .ledger_rebuild import rebuild
from .parked_messages import cut_parked

__all__ = ["is_prepared", "prepare"]

logger = logging.getLogger(__name__)

LOCK = 0x61676E74
"""Of PostgreSQL's advisory locks, the one that stands for preparing the ledger."""


def is_prepared(connection: Connection) -> bool:
    """Whether nothing is to be done, which a reader can tell while others write."""
    if _version(connection) != schema.SCHEMA_VERSION:
        return False
    inspector = sa.inspect(connection)
    there = set(inspector.get_table_names())
    return all(
        table.name in there
        and {index.name for index in table.indexes}
        <= {found["name"] for found in inspector.get_indexes(table.name)}
        for table in schema.metadata.sorted_tables
    )


def prepare(connection: Connection) -> None:
    """Make or update the tables. Raises `OperatorError` for a ledger of a newer version."""
    if connection.dialect.name == "postgresql":
        _lock_postgresql(connection)
    found = _version(connection)
    if found is not None and found > schema.SCHEMA_VERSION:
        raise OperatorError(
            f"The ledger was written by a newer version (schema {found}, this is"
            f" {schema.SCHEMA_VERSION}): update the coordinator, or use another data folder"
        )
    missing = range(found or schema.SCHEMA_VERSION, schema.SCHEMA_VERSION)
    for version in missing:
        _STEPS[version](connection)
    schema.metadata.create_all(connection)
    for table in schema.metadata.sorted_tables:
        for index in table.indexes:  # create_all leaves tables that are there as they are
            index.create(connection, checkfirst=True)
    if _FOLDED_ANEW.intersection(missing):
        logger.info("folding all events again: the ledger is of an older version")
        rebuild(connection)
    if found != schema.SCHEMA_VERSION:
        row = {"name": "schema_version", "value": str(schema.SCHEMA_VERSION)}
        upsert(connection, schema.meta, ["name"], [row])


def _version(connection: Connection) -> int | None:
    if not sa.inspect(connection).has_table(schema.meta.name):
        return None
    query = sa.select(schema.meta.c.value).where(schema.meta.c.name == "schema_version")
    value = connection.execute(query).scalar()
    if value is None or str(value).isdecimal():
        return None if value is None else int(value)
    raise OperatorError(
        f"The ledger has the version {value!r}, which is none: use another data folder, or put back a"
        " backup of the table meta"
    )


def _lock_postgresql(connection: Connection) -> None:
    take_time(connection)
    connection.exec_driver_sql(f"SELECT pg_advisory_xact_lock({LOCK})")
    encoding = connection.exec_driver_sql("SHOW server_encoding").scalar()
    if encoding != "UTF8":
        raise OperatorError(
            f"The database has the encoding {encoding}: make one with"
            " createdb --encoding=UTF8 --locale=C --template=template0"
        )


def _to_2(connection: Connection) -> None:
    """Tasks know schedules, deadlines and their type; the outbox knows who is at work on a row."""
    connection.exec_driver_sql("DROP TABLE tasks")
    connection.exec_driver_sql("DROP TABLE totals")
    connection.exec_driver_sql(
        "ALTER TABLE outbox ADD COLUMN claimed_until BIGINT NOT NULL DEFAULT 0"
    )


def _to_3(connection: Connection) -> None:
    """Agents know the statement that made them what they are, in place of its instant, and how far
    their clocks are from the coordinator's.
    """
    for change in (
        "DROP COLUMN declared_at",
        "ADD COLUMN statement VARCHAR(200) NOT NULL DEFAULT ''",
        "ADD COLUMN clock_skew BIGINT",
    ):
        connection.exec_driver_sql(f"ALTER TABLE agents {change}")


def _to_4(connection: Connection) -> None:
    """Of what is parked, the beginning is kept, with its author, its size and its digest."""
    for column in (
        "author VARCHAR(300) NOT NULL DEFAULT ''",
        "size BIGINT NOT NULL DEFAULT 0",
        "kept INTEGER NOT NULL DEFAULT 0",
        "body_digest VARCHAR(64) NOT NULL DEFAULT ''",
    ):
        connection.exec_driver_sql(f"ALTER TABLE parked ADD COLUMN {column}")
    cut_parked(connection)


def _to_5(connection: Connection) -> None:
    """Tasks know who submitted them, schedules who made them."""
    for table, column in (("tasks", "submitted_by"), ("schedules", "created_by")):
        if table in sa.inspect(connection).get_table_names():
            connection.exec_driver_sql(f"ALTER TABLE {table} ADD COLUMN {column} VARCHAR(200)")


def _to_6(connection: Connection) -> None:
    """Events know the state that their task had after them; what there is stays without it."""
    connection.exec_driver_sql("ALTER TABLE events ADD COLUMN state VARCHAR(16)")


def _to_7(connection: Connection) -> None:
    """Tasks know their group and their labels; those that there are have none."""
    if "tasks" in sa.inspect(connection).get_table_names():
        for column in ("group_id VARCHAR(128)", "labels TEXT"):
            connection.exec_driver_sql(f"ALTER TABLE tasks ADD COLUMN {column}")


def _to_8(connection: Connection) -> None:
    """Tasks know whom to tell of them."""
    if "tasks" in sa.inspect(connection).get_table_names():
        connection.exec_driver_sql("ALTER TABLE tasks ADD COLUMN callback TEXT")


def _to_9(connection: Connection) -> None:
    """Tasks know what people are asked, and what they have answered."""
    if "tasks" not in sa.inspect(connection).get_table_names():
        return  # dropped by a step before, and made anew with them
    for column in (
        "released INTEGER NOT NULL DEFAULT 0",
        *("question TEXT", "answer_by BIGINT", "answers TEXT"),
    ):
        connection.exec_driver_sql(f"ALTER TABLE tasks ADD COLUMN {column}")


def _to_10(connection: Connection) -> None:
    """Tasks know the task whose handler has submitted them, and whether they end with it; those that there
    are have none.
    """
    if "tasks" in sa.inspect(connection).get_table_names():
        kind = schema.tasks.c.parent_id.type.compile(connection.dialect)
        for column in (f"parent_id {kind}", "cancel_with_parent INTEGER"):
            connection.exec_driver_sql(f"ALTER TABLE tasks ADD COLUMN {column}")


_STEPS: dict[int, Callable[[Connection], None]] = {
    1: _to_2,
    2: _to_3,
    3: _to_4,
    4: _to_5,
    5: _to_6,
    6: _to_7,
    7: _to_8,
    8: _to_9,
    9: _to_10,
}
"""By version: what makes the tables of that version into those of the next."""

_FOLDED_ANEW = frozenset({1, 2})
"""The versions after which the events are folded again."""
