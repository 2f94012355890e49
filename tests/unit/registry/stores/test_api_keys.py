"""API keys in the ledger: hashes alone, names that are nobody else's, changes that every process hears of."""

from __future__ import annotations

import asyncio
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
import sqlalchemy as sa
from sqlalchemy.engine import Connection

from coordinator.access.api_key import ApiKey, digest_of
from coordinator.access.key_ring import KeyRing
from coordinator.access.roles import Role
from coordinator.errors import Conflict, InvalidRequest, NotFound
from coordinator.registry.ledger.ledger import Ledger
from coordinator.registry.stores.api_keys import ApiKeys
from coordinator.registry.tables import schema

NOW = datetime(2026, 1, 31, 12, tzinfo=UTC)


@pytest.fixture
def keys(ledger: Ledger) -> ApiKeys:
    return ApiKeys(ledger, now=lambda: NOW)


async def only(keys: ApiKeys) -> ApiKey:
    (found,) = await keys.all()
    return found


async def test_a_key_is_kept_by_its_hash_alone(keys: ApiKeys, ledger: Ledger) -> None:
    secret = await keys.create("ci", {Role.PRODUCER, Role.READER})
    found = await only(keys)
    assert found.digest == digest_of(secret)
    assert found.name == "ci"
    assert found.roles == {Role.PRODUCER, Role.READER}
    assert (found.created_at, found.expires_at, found.last_used_at) == (NOW, None, None)

    def everything(connection: Connection) -> str:
        tables = schema.metadata.sorted_tables
        return str([connection.execute(sa.select(table)).all() for table in tables])

    assert secret not in await ledger.read(everything)
    assert secret.removeprefix("ackey_") not in await ledger.read(everything)


@pytest.mark.parametrize(
    "wrong",
    [
        {"name": ""},
        {"name": "a b"},
        {"name": "-a"},
        {"name": "é"},
        {"name": "a\n"},
        {"name": "x" * 65},
        {"roles": set()},
        {"roles": {Role.AGENT}},
        {"agent_id": "ada"},
        {"roles": {Role.AGENT}, "agent_id": "\x00"},
        {"expires_at": NOW},
    ],
)
async def test_what_makes_no_key_is_told(keys: ApiKeys, wrong: dict[str, Any]) -> None:
    given: dict[str, Any] = {"name": "ci", "roles": {Role.READER}} | wrong
    with pytest.raises(InvalidRequest):
        await keys.create(given.pop("name"), given.pop("roles"), **given)
    assert await keys.all() == []


async def test_a_name_is_nobody_elses_not_even_after_its_key_is_revoked(keys: ApiKeys) -> None:
    await keys.create("ci", {Role.READER})
    with pytest.raises(Conflict):
        await keys.create("ci", {Role.ADMIN})
    await keys.revoke("ci")
    with pytest.raises(Conflict):
        await keys.create("ci", {Role.ADMIN})
    assert (await only(keys)).roles == {Role.READER}
    with pytest.raises(Conflict, match="revoked"):
        await keys.revoke("ci")
    with pytest.raises(Conflict, match="revoked"):
        await keys.rotate("ci", old_until=NOW)
    with pytest.raises(NotFound, match="`coordinator keys list`"):
        await keys.revoke("other")


async def test_a_rotated_key_keeps_its_name_and_roles_and_the_old_one_for_a_while(
    keys: ApiKeys,
) -> None:
    old = await keys.create("ci", {Role.READER}, expires_at=NOW + timedelta(days=1))
    new = await keys.rotate("ci", old_until=NOW + timedelta(hours=1))
    found = await only(keys)
    assert (found.digest, found.previous_digest) == (digest_of(new), digest_of(old))
    assert found.previous_until == NOW + timedelta(hours=1)
    assert (found.rotated_at, found.expires_at) == (NOW, NOW + timedelta(days=1))
    await keys.rotate("ci", old_until=NOW, expires_at=NOW + timedelta(days=9))
    found = await only(keys)
    assert (found.previous_digest, found.expires_at) == (digest_of(new), NOW + timedelta(days=9))


@pytest.mark.parametrize(("days", "kept"), [(1, 1), (5, 2)])
async def test_a_rotation_gives_the_old_key_no_day_more_than_it_had(
    ledger: Ledger, days: int, kept: int
) -> None:
    """One that has expired stays so, whatever the new one's end is."""
    old = await ApiKeys(ledger, now=lambda: NOW).create(
        "ci", {Role.READER}, expires_at=NOW + timedelta(days=2)
    )
    until, later = NOW + timedelta(days=days), NOW + timedelta(days=90)
    await ApiKeys(ledger, now=lambda: NOW).rotate("ci", old_until=until, expires_at=later)
    for day in range(4):
        ring = KeyRing(ApiKeys(ledger), now=lambda: NOW + timedelta(days=day))  # noqa: B023
        await ring.look()
        assert (ring.find(old) is not None) is (day < kept)


async def test_each_change_is_heard_by_every_process_and_nothing_is_read_without_one(
    keys: ApiKeys, ledger_url: str
) -> None:
    async with Ledger(ledger_url) as elsewhere:
        ring = KeyRing(ApiKeys(elsewhere), now=lambda: NOW)
        await ring.look()
        secret = await keys.create("ci", {Role.READER})
        await ring.look()
        assert ring.find(secret) is not None
        count, told = await ApiKeys(elsewhere).changed(None)
        assert told is not None
        assert await ApiKeys(elsewhere).changed(count) == (count, None)
        new = await keys.rotate("ci", old_until=NOW)
        await ring.look()
        assert (ring.find(secret), ring.find(new) is not None) == (None, True)
        await keys.revoke("ci")
        await ring.look()
        assert ring.find(new) is None


async def test_uses_are_kept_and_are_no_change(keys: ApiKeys) -> None:
    await keys.create("ci", {Role.READER})
    await keys.create("ops", {Role.OPERATOR})
    before = (await keys.changed(None))[0]
    await keys.note_used({"ci"}, NOW + timedelta(hours=1))
    assert [key.last_used_at for key in await keys.all()] == [NOW + timedelta(hours=1), None]
    assert (await keys.changed(None))[0] == before


async def test_of_many_who_make_one_name_at_the_same_time_one_is_told_a_key(
    ledger_url: str,
) -> None:
    async with Ledger(ledger_url) as first, Ledger(ledger_url) as second:
        ended = await asyncio.gather(
            *(
                ApiKeys(ledger).create("ci", {Role.READER})
                for ledger in (first, second)
                for _ in range(5)
            ),
            return_exceptions=True,
        )
        made = [one for one in ended if isinstance(one, str)]
        assert [digest_of(one) for one in made] == [(await only(ApiKeys(first))).digest]
        assert sum(isinstance(one, Conflict) for one in ended) == 9
        others = await asyncio.gather(
            *(
                ApiKeys(ledger).create(f"key-{n}-{m}", {Role.READER})
                for n, ledger in enumerate((first, second))
                for m in range(5)
            )
        )
        assert len(set(others)) == 10
        assert (await ApiKeys(first).changed(None))[0] == 11


async def test_a_row_that_cannot_be_read_lets_nobody_in_and_keeps_out_no_other(
    keys: ApiKeys, ledger: Ledger
) -> None:
    wrong = await keys.create("wrong", {Role.READER})
    right = await keys.create("right", {Role.READER})

    def spoil(connection: Connection) -> None:
        this = schema.api_keys.c.name == "wrong"
        connection.execute(schema.api_keys.update().where(this).values(roles="reader king"))

    await ledger.write(spoil)
    ring = KeyRing(keys, now=lambda: NOW)
    await ring.look()
    assert ring.find(wrong) is None
    assert ring.find(right) is not None
