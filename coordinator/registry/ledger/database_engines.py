"""Makes the engines of the two databases that a ledger may be in, each set the way the ledger needs it.

SQLite with a write-ahead log is the default. ``synchronous=FULL``: the projector acknowledges what
it has committed, so a commit must survive a power loss; with one commit for a thousand events the
flush costs little. PostgreSQL does the same unless it is told otherwise, so it is told.
"""

from __future__ import annotations

import sqlite3
import time
from dataclasses import dataclass
from importlib.util import find_spec
from pathlib import Path
from typing import Any
from urllib.parse import quote

import sqlalchemy as sa
from sqlalchemy.engine import URL, Connection, Engine

from coordinator.errors import OperatorError
from coordinator.missing_extra import install_line

from .database_timeouts import DatabaseTimeouts
from .database_url import SQLITE, make_private_file, parse

__all__ = ["READERS", "Engines", "look_only", "make_engines"]

READERS = 4
"""Threads, and connections, of one process that read at the same time."""
LOCK_PAUSE_SECONDS = 0.01
"""Between two tries to switch a file to the write-ahead log."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Engines:
    """Open connections to one database, for writing or for reading, from the same pool."""

    writing: Engine
    reading: Engine
    """What is read in one transaction is all of one moment."""


def make_engines(
    place: str | Path,
    timeouts: DatabaseTimeouts = DatabaseTimeouts(),  # noqa: B008 - frozen
) -> Engines:
    """For this file, or the database at this address; connects to nothing yet. Raises
    `OperatorError`.
    """
    parsed = parse(place)
    return (_sqlite if parsed.drivername == SQLITE else _postgresql)(parsed, timeouts)


def look_only(
    place: str | Path,
    timeouts: DatabaseTimeouts = DatabaseTimeouts(),  # noqa: B008 - frozen
) -> Engine:
    """For somebody who changes nothing, and makes no file either. Raises `OperatorError`."""
    parsed = parse(place)
    if parsed.drivername != SQLITE:
        return _postgresql(parsed, timeouts).reading
    file = quote(str(Path(parsed.database or "").absolute()))
    return sa.create_engine(  # `mode=rw` makes no file, and reads one that may only be read
        URL.create(SQLITE, database=f"file:{file}", query={"mode": "rw", "uri": "true"}),
        connect_args={"timeout": timeouts.lock},
    )


def _sqlite(url: URL, timeouts: DatabaseTimeouts) -> Engines:
    if url.database:
        make_private_file(Path(url.database))
    engine = sa.create_engine(
        url,
        pool_size=READERS + 1,
        connect_args={"timeout": timeouts.lock, "check_same_thread": False},
    )
    sa.event.listen(engine, "connect", lambda made, _: _prepare_sqlite(made, timeouts))
    sa.event.listen(engine, "begin", _begin_sqlite)
    return Engines(writing=engine, reading=engine.execution_options(reads=True))


def _prepare_sqlite(connection: Any, timeouts: DatabaseTimeouts) -> None:
    connection.isolation_level = None  # the driver would begin transactions of its own
    cursor = connection.cursor()
    _write_ahead(cursor, timeouts.lock)
    cursor.execute("PRAGMA synchronous=FULL")
    cursor.execute("PRAGMA cache_size=-8192")
    cursor.close()


def _write_ahead(cursor: Any, patience: float) -> None:
    """Waits as long as any writer does. SQLite's own time-out does not cover this switch, which is made
    once in the life of a file: where another connection is about to write, it fails at once.
    """
    until = time.monotonic() + patience
    while True:
        try:
            cursor.execute("PRAGMA journal_mode=WAL")
            return
        except sqlite3.OperationalError as exc:
            if exc.sqlite_errorcode != sqlite3.SQLITE_BUSY or time.monotonic() > until:
                raise
            time.sleep(LOCK_PAUSE_SECONDS)


def _begin_sqlite(connection: Connection) -> None:
    # A writer takes the lock at once: taking it later fails where another wrote in between.
    reads = connection.get_execution_options().get("reads")
    connection.exec_driver_sql("BEGIN" if reads else "BEGIN IMMEDIATE")


def _postgresql(url: URL, timeouts: DatabaseTimeouts) -> Engines:
    if find_spec("psycopg") is None:
        raise OperatorError(
            "The driver for PostgreSQL is not installed: run " + install_line("service", "postgres")
        )
    engine = sa.create_engine(
        url,
        pool_size=READERS + 1,
        max_overflow=0,
        pool_pre_ping=True,
        connect_args={
            "connect_timeout": timeouts.connect,
            "client_encoding": "utf8",
            "application_name": "agent-coordinator",
            # A server that vanished without a word is noticed within these seconds.
            "keepalives_idle": 10,
            "keepalives_interval": 5,
            "keepalives_count": 3,
            "tcp_user_timeout": 20_000,
        },
    )
    sa.event.listen(engine, "connect", lambda made, _: _prepare_postgresql(made, timeouts))
    reading = engine.execution_options(isolation_level="REPEATABLE READ", postgresql_readonly=True)
    return Engines(writing=engine, reading=reading)


def _prepare_postgresql(connection: Any, timeouts: DatabaseTimeouts) -> None:
    connection.autocommit = True
    settings = {
        "statement_timeout": f"{timeouts.statement}s",
        "lock_timeout": f"{timeouts.lock}s",
        "idle_in_transaction_session_timeout": f"{timeouts.stalled}s",
    }
    cursor = connection.cursor()
    for name, value in settings.items():
        cursor.execute("SELECT set_config(%s, %s, false)", (name, value))
    cursor.execute(
        "SELECT set_config(name, 'on', false) FROM pg_settings"
        " WHERE name = 'synchronous_commit' AND setting = 'off'"
    )
    cursor.close()
    connection.autocommit = False
