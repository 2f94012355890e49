"""Keeps what is known of each task of the batch, as a screen needs it."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from statistics import fmean

from coordinator.client import Task
from coordinator.protocol.priority import Priority

from .demo_tasks import Order

__all__ = ["Waits", "WatchedTask", "WatchedTasks", "waits_by_priority"]


@dataclass(slots=True, kw_only=True)
class WatchedTask:
    """Holds one task, updated by each answer of the API."""

    order: Order
    task_id: str
    task: Task | None = None
    """As the API told it last; None before."""

    @property
    def state(self) -> str:
        """As the API tells it; `queued` until it does."""
        return "queued" if self.task is None else self.task.state

    @property
    def ended(self) -> bool:
        return self.task is not None and self.task.ended

    @property
    def well(self) -> bool:
        """Whether it is completed."""
        return self.state == "completed"

    @property
    def lane(self) -> str:
        """As the coordinator tells it, which knows the types that have lanes of their own."""
        return "" if self.task is None else self.task.lane

    @property
    def agent(self) -> str:
        return "" if self.task is None else self.task.agent_id or ""

    @property
    def waited(self) -> timedelta | None:
        """From submission to start; None until it has started."""
        task = self.task
        return None if task is None else _between(task.submitted_at, task.started_at)

    @property
    def took(self) -> timedelta | None:
        """From start to end; None until it has ended."""
        return None if self.task is None else _between(self.task.started_at, self.task.ended_at)

    def overtook(self, other: WatchedTask) -> bool:
        """Whether it came later to the same lane and was begun earlier, since it is more urgent. Instants of
        the coordinator are compared with each other, and those of agents.
        """
        mine, theirs = self.task, other.task
        if mine is None or theirs is None or self.lane != other.lane:
            return False
        return (
            self.order.priority.rank < other.order.priority.rank
            and _earlier(theirs.submitted_at, mine.submitted_at)
            and _earlier(mine.started_at, theirs.started_at)
        )

    @property
    def fraction(self) -> float | None:
        """How far it has come, from 0 to 1; None where its handler does not tell."""
        progress = None if self.task is None else self.task.progress
        return None if progress is None else progress.fraction

    @property
    def outcome(self) -> str:
        """The result, or what went wrong, in a few words."""
        task = self.task
        if task is None or not task.ended:
            return "did not finish in time"
        if not self.well:
            said = "no reason given" if task.error is None else task.error.message
            return f"{task.state}: {said}"
        try:
            return self.order.work.tell(task.result)
        except (KeyError, TypeError, IndexError):
            return f"an unexpected result: {task.result!r}"


def _earlier(first: datetime | None, second: datetime | None) -> bool:
    return first is not None and second is not None and first < second


def _between(first: datetime | None, last: datetime | None) -> timedelta | None:
    if first is None or last is None:
        return None
    # Two machines' clocks may disagree by more than a short wait.
    return max(last - first, timedelta(0))


@dataclass(slots=True)
class WatchedTasks:
    """Holds all tasks of the batch."""

    expected: int = 0
    """How many are to be submitted."""
    rows: list[WatchedTask] = field(default_factory=list)
    ended: list[WatchedTask] = field(default_factory=list)
    """In the order in which they were seen to end."""

    def update(self, row: WatchedTask, task: Task) -> bool:
        """Take the API's answer; True if it says something new."""
        changed = row.task != task
        was_ended = row.ended
        row.task = task
        if row.ended and not was_ended:
            self.ended.append(row)
        return changed

    @property
    def open(self) -> list[WatchedTask]:
        """Those that have not ended."""
        return [row for row in self.rows if not row.ended]

    @property
    def overtaken(self) -> int:
        """How many were begun after a more urgent one of their lane that had been submitted later."""
        begun = [
            row for row in self.rows if row.task is not None and row.task.started_at is not None
        ]
        return sum(any(other.overtook(row) for other in begun) for row in begun)

    @property
    def by_interest(self) -> list[WatchedTask]:
        """Running ones, then the latest to end, then those that wait, most urgent first."""
        running = [row for row in self.rows if row.state == "running"]
        waiting = [row for row in self.open if row.state != "running"]
        waiting.sort(key=lambda row: row.order.priority.rank)
        return [*running, *reversed(self.ended), *waiting]


@dataclass(frozen=True, slots=True, kw_only=True)
class Waits:
    """Tells the waits of one priority, from submission to start."""

    priority: Priority
    tasks: int
    mean: timedelta | None
    longest: timedelta | None
    took: timedelta | None
    """Mean of the times that the work itself took."""


def waits_by_priority(rows: Iterable[WatchedTask]) -> list[Waits]:
    """One entry for each priority that occurs, the most urgent first."""
    every = list(rows)
    found: list[Waits] = []
    for priority in Priority:
        group = [row for row in every if row.order.priority is priority]
        if not group:
            continue
        waits = [row.waited for row in group if row.waited is not None]
        took = [row.took for row in group if row.took is not None]
        found.append(
            Waits(
                priority=priority,
                tasks=len(group),
                mean=_mean(waits),
                longest=max(waits, default=None),
                took=_mean(took),
            )
        )
    return found


def _mean(spans: list[timedelta]) -> timedelta | None:
    return timedelta(seconds=fmean(span.total_seconds() for span in spans)) if spans else None
