"""Does a request with an Idempotency-Key once, and answers it the same for as long as the key is kept.

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

__all__ = ["IdempotentSubmission", "Worked"]

logger = logging.getLogger(__name__)

PATIENCE = timedelta(seconds=2)
"""How long a request waits for another process that is answering the same key."""

PAUSE = 0.1
"""Seconds between two looks at it."""

MARGIN = timedelta(seconds=10)
"""A claim lasts so much longer than the work that it is for, and then another may finish it."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Worked:
    """Carries the answer to a request that was worked on."""

    body: dict[str, Any]
    """The JSON of the answer."""
    final: bool = True
    """Whether a repetition is to be answered the same, and not to do what is left."""


class ClaimsKeys(Protocol):
    """Claims keys, and stores the answers: `registry.stores.idempotency_keys.IdempotencyKeys`. Everything
    raises `LedgerUnavailable`.
    """

    async def claim(
        self, key: str, fingerprint: str, lasts: timedelta
    ) -> IdempotencyClaim | Answered:
        """The claim, which lasts so long, or how the key was used before: without a body where somebody
        holds it. ``fingerprint`` is of the request, to know another one by.
        """
        ...

    async def finish(self, claim: IdempotencyClaim, body: dict[str, Any]) -> None:
        """Store the answer."""
        ...

    async def release(self, claim: IdempotencyClaim) -> None:
        """Another may finish it now."""
        ...

    async def forget(self, claim: IdempotencyClaim) -> None:
        """As if the key had never been used."""
        ...


ClaimedWork = Callable[[IdempotencyClaim], Awaitable[Worked]]
"""Does what the request asks for, under ids that follow from the claim. It is called once at most for each
request, is cancelled when it takes too long, and raises a `CoordinatorError` where the request is refused."""


class IdempotentSubmission:
    """Claims the key, works, and keeps the answer.

    ``longest`` bounds the work of one request, and ``patience`` how long it waits for another process that
    has the same key; it looks again after ``pause`` seconds.
    """

    def __init__(
        self,
        keys: ClaimsKeys,
        *,
        longest: timedelta,
        patience: timedelta = PATIENCE,
        pause: float = PAUSE,
    ) -> None:
        self._keys = keys
        self._longest = longest
        self._patience = patience.total_seconds()
        self._pause = pause
        self._one_at_a_time = PerIdLock()

    async def run(self, key: str, fingerprint: str, work: ClaimedWork) -> Answered:
        """The answer, new or as it was the first time; ``fingerprint`` is of the request. Raises `Conflict`
        for a key that was used for another request, `KeyInUse`, `LedgerUnavailable`, and what ``work``
        raises.
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
            await asyncio.sleep(self._pause)

    async def _work(self, claim: IdempotencyClaim, work: ClaimedWork) -> dict[str, Any]:
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
