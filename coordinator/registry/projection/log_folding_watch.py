"""Watches from a process that does not fold the log whether another does, and what keeps that one from it.

the log's consumers, by a passive declare ─▶ does anybody read it?
ledger.hindered ─▶ what does the one who reads it say?
"""

from __future__ import annotations

import asyncio
import time
from collections.abc import Callable, Sequence
from contextlib import suppress
from typing import NoReturn

from coordinator.broker.connection import Link
from coordinator.broker.ports import ReadsQueueDepths
from coordinator.errors import ChannelLost, Unavailable
from coordinator.protocol.topology import LOG

__all__ = ["LogFoldingWatch"]

FIRST_LOOKS_EVERY, LOOKS_EVERY = 0.1, 2.0
"""Seconds between two looks, until the log was found read and from then on."""

UNREAD_FOR = 6.0
"""Seconds without a reader before that is a problem: one that was killed is back in two or three."""

TOLD_LASTS = 10.0
"""Seconds for which what was told counts; it is said again every two."""


NOBODY_READS = (
    "No process reads coordinator.log, and the ledger stands still: what is accepted waits there. What this"
    " coordinator has logged says why its projecting process does not run."
)


class LogFoldingWatch:
    """Run `session` with `Connection.keep`. ``monotonic`` is a clock in seconds that is never set."""

    def __init__(
        self, *, depths: ReadsQueueDepths, monotonic: Callable[[], float] = time.monotonic
    ) -> None:
        self._depths = depths
        self._monotonic = monotonic
        self.is_read = False
        """Whether the log had a reader at the latest look."""
        self._unread_since: float | None = None
        self._told: tuple[str, ...] = ()
        self._told_at = 0.0

    def hear(self, problems: Sequence[str]) -> None:
        """The process that folds the log told these: all that it has now."""
        self._told, self._told_at = tuple(problems), self._monotonic()

    def problems(self) -> list[str]:
        """What keeps the ledger behind, a sentence each, as far as it is known here."""
        now = self._monotonic()
        if self._unread_since is not None and now - self._unread_since >= UNREAD_FOR:
            return [NOBODY_READS]
        return list(self._told) if now - self._told_at < TOLD_LASTS else []

    async def session(self, link: Link) -> NoReturn:
        """Looks until the link is closed. Raises `ChannelLost` then."""
        while link.open:
            with suppress(Unavailable):  # the link's own problems are told by others
                await self.look()
            await asyncio.sleep(LOOKS_EVERY if self.is_read else FIRST_LOOKS_EVERY)
        raise ChannelLost

    async def look(self) -> None:
        """Learn whether the log is read. Raises `BrokerUnavailable`."""
        depth = (await self._depths.look([LOG]))[LOG]
        self.is_read = depth is not None and depth.consumers > 0
        if self.is_read:
            self._unread_since = None
        elif self._unread_since is None:
            self._unread_since = self._monotonic()
