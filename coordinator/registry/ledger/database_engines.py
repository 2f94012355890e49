"""The two databases that the ledger may be in, each made ready the way the ledger needs it.

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

from .database_url import SQLITE, make_private_file, parse

__all__ = ["READERS", "Engines", "look_only", "make_engines"]

READERS = 4
LOCK_TIMEOUT_SECONDS = 5.0
"""How long a writer waits for another that holds what it needs: with SQLite the whole file."""
LOCK_PAUSE_SECONDS = 0.01

CONNECT_TIMEOUT_SECONDS = 5
STATEMENT_TIMEOUT_SECONDS = 60
"""No statement here takes seconds; one that takes a minute will not end well."""
STALLED_SECONDS = 10
"""A coordinator that is suspended within a transaction holds up the others for this long."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Engines:
    """Two ways into one database, over the same pool of connections."""

    writing: Engine
    reading: Engine
    """What is read in one transaction is all of one moment."""


def make_engines(place: str | Path) -> Engines:
    """For this file, or the database at this address; connects to nothing yet. Raises
    `OperatorError`.
    """
    parsed = parse(place)
    return _sqlite(parsed) if parsed.drivername == SQLITE else _postgresql(parsed)


def look_only(place: str | Path) -> Engine:
    """For somebody who changes nothing, and makes no file either. Raises `OperatorError`."""
    parsed = parse(place)
    if parsed.drivername != SQLITE:
        return _postgresql(parsed).reading
    file = quote(str(Path(parsed.database or "").absolute()))
    return sa.create_engine(  # `mode=rw` makes no file, and reads one that may only be read
        URL.create(SQLITE, database=f"file:{file}", query={"mode": "rw", "uri": "true"}),
        connect_args={"timeout": LOCK_TIMEOUT_SECONDS},
    )


def _sqlite(url: URL) -> Engines:
    if url.database:
        make_private_file(Path(url.database))
    engine = sa.create_engine(
        url,
        pool_size=READERS + 1,
        connect_args={"timeout": LOCK_TIMEOUT_SECONDS, "check_same_thread": False},
    )
    sa.event.listen(engine, "connect", _prepare_sqlite)
    sa.event.listen(engine, "begin", _begin_sqlite)
    return Engines(writing=engine, reading=engine.execution_options(reads=True))


def _prepare_sqlite(connection: Any, _record: object) -> None:
    connection.isolation_level = None  # the driver would begin transactions of its own
    cursor = connection.cursor()
    _write_ahead(cursor)
    cursor.execute("PRAGMA synchronous=FULL")
    cursor.execute("PRAGMA cache_size=-8192")
    cursor.close()


def _write_ahead(cursor: Any) -> None:
    """Waits as long as any writer does. SQLite's own time-out does not cover this switch, which is made
    once in the life of a file: where another connection is about to write, it fails at once.
    """
    until = time.monotonic() + LOCK_TIMEOUT_SECONDS
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


def _postgresql(url: URL) -> Engines:
    if find_spec("psycopg") is None:
        raise OperatorError(
            "The driver for PostgreSQL is not installed: run"
            " pip install 'agent-coordinator[service,postgres]'"
        )
    engine = sa.create_engine(
        url,
        pool_size=READERS + 1,
        max_overflow=0,
        pool_pre_ping=True,
        connect_args={
            "connect_timeout": CONNECT_TIMEOUT_SECONDS,
            "client_encoding": "utf8",
            "application_name": "agent-coordinator",
            # A server that vanished without a word is noticed within these seconds.
            "keepalives_idle": 10,
            "keepalives_interval": 5,
            "keepalives_count": 3,
            "tcp_user_timeout": 20_000,
        },
    )
    sa.event.listen(engine, "connect", _prepare_postgresql)
    reading = engine.execution_options(isolation_level="REPEATABLE READ", postgresql_readonly=True)
    return Engines(writing=engine, reading=reading)


_SETTINGS = {
    "statement_timeout": f"{STATEMENT_TIMEOUT_SECONDS}s",
    "lock_timeout": f"{LOCK_TIMEOUT_SECONDS}s",
    "idle_in_transaction_session_timeout": f"{STALLED_SECONDS}s",
}


def _prepare_postgresql(connection: Any, _record: object) -> None:
    connection.autocommit = True
    cursor = connection.cursor()
    for name, value in _SETTINGS.items():
        cursor.execute("SELECT set_config(%s, %s, false)", (name, value))
    cursor.execute(
        "SELECT set_config(name, 'on', false) FROM pg_settings"
        " WHERE name = 'synchronous_commit' AND setting = 'off'"
    )
    cursor.close()
    connection.autocommit = False
