"""Reads from a ledger in which order tasks started, and how long a better one was passed over."""

from __future__ import annotations

import json
import sqlite3
from collections import OrderedDict, defaultdict
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path

from coordinator.protocol.priority import Priority
from coordinator.protocol.requirements import Profile, Requirements

__all__ = ["Overtaking", "Step", "overtakings", "read_ends", "read_steps"]


@dataclass(frozen=True, slots=True, kw_only=True)
class Step:
    """A task was submitted, or started by an agent."""

    at: datetime
    started: bool
    task_id: str
    priority: Priority | None = None
    requirements: Requirements | None = None
    agent_id: str | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class Overtaking:
    """``task_id`` was started while ``better`` waited: for ``before`` seconds already, and for
    ``after`` seconds more. A task that was in another agent's hands by then shows as a small
    ``after``, one that had only just come as a small ``before``.
    """

    task_id: str
    better: str
    before: float
    after: float

    @property
    def seconds(self) -> float:
        """For how long, at least, an agent that looked around would have seen the better one."""
        return min(self.before, self.after)


def read_steps(ledger: Path) -> list[Step]:
    """From the events of a SQLite ledger, in the order of their times."""
    steps: list[Step] = []
    with sqlite3.connect(f"file:{ledger}?mode=ro", uri=True) as database:
        rows = database.execute(
            "SELECT type, data, time FROM events WHERE type IN ('task.submitted', 'task.started')"
        )
        for kind, text, time in rows:
            data = json.loads(text)
            at = datetime.fromtimestamp(time / 1e6).astimezone()
            if kind == "task.started":
                steps.append(
                    Step(at=at, started=True, task_id=data["task_id"], agent_id=data["agent_id"])
                )
            else:
                task = data.get("task", data)
                steps.append(
                    Step(
                        at=at,
                        started=False,
                        task_id=task["task_id"],
                        priority=Priority(task["priority"]),
                        requirements=Requirements.from_dict(task.get("requirements")),
                    )
                )
    return sorted(steps, key=lambda step: step.at)


def read_ends(ledger: Path) -> dict[str, tuple[str, str]]:
    """The state of every task of a SQLite ledger, and who did it last, by id."""
    with sqlite3.connect(f"file:{ledger}?mode=ro", uri=True) as database:
        rows = database.execute("SELECT task_id, state, agent_id FROM tasks").fetchall()
    return {task_id: (state, agent_id) for task_id, state, agent_id in rows}


def overtakings(steps: Sequence[Step], profiles: Mapping[str, Profile]) -> list[Overtaking]:
    """For every start, the worst of the tasks of higher priority that waited and that this agent
    could have done; none where there was none.
    """
    waiting: dict[tuple[Requirements, Priority], OrderedDict[str, datetime]] = defaultdict(
        OrderedDict
    )
    submitted = {step.task_id: step for step in steps if not step.started}
    started = {step.task_id: step.at for step in reversed(steps) if step.started}
    found: list[Overtaking] = []
    for step in steps:
        task = submitted[step.task_id]
        assert task.requirements is not None
        assert task.priority is not None
        kind = task.requirements, task.priority
        if not step.started:
            if started[step.task_id] > step.at:
                waiting[kind][step.task_id] = step.at
            continue
        waiting[kind].pop(step.task_id, None)
        profile = profiles[step.agent_id or ""]
        passed_over = [
            Overtaking(
                task_id=step.task_id,
                better=better,
                before=(step.at - since).total_seconds(),
                after=(started[better] - step.at).total_seconds(),
            )
            for (requirements, priority), tasks in waiting.items()
            if priority.rank < task.priority.rank and profile.satisfies(requirements)
            for better, since in tasks.items()
        ]
        if passed_over:
            found.append(max(passed_over, key=lambda one: one.seconds))
    return found
