"""A ledger of events in memory, as far as streams read it."""

from __future__ import annotations

import asyncio
from collections.abc import Collection
from datetime import UTC, datetime
from typing import Any

from pydantic_core import to_json

from coordinator.errors import LedgerUnavailable
from coordinator.registry.feed.recorded_events import RecordedEvent, RecordedPage

__all__ = ["MemoryEvents", "recorded"]

AT = datetime(2026, 1, 31, 12, tzinfo=UTC)


def recorded(
    position: int, kind: str = "task.started", subject: str = "t", **more: Any
) -> RecordedEvent:
    data = {"task_id" if kind.startswith("task.") else "agent_id": subject, **more.pop("data", {})}
    given: dict[str, Any] = {
        "position": position,
        "event_id": f"event-{position}",
        "type": kind,
        "subject": subject,
        "author": "ada",
        "time": AT,
        "data": to_json(data).decode(),
    }
    return RecordedEvent(**(given | more))


class MemoryEvents:
    """Fits `ReadsRecordedEvents`."""

    def __init__(self, *events: RecordedEvent) -> None:
        self.events = list(events)
        self.forgotten_to = 0
        self.reads: list[int] = []
        """The position of each read, but those for where the ledger ends."""
        self.away = False
        self.free = asyncio.Event()
        self.free.set()

    def delete(self, *positions: int) -> None:
        self.events = [one for one in self.events if one.position not in positions]
        self.forgotten_to = max(self.forgotten_to, *positions)

    async def after(
        self,
        position: int,
        *,
        limit: int,
        task_ids: Collection[str] = (),
        types: Collection[str] = (),
    ) -> RecordedPage:
        self.reads.append(position)
        await self.free.wait()
        if self.away:
            raise LedgerUnavailable
        found = [
            one
            for one in self.events
            if one.position > position
            and (not task_ids or one.subject in task_ids)
            and (not types or one.type in types)
        ][:limit]
        whole = len(found) < limit
        return RecordedPage(
            events=found,
            reached=max(position, self._end()) if whole else found[-1].position,
            end=self._end(),
            forgotten_to=self.forgotten_to,
        )

    async def end(self) -> RecordedPage:
        if self.away:
            raise LedgerUnavailable
        end = self._end()
        return RecordedPage(events=(), reached=end, end=end, forgotten_to=self.forgotten_to)

    async def state_of(self, task_id: str) -> tuple[str | None, int]:
        if self.away:
            raise LedgerUnavailable
        states = [one.state for one in self.events if one.subject == task_id]
        return (states[-1] if states else None), self._end()

    def _end(self) -> int:
        return max([self.forgotten_to, *(one.position for one in self.events)])
