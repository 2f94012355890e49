"""Shows an agent as the API tells it, with what somebody should put right among its metadata."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from coordinator.domain.agent_status_rules import health_score
from coordinator.domain.clock_skew import SKEW_BOUND

from .agent_roster import AgentRoster
from .doubled_instances import DoubledInstances
from .known_agent import KnownAgent

__all__ = ["AgentView", "AgentViews"]

MOST_PROBLEMS, LONGEST_PROBLEM = 10, 400
"""How many are told of one agent, and their characters."""


@dataclass(frozen=True, slots=True, kw_only=True)
class AgentView:
    """An agent, with exactly the names that the REST contract has."""

    agent_id: str
    agent_type: str
    status: str
    listening: bool
    """Whether it takes tasks from the broker, now or when a slot is free: its status lets it, and it
    has a control queue there."""
    capabilities: list[str]
    services: list[str]
    task_types: list[str] | None
    """That it has handlers for, with `any` for a default handler; None where it does not say."""
    endpoints: dict[str, str]
    metadata: dict[str, Any]
    last_heartbeat: datetime
    registration_time: datetime
    load_metrics: dict[str, float]
    health_score: float
    version: str
    tags: list[str]
    slots: int | None
    """How many tasks it does at once; None where it does not say."""
    free_slots: int | None
    """Of those, as of its last heartbeat; None where it does not say what it runs."""
    running: list[str] | None
    """Ids of the tasks that it runs, as of its last heartbeat; None where it does not say."""
    instance: str | None
    """The process that was heard last."""
    other_instance: str | None
    """A second process that beats under the same id: one of the two must be given another. The
    metadata tell of it, too, as `other_instance`."""
    clock_skew_seconds: float | None
    """How far its clock is ahead of this coordinator's, negative where it is behind; None where that
    is not known. Above two seconds the metadata tell of it, too."""


class AgentViews:
    """Makes views of agents that are in the roster, as they are at this moment."""

    def __init__(self, roster: AgentRoster, doubled: DoubledInstances) -> None:
        self._roster = roster
        self._doubled = doubled

    def of(self, known: KnownAgent) -> AgentView:
        """The agent as the API tells it."""
        registration, beat = known.agent.registration, known.heartbeat
        other = self._doubled.other(known)
        skew = None if known.clock_skew is None else round(known.clock_skew.total_seconds(), 3)
        silence = self._roster.silence.of(known.agent_id)
        status = self._roster.status_after(known, silence)
        return AgentView(
            agent_id=registration.agent_id,
            agent_type=registration.agent_type,
            status=status.value,
            listening=self._roster.listens(known, status),
            capabilities=registration.capabilities,
            services=registration.services,
            task_types=registration.task_types or None,
            endpoints=registration.endpoints,
            metadata=registration.metadata | _remarks(other, skew, _problems(known)),
            last_heartbeat=known.heard_at,
            registration_time=known.agent.registered_at,
            load_metrics=known.load_metrics or {},
            health_score=health_score(
                silence=silence,
                stale_after=self._roster.silence.stale_after,
                completed=beat.completed if beat else 0,
                failed=beat.failed if beat else 0,
                slots=known.slots,
                running=known.running,
            ),
            version=registration.version,
            tags=registration.tags,
            slots=known.slots,
            free_slots=_free_slots(known),
            running=_running(known),
            instance=(beat.instance if beat else None) or registration.instance,
            other_instance=other,
            clock_skew_seconds=skew,
        )


def _running(known: KnownAgent) -> list[str] | None:
    return None if known.account is None else [task.task_id for task in known.account.running]


def _free_slots(known: KnownAgent) -> int | None:
    if known.slots is None or known.account is None:
        return None
    abandoned = known.account.load_metrics.get("abandoned_handlers", 0)
    return max(0, known.slots - len(known.account.running) - int(abandoned))


def _remarks(other: str | None, skew: float | None, problems: Sequence[str]) -> dict[str, Any]:
    """What somebody should put right, among the agent's own metadata."""
    found: dict[str, Any] = {} if other is None else {"other_instance": other}
    if skew is not None and abs(skew) > SKEW_BOUND.total_seconds():
        found["clock_skew_seconds"] = skew
    if problems:
        found["problems"] = [one[:LONGEST_PROBLEM] for one in problems[:MOST_PROBLEMS]]
    return found


def _problems(known: KnownAgent) -> list[str]:
    """What it says itself, and what of its words could not be read."""
    said = [] if known.heartbeat is None else known.heartbeat.problems or []
    return [*said, *(f"heartbeats: {one} (left out)" for one in known.left_out)]
