"""Decides which follow-up tasks are cancelled with their parent, of those that asked for it. Pure.

    parent cancelled or expired ─▶ they are cancelled, and in the same way those below them
    parent completed or dead    ─▶ they go on

A task asks for it with the generation of its parent in which it was submitted. So what a person does later
counts: a parent that is sent round again submits anew, and a follow-up task that is sent round again goes on.

Later is what the log has later: of events that are folded together, each counts by what the tasks were then.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from typing import NamedTuple

from coordinator.domain.task import State, Task

__all__ = ["STOPPING", "Moment", "Stop", "TaskHistories", "comes_too_late", "stopped_now"]

STOPPING = frozenset({State.CANCELLED, State.EXPIRED})
"""How a parent ends with which its follow-up tasks are cancelled."""

Moment = int
"""Which of some events that are folded together, in the order of the log; the first is 1, and 0 is before."""


class Stop(NamedTuple):
    """Tells when a parent was stopped, and in which of its generations."""

    moment: Moment
    generation: int


def stopped_now(left: Mapping[tuple[str, str], Task]) -> dict[str, Stop]:
    """The tasks that were stopped by one of some events, each with the last time. ``left`` is the task as
    each event, by its id and its author, has left it.
    """
    return {
        task.task_id: Stop(moment, task.generation)
        for moment, (event, task) in enumerate(left.items(), 1)
        if task.state in STOPPING and event == (task.outcome, "")
    }


@dataclass(frozen=True, slots=True)
class TaskHistories:
    """Tells what the tasks that a batch of events has changed were at each moment of it."""

    before: Mapping[str, Task | None]
    """None of one that was not known."""
    left: Mapping[str, list[tuple[Moment, Task]]]

    @classmethod
    def of(cls, before: Mapping[str, Task | None], left: Iterable[Task]) -> TaskHistories:
        """``left``: the task of each event, as it has left it."""
        found: dict[str, list[tuple[Moment, Task]]] = {}
        for moment, task in enumerate(left, 1):
            found.setdefault(task.task_id, []).append((moment, task))
        return cls(before, found)

    def at(self, task_id: str, moment: Moment) -> Task | None:
        """The task when the event of that moment was folded."""
        so_far = [task for when, task in self.left.get(task_id, ()) if when <= moment]
        return so_far[-1] if so_far else self.before.get(task_id)

    def came(self, task_id: str) -> Moment:
        """When its own message was folded first; 0 where that was before."""
        was = self.before.get(task_id)
        if was is not None and was.known:
            return 0
        return next((moment for moment, task in self.left.get(task_id, ()) if task.known), 0)

    def overtaken(self, child: Task, stopped: Mapping[str, Stop]) -> bool:
        """Whether ``child``, as the batch has left it, has ended or was sent round again since it could be
        ordered to be cancelled: by an end of its parent, when it came, or before the batch.
        """
        stop = stopped.get(child.parent_id or "")
        since = max(0 if stop is None else stop.moment, self.came(child.task_id))
        then = self.at(child.task_id, since)
        return child.ended or then is None or then.generation != child.generation


def comes_too_late(child: Task, parent: Task) -> bool:
    """Whether ``child``, which was not known before, was submitted for a ``parent`` that had been stopped by
    then, or that was even sent round again since.
    """
    bound = child.cancel_with_parent
    return bound is not None and (
        parent.generation > bound or (parent.generation == bound and parent.state in STOPPING)
    )
