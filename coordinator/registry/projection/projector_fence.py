"""Keeps all but the latest projector from writing the ledger, also one that wakes up late.

The broker lets one projector read at a time, and gives the log to another when it believes the first
one gone. But one that was only suspended (by a debugger, by a machine that is short of memory) knows
nothing of that when it goes on. So each projector that takes the log over begins an epoch first: it
raises a number in the ledger. Whoever writes for the log looks, in the same transaction and under a lock,
whether the epoch is still its own.

    A begins 7 ── writes ── suspended ............................ wakes, writes: Superseded
    B              waits .......... reads, begins 8 ── writes ── writes
"""

from __future__ import annotations

from collections.abc import Callable
from typing import TypeVar

import sqlalchemy as sa
from sqlalchemy.engine import Connection

from coordinator.errors import Superseded
from coordinator.registry.ledger.ledger import Ledger
from coordinator.registry.tables.bulk_statements import insert_new
from coordinator.registry.tables.schema import meta

__all__ = ["ProjectorFence"]

T = TypeVar("T")

NAME = "projector_epoch"
"""Of the row in `meta`."""


class ProjectorFence:
    """Lets this process write while its epoch is the latest: one fence for a process. `begin_epoch` is
    for the projector; whatever else must be done by one coordinator alone is written through `write`
    while it is `held`.
    """

    def __init__(self, ledger: Ledger) -> None:
        self._ledger = ledger
        self._epoch: int | None = None

    @property
    def held(self) -> bool:
        """Whether this process has begun an epoch and does not know of a later one."""
        return self._epoch is not None

    async def begin_epoch(self) -> None:
        """Raise the number: from now on all others are superseded. Raises `LedgerUnavailable`."""
        self._epoch = await self._ledger.write(_raise)

    def release(self) -> None:
        """End this epoch here: nothing more is written in it."""
        self._epoch = None

    async def write(self, work: Callable[[Connection], T]) -> T:
        """Run ``work`` as `Ledger.write` does. Raises `Superseded`, and writes nothing, where another has
        begun an epoch since.
        """
        epoch = self._epoch  # of now, and not of when the writer has its turn

        def guarded(connection: Connection) -> T:
            if epoch is None or _current(connection) != epoch:
                raise Superseded
            return work(connection)

        try:
            return await self._ledger.write(guarded)
        except Superseded:
            if self._epoch == epoch:
                self._epoch = None
            raise


def _current(connection: Connection) -> int:
    """SQLite's writers hold the whole file; elsewhere the row is held until the transaction ends."""
    query = sa.select(meta.c.value).where(meta.c.name == NAME).with_for_update()
    return int(connection.execute(query).scalar_one())


def _raise(connection: Connection) -> int:
    insert_new(connection, meta, ["name"], [{"name": NAME, "value": "0"}])
    epoch = _current(connection) + 1
    connection.execute(meta.update().where(meta.c.name == NAME).values(value=str(epoch)))
    return epoch
