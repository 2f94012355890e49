"""Lists the deliveries of callbacks, and makes dead ones due again: for the API."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from functools import partial

import sqlalchemy as sa
from sqlalchemy.engine import Connection

from coordinator.domain.callbacks.callback_delivery import CallbackDelivery, DeliveryState
from coordinator.registry.ledger.ledger import Ledger
from coordinator.registry.tables.callbacks.callback_rows import DELIVERY_COLUMNS, delivery_of
from coordinator.registry.tables.schema import callbacks as table
from coordinator.registry.tables.schema import micros, tasks
from coordinator.registry.tables.unreadable_rows import readable

__all__ = ["CallbackDeliveries", "CallbackFilter", "CallbackPage", "CallbackPlace"]

CallbackPlace = tuple[int, str]
"""When a delivery was ordered, in microseconds, and its id."""


@dataclass(frozen=True, slots=True, kw_only=True)
class CallbackFilter:
    """Selects the deliveries that match all that is not None."""

    state: DeliveryState | None = None
    task_id: str | None = None
    host: str | None = None
    submitted_by: str | None = None
    """Whose tasks they are about."""


@dataclass(frozen=True, slots=True, kw_only=True)
class CallbackPage:
    """Holds some deliveries, the latest first."""

    deliveries: Sequence[CallbackDelivery]
    following: CallbackPlace | None
    """Where the next page begins; None where there is none."""


class CallbackDeliveries:
    """Each method is one transaction and raises `LedgerUnavailable`."""

    def __init__(
        self, ledger: Ledger, *, now: Callable[[], datetime] = lambda: datetime.now(UTC)
    ) -> None:
        self._ledger = ledger
        self._now = now

    async def page(
        self, wanted: CallbackFilter, *, after: CallbackPlace | None, limit: int
    ) -> CallbackPage:
        """The latest that were ordered first; those behind ``after``, which is None for the first page."""
        return await self._ledger.read(partial(_page, wanted, after, limit))

    async def redrive(self, wanted: CallbackFilter, *, dry_run: bool) -> int:
        """Make the dead ones that match due at once, each for as long as a new one, under the id that it has;
        return how many. With ``dry_run`` they are only counted.
        """
        if dry_run:
            return await self._ledger.read(partial(_count_dead, wanted))
        return await self._ledger.write(partial(_redrive, wanted, micros(self._now())))


def _matching(wanted: CallbackFilter) -> list[sa.ColumnElement[bool]]:
    found: list[sa.ColumnElement[bool]] = []
    if wanted.state is not None:
        found.append(table.c.state == wanted.state.value)
    if wanted.task_id is not None:
        found.append(table.c.task_id == wanted.task_id)
    if wanted.host is not None:
        found.append(table.c.host == wanted.host.lower())
    if wanted.submitted_by is not None:
        own = sa.exists().where(
            tasks.c.task_id == table.c.task_id, tasks.c.submitted_by == wanted.submitted_by
        )
        found.append(own)
    return found


def _page(
    wanted: CallbackFilter, after: CallbackPlace | None, limit: int, connection: Connection
) -> CallbackPage:
    place = sa.tuple_(table.c.ordered_at, table.c.webhook_id)
    query = sa.select(*DELIVERY_COLUMNS).where(*_matching(wanted))
    if after is not None:
        query = query.where(place < after)
    query = query.order_by(table.c.ordered_at.desc(), table.c.webhook_id.desc()).limit(limit + 1)
    rows = connection.execute(query).all()
    last = rows[limit - 1] if len(rows) > limit else None
    return CallbackPage(
        deliveries=list(readable(rows[:limit], delivery_of, table)),
        following=None if last is None else (last.ordered_at, last.webhook_id),
    )


def _dead(wanted: CallbackFilter) -> list[sa.ColumnElement[bool]]:
    return [table.c.state == DeliveryState.DEAD.value, *_matching(wanted)]


def _count_dead(wanted: CallbackFilter, connection: Connection) -> int:
    query = sa.select(sa.func.count()).select_from(table).where(*_dead(wanted))
    return connection.execute(query).scalar_one()


def _redrive(wanted: CallbackFilter, now: int, connection: Connection) -> int:
    again = {
        "state": DeliveryState.PENDING.value,
        "since": now,
        "due_at": now,
        "claimed_until": 0,
        "ended_at": None,
    }
    return connection.execute(table.update().where(*_dead(wanted)).values(again)).rowcount
