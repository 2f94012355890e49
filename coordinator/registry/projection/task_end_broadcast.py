"""Tells every coordinator process which tasks have ended, as the ledger has it.

    projector ─▶ ledger.ended ─▶ live.<process> of every coordinator ─▶ `TaskEndWaiters`

Outcomes travel in batches, mixed with all else that agents say, and a copy of it all for each
process would cost as much as the log. So the one process that folds the log names the tasks whose
ends it has folded: one message for what came while the one before was under way, neither stored nor
promised.
"""

from __future__ import annotations

import asyncio
from collections.abc import Iterable

from coordinator.broker.ports import PublishesMessages
from coordinator.errors import Unavailable
from coordinator.protocol.messages.event_codec.event_encoding import encode, routing_key
from coordinator.protocol.messages.events import Event, LedgerEnded
from coordinator.protocol.topology import EVENTS

from .task_end_waiters import ends_of

__all__ = ["TaskEndBroadcast"]

MOST = 20_000
"""Ids in one message."""


class TaskEndBroadcast:
    """Publishes the ids of ended tasks, and of their groups, one message at a time. Its user is never held
    up, whatever the broker does.

    ``most``: ids in one message; where more have come together, it says that any task may have ended.
    """

    def __init__(self, publisher: PublishesMessages, *, most: int = MOST) -> None:
        self._publisher = publisher
        self._most = most
        self._ids: dict[str, None] = {}
        self._groups: dict[str, None] = {}
        self._untold = False
        """Whether ids were given up, so that the next message must stand for any."""
        self._telling: asyncio.Task[None] | None = None

    def folded(self, events: Iterable[Event]) -> None:
        """This process has committed these."""
        self._ids.update(dict.fromkeys(ends_of(events)))
        if len(self._ids) + len(self._groups) > self._most:
            self._give_up()
        if (self._ids or self._untold) and (self._telling is None or self._telling.done()):
            self._telling = asyncio.create_task(self._tell())

    def groups_ended(self, groups: Iterable[str]) -> None:
        """Of these some tasks have ended, which `folded` is told of next: the groups go with them."""
        self._groups.update(dict.fromkeys(groups))

    async def told(self) -> None:
        """Wait until nothing is under way."""
        if self._telling is not None:
            await asyncio.wait([self._telling])

    async def _tell(self) -> None:
        while self._ids or self._untold:
            ids = [] if self._untold else list(self._ids)
            groups = [] if self._untold else list(self._groups)
            self._ids.clear()
            self._groups.clear()
            self._untold = False
            event = Event(data=LedgerEnded(tasks=ids, groups=groups))
            try:
                await self._publisher.publish(
                    encode(event, persistent=False), exchange=EVENTS, key=routing_key(event.data)
                )
            except Unavailable:
                self._give_up()  # said with the next ones
                return

    def _give_up(self) -> None:
        self._ids.clear()
        self._groups.clear()
        self._untold = True
