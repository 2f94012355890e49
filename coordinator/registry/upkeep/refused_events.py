"""Counts by author what was parked lately for a wrong token or a forged identity, and tells it to `/health`.

Such a message is well-formed: somebody has done work that counts for nothing, or speaks for another. Each
process reads it from the ledger, whichever process has parked it.
"""

from __future__ import annotations

import asyncio
import contextlib
from collections import Counter
from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from functools import partial
from typing import Any, NoReturn

import sqlalchemy as sa
from pydantic_core import from_json
from sqlalchemy.engine import Connection, Row

from coordinator.errors import ForgedIdentity, LedgerUnavailable, WrongToken
from coordinator.registry.ledger.ledger import Ledger
from coordinator.registry.tables.schema import micros
from coordinator.registry.tables.schema import parked as table
from coordinator.registry.tables.unreadable_rows import readable

__all__ = ["RefusedEvents"]

LATELY = timedelta(hours=1)
"""For as long the service is degraded by one of them."""

LOOK_EVERY = 10.0
"""Seconds between two looks."""

MOST = 10_000
"""That are counted."""

NAMED = 5
"""Authors in a sentence; of more, the others' number."""

_WHY = {
    WrongToken: "their token is not that of the task's attempt, so the work counts for nothing; were its"
    " tasks submitted with another ledger or COORDINATOR_SECRET?",
    ForgedIdentity: "they spoke for another, or came by a way that is not their author's",
}

Refusals = dict[str, Counter[str]]
"""By the name of the error, how many of which author."""


class RefusedEvents:
    """Looks into the ledger every ``every`` seconds."""

    def __init__(
        self,
        ledger: Ledger,
        *,
        now: Callable[[], datetime] = lambda: datetime.now(UTC),
        every: float = LOOK_EVERY,
    ) -> None:
        self._ledger = ledger
        self._now = now
        self._every = every
        self._refusals: Refusals = {}

    def problems(self) -> list[str]:
        """A sentence for each reason for which something was parked within the last hour."""
        return [
            f"{found.total()} {'message was' if found.total() == 1 else 'messages were'} parked within the"
            f" last hour ({_told(found)}): {why}. GET /parked shows them."
            for error, why in _WHY.items()
            if (found := self._refusals.get(error.__name__))
        ]

    async def run(self) -> NoReturn:
        """Look now and then; ends only by cancellation."""
        while True:
            with contextlib.suppress(LedgerUnavailable):  # which is told elsewhere
                await self.look()
            await asyncio.sleep(self._every)

    async def look(self) -> None:
        """Count again. Raises `LedgerUnavailable`."""
        self._refusals = await self._ledger.read(partial(_refusals, since=self._now() - LATELY))


def _refusals(connection: Connection, since: datetime) -> Refusals:
    of_these = [table.c.reason.startswith(f"{error.__name__}:") for error in _WHY]
    rows = connection.execute(
        sa.select(table.c.reason, table.c.routing_key, table.c.properties)
        .where(table.c.received_at >= micros(since), sa.or_(*of_these))
        .limit(MOST)
    )
    found: Refusals = {}
    for error, author in readable(rows.all(), _authored, table):
        found.setdefault(error, Counter())[author] += 1
    return found


def _authored(row: Row[Any]) -> tuple[str, str]:
    """The broker's user, where the message names it, is beyond doubt; else whom the routing key names."""
    user = from_json(row.properties).get("user_id")
    noun, _, rest = str(row.routing_key).partition(".")
    word = rest.rpartition(".")[0] if noun in {"task", "agent"} else ""
    author = f"user {user}" if user else word or "nobody is named"
    return str(row.reason).partition(":")[0], author


def _told(found: Counter[str]) -> str:
    named = [f"{author}: {count}" for author, count in found.most_common(NAMED)]
    if len(found) > NAMED:
        named.append(f"{len(found) - NAMED} others")
    return ", ".join(named)
