"""What carries an Idempotency-Key is done once, and answered the same for as long as the key is kept.

    claim ─▶ fresh ............ do it ─▶ keep the answer
         ├─▶ answered ......... the same answer
         ├─▶ held by another .. wait a moment, then `KeyInUse`
         └─▶ left unfinished .. do it again: the same ids, looked for first

The key is claimed before anything is published, so that two requests never both begin. The ids of
its tasks follow from the claim: whoever finishes what another began finds what is there.
"""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Awaitable, Callable
from dataclasses import dataclass
from datetime import timedelta
from typing import Any, Protocol

from coordinator.domain.idempotency_claim import Answered, IdempotencyClaim
from coordinator.errors import (
    Conflict,
    CoordinatorError,
    KeyInUse,
    LedgerUnavailable,
    OutcomeUnknown,
)

from .per_id_lock import PerIdLock

__all__ = ["IdempotentSubmission", "Keys", "Worked"]

logger = logging.getLogger(__name__)

PATIENCE = timedelta(seconds=2)
"""How long a request waits for another process that is answering the same key."""

PAUSE = 0.1
"""Seconds between two looks at it."""

MARGIN = timedelta(seconds=10)
"""A claim lasts so much longer than the work that it is for, and then another may finish it."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Worked:
    """``final``: a repetition is to be answered the same, and not to do what is left."""

    body: dict[str, Any]
    final: bool = True


class Keys(Protocol):
    """`registry.stores.idempotency_keys.IdempotencyKeys`. Everything raises `LedgerUnavailable`."""

    async def claim(
        self, key: str, fingerprint: str, lasts: timedelta
    ) -> IdempotencyClaim | Answered: ...

    async def finish(self, claim: IdempotencyClaim, body: dict[str, Any]) -> None: ...

    async def release(self, claim: IdempotencyClaim) -> None:
        """Another may finish it now."""
        ...

    async def forget(self, claim: IdempotencyClaim) -> None:
        """As if the key had never been used."""
        ...


class IdempotentSubmission:
    """``longest`` bounds the work of one request."""

    def __init__(self, keys: Keys, *, longest: timedelta, patience: timedelta = PATIENCE) -> None:
        self._keys = keys
        self._longest = longest
        self._patience = patience.total_seconds()
        self._one_at_a_time = PerIdLock()

    async def run(
        self, key: str, fingerprint: str, work: Callable[[IdempotencyClaim], Awaitable[Worked]]
    ) -> Answered:
        """Raises `Conflict` for a key that was used for another request, `KeyInUse`,
        `LedgerUnavailable`, and what ``work`` raises.
        """
        async with self._one_at_a_time.alone_with([key]):
            found = await self._claim(key, fingerprint)
            if isinstance(found, Answered):
                return found
            return Answered(
                fingerprint=fingerprint, body=await self._work(found, work), replayed=False
            )

    async def _claim(self, key: str, fingerprint: str) -> IdempotencyClaim | Answered:
        deadline = asyncio.get_running_loop().time() + self._patience
        while True:
            found = await self._keys.claim(key, fingerprint, self._longest + MARGIN)
            if isinstance(found, IdempotencyClaim):
                return found
            if found.fingerprint != fingerprint:
                raise Conflict(
                    "This Idempotency-Key was used before, for another request: choose a new one"
                )
            if found.body is not None:
                return found
            if asyncio.get_running_loop().time() >= deadline:
                raise KeyInUse
            await asyncio.sleep(PAUSE)

    async def _work(
        self, claim: IdempotencyClaim, work: Callable[[IdempotencyClaim], Awaitable[Worked]]
    ) -> dict[str, Any]:
        try:
            async with asyncio.timeout(self._longest.total_seconds()):
                worked = await work(claim)
        except TimeoutError:
            await self._tell(self._keys.release(claim))
            raise OutcomeUnknown(
                "It was not answered in time and may have been accepted: repeat it with the same"
                " Idempotency-Key"
            ) from None
        except CoordinatorError as exc:
            # What was refused for certain left nothing behind, unless somebody began before.
            certain = claim.fresh and not isinstance(exc, OutcomeUnknown)
            await self._tell(self._keys.forget(claim) if certain else self._keys.release(claim))
            raise
        except Exception:
            await self._tell(self._keys.release(claim))
            raise
        if worked.final:
            await self._tell(self._keys.finish(claim, worked.body))
        else:
            await self._tell(self._keys.release(claim))
        return worked.body

    async def _tell(self, telling: Awaitable[None]) -> None:
        """Without the ledger the claim runs out by itself, and a repetition looks the tasks up."""
        try:
            await telling
        except LedgerUnavailable as exc:
            logger.warning("what became of an Idempotency-Key is not stored: %s", exc)
