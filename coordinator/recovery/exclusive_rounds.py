"""Holds the lock under which one coordinator at a time looks for what is missing, and calls each look
when it is due.

Looks take turns, within this process and over all: each may take a message from a queue for an
instant, to see whether there is one, and another that looked just then would find it empty.
"""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Sequence
from typing import NoReturn, Protocol

from coordinator.broker.connection import Link
from coordinator.broker.name_lock import held
from coordinator.errors import ChannelLost, OperatorError, QueueLocked, Unavailable
from coordinator.protocol.topology import RECONCILING

__all__ = ["ExclusiveRounds", "Look"]

logger = logging.getLogger(__name__)


class Look(Protocol):
    """`Reconciler`, `LostAttempts`."""

    @property
    def interval(self) -> float:
        """Seconds between two looks; 0 is never."""

    async def look(self, link: Link) -> int:
        """Look, and put right what is found; how much that was. Raises `Unavailable`."""


class ExclusiveRounds:
    """Run `session` with `Connection.keep`, after the sources were restored."""

    def __init__(self, *looks: Look) -> None:
        self._looks: Sequence[Look] = tuple(look for look in looks if look.interval)

    async def session(self, link: Link) -> NoReturn:
        if not self._looks:
            await link.closed()
        loop = asyncio.get_running_loop()
        due = {look: loop.time() + look.interval for look in self._looks}
        while link.open:
            look = min(due, key=due.__getitem__)
            await asyncio.sleep(due[look] - loop.time())
            due[look] = loop.time() + look.interval
            try:
                async with held(link, RECONCILING, patience=1.0):
                    await look.look(link)
            except QueueLocked:
                continue  # another coordinator does it
            except (Unavailable, OperatorError) as exc:
                logger.info("missing tasks are not looked for now", extra={"why": str(exc)})
        raise ChannelLost
