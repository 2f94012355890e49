"""How much of everything: the whole, or a quick look."""

from __future__ import annotations

from dataclasses import dataclass

__all__ = ["QUICK", "WHOLE", "Scale"]


@dataclass(frozen=True, slots=True, kw_only=True)
class Scale:
    rounds: int
    submit_seconds: float
    """Of each contestant in each round."""
    batches: int
    """Of 500 tasks, in each round."""
    drained: int
    """Tasks in a backlog."""
    one_by_one: int
    """Tasks, each when the one before has started."""
    paced_seconds: float
    backlog: int
    """Low tasks that an urgent one overtakes."""
    urgent: int
    """How many of those, one after another."""
    depths: tuple[int, ...]
    idle_agents: tuple[int, ...]
    """Sizes of a fleet with nothing to do."""
    idle_lanes: tuple[int, ...]
    """Lanes that it serves, each at all priorities: the first with every size, the others with the last."""
    idle_rest: float
    """Seconds from the start of a fleet until it is measured."""
    idle_seconds: float
    """Of measuring."""
    idle_tasks: int
    """For the largest fleet, one by one."""
    idle_burst: int
    """At most so many tasks at once."""
    idle_bursts: int
    """To one queue, and as many to all."""


WHOLE = Scale(
    rounds=5,
    submit_seconds=3,
    batches=12,
    drained=20_000,
    one_by_one=60,
    paced_seconds=4,
    backlog=20_000,
    urgent=10,
    depths=(1_000, 10_000, 100_000),
    idle_agents=(250, 500, 1_000),
    idle_lanes=(2, 20),
    idle_rest=30,
    idle_seconds=30,
    idle_tasks=100,
    idle_burst=300,
    idle_bursts=3,
)

QUICK = Scale(
    rounds=1,
    submit_seconds=2,
    batches=6,
    drained=4_000,
    one_by_one=30,
    paced_seconds=2,
    backlog=2_000,
    urgent=5,
    depths=(1_000, 20_000),
    idle_agents=(37, 75, 150),
    idle_lanes=(2, 20),
    idle_rest=10,
    idle_seconds=10,
    idle_tasks=30,
    idle_burst=300,
    idle_bursts=1,
)
