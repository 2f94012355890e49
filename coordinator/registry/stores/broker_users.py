"""Keeps in the ledger whose the broker's users are: coordinators', and those of agents called otherwise.

Each coordinator enters its own user once the broker has let it in as one, and reads the table again every
few seconds. Whoever may write to the ledger is a coordinator, or administers one; but one that was started
with an agent's address by mistake would otherwise make a coordinator of that agent, for good.
"""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Callable
from functools import partial
from typing import NoReturn

import sqlalchemy as sa
from sqlalchemy.engine import Connection

from coordinator.domain.broker_identities import ANYBODY, BrokerIdentities
from coordinator.errors import LedgerUnavailable
from coordinator.registry.ledger.ledger import Ledger
from coordinator.registry.tables.bulk_statements import insert_new
from coordinator.registry.tables.schema import broker_users as table

__all__ = [
    "COORDINATOR",
    "BrokerUsers",
    "enter_user",
    "entered_users",
    "remove_entry",
    "remove_user",
]

logger = logging.getLogger(__name__)

COORDINATOR = ""
"""In the place of an agent's id."""

READ_EVERY = 2.0
"""Seconds between two looks at the table."""


def entered_users(connection: Connection) -> list[tuple[str, str]]:
    """Each user with the id of an agent, or `COORDINATOR`; sorted."""
    query = sa.select(table.c.user_name, table.c.agent_id).order_by(*table.c)
    return [(row.user_name, row.agent_id) for row in connection.execute(query)]


def enter_user(connection: Connection, user: str, agent_id: str) -> None:
    """Let ``user`` speak for the agent, or as a coordinator."""
    row = {"user_name": user, "agent_id": agent_id}
    insert_new(connection, table, ["user_name", "agent_id"], [row])


def remove_user(connection: Connection, user: str) -> int:
    """Forget all that was entered of ``user``; how many rows it were."""
    return connection.execute(table.delete().where(table.c.user_name == user)).rowcount


def remove_entry(connection: Connection, user: str, agent_id: str) -> int:
    """Let ``user`` speak for the agent, or as a coordinator, no more; how many rows it were."""
    this = (table.c.user_name == user) & (table.c.agent_id == agent_id)
    return connection.execute(table.delete().where(this)).rowcount


class BrokerUsers:
    """Holds what the table had lately; nothing, and nobody is asked, where identity is not ``required``.

    ``own``: the user of this coordinator, None where it is not known.
    """

    def __init__(
        self,
        ledger: Ledger,
        *,
        required: bool,
        own: Callable[[], str | None],
        every: float = READ_EVERY,
    ) -> None:
        self._ledger = ledger
        self._required = required
        self._own = own
        self._every = every
        self._admitted = False
        self._identities = BrokerIdentities(required=True) if required else ANYBODY

    def identities(self) -> BrokerIdentities:
        """As they were read last; this coordinator's own user is always among them."""
        own = self._own()
        if not self._required or own is None or own in self._identities.coordinators:
            return self._identities
        return BrokerIdentities(
            required=True,
            coordinators=self._identities.coordinators | {own},
            agents=self._identities.agents,
        )

    async def admitted(self) -> None:
        """Call it when the broker has let this coordinator's user declare what no agent's user may: from now
        on it is entered. Raises `LedgerUnavailable`.
        """
        self._admitted = True
        await self.read()

    async def read(self) -> None:
        """Read all, and enter this coordinator's own user where it is missing and was `admitted`. Raises
        `LedgerUnavailable`.
        """
        if not self._required:
            return
        rows = await self._ledger.read(entered_users)
        own = self._own()
        if self._admitted and own is not None and (own, COORDINATOR) not in rows:
            await self._ledger.write(partial(enter_user, user=own, agent_id=COORDINATOR))
            rows.append((own, COORDINATOR))
        agents: dict[str, set[str]] = {}
        for user, agent_id in rows:
            if agent_id != COORDINATOR:
                agents.setdefault(user, set()).add(agent_id)
        self._identities = BrokerIdentities(
            required=True,
            coordinators=frozenset(user for user, agent_id in rows if agent_id == COORDINATOR),
            agents={user: frozenset(ids) for user, ids in agents.items()},
        )

    async def run(self) -> NoReturn:
        """Read again and again; ends only by cancellation."""
        while True:
            await asyncio.sleep(self._every)
            try:
                await self.read()
            except LedgerUnavailable as exc:
                logger.debug("the users of the broker were not read again: %s", exc)
