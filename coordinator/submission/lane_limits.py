"""Decides whether a lane may be opened: how many there may be of each kind, and what is said where there are.
Pure.
"""

from __future__ import annotations

from collections.abc import Mapping
from collections.abc import Set as AbstractSet
from dataclasses import dataclass

from coordinator.domain.task_queues import counts
from coordinator.errors import TooManyLanes, TooManyRequests
from coordinator.protocol.requirements import Requirements

__all__ = [
    "MAX_ABSENT_AGENTS",
    "MAX_LANES",
    "MAX_UNSERVED_LANES",
    "LaneLimits",
    "check_room",
    "check_share",
]

MAX_LANES = 500
"""Distinct combinations of a task type and requirements; each has up to five queues (ten with the long
ones), as far as its priorities are used."""

MAX_UNSERVED_LANES = 50
"""Those that ask for something which no agent ever registered: a loop of typing errors fills these alone."""

MAX_ABSENT_AGENTS = 200
"""Agents that never registered, with queues of their own."""


@dataclass(frozen=True, slots=True, kw_only=True)
class LaneLimits:
    """Say how many lanes of each kind may be open."""

    lanes: int = MAX_LANES
    unserved: int = MAX_UNSERVED_LANES
    """Of those that nobody ever served; never more than ``lanes``."""
    absent_agents: int = MAX_ABSENT_AGENTS
    per_caller: int = 0
    """That tasks of one caller opened, of any kind; 0 is no limit."""


def check_room(
    lane: str,
    wanted: Requirements,
    *,
    others: Mapping[str, Requirements],
    unserved: AbstractSet[str],
    limits: LaneLimits,
) -> None:
    """``others`` are the lanes that are open, or about to be; ``unserved`` names those of all these, this one
    among them, that no agent ever registered for. Raises `TooManyLanes`.
    """
    if lane in others or wanted.empty:
        return
    if wanted.agent_id is not None:
        alike = {one for one, other in others.items() if other.agent_id is not None} & unserved
        if lane in unserved and len(alike) >= limits.absent_agents:
            raise TooManyLanes(_ABSENT.format(limits.absent_agents))
        return
    shared = {one for one, other in others.items() if counts(other)}
    if lane in unserved:
        most = min(limits.unserved, limits.lanes)
        if len(shared & unserved) >= most:
            raise TooManyLanes(_UNSERVED.format(most))
    elif len(shared - unserved) >= limits.lanes:
        raise TooManyLanes(_LANES.format(limits.lanes))


def check_share(lanes: AbstractSet[str], limits: LaneLimits) -> None:
    """``lanes`` are those that tasks of the caller opened who is about to open another. Raises
    `TooManyRequests`.
    """
    if limits.per_caller and len(lanes) >= limits.per_caller:
        raise TooManyRequests(_SHARE.format(len(lanes)), retry_after=SHARE_LATER)


SHARE_LATER = 60.0
"""Seconds after which an unused lane may have been given up."""

_SHARE = (
    "Tasks of this caller opened {} different combinations of task type and requirements, as many as it may"
    " have (COORDINATOR_MAX_CALLERS_LANES): use one of them, or have the operator retire one"
    " (POST /tasks/queues/lanes/<lane>/retire)"
)
_LANES = (
    "{} different combinations of task type and requirements are in use, which is the limit: use one of"
    " them, or have the operator raise COORDINATOR_MAX_LANES, or retire one"
    " (POST /tasks/queues/lanes/<lane>/retire)"
)
_UNSERVED = (
    "{} different combinations of requirements wait for what no agent ever registered, which is the limit"
    " (COORDINATOR_MAX_UNSERVED_LANES, and never more than COORDINATOR_MAX_LANES): look for a typing error,"
    " let an agent register first, or have the operator retire one (POST /tasks/queues/lanes/<lane>/retire)"
)
_ABSENT = (
    "Tasks wait for {} agents that never registered, which is the limit (COORDINATOR_MAX_ABSENT_AGENTS): look"
    " for a typing error in agent_id, let the agent register first, or have the operator retire one"
    " (POST /tasks/queues/lanes/<lane>/retire)"
)
