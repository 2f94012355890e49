"""Keeps API keys in the ledger by their hashes, for `access.key_ring` and `coordinator keys`.

Each change adds one to a number in `meta`, in the same transaction: by it every process hears that keys are
others than before, without reading them.
"""

from __future__ import annotations

from collections.abc import Callable, Collection, Sequence
from datetime import UTC, datetime
from functools import partial
from typing import Any

import sqlalchemy as sa
from sqlalchemy.engine import Connection, Row

from coordinator.access.api_key import KEY_NAME, ApiKey, digest_of, new_secret
from coordinator.access.roles import Role
from coordinator.errors import Conflict, InvalidRequest, NotFound
from coordinator.protocol.id_limits import check_id
from coordinator.registry.ledger.ledger import Ledger
from coordinator.registry.tables.bulk_statements import insert, keep_writers_out, upsert
from coordinator.registry.tables.schema import api_keys as table
from coordinator.registry.tables.schema import from_micros, meta, micros
from coordinator.registry.tables.unreadable_rows import readable

__all__ = ["ApiKeys"]

CHANGES = "api_key_changes"
"""The row of `meta`."""


class ApiKeys:
    """Makes, shows, rotates and revokes keys. Every method raises `LedgerUnavailable`."""

    def __init__(
        self, ledger: Ledger, *, now: Callable[[], datetime] = lambda: datetime.now(UTC)
    ) -> None:
        self._ledger = ledger
        self._now = now

    async def create(
        self,
        name: str,
        roles: Collection[Role],
        *,
        agent_id: str | None = None,
        expires_at: datetime | None = None,
    ) -> str:
        """The key, which nobody can be told again. Raises `InvalidRequest`, or `Conflict` where some key has,
        or had, this name.
        """
        if not KEY_NAME.fullmatch(name):
            raise InvalidRequest(
                "name must have 1 to 64 letters, digits, dots, dashes or underscores, and begin with a"
                " letter or a digit",
                field="name",
            )
        if not roles:
            raise InvalidRequest(f"role: give one of {', '.join(Role)}", field="role")
        if (Role.AGENT in roles) != (agent_id is not None):
            raise InvalidRequest(
                "agent-id: the role agent is for one agent, whose id is given with --agent-id; without that"
                " role there is none",
                field="agent-id",
            )
        if agent_id is not None:
            check_id(agent_id, "agent-id", field="agent-id")
        self._check_end(expires_at)
        secret = new_secret()
        row = {
            "name": name,
            "digest": digest_of(secret),
            "roles": " ".join(sorted(roles)),
            "agent_id": agent_id,
            "created_at": micros(self._now()),
            "expires_at": None if expires_at is None else micros(expires_at),
        }
        if not await self._ledger.write(partial(_add, row)):
            raise Conflict(
                f"A key {name!r} exists, or did: rotate it, or choose another name, since tasks belong to"
                " names"
            )
        return secret

    async def all(self) -> list[ApiKey]:
        """By name, those that were revoked as well."""
        return await self._ledger.read(_all)

    async def changed(self, since: int | None) -> tuple[int, Sequence[ApiKey] | None]:
        """As `access.key_ring.StoresKeys` has it."""
        return await self._ledger.read(partial(_changed, since))

    async def note_used(self, names: Collection[str], at: datetime) -> None:
        """These were used by then."""
        await self._ledger.write(partial(_note_used, list(names), micros(at)))

    async def revoke(self, name: str) -> None:
        """It counts no more, nor does the key before it. Raises `NotFound`, or `Conflict` where it was
        revoked.
        """
        values = {"revoked_at": micros(self._now()), "previous_digest": None}
        await self._change(name, values)

    async def rotate(
        self, name: str, *, old_until: datetime, expires_at: datetime | None = None
    ) -> str:
        """Another key for the same holder; the one before counts ``old_until`` then, and no longer than it
        would have. Without ``expires_at`` the new one ends when that one would have. Raises as `revoke` does,
        and `InvalidRequest`.
        """
        self._check_end(expires_at)
        secret, until = new_secret(), micros(old_until)
        values: dict[str, Any] = {
            "rotated_at": micros(self._now()),
            "previous_digest": table.c.digest,
            "previous_until": sa.case(
                (table.c.expires_at < until, table.c.expires_at), else_=until
            ),
            "digest": digest_of(secret),
        }
        if expires_at is not None:
            values["expires_at"] = micros(expires_at)
        await self._change(name, values)
        return secret

    async def _change(self, name: str, values: dict[str, Any]) -> None:
        found = await self._ledger.write(partial(_change, name, values))
        if found is None:
            raise NotFound(f"There is no key {name!r}: `coordinator keys list` shows all of them")
        if not found:
            raise Conflict(f"The key {name!r} was revoked: make another, with another name")

    def _check_end(self, expires_at: datetime | None) -> None:
        if expires_at is not None and expires_at <= self._now():
            raise InvalidRequest("expires: that is over already", field="expires")


def _add(row: dict[str, Any], connection: Connection) -> bool:
    keep_writers_out(connection, table)
    there = sa.select(table.c.name).where(table.c.name == row["name"])
    if connection.execute(there).first() is not None:
        return False
    insert(connection, table, [row])
    _count(connection)
    return True


def _change(name: str, values: dict[str, Any], connection: Connection) -> bool | None:
    """Whether it could be; None where there is no such key."""
    keep_writers_out(connection, table)
    this = table.c.name == name
    if connection.execute(sa.select(table.c.name).where(this)).first() is None:
        return None
    changed = connection.execute(
        table.update().where(this, table.c.revoked_at.is_(None)).values(**values)
    )
    if changed.rowcount:
        _count(connection)
    return bool(changed.rowcount)


def _count(connection: Connection) -> None:
    """Other writers are kept out: of two changes at once both count."""
    row = {"name": CHANGES, "value": str(_changes(connection) + 1)}
    upsert(connection, meta, ["name"], [row])


def _changes(connection: Connection) -> int:
    value = connection.execute(sa.select(meta.c.value).where(meta.c.name == CHANGES)).scalar()
    return int(value) if value is not None and str(value).isdecimal() else 0


def _changed(since: int | None, connection: Connection) -> tuple[int, Sequence[ApiKey] | None]:
    changes = _changes(connection)
    return changes, None if changes == since else _all(connection)


def _all(connection: Connection) -> list[ApiKey]:
    rows = connection.execute(sa.select(table).order_by(table.c.name)).all()
    return list(readable(rows, _key_of, table))


def _key_of(row: Row[Any]) -> ApiKey:
    """Raises for a role that is not known here: what it would grant cannot be told."""
    return ApiKey(
        name=row.name,
        roles=frozenset(Role(word) for word in row.roles.split()),
        agent_id=row.agent_id,
        created_at=from_micros(row.created_at),
        expires_at=_instant(row.expires_at),
        revoked_at=_instant(row.revoked_at),
        rotated_at=_instant(row.rotated_at),
        last_used_at=_instant(row.last_used_at),
        digest=row.digest,
        previous_digest=row.previous_digest,
        previous_until=_instant(row.previous_until),
    )


def _instant(value: int | None) -> datetime | None:
    return None if value is None else from_micros(value)


def _note_used(names: list[str], at: int, connection: Connection) -> None:
    connection.execute(table.update().where(table.c.name.in_(names)).values(last_used_at=at))
