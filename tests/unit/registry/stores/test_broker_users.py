"""Whose the broker's users are is entered in the ledger, by coordinators for themselves."""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from functools import partial

import sqlalchemy as sa

from coordinator.domain.broker_identities import ANYBODY
from coordinator.registry.ledger.ledger import Ledger
from coordinator.registry.stores.broker_users import (
    COORDINATOR,
    BrokerUsers,
    enter_user,
    entered_users,
    remove_user,
)
from tests.support.waiting import eventually


async def test_a_coordinator_enters_its_own_user_once_and_reads_the_others(ledger: Ledger) -> None:
    await ledger.write(partial(enter_user, user="team", agent_id="carol"))
    await ledger.write(partial(enter_user, user="team", agent_id="dave"))
    for own in ("hub-1", "hub-2"):
        await BrokerUsers(ledger, required=True, own=_named(own)).admitted()
    users = BrokerUsers(ledger, required=True, own=_named("hub-1"))
    await users.read()

    found = users.identities()

    assert found.required
    assert found.coordinators == {"hub-1", "hub-2"}
    assert found.agents == {"team": {"carol", "dave"}}
    assert await ledger.read(entered_users) == [
        ("hub-1", COORDINATOR),
        ("hub-2", COORDINATOR),
        ("team", "carol"),
        ("team", "dave"),
    ]


async def test_a_coordinators_own_user_counts_before_the_ledger_has_it(ledger: Ledger) -> None:
    users = BrokerUsers(ledger, required=True, own=_named("hub"))

    assert users.identities().coordinators == {"hub"}


async def test_nothing_is_entered_where_identity_is_not_required(ledger: Ledger) -> None:
    users = BrokerUsers(ledger, required=False, own=_named("hub"))
    await users.admitted()

    assert users.identities() is ANYBODY
    assert await ledger.read(entered_users) == []


async def test_what_is_entered_or_removed_meanwhile_counts_soon(ledger: Ledger) -> None:
    users = BrokerUsers(ledger, required=True, own=_named(None), every=0.01)
    reading = asyncio.create_task(users.run())
    await ledger.write(partial(enter_user, user="team", agent_id="carol"))
    await eventually(lambda: users.identities().may_speak_for("carol", "team"))

    assert await ledger.write(partial(remove_user, user="team")) == 1
    await eventually(lambda: not users.identities().may_speak_for("carol", "team"))
    reading.cancel()


async def test_a_ledger_of_before_is_given_the_table(ledger_url: str) -> None:
    async with Ledger(ledger_url) as ledger:
        await ledger.write(
            lambda connection: connection.execute(sa.text("DROP TABLE broker_users"))
        )
    async with Ledger(ledger_url) as ledger:
        assert await ledger.read(entered_users) == []


def _named(user: str | None) -> Callable[[], str | None]:
    return lambda: user
