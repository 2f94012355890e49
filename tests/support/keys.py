"""Idempotency-Keys in memory, by the rules of `registry.stores.idempotency_keys`."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from typing import Any

from coordinator.domain.idempotency_claim import Answered, IdempotencyClaim

__all__ = ["MemoryKeys"]


@dataclass
class _Row:
    fingerprint: str
    claimed_at: datetime
    holder: str
    held: bool = True
    body: dict[str, Any] | None = None


class MemoryKeys:
    """``failure`` is raised by whatever is asked; a claim lasts until it is released."""

    def __init__(self) -> None:
        self.rows: dict[str, _Row] = {}
        self.failure: Exception | None = None
        self.claims = 0

    async def claim(
        self, key: str, fingerprint: str, lasts: timedelta
    ) -> IdempotencyClaim | Answered:
        self._fail()
        self.claims += 1
        fresh = key not in self.rows
        row = self.rows.setdefault(
            key, _Row(fingerprint, datetime.now(UTC), str(self.claims), held=False)
        )
        if row.fingerprint != fingerprint or row.body is not None or row.held:
            return Answered(fingerprint=row.fingerprint, body=row.body)
        row.held, row.holder = True, str(self.claims)
        return IdempotencyClaim(key=key, holder=row.holder, claimed_at=row.claimed_at, fresh=fresh)

    async def finish(self, claim: IdempotencyClaim, body: dict[str, Any]) -> None:
        self._fail()
        self.rows[claim.key].body = body

    async def release(self, claim: IdempotencyClaim) -> None:
        self._fail()
        self.rows[claim.key].held = False

    async def forget(self, claim: IdempotencyClaim) -> None:
        self._fail()
        del self.rows[claim.key]

    def _fail(self) -> None:
        if self.failure is not None:
            raise self.failure
