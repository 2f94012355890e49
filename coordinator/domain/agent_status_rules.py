"""Computes an agent's status and health score from what was declared and what was observed. Pure.

Three things are never mixed: what somebody declared, how long the agent has been silent, and how
much it has in its hands. `merged_status` is the one rule that makes one word of them.
"""

from __future__ import annotations

from datetime import timedelta

from .agent_statuses import AgentStatus

__all__ = ["STALE_AFTER", "health_score", "merged_status"]

STALE_AFTER = timedelta(seconds=60)
"""Silence after which an agent counts as stale: six beats of the usual interval."""

FAILURE_WEIGHT = 0.5
"""What is left of the health of an agent all of whose tasks fail, is 1 - this."""
LOAD_WEIGHT = 0.2
"""What is left of the health of an agent without a free slot, is 1 - this."""
FORGIVEN = 2
"""Tasks that are thought to have gone well beside those that were counted, so that the first
failure of a new agent is not its ruin."""


def merged_status(
    *,
    silence: timedelta,
    stale_after: timedelta,
    declared: AgentStatus,
    slots: int | None,
    running: int,
) -> AgentStatus:
    """A goodbye first, after which silence is no news; then silence, then what was declared, then what is
    observed.

    ``declared`` is `active` where nothing else was said; ``slots`` is None where they are unknown.
    """
    if declared is AgentStatus.INACTIVE:
        return declared
    if silence > stale_after:
        return AgentStatus.STALE
    if declared is not AgentStatus.ACTIVE:
        return declared
    if slots is not None and running >= slots:
        return AgentStatus.BUSY
    return AgentStatus.ACTIVE


def health_score(
    *,
    silence: timedelta,
    stale_after: timedelta,
    completed: int,
    failed: int,
    slots: int | None,
    running: int,
) -> float:
    """From 0 (gone) to 1 (well), with three decimals: freshness x reliability x room.

    freshness    1 up to a third of ``stale_after``, then down in a line to 0 at ``stale_after``
    reliability  1 - 0.5 * failed / (completed + failed + 2), over the life of the agent's process
    room         1 - 0.2 * running / slots, at least 0.8; 1 where slots are unknown
    """
    freshness = min(1.0, max(0.0, 1.5 * (1 - silence / stale_after)))
    reliability = 1 - FAILURE_WEIGHT * failed / (completed + failed + FORGIVEN)
    room = 1.0 if not slots else 1 - LOAD_WEIGHT * min(1.0, running / slots)
    return round(freshness * reliability * room, 3)
