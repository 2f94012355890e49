"""The ledger: what was folded from the log, in SQL. Opens it, and runs transactions in threads.

SQLite with a write-ahead log is the default. ``synchronous=FULL``: the projector acknowledges what
it has committed, so a commit must survive a power loss; with one commit for a thousand events the
flush costs little.
"""

from __future__ import annotations

import asyncio
import secrets
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from functools import partial
from pathlib import Path
from typing import Any, Self, TypeVar

import sqlalchemy as sa
from sqlalchemy.engine import Connection, Engine, make_url
from sqlalchemy.exc import (
    ArgumentError,
    DatabaseError,
    InterfaceError,
    InternalError,
    OperationalError,
    SQLAlchemyError,
)
from sqlalchemy.exc import TimeoutError as PoolTimeout

from coordinator.errors import LedgerUnavailable, OperatorError
from coordinator.protocol.lanes import Source
from coordinator.protocol.requirements import Requirements

from . import schema
from .source_rows import sources
from .statements import insert_new

__all__ = ["Ledger"]

T = TypeVar("T")

READERS = 4
LOCK_TIMEOUT_SECONDS = 5.0
"""How long a writer waits for another process that is writing to the same SQLite file."""


class Ledger:
    """An async context manager. One thread writes, some others read; the event loop never waits.

    ``url`` is SQLAlchemy's, such as ``sqlite:////var/lib/agent-coordinator/ledger.sqlite3``.
    """

    def __init__(self, url: str) -> None:
        self._url = url
        self._writer = ThreadPoolExecutor(1, thread_name_prefix="ledger writer")
        self._readers = ThreadPoolExecutor(READERS, thread_name_prefix="ledger reader")
        self._engine: Engine | None = None

    async def __aenter__(self) -> Self:
        try:
            self._engine = _engine(self._url)
            await self.write(_create)
        except LedgerUnavailable as exc:
            raise OperatorError(
                f"The ledger cannot be opened: {exc}. Check COORDINATOR_DATABASE_URL and the data"
                " folder"
            ) from exc
        return self

    async def __aexit__(self, *_: object) -> None:
        for executor in (self._writer, self._readers):
            await asyncio.to_thread(executor.shutdown)  # waits for what is under way
        if self._engine is not None:
            self._engine.dispose()

    async def read(self, query: Callable[[Connection], T]) -> T:
        """Run ``query`` in a thread, on a connection of its own. Raises `LedgerUnavailable`."""
        return await self._run(self._readers, query, writes=False)

    async def write(self, work: Callable[[Connection], T]) -> T:
        """Run ``work`` as one transaction, after those before it. Raises `LedgerUnavailable`."""
        return await self._run(self._writer, work, writes=True)

    async def secret(self) -> bytes:
        """The key of the task tokens: made once, the same for every process on this ledger."""
        return bytes.fromhex(await self.write(_secret))

    async def sources(self) -> list[tuple[Source, Requirements]]:
        """Every queue of tasks that was ever opened, with what it asks of an agent."""
        return await self.read(sources)

    async def _run(
        self, executor: ThreadPoolExecutor, work: Callable[[Connection], T], *, writes: bool
    ) -> T:
        loop = asyncio.get_running_loop()
        return await loop.run_in_executor(executor, partial(self._transact, work, writes=writes))

    def _transact(self, work: Callable[[Connection], T], *, writes: bool) -> T:
        if self._engine is None:
            raise LedgerUnavailable
        with _translated(), self._engine.connect() as connection:
            if writes:
                connection.info["writes"] = True
            try:
                with connection.begin():
                    return work(connection)
            finally:
                connection.info.pop("writes", None)


@contextmanager
def _translated() -> Iterator[None]:
    """The one place where a database that is locked, full or away becomes `LedgerUnavailable`.

    What a statement itself got wrong (a constraint, a value out of range) is no such thing: waiting
    does not mend it.
    """
    try:
        yield
    except (OperationalError, InterfaceError, InternalError, PoolTimeout) as exc:
        raise _unavailable(exc) from exc
    except DatabaseError as exc:
        if type(exc) is DatabaseError:  # the file is not a database, or is damaged
            raise _unavailable(exc) from exc
        raise


def _unavailable(exc: SQLAlchemyError) -> LedgerUnavailable:
    original = getattr(exc, "orig", None) or exc
    return LedgerUnavailable(f"The database cannot be used right now: {original}")


def _engine(url: str) -> Engine:
    try:
        parsed = make_url(url)
    except ArgumentError as exc:
        raise OperatorError(
            "COORDINATOR_DATABASE_URL is not a database's address, such as"
            " sqlite:////var/lib/agent-coordinator/ledger.sqlite3"
        ) from exc
    if parsed.get_backend_name() != "sqlite":
        with _translated():
            return sa.create_engine(url, pool_pre_ping=True)
    if parsed.database:
        try:
            _private_file(Path(parsed.database))
        except OSError as exc:
            raise OperatorError(
                f"The data folder {Path(parsed.database).parent} cannot be made: {exc.strerror}."
                " Choose another with --data-dir or COORDINATOR_DATA_DIR"
            ) from exc
    engine = sa.create_engine(
        url,
        pool_size=READERS + 1,
        connect_args={"timeout": LOCK_TIMEOUT_SECONDS, "check_same_thread": False},
    )
    sa.event.listen(engine, "connect", _prepare_sqlite)
    sa.event.listen(engine, "begin", _begin_sqlite)
    return engine


def _private_file(path: Path) -> None:
    """Make the file, and its folder, for this user alone: the key of the task tokens is in it."""
    path.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
    path.touch(mode=0o600, exist_ok=True)


def _prepare_sqlite(connection: Any, _record: object) -> None:
    connection.isolation_level = None  # the driver would begin transactions of its own
    cursor = connection.cursor()
    cursor.execute("PRAGMA journal_mode=WAL")
    cursor.execute("PRAGMA synchronous=FULL")
    cursor.execute("PRAGMA cache_size=-65536")
    cursor.close()


def _begin_sqlite(connection: Connection) -> None:
    # A writer takes the lock at once: taking it later fails where another wrote in between.
    connection.exec_driver_sql("BEGIN IMMEDIATE" if connection.info.get("writes") else "BEGIN")


def _create(connection: Connection) -> None:
    schema.metadata.create_all(connection)
    name = schema.meta.c.name
    query = sa.select(schema.meta.c.value).where(name == "schema_version")
    found = connection.execute(query).scalar()
    if found is None:
        version = {"name": "schema_version", "value": str(schema.SCHEMA_VERSION)}
        insert_new(connection, schema.meta, ["name"], [version])
    elif int(found) > schema.SCHEMA_VERSION:
        raise OperatorError(
            f"The ledger was written by a newer version (schema {found}, this is"
            f" {schema.SCHEMA_VERSION}): update the coordinator, or use another data folder"
        )


def _secret(connection: Connection) -> str:
    fresh = {"name": "token_secret", "value": secrets.token_hex(32)}
    insert_new(connection, schema.meta, ["name"], [fresh])
    query = sa.select(schema.meta.c.value).where(schema.meta.c.name == "token_secret")
    return str(connection.execute(query).scalar_one())
