"""Reads from a ledger in which order tasks started, and how long a better one was passed over."""

from __future__ import annotations

import json
import sqlite3
from collections import OrderedDict, defaultdict
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path

from coordinator.protocol.priority import Priority
from coordinator.protocol.requirements import Profile, Requirements

__all__ = ["Overtaking", "Step", "overtakings", "read_steps"]


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
    """``task_id`` was started while ``better`` had waited for ``seconds``."""

    task_id: str
    better: str
    seconds: float


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


def overtakings(steps: Iterable[Step], profiles: Mapping[str, Profile]) -> list[Overtaking]:
    """Every start at which a task of higher priority waited that this agent could have done."""
    waiting: dict[tuple[Requirements, Priority], OrderedDict[str, datetime]] = defaultdict(
        OrderedDict
    )
    kinds: dict[str, tuple[Requirements, Priority]] = {}
    early: set[str] = set()
    found: list[Overtaking] = []
    for step in steps:
        if not step.started:
            assert step.requirements is not None
            assert step.priority is not None
            kinds[step.task_id] = step.requirements, step.priority
            if step.task_id not in early:
                waiting[kinds[step.task_id]][step.task_id] = step.at
            continue
        if step.task_id not in kinds:  # two clocks, or two processes: started before "submitted"
            early.add(step.task_id)
            continue
        kind = kinds[step.task_id]
        waiting[kind].pop(step.task_id, None)
        profile = profiles[step.agent_id or ""]
        for (requirements, priority), tasks in waiting.items():
            if tasks and priority.rank < kind[1].rank and profile.satisfies(requirements):
                better, since = next(iter(tasks.items()))
                found.append(
                    Overtaking(
                        task_id=step.task_id,
                        better=better,
                        seconds=(step.at - since).total_seconds(),
                    )
                )
    return found
