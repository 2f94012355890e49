"""Draws what `coordinator top` shows: the service, the queues, the agents and the tasks that run."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any

from rich.console import Console, Group, RenderableType
from rich.text import Text

from coordinator.api_commands.printing.cell_texts import one_line
from coordinator.api_commands.printing.fleet_tables import (
    AGENTS,
    PRIORITIES,
    agent_rows,
    priority_rows,
)
from coordinator.api_commands.printing.task_tables import RUNNING, running_rows
from coordinator.api_commands.printing.text_tables import Column, rich_table
from coordinator.client import Agent, Health, QueueStats, TaskSummary

__all__ = ["Look", "as_document", "drawn", "figures"]

LEAST_ROWS = 3
"""Of each table, also in a small terminal."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Look:
    """Is what one look at the service has found."""

    url: str
    health: Health
    stats: QueueStats
    agents: Sequence[Agent]
    running: Sequence[TaskSummary]
    dead: int
    at: datetime
    before: Look | None = None
    """The one before this, for rates."""

    @property
    def ended(self) -> int:
        totals = self.stats.distribution_stats
        return totals.tasks_completed + totals.tasks_failed

    @property
    def rate(self) -> float | None:
        """Tasks that ended in a second, since the look before; None at the first."""
        if self.before is None:
            return None
        seconds = (self.at - self.before.at).total_seconds()
        return max(self.ended - self.before.ended, 0) / seconds if seconds > 0 else None


def figures(look: Look) -> str:
    """All in one line."""
    waiting = sum(look.stats.queue_sizes.values())
    busy = sum(agent.status in {"active", "busy"} for agent in look.agents)
    parts = [
        f"{waiting} waiting",
        f"{len(look.running)} running",
        f"{look.dead} dead",
        f"{busy} of {len(look.agents)} agents",
    ]
    if look.rate is not None:
        parts.append(f"{look.rate:.1f} ended/s")
    return ", ".join(parts)


def drawn(look: Look, console: Console, trouble: str | None = None) -> RenderableType:
    """As high as the terminal at most. ``trouble`` is why it is not fresh."""
    width = console.width
    heading = Text.assemble(
        (one_line(look.url), "bold"),
        "  ",
        (one_line(look.health.status), "green" if look.health.healthy else "bold red"),
        f"  {look.at.astimezone():%H:%M:%S}",
        no_wrap=True,
        overflow="ellipsis",
    )
    parts: list[RenderableType] = [heading, _line(figures(look))]
    parts += [_line(one_line(problem), "red") for problem in look.health.problems or ()]
    if trouble is not None:
        parts.append(_line(one_line(trouble), "bold red"))
    parts += ["", rich_table(PRIORITIES, priority_rows(look.stats), width)]
    used = len(parts) + len(look.stats.priorities) + 1
    left = max(console.height - used - 1, 2 * (LEAST_ROWS + 3))
    now = look.at.astimezone(UTC)
    agents = min(len(look.agents), max(LEAST_ROWS, left // 2 - 3))
    parts += _some(AGENTS, agent_rows(look.agents, now), agents, width, "agents")
    running = max(LEAST_ROWS, left - agents - 6)
    parts += _some(RUNNING, running_rows(look.running, now), running, width, "running tasks")
    return Group(*parts)


def _some(
    columns: Sequence[Column], rows: list[list[str]], room: int, width: int, what: str
) -> list[RenderableType]:
    if not rows:
        return ["", _line(f"no {what}", "dim")]
    hidden = len(rows) - room
    more: list[RenderableType] = [_line(f"{hidden} more {what}", "dim")] if hidden > 0 else []
    return ["", rich_table(columns, rows[:room], width), *more]


def _line(text: str, style: str = "") -> Text:
    return Text(text, style=style, no_wrap=True, overflow="ellipsis")


def as_document(look: Look) -> dict[str, Any]:
    """For `--json`."""
    return {
        "health": look.health,
        "queue_sizes": dict(look.stats.queue_sizes),
        "agents": [{"agent_id": one.agent_id, "status": one.status} for one in look.agents],
        "running": [one.task_id for one in look.running],
        "dead": look.dead,
    }
