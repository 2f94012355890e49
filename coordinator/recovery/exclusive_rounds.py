"""Runs the rounds that look for missing tasks, one coordinator at a time: holds their lock, and calls each
when it is due.

Looks take turns, within this process and over all: each may take a message from a queue for an
instant, to see whether there is one, and another that looked just then would find it empty.
"""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Sequence
from typing import NoReturn, Protocol

from coordinator.broker.broker_lock import held
from coordinator.broker.connection import Link
from coordinator.errors import ChannelLost, OperatorError, QueueLocked, Unavailable
from coordinator.protocol.topology import RECONCILING

__all__ = ["ExclusiveRounds", "LooksForMissing"]

logger = logging.getLogger(__name__)

PATIENCE = 1.0
"""Seconds to wait while another coordinator looks."""


class LooksForMissing(Protocol):
    """Looks for tasks that are missing, in rounds: `Reconciler`, `LostAttemptFinder`."""

    @property
    def interval(self) -> float:
        """Seconds between two looks; 0 is never."""

    async def look(self, link: Link) -> int:
        """Look, and put right what is found; how much that was. Raises `Unavailable`."""


class ExclusiveRounds:
    """Calls each of its ``looks`` at its interval, one after the other. Run `session` with
    `Connection.keep`, after the task queues were restored.
    """

    def __init__(self, *looks: LooksForMissing) -> None:
        self._looks: Sequence[LooksForMissing] = tuple(look for look in looks if look.interval)

    async def session(self, link: Link) -> NoReturn:
        """Calls looks until the link is closed. Raises `ChannelLost` then."""
        if not self._looks:
            await link.closed()
        loop = asyncio.get_running_loop()
        due = {look: loop.time() + look.interval for look in self._looks}
        while link.open:
            look = min(due, key=due.__getitem__)
            await asyncio.sleep(due[look] - loop.time())
            due[look] = loop.time() + look.interval
            try:
                async with held(link, RECONCILING, patience=PATIENCE):
                    await look.look(link)
            except QueueLocked:
                continue  # another coordinator does it
            except (Unavailable, OperatorError) as exc:
                logger.info("missing tasks are not looked for now", extra={"why": str(exc)})
        raise ChannelLost
