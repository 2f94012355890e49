"""Tells how the tasks of a group stand by the counts that are folded, and waits for their ends.

    settled: the ledger has all that was accepted before the question ─▶ look ─▶ sleep until woken ─▶ look …

Without the first, a group whose last tasks are still in the log would seem to be done.
"""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable
from contextlib import suppress
from dataclasses import dataclass
from datetime import timedelta
from functools import partial

from coordinator.domain.labels.group_counts import GroupCounts
from coordinator.errors import GroupNotFound, Unavailable
from coordinator.registry.ledger.ledger import Ledger
from coordinator.registry.projection.task_end_waiters import TaskEndWaiters
from coordinator.registry.tables.labels.group_total_rows import group_counts

__all__ = ["GroupProgress", "GroupWaited", "GroupWish"]

APART = 0.1
"""Seconds between two looks of one who waits: ends come in large numbers, and the last one counts."""

LOOK_EVERY = 5.0
"""Seconds without a hint until it is looked all the same: a coordinator of before names no groups."""

SETTLED_AGAIN = 0.2
"""Seconds between two tries to have the ledger settled."""


@dataclass(frozen=True, slots=True, kw_only=True)
class GroupWish:
    """Says what is waited for: the end of all tasks, or more ends than there were."""

    more_than: int | None = None
    """That more tasks than so many have ended, or all; None: that all have."""

    def is_met(self, found: GroupCounts, *, settled: bool) -> bool:
        """``settled``: the counts have all that was accepted before it was asked."""
        if self.more_than is not None and found.ended > self.more_than:
            return True
        return settled and 0 < found.total == found.ended


@dataclass(frozen=True, slots=True, kw_only=True)
class GroupWaited:
    """Tells how a group stands at the end of a wait."""

    group: GroupCounts
    reached: bool
    """Whether what was waited for is so; not, where the time was over first."""


class GroupProgress:
    """``settle`` returns once the ledger has all that was in the log, see `Registry.settle`; ``waiters`` are
    woken with the ids of groups. Methods are of the tasks of one caller alone where ``by`` is given. They
    raise `GroupNotFound` where there is none; `LedgerBehind` or `BrokerUnavailable` where that cannot be told
    yet; or `LedgerUnavailable`.
    """

    def __init__(
        self,
        *,
        ledger: Ledger,
        settle: Callable[[], Awaitable[None]],
        waiters: TaskEndWaiters,
        apart: float = APART,
    ) -> None:
        self._ledger = ledger
        self._settle = settle
        self._waiters = waiters
        self._apart = apart

    async def counts(self, group_id: str, *, by: str | None = None) -> GroupCounts:
        """How its tasks stand, with all that was accepted before; where that takes too long, as far as the
        ledger has it.
        """
        why_not = await self._why_not_settled()
        return _checked(await self._look(group_id, by), why_not)

    async def wait(
        self, group_id: str, wish: GroupWish, timeout: timedelta, *, by: str | None = None
    ) -> GroupWaited:
        """The group the moment that ``wish`` is met, or as it stands after ``timeout``."""
        with self._waiters.of(group_id) as hint:
            why_not: Unavailable | None = await self._why_not_settled()
            found = await self._look(group_id, by)
            with suppress(TimeoutError):
                async with asyncio.timeout(timeout.total_seconds()):
                    while not wish.is_met(found, settled=why_not is None):
                        if why_not is not None:
                            await asyncio.sleep(SETTLED_AGAIN)
                            why_not = await self._why_not_settled()
                        elif not found.total:
                            break
                        else:
                            await self._woken(hint)
                        found = await self._look(group_id, by)
            _checked(found, why_not)
            return GroupWaited(group=found, reached=wish.is_met(found, settled=why_not is None))

    async def _woken(self, hint: asyncio.Event) -> None:
        with suppress(TimeoutError):
            async with asyncio.timeout(LOOK_EVERY):
                await hint.wait()
        hint.clear()
        await asyncio.sleep(self._apart)

    async def _why_not_settled(self) -> Unavailable | None:
        try:
            await self._settle()
        except Unavailable as exc:
            return exc
        return None

    async def _look(self, group_id: str, by: str | None) -> GroupCounts:
        return await self._ledger.read(partial(group_counts, group_id=group_id, submitted_by=by))


def _checked(found: GroupCounts, why_not: Unavailable | None) -> GroupCounts:
    if found.total:
        return found
    raise GroupNotFound(found.group_id) if why_not is None else why_not
