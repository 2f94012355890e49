"""Makes recorded events of the batch that this process has just folded, as reading the ledger would.

Streams need no query for them then. What would have to be looked into, or is not known without asking the
database, is left to `recorded_events`.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from coordinator.domain.task import Task
from coordinator.protocol.messages.events import Event
from coordinator.registry.ledger.batch_folding import FoldedBatch
from coordinator.registry.tables.schema import from_micros

from .recorded_events import KEPT_AS_TEXT, NOUNS, RecordedEvent

__all__ = ["FoldedPage", "FoldedPageOffer", "folded_page"]


@dataclass(frozen=True, slots=True, kw_only=True)
class FoldedPage:
    """Holds all events of tasks and agents between two positions, as of when they were committed."""

    after: int
    events: Sequence[RecordedEvent]
    reached: int


def folded_page(batch: FoldedBatch) -> FoldedPage | None:
    """What ``batch`` has appended to the ledger; None where that is nothing, or is to be read: where the
    database alone knows the positions, or an event is so large that only a part of it is told.
    """
    appended = batch.appended
    if appended is None or any(len(row["data"]) > KEPT_AS_TEXT for row in appended.rows):
        return None
    return FoldedPage(
        after=appended.after,
        events=[
            _event(row, batch.left.get((row["id"], row["agent_id"])))
            for row in appended.rows
            if row["type"].startswith(NOUNS)
        ],
        reached=appended.reached,
    )


class FoldedPageOffer:
    """Is a `FoldInterceptor`. ``told`` is called after each batch that has appended events, with what makes
    their page, or None; whether it calls that is its own affair.
    """

    def __init__(self, told: Callable[[Callable[[], FoldedPage | None]], None]) -> None:
        self._told = told

    def before(self, events: Sequence[Event]) -> None:
        """Nothing is there yet."""

    def folded(self, events: Sequence[Event], batch: FoldedBatch) -> None:  # noqa: ARG002 - the port's
        if batch.events:
            self._told(lambda: folded_page(batch))

    def failed(self, events: Sequence[Event], error: BaseException) -> None:
        """Nothing is there."""


def _event(row: Mapping[str, Any], task: Task | None) -> RecordedEvent:
    task = task or _NONE
    return RecordedEvent(
        position=row["position"],
        event_id=row["id"],
        type=row["type"],
        subject=row["subject"],
        author=row["agent_id"] or None,
        time=from_micros(row["time"]),
        data=row["data"],
        state=row["state"],
        priority=None if task.priority is None else task.priority.value,
        submitted_by=task.submitted_by,
        group=task.group,
        tags=task.tags,
    )


_NONE = Task(task_id="")
"""Stands for the task of an event of an agent, which has none."""
