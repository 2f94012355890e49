"""Claims Idempotency-Keys in the ledger and keeps their answers, for `submission.idempotent_submission`.

The row is made before anything is published, and its primary key lets one request in. `holder` is
a random word for each claim: who was overtaken by another, after `held_until`, changes nothing more.
"""

from __future__ import annotations

import asyncio
import logging
import secrets
from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from functools import partial
from typing import Any, NoReturn

import sqlalchemy as sa
from pydantic_core import from_json, to_json
from sqlalchemy.engine import Connection, Row

from coordinator.domain.idempotency_claim import Answered, IdempotencyClaim
from coordinator.errors import LedgerUnavailable
from coordinator.registry.ledger.ledger import Ledger
from coordinator.registry.tables.bulk_statements import insert_new
from coordinator.registry.tables.schema import from_micros, micros
from coordinator.registry.tables.schema import idempotency_keys as table
from coordinator.registry.tables.unreadable_rows import readable

__all__ = ["IdempotencyKeys"]

logger = logging.getLogger(__name__)

PRUNE_EVERY = 60.0
"""Seconds between two looks for keys that were kept for long enough."""

PRUNED_AT_ONCE = 500
"""Keys in one transaction, so that the projector never waits for long."""


class IdempotencyKeys:
    """Lets one request at a time answer a key. ``kept``: how long a key is remembered, from its first use."""

    def __init__(
        self,
        ledger: Ledger,
        *,
        kept: timedelta,
        now: Callable[[], datetime] = lambda: datetime.now(UTC),
    ) -> None:
        self._ledger = ledger
        self._kept = kept
        self._now = now

    async def claim(
        self, key: str, fingerprint: str, lasts: timedelta
    ) -> IdempotencyClaim | Answered:
        """A claim that ``lasts`` so long, or what is known of the key where another has it. Raises
        `LedgerUnavailable`.
        """
        now = self._now()
        mine = {
            "key": key,
            "fingerprint": fingerprint,
            "claimed_at": micros(now),
            "holder": secrets.token_hex(8),
            "held_until": micros(now + lasts),
        }
        return await self._ledger.write(partial(_claim, mine))

    async def finish(self, claim: IdempotencyClaim, body: dict[str, Any]) -> None:
        """Keep the answer. Changes nothing where another has claimed the key since. Raises
        `LedgerUnavailable`.
        """
        await self._update(claim, answer=to_json(body).decode())

    async def release(self, claim: IdempotencyClaim) -> None:
        """End the claim: another request may finish the work. Raises `LedgerUnavailable`."""
        await self._update(claim, held_until=0)

    async def forget(self, claim: IdempotencyClaim) -> None:
        """As if the key had never been used: nothing was accepted. Raises `LedgerUnavailable`."""
        statement = table.delete().where(_of(claim))
        await self._ledger.write(lambda connection: _run(connection, statement))

    async def prune(self) -> int:
        """Forget the keys that were kept for long enough; how many. Raises `LedgerUnavailable`."""
        pruned = 0
        while True:
            gone = await self._ledger.write(partial(_prune, micros(self._now() - self._kept)))
            pruned += gone
            if gone < PRUNED_AT_ONCE:
                return pruned

    async def run(self) -> NoReturn:
        """Prune now and then; ends only by cancellation."""
        while True:
            try:
                pruned = await self.prune()
                if pruned:
                    logger.info("forgot Idempotency-Keys", extra={"count": pruned})
            except LedgerUnavailable as exc:
                logger.info("Idempotency-Keys are not pruned now: %s", exc)
            await asyncio.sleep(PRUNE_EVERY)

    async def _update(self, claim: IdempotencyClaim, **values: Any) -> None:
        statement = table.update().where(_of(claim)).values(**values)
        await self._ledger.write(lambda connection: _run(connection, statement))


def _of(claim: IdempotencyClaim) -> sa.ColumnElement[bool]:
    return sa.and_(table.c.key == claim.key, table.c.holder == claim.holder)


def _run(connection: Connection, statement: sa.Delete | sa.Update) -> None:
    connection.execute(statement)


def _claim(mine: dict[str, Any], connection: Connection) -> IdempotencyClaim | Answered:
    insert_new(connection, table, ["key"], [mine])
    row = connection.execute(sa.select(table).where(table.c.key == mine["key"])).one()
    fresh = row.holder == mine["holder"]
    if not fresh:
        if row.fingerprint != mine["fingerprint"]:
            return Answered(fingerprint=row.fingerprint)
        answer = None if row.answer is None else next(readable([row], _answer_of, table), None)
        if answer is not None:
            return Answered(fingerprint=row.fingerprint, body=answer)
        left = table.c.held_until <= mine["claimed_at"]
        taken = connection.execute(
            table.update()
            .where(table.c.key == row.key, table.c.holder == row.holder, left)
            .values(holder=mine["holder"], held_until=mine["held_until"])
        )
        if taken.rowcount != 1:
            return Answered(fingerprint=row.fingerprint)
    claimed_at = next(readable([row], _claimed_at, table), None)
    if claimed_at is None:
        claimed_at = from_micros(mine["claimed_at"])
        this = (table.c.key == row.key) & (table.c.holder == mine["holder"])
        connection.execute(table.update().where(this).values(claimed_at=mine["claimed_at"]))
    return IdempotencyClaim(key=row.key, holder=mine["holder"], claimed_at=claimed_at, fresh=fresh)


def _claimed_at(row: Row[Any]) -> datetime:
    """Where it cannot be read the key counts as forgotten and used anew, as one that was kept for long
    enough does.
    """
    return from_micros(row.claimed_at)


def _answer_of(row: Row[Any]) -> dict[str, Any]:
    """Where it cannot be read it is worked out again: what was accepted is not accepted twice."""
    answer = from_json(row.answer)
    if not isinstance(answer, dict):
        raise TypeError("not the body of an answer")
    return answer


def _prune(before: int, connection: Connection) -> int:
    old = sa.select(table.c.key).where(table.c.claimed_at < before).limit(PRUNED_AT_ONCE)
    return connection.execute(table.delete().where(table.c.key.in_(old))).rowcount
