"""Tells every coordinator process what keeps the process that folds the log from doing so.

    projector ─▶ ledger.hindered ─▶ live.<process> of every coordinator ─▶ `LogFoldingWatch`

A request for `/health` reaches a process that does not fold. Nothing is told while all is well; what is told
is said again while it lasts, since no message is promised to arrive.
"""

from __future__ import annotations

import asyncio
import contextlib
from collections.abc import Callable, Sequence
from typing import NoReturn

from coordinator.broker.ports import PublishesMessages
from coordinator.errors import Unavailable
from coordinator.protocol.messages.event_codec.event_encoding import encode, routing_key
from coordinator.protocol.messages.events import Event, LedgerHindered
from coordinator.protocol.topology import EVENTS

__all__ = ["FoldProblemBroadcast"]

TOLD_EVERY = 2.0
"""Seconds between two looks at what there is to tell."""


class FoldProblemBroadcast:
    """Publishes the ``problems`` of this process, a sentence each, every ``told_every`` seconds while there
    are some, and once when there are none any more.
    """

    def __init__(
        self,
        publisher: PublishesMessages,
        *,
        problems: Callable[[], Sequence[str]],
        told_every: float = TOLD_EVERY,
    ) -> None:
        self._publisher = publisher
        self._problems = problems
        self._told_every = told_every

    async def run(self) -> NoReturn:
        """Ends only by cancellation; what the broker does not take is told later."""
        told = False
        while True:
            problems = list(self._problems())
            if problems or told:
                with contextlib.suppress(Unavailable):
                    await self._tell(problems)
                    told = bool(problems)
            await asyncio.sleep(self._told_every)

    async def _tell(self, problems: list[str]) -> None:
        event = Event(data=LedgerHindered(problems=problems))
        message = encode(event, persistent=False)
        await self._publisher.publish(message, exchange=EVENTS, key=routing_key(event.data))
