"""Counts the tasks of each group by state, as differences: exact whatever the order of events.

What a task adds is a function of the task alone, so that the counts of a group are at every moment what a
recount of its tasks would give.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from typing import NamedTuple

from coordinator.domain.task import ENDED, State, Task

__all__ = ["GroupCell", "GroupCounts", "counted_changes"]


class GroupCell(NamedTuple):
    """Names one of the numbers that are kept of a group."""

    group: str
    submitted_by: str
    """Whose tasks are counted; empty for those that nobody was asked a credential for."""
    state: str


def _cell(task: Task | None) -> GroupCell | None:
    """Where a task counts: nowhere before its own message was folded, or without a group."""
    if task is None or task.group is None or not task.known:
        return None
    return GroupCell(task.group, task.submitted_by or "", task.state.value)


def counted_changes(changes: Iterable[tuple[Task | None, Task | None]]) -> dict[GroupCell, int]:
    """What is to be added to each number, where it is not 0, for tasks that were one thing and are another;
    None is a task that is not there.
    """
    added: Counter[GroupCell] = Counter()
    for was, now in changes:
        before, after = _cell(was), _cell(now)
        if before != after:
            if before is not None:
                added[before] -= 1
            if after is not None:
                added[after] += 1
    return {cell: amount for cell, amount in added.items() if amount}


@dataclass(frozen=True, slots=True, kw_only=True)
class GroupCounts:
    """Tells how the tasks of one group stand."""

    group_id: str
    counts: Mapping[State, int]
    """For every state, also where it is 0."""

    @classmethod
    def of(cls, group_id: str, counts: Mapping[str, int]) -> GroupCounts:
        """``counts`` are by state; one that is missing is 0."""
        return cls(group_id=group_id, counts={state: counts.get(state.value, 0) for state in State})

    @property
    def total(self) -> int:
        return sum(self.counts.values())

    @property
    def ended(self) -> int:
        """Tasks that have ended, in whatever way."""
        return sum(self.counts[state] for state in ENDED)

    @property
    def progress(self) -> float:
        """Which part of them has ended, from 0 to 1."""
        return self.ended / self.total if self.total else 0.0
