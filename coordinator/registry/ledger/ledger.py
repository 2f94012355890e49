"""Opens the ledger, the SQL database of what was folded from the log, and runs transactions in threads."""

from __future__ import annotations

import asyncio
import logging
import secrets
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from functools import partial
from pathlib import Path
from typing import Self, TypeVar

import sqlalchemy as sa
from sqlalchemy.engine import Connection
from sqlalchemy.exc import DBAPIError

from coordinator.errors import LedgerUnavailable, OperatorError
from coordinator.protocol.requirements import Requirements
from coordinator.protocol.task_queue import TaskQueue
from coordinator.registry.tables import schema
from coordinator.registry.tables.bulk_statements import insert_new
from coordinator.registry.tables.past_agent_offers import announced_types
from coordinator.registry.tables.task_queue_rows import open_task_queues
from coordinator.registry.tables.unreadable_rows import tell_again

from .database_engines import READERS, Engines, make_engines
from .database_errors import misconfigured, translated
from .database_timeouts import DatabaseTimeouts
from .migrations import is_prepared, prepare

__all__ = ["Ledger", "ledger_id"]

T = TypeVar("T")

logger = logging.getLogger(__name__)

FIRST_PAUSE, LONGEST_PAUSE = 0.2, 5.0
"""Seconds between two tries to open a database that is away; doubled each time."""


class Ledger:
    """Runs transactions on one database: one thread writes, some others read; the event loop never waits.
    An async context manager.

    ``place`` is a file, or ``postgresql://user:password@host/name``, or ``sqlite:////folder/file``.
    A database that is away when the ledger is opened is waited for where ``patient``; what waiting
    does not mend, such as a wrong password, raises `OperatorError` in any case. ``first_pause``: seconds
    until the second try, doubled for each further one. ``engines`` is called once, when the ledger is
    opened, and raises `OperatorError` where the place is not valid.
    """

    def __init__(
        self,
        place: str | Path,
        *,
        patient: bool = False,
        timeouts: DatabaseTimeouts = DatabaseTimeouts(),  # noqa: B008 - frozen
        first_pause: float = FIRST_PAUSE,
        engines: Callable[[str | Path, DatabaseTimeouts], Engines] = make_engines,
    ) -> None:
        self._place = place
        self._patient = patient
        self._timeouts = timeouts
        self._first_pause = first_pause
        self._make_engines = engines
        self._writer = ThreadPoolExecutor(1, thread_name_prefix="ledger writer")
        self._readers = ThreadPoolExecutor(READERS, thread_name_prefix="ledger reader")
        self._engines: Engines | None = None
        self._problems: dict[str, str] = {}

    async def __aenter__(self) -> Self:
        try:
            tell_again()
            self._engines = self._make_engines(self._place, self._timeouts)
            await self._open()
        except BaseException:
            await self.__aexit__()
            raise
        return self

    async def __aexit__(self, *_: object) -> None:
        for executor in (self._writer, self._readers):
            await asyncio.to_thread(executor.shutdown)  # waits for what is under way
        if self._engines is not None:
            self._engines.writing.dispose()

    async def read(self, query: Callable[[Connection], T]) -> T:
        """Run ``query`` in a thread, on a connection of its own. Raises `LedgerUnavailable`."""
        return await self._run(self._readers, query, writes=False)

    async def write(self, work: Callable[[Connection], T]) -> T:
        """Run ``work`` as one transaction, after those before it. Raises `LedgerUnavailable`."""
        return await self._run(self._writer, work, writes=True)

    @property
    def problem(self) -> str | None:
        """Why the latest transaction could not be; None while all is well. What cannot be read may
        still be written, or the other way round, so that either has to go well again.
        """
        return next(iter(list(self._problems.values())), None)

    async def secret(self) -> bytes:
        """The key of the task tokens: made once, the same for every process on this ledger. Raises
        `OperatorError` where it is damaged.
        """
        known = await self.read(_secret)
        try:
            return bytes.fromhex(known if known is not None else await self.write(_make_secret))
        except ValueError as exc:
            raise OperatorError(
                "The key of the tokens in the ledger cannot be read: set COORDINATOR_SECRET, or put"
                " back a backup of the table meta"
            ) from exc

    async def identity(self) -> str:
        """Which ledger this is: made once, the same for every process on it. Raises `LedgerUnavailable`."""
        known = await self.read(ledger_id)
        return known if known is not None else await self.write(_make_identity)

    async def task_queues(self) -> list[tuple[TaskQueue, Requirements]]:
        """The open task queues, with what each asks of an agent. Raises `LedgerUnavailable`."""
        return await self.read(open_task_queues)

    async def announced_types(self) -> set[str]:
        """The types of tasks that any agent ever announced. Raises `LedgerUnavailable`."""
        return await self.read(announced_types)

    async def _open(self) -> None:
        pause, told = self._first_pause, ""
        while True:
            try:
                if not await self.read(is_prepared):
                    await self.write(prepare)
                return
            except LedgerUnavailable as exc:
                if not self._patient or misconfigured(exc.__cause__):
                    raise OperatorError(f"The ledger cannot be opened: {exc}. {_ADVICE}") from exc
                if str(exc) != told:
                    logger.warning("waiting for the ledger: %s. %s", exc, _ADVICE)
                told = str(exc)
            except DBAPIError as exc:  # such as: this user may not make tables
                why = " ".join(str(exc.orig).split())
                raise OperatorError(f"The ledger cannot be opened: {why}. {_ADVICE}") from exc
            await asyncio.sleep(pause)
            pause = min(2 * pause, LONGEST_PAUSE)

    async def _run(
        self, executor: ThreadPoolExecutor, work: Callable[[Connection], T], *, writes: bool
    ) -> T:
        loop = asyncio.get_running_loop()
        return await loop.run_in_executor(executor, partial(self._transact, work, writes=writes))

    def _transact(self, work: Callable[[Connection], T], *, writes: bool) -> T:
        if self._engines is None:
            raise LedgerUnavailable
        engine = self._engines.writing if writes else self._engines.reading
        kind = "writing" if writes else "reading"
        try:
            with translated(), engine.connect() as connection, connection.begin():
                done = work(connection)
        except LedgerUnavailable as exc:
            self._problems[kind] = str(exc)
            raise
        self._problems.pop(kind, None)
        return done


_ADVICE = "Check COORDINATOR_DATABASE_URL and the data folder"


def ledger_id(connection: Connection) -> str | None:
    """Its id; None where no coordinator has needed it yet."""
    return _kept(connection, "ledger_id")


def _make_identity(connection: Connection) -> str:
    return _made(connection, "ledger_id", secrets.token_hex(8))


def _secret(connection: Connection) -> str | None:
    return _kept(connection, "token_secret")


def _make_secret(connection: Connection) -> str:
    return _made(connection, "token_secret", secrets.token_hex(32))


def _kept(connection: Connection, name: str) -> str | None:
    query = sa.select(schema.meta.c.value).where(schema.meta.c.name == name)
    return connection.execute(query).scalar()


def _made(connection: Connection, name: str, fresh: str) -> str:
    """Another process may be as quick: the first one counts for all."""
    insert_new(connection, schema.meta, ["name"], [{"name": name, "value": fresh}])
    made = _kept(connection, name)
    if made is None:
        raise LedgerUnavailable("The database does not keep what is written to it")
    return made
