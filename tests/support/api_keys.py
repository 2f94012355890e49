"""API keys in memory: one for each role, and whoever holds it."""

from __future__ import annotations

from collections.abc import Collection, Sequence
from dataclasses import dataclass, field
from datetime import UTC, datetime

from coordinator.access.api_key import ApiKey, digest_of, new_secret
from coordinator.access.authenticator import Authenticator
from coordinator.access.key_ring import KeyRing
from coordinator.access.roles import Role

__all__ = ["KeysInMemory", "an_api_key", "authenticator_with"]

MADE = datetime(2026, 1, 31, 12, tzinfo=UTC)


def an_api_key(name: str, secret: str, *roles: Role, **fields: object) -> ApiKey:
    """A key as the ledger would have it."""
    given: dict[str, object] = {
        "name": name,
        "roles": frozenset(roles),
        "agent_id": None,
        "created_at": MADE,
        "expires_at": None,
        "revoked_at": None,
        "rotated_at": None,
        "last_used_at": None,
        "digest": digest_of(secret),
        "previous_digest": None,
        "previous_until": None,
    }
    return ApiKey(**(given | fields))  # type: ignore[arg-type]


@dataclass
class KeysInMemory:
    """Stands in for `ApiKeys`; ``failure`` is raised by whatever is asked."""

    keys: list[ApiKey] = field(default_factory=list)
    changes: int = 1
    asked: int = 0
    used: list[tuple[set[str], datetime]] = field(default_factory=list)
    failure: Exception | None = None

    async def changed(self, since: int | None) -> tuple[int, Sequence[ApiKey] | None]:
        self.asked += 1
        if self.failure is not None:
            raise self.failure
        return self.changes, None if since == self.changes else list(self.keys)

    async def note_used(self, names: Collection[str], at: datetime) -> None:
        if self.failure is not None:
            raise self.failure
        self.used.append((set(names), at))


async def authenticator_with(**holders: tuple[Role, ...]) -> tuple[Authenticator, dict[str, str]]:
    """One that knows a key for each of the ``holders``, by name, and the keys. The agent's key is for
    `ada`."""
    secrets = {name: new_secret() for name in holders}
    keys = [
        an_api_key(name, secrets[name], *roles, agent_id="ada" if Role.AGENT in roles else None)
        for name, roles in holders.items()
    ]
    ring = KeyRing(KeysInMemory(keys), apart=0)
    await ring.look()
    return Authenticator(ring), secrets
