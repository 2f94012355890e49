"""Keys in memory: found by their hashes, heard of within a look, gone when they end."""

from __future__ import annotations

import asyncio
from datetime import datetime, timedelta

import pytest

from coordinator.access.api_key import digest_of, is_key, new_secret
from coordinator.access.key_ring import WITHOUT_LEDGER, KeyRing
from coordinator.access.roles import Role
from coordinator.errors import LedgerUnavailable
from tests.support.api_keys import MADE, KeysInMemory, an_api_key
from tests.support.waiting import eventually


class Clock:
    """Both clocks at once."""

    def __init__(self) -> None:
        self.passed = timedelta()

    def now(self) -> datetime:
        return MADE + self.passed

    def monotonic(self) -> float:
        return 1000 + self.passed.total_seconds()


@pytest.fixture
def clock() -> Clock:
    return Clock()


@pytest.fixture
def keys() -> KeysInMemory:
    return KeysInMemory()


@pytest.fixture
def ring(keys: KeysInMemory, clock: Clock) -> KeyRing:
    return KeyRing(keys, now=clock.now, monotonic=clock.monotonic, look_every=0.01, apart=0)


def test_a_key_has_256_random_bits_and_a_prefix() -> None:
    made = {new_secret() for _ in range(100)}
    assert len(made) == 100
    assert all(is_key(one) and one.startswith("ackey_") and len(one) == 49 for one in made)
    assert not is_key("ackey_short")
    assert not is_key("eyJ.a.b")


async def test_the_holder_of_a_key_has_its_roles_and_what_they_imply(
    ring: KeyRing, keys: KeysInMemory
) -> None:
    secret = new_secret()
    keys.keys = [an_api_key("ops", secret, Role.OPERATOR)]
    await ring.look()
    found = ring.find(secret)
    assert found is not None
    assert found.actor == "key:ops"
    assert found.roles == {Role.OPERATOR, Role.READER, Role.PRODUCER}
    assert ring.find(new_secret()) is None


async def test_a_key_ends_when_it_expires_and_when_it_is_revoked(
    ring: KeyRing, keys: KeysInMemory, clock: Clock
) -> None:
    short, revoked = new_secret(), new_secret()
    keys.keys = [
        an_api_key("short", short, Role.READER, expires_at=MADE + timedelta(seconds=10)),
        an_api_key("revoked", revoked, Role.READER),
    ]
    await ring.look()
    assert ring.find(short) is not None
    assert ring.find(revoked) is not None
    clock.passed = timedelta(seconds=10)
    keys.keys[1] = an_api_key("revoked", revoked, Role.READER, revoked_at=MADE)
    keys.changes += 1
    await ring.look()
    assert ring.find(short) is None
    assert ring.find(revoked) is None


async def test_the_key_before_a_rotation_counts_for_as_long_as_it_was_said(
    ring: KeyRing, keys: KeysInMemory, clock: Clock
) -> None:
    old, new = new_secret(), new_secret()
    until = MADE + timedelta(hours=1)
    keys.keys = [
        an_api_key("ci", new, Role.READER, previous_digest=digest_of(old), previous_until=until)
    ]
    await ring.look()
    assert ring.find(old) == ring.find(new) is not None
    clock.passed = timedelta(hours=1)
    await ring.look()
    assert ring.find(old) is None
    assert ring.find(new) is not None


async def test_a_change_is_heard_by_the_next_look(ring: KeyRing, keys: KeysInMemory) -> None:
    secret = new_secret()
    await ring.look()
    running = asyncio.create_task(ring.run())
    try:
        keys.keys = [an_api_key("new", secret, Role.READER)]
        keys.changes += 1
        await eventually(lambda: ring.find(secret) is not None)
        keys.keys = []
        keys.changes += 1
        await eventually(lambda: ring.find(secret) is None)
    finally:
        running.cancel()


async def test_a_key_that_was_made_a_moment_ago_counts_at_once_and_who_asks_together_share_a_look(
    ring: KeyRing, keys: KeysInMemory
) -> None:
    await ring.look()
    secret = new_secret()
    keys.keys = [an_api_key("new", secret, Role.READER)]
    keys.changes += 1
    before = keys.asked
    found = await asyncio.gather(
        *(ring.find_anew(one) for one in [secret] + [new_secret() for _ in range(50)])
    )
    assert [one is not None for one in found] == [True] + [False] * 50
    assert keys.asked == before + 1


async def test_without_the_ledger_keys_count_for_a_while_and_then_nobody_is_let_in(
    ring: KeyRing, keys: KeysInMemory, clock: Clock
) -> None:
    secret = new_secret()
    keys.keys = [an_api_key("ci", secret, Role.READER)]
    await ring.look()
    keys.failure = LedgerUnavailable()
    clock.passed = WITHOUT_LEDGER
    with pytest.raises(LedgerUnavailable):
        await ring.look()
    assert ring.find(secret) is not None
    clock.passed += timedelta(seconds=1)
    with pytest.raises(LedgerUnavailable, match="API keys cannot be checked"):
        ring.find(secret)
    keys.failure = None
    await ring.look()
    assert ring.find(secret) is not None


async def test_uses_are_written_together_and_kept_while_they_cannot_be(
    ring: KeyRing, keys: KeysInMemory, clock: Clock
) -> None:
    first, second = new_secret(), new_secret()
    keys.keys = [an_api_key("a", first, Role.READER), an_api_key("b", second, Role.READER)]
    await ring.look()
    for _ in range(100):
        ring.find(first)
    ring.find(second)
    keys.failure = LedgerUnavailable()
    with pytest.raises(LedgerUnavailable):
        await ring.write_uses()
    keys.failure = None
    await ring.write_uses()
    await ring.write_uses()
    assert keys.used == [({"a", "b"}, clock.now())]
