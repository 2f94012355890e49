"""Keeps the ledger's API keys in memory, by their hashes, and looks each second whether any was changed.

    coordinator keys revoke ─▶ ledger: the key, and the number of changes + 1
    each process ── each second: the number ── another than before ─▶ all keys anew

A request costs a hash and a look into a dictionary: no key itself is kept. A revocation counts in every
process after a second and the look itself. Without the ledger the keys that are known go on counting, for
five minutes: then every key is answered 503, since none can be told from one that was revoked.
"""

from __future__ import annotations

import asyncio
import logging
import time
from collections.abc import Callable, Collection, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from hashlib import sha256
from typing import NoReturn, Protocol

from coordinator.errors import LedgerUnavailable

from .api_key import ApiKey
from .principal import Principal
from .roles import with_implied

__all__ = ["KeyRing", "StoresKeys"]

logger = logging.getLogger(__name__)

LOOK_EVERY = 1.0
"""Seconds between two looks: how long a revoked key counts at most, beside the look itself."""

APART = 0.2
"""Seconds between two looks that requests ask for, whose key is not known here."""

WITHOUT_LEDGER = timedelta(minutes=5)
"""How long keys count that nobody can revoke."""

_WITHOUT_LEDGER = WITHOUT_LEDGER.total_seconds()

USES_EVERY = 60.0
"""Seconds between two writes of which keys were used."""

_UNCHECKED = (
    "API keys cannot be checked, because the database has not answered for five minutes: try again"
)


class StoresKeys(Protocol):
    """Stores keys: `registry.stores.api_keys.ApiKeys`. Everything raises `LedgerUnavailable`."""

    async def changed(self, since: int | None) -> tuple[int, Sequence[ApiKey] | None]:
        """The number of changes so far, and all keys; None in their place where it is ``since``."""
        ...

    async def note_used(self, names: Collection[str], at: datetime) -> None:
        """These were used by then."""
        ...


@dataclass(frozen=True, slots=True)
class _Held:
    name: str
    principal: Principal
    until: datetime | None


class KeyRing:
    """Finds the holder of a key. `look` first, `run` meanwhile. ``look_every`` and ``apart`` are seconds."""

    def __init__(
        self,
        keys: StoresKeys,
        *,
        now: Callable[[], datetime] = lambda: datetime.now(UTC),
        monotonic: Callable[[], float] = time.monotonic,
        look_every: float = LOOK_EVERY,
        apart: float = APART,
        uses_every: float = USES_EVERY,
    ) -> None:
        self._keys = keys
        self._now = now
        self._monotonic = monotonic
        self._look_every = look_every
        self._apart = apart
        self._uses_every = uses_every
        self._held: dict[bytes, _Held] = {}
        self._changes: int | None = None
        self._looked_at = -float("inf")
        self._coming: asyncio.Task[None] | None = None
        self._used: set[str] = set()

    @property
    def empty(self) -> bool:
        """Whether there is no key that counts, or will."""
        return not self._held

    def find(self, secret: str) -> Principal | None:
        """The holder, as far as it is known here. Raises `LedgerUnavailable` where that is too old."""
        return self.find_bytes(secret.encode())

    def find_bytes(self, secret: bytes) -> Principal | None:
        """As `find`, of a key as it stands in a header."""
        if self._monotonic() - self._looked_at > _WITHOUT_LEDGER:
            raise LedgerUnavailable(_UNCHECKED)
        held = self._held.get(sha256(secret).digest())
        if held is None or (held.until is not None and self._now() >= held.until):
            return None
        self._used.add(held.name)
        return held.principal

    async def find_anew(self, secret: str) -> Principal | None:
        """As `find`, after a look that began when this was called: the key may have been made a moment ago.
        All that ask meanwhile share one look. Raises `LedgerUnavailable`.
        """
        if self._coming is None:
            self._coming = asyncio.create_task(self._look_apart())
            self._coming.add_done_callback(_retrieved)
        await asyncio.shield(self._coming)
        return self.find(secret)

    async def look(self) -> None:
        """Read what was changed. Raises `LedgerUnavailable`."""
        began = self._monotonic()
        changes, keys = await self._keys.changed(self._changes)
        if keys is not None:
            self._held = dict(_held(keys))
        self._changes, self._looked_at = changes, began

    async def write_uses(self) -> None:
        """Write which keys were used since the last time. Raises `LedgerUnavailable`."""
        if self._used:
            used, self._used = self._used, set()
            try:
                await self._keys.note_used(used, self._now())
            except LedgerUnavailable:
                self._used |= used
                raise

    async def run(self) -> NoReturn:
        """Look each second, and write now and then; ends only by cancellation."""
        told = ""
        write_at = self._monotonic() + self._uses_every
        while True:
            await asyncio.sleep(self._look_every)
            try:
                await self.look()
                if self._monotonic() >= write_at:
                    write_at = self._monotonic() + self._uses_every
                    await self.write_uses()
                told = ""
            except LedgerUnavailable as exc:
                if not told:
                    logger.warning("API keys cannot be looked for changes: %s", exc)
                told = str(exc)

    async def _look_apart(self) -> None:
        wait = self._looked_at + self._apart - self._monotonic()
        if wait > 0:
            await asyncio.sleep(wait)
        self._coming = None  # who asks from now on waits for the next one
        await self.look()


def _held(keys: Sequence[ApiKey]) -> list[tuple[bytes, _Held]]:
    found: list[tuple[bytes, _Held]] = []
    for key in keys:
        if key.revoked_at is not None:
            continue
        holder = Principal(
            actor=f"key:{key.name}", roles=with_implied(key.roles), agent_id=key.agent_id
        )
        found.append((bytes.fromhex(key.digest), _Held(key.name, holder, key.expires_at)))
        if key.previous_digest is not None and key.previous_until is not None:
            ends = [end for end in (key.previous_until, key.expires_at) if end is not None]
            before = _Held(key.name, holder, min(ends))
            found.append((bytes.fromhex(key.previous_digest), before))
    return found


def _retrieved(task: asyncio.Task[None]) -> None:
    """Who asked may be gone, and then nobody looks at its error."""
    if not task.cancelled():
        task.exception()
