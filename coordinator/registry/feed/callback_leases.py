"""Leases due callbacks to `callbacks.callback_deliverer`, each with the event that it is to tell.

    due ──lease──▶ leased for a while ──POST──▶ noted: delivered, or dead, or due again after a pause
     ▲                    │
     └── lease ran out: whoever held it was killed before the note, and the event is told once more

What came of the last tries is noted, and the next are leased, in one transaction: a deliverer that is busy
writes no more often than it looks.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from functools import partial
from typing import Any

import sqlalchemy as sa
from pydantic_core import to_json
from sqlalchemy.engine import Connection, Row

from coordinator.domain.callbacks.callback_delivery import CallbackDelivery, DeliveryState
from coordinator.domain.callbacks.delivery_outcome import Verdict
from coordinator.registry.ledger.ledger import Ledger
from coordinator.registry.tables.callbacks.callback_rows import delivery_of
from coordinator.registry.tables.schema import callbacks as table
from coordinator.registry.tables.schema import events, from_micros, micros
from coordinator.registry.tables.unreadable_rows import NOT_READ, readable, tell

from .recorded_events import recorded_event

__all__ = ["CallbackLeases", "LeaseLimits", "LeasedCallback", "TriedCallback"]

LONGEST_LEASE = timedelta(minutes=10)
"""A lease that seems to last longer was made before the clock was set back, and does not count."""

UNREADABLE = timedelta(minutes=5)
"""How long a row is left alone that cannot be read: another coordinator may be able to."""

LOOKED_AT = 4
"""Times as many due rows are looked at as may be leased: some hosts have no room for theirs."""

MOST_COUNTED = 10**9
"""Tries: the column has room for no more, whoever wrote to it."""

LONGEST_ERROR = 500
"""Characters."""

_PENDING = table.c.state == sa.literal_column("'pending'")
"""In the text of the statement, so that a database takes the index that only these rows are in."""


@dataclass(frozen=True, slots=True, kw_only=True)
class LeasedCallback:
    """Is this deliverer's to tell, until the lease ends."""

    delivery: CallbackDelivery
    host: str
    body: bytes | None
    """The event, as CloudEvents 1.0 has it in JSON; None where the ledger does not have it any more, or it
    cannot be read."""
    until: int
    """When the lease ends, as the row says it: nobody else's ends then."""


@dataclass(frozen=True, slots=True, kw_only=True)
class TriedCallback:
    """Tells what came of one try."""

    leased: LeasedCallback
    tried_at: datetime
    verdict: Verdict


@dataclass(frozen=True, slots=True, kw_only=True)
class LeaseLimits:
    """Says how many may be leased."""

    most: int
    """Of all hosts together."""
    each: int
    """Of one host."""
    held: Mapping[str, int]
    """How many of a host this deliverer has in hand already."""
    shy: frozenset[str] = frozenset()
    """Hosts that are given one at a time, since they failed last time."""

    def room(self, host: str) -> int:
        """How many more a host may have."""
        return (1 if host in self.shy else self.each) - self.held.get(host, 0)


class CallbackLeases:
    """Each method is one transaction and raises `LedgerUnavailable`. ``lasting``: how long a lease lasts,
    which must be more than a POST takes.
    """

    def __init__(self, ledger: Ledger, *, lasting: timedelta) -> None:
        self._ledger = ledger
        self._lasting = lasting

    async def next_due(self, now: datetime) -> datetime | None:
        """When the first that nobody has leased is due; None where there is none."""
        return await self._ledger.read(partial(_next_due, now))

    async def exchange(
        self, tried: Sequence[TriedCallback], limits: LeaseLimits, *, now: datetime
    ) -> list[LeasedCallback]:
        """Note what was ``tried``, where the lease of it was not lost; and lease others that are due, the
        first due first.
        """
        until = micros(now + self._lasting)
        return await self._ledger.write(partial(_exchange, tried, limits, now, until))


def _free(now: datetime) -> sa.ColumnElement[bool]:
    return ~table.c.claimed_until.between(micros(now), micros(now + LONGEST_LEASE))


def _next_due(now: datetime, connection: Connection) -> datetime | None:
    query = sa.select(table.c.webhook_id, table.c.due_at).where(_PENDING, _free(now))
    rows = connection.execute(query.order_by(table.c.due_at).limit(1))
    return next(readable(rows, _due_of, table), None)


def _due_of(row: Row[Any]) -> datetime:
    return from_micros(max(row.due_at, 0))


def _exchange(
    tried: Sequence[TriedCallback],
    limits: LeaseLimits,
    now: datetime,
    until: int,
    connection: Connection,
) -> list[LeasedCallback]:
    for one in tried:
        _note(connection, one)
    if limits.most <= 0:
        return []
    chosen = _chosen(connection, limits, now)
    if not chosen:
        return []
    # `_free` twice: PostgreSQL looks at it again where another coordinator was faster.
    lease = (
        table.update()
        .where(table.c.webhook_id.in_(chosen), _PENDING, _free(now))
        .values(claimed_until=until)
        .returning(*table.c)
    )
    rows = connection.execute(lease).all()
    leased = list(readable(rows, partial(_leased, connection, until), table))
    left = {row.webhook_id for row in rows} - {one.delivery.webhook_id for one in leased}
    if left:
        later = {"claimed_until": 0, "due_at": micros(now + UNREADABLE)}
        connection.execute(table.update().where(table.c.webhook_id.in_(left)).values(later))
    return sorted(leased, key=lambda one: one.delivery.due_at)


def _chosen(connection: Connection, limits: LeaseLimits, now: datetime) -> list[str]:
    """The ids of due rows, as many of each host as it has room for."""
    full = [host for host in limits.held if limits.room(host) <= 0]
    due = sa.and_(_PENDING, table.c.due_at <= micros(now), _free(now))
    if full:
        due &= table.c.host.not_in(full)
    query = sa.select(table.c.webhook_id, table.c.host).where(due).order_by(table.c.due_at)
    given: dict[str, int] = {}
    chosen: list[str] = []
    for row in connection.execute(query.limit(LOOKED_AT * limits.most)):
        if len(chosen) < limits.most and given.get(row.host, 0) < limits.room(row.host):
            given[row.host] = given.get(row.host, 0) + 1
            chosen.append(row.webhook_id)
    return chosen


def _leased(connection: Connection, until: int, row: Row[Any]) -> LeasedCallback:
    return LeasedCallback(
        delivery=delivery_of(row), host=row.host, body=_body(connection, row), until=until
    )


def _body(connection: Connection, row: Row[Any]) -> bytes | None:
    wanted = sa.and_(events.c.id == row.event_id, events.c.subject == row.task_id)
    if row.author is not None:
        wanted &= events.c.agent_id == row.author
    try:
        event = recorded_event(connection, wanted)
        told = None if event is None else event.cloudevent()
    except NOT_READ as exc:
        tell(table, row, exc)
        return None
    return None if told is None else to_json(told)


def _note(connection: Connection, one: TriedCallback) -> None:
    verdict, delivery = one.verdict, one.leased.delivery
    pending = verdict.state is DeliveryState.PENDING
    held = (table.c.webhook_id == delivery.webhook_id) & (table.c.claimed_until == one.leased.until)
    connection.execute(
        table.update()
        .where(held)
        .values(
            state=verdict.state.value,
            attempts=min(delivery.attempts, MOST_COUNTED) + 1,
            due_at=micros(verdict.due_at),
            claimed_until=0,
            tried_at=micros(one.tried_at),
            status=verdict.status,
            error=None if verdict.error is None else verdict.error[:LONGEST_ERROR],
            ended_at=None if pending else micros(one.tried_at),
        )
    )
